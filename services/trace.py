"""What happened, as spans that form one causal tree per request; bounded, readable by API."""

from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from fogbank.services.ids import Ids

SPANS_MAX = 20_000


class Span(NamedTuple):
    """Where in the tree the present work stands. Ids have X-Ray's form."""

    trace_id: str
    id: str
    parent_id: str | None

    def header(self) -> str:
        """https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader"""
        return f"Root={self.trace_id};Parent={self.id};Sampled=1"


class Record(NamedTuple):
    span: Span
    name: str
    kind: str  # "request", "call", "invoke", "event", "log"
    start_ms: float
    duration_ms: float
    status: str  # "ok" or an error's code
    detail: dict[str, Any] | None


class TraceBuffer:
    """The newest spans. Recording is a tuple into a ring; the tree is built when somebody asks."""

    def __init__(self, ids: Ids, spans_max: int = SPANS_MAX) -> None:
        self._ids = ids
        self._records: deque[Record] = deque(maxlen=spans_max)

    def begin(self, now_ms: int, header: str | None = None) -> Span:
        """The span of a request: a child where `header` (X-Amzn-Trace-Id) names a parent."""
        raw = self._ids.hex(20)
        if header is None:
            return Span(f"1-{now_ms // 1000:08x}-{raw[16:]}", raw[:16], None)
        fields = dict(part.strip().split("=", 1) for part in header.split(";") if "=" in part)
        root = fields.get("Root") or f"1-{now_ms // 1000:08x}-{raw[16:]}"
        return Span(root, raw[:16], fields.get("Parent"))

    def child(self, parent: Span) -> Span:
        return Span(parent.trace_id, self._ids.hex(8), parent.id)

    def record(
        self,
        span: Span,
        name: str,
        kind: str,
        start_ms: float,
        duration_ms: float,
        status: str = "ok",
        detail: dict[str, Any] | None = None,
    ) -> None:
        self._records.append(Record(span, name, kind, start_ms, duration_ms, status, detail))

    def traces(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest `limit` traces, newest first, each a forest of spans in order of start."""
        by_trace: dict[str, list[Record]] = {}
        for record in reversed(self._records):
            if record.span.trace_id in by_trace or len(by_trace) < limit:
                by_trace.setdefault(record.span.trace_id, []).append(record)
        return [
            {"traceId": trace_id, "spans": _forest(records)}
            for trace_id, records in by_trace.items()
        ]

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        records = [record for record in self._records if record.span.trace_id == trace_id]
        return {"traceId": trace_id, "spans": _forest(records)} if records else None

    def clear(self) -> None:
        self._records.clear()


def _forest(records: Iterable[Record]) -> list[dict[str, Any]]:
    nodes: dict[str, dict[str, Any]] = {}
    ordered = sorted(records, key=lambda record: record.start_ms)
    for record in ordered:
        nodes[record.span.id] = {
            "id": record.span.id,
            "name": record.name,
            "kind": record.kind,
            "startMs": record.start_ms,
            "durationMs": record.duration_ms,
            "status": record.status,
            "detail": record.detail or {},
            "children": [],
        }
    roots: list[dict[str, Any]] = []
    for record in ordered:
        parent = nodes.get(record.span.parent_id or "")
        (parent["children"] if parent else roots).append(nodes[record.span.id])
    return roots
