"""The stack's own pages: health, status, traces, log lines, dead letters."""

import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

import orjson

from fogbank import __version__
from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.log import Log
from fogbank.gateway.settings import Settings
from fogbank.services.context import Stack
from fogbank.storage.datadir import DataDir

TRACES_DEFAULT = 100
LINES_DEFAULT = 200
DEAD_DEFAULT = 100

Query = Mapping[str, list[str]]
Answer = tuple[int, Any]


class Pages:
    """JSON for people, for `fogbank status` and for test containers; read only."""

    def __init__(
        self,
        stack: Stack,
        settings: Settings,
        log: Log,
        data: DataDir,
        requests_in_progress: Callable[[], int],
    ) -> None:
        self._stack = stack
        self._settings = settings
        self._log = log
        self._data = data
        self._requests_in_progress = requests_in_progress
        self._started_s = time.monotonic()
        self._pages: dict[str, Callable[[Query], Awaitable[Answer]]] = {
            "/_fogbank/health": self._health,
            "/_localstack/health": self._health,
            "/_localstack/info": self._info,
            "/_fogbank/status": self._status,
            "/_fogbank/traces": self._traces,
            "/_fogbank/logs": self._logs,
            "/_fogbank/dead-letters": self._dead,
        }

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/_fogbank/lambda/code/"):
            return await self._code(request)
        page = self._pages.get(request.path.rstrip("/"))
        if page is None:
            status, document = 404, {"error": "no such page", "pages": sorted(self._pages)}
        elif request.method not in ("GET", "HEAD"):
            status, document = 405, {"error": "pages are read with GET"}
        else:
            status, document = await page(parse_qs(request.query))
        body = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE, default=str)
        return HttpResponse(status, [(b"Content-Type", b"application/json")], body)

    async def _code(self, request: HttpRequest) -> HttpResponse:
        """A function's package, at the address that Lambda's GetFunction answered."""
        # Loaded at the first download: start-up does not pay for the whole service.
        from fogbank.services.lambda_ import downloads

        data = await downloads.download(self._stack, request.path, request.query)
        if data is None:
            return HttpResponse(403, [(b"Content-Type", b"text/plain")], b"expired or not valid\n")
        return HttpResponse(200, [(b"Content-Type", b"application/zip")], data)

    async def _health(self, query: Query) -> Answer:
        loaded = self._stack.catalog.loaded()
        services = {
            name: "running" if name in loaded else "available"
            for name in self._stack.catalog.names()
        }
        document = {"services": services, "edition": "fogbank", "version": __version__}
        return 200, {**document, "status": "ok", "pid": os.getpid()}

    async def _info(self, query: Query) -> Answer:
        return 200, {"version": __version__, "edition": "fogbank", "is_license_activated": False}

    async def _status(self, query: Query) -> Answer:
        settings = self._settings
        return 200, {
            "version": __version__,
            "python": sys.version.split()[0],
            "pid": os.getpid(),
            "endpoint": self._stack.endpoint,
            "uptimeSeconds": round(time.monotonic() - self._started_s, 1),
            "dataDir": str(settings.data_dir),
            "durability": settings.durability,
            "auth": settings.auth,
            "region": settings.region,
            "isolation": isolation_of(self._stack),
            "services": {
                "known": self._stack.catalog.names(),
                "loaded": self._stack.catalog.loaded(),
            },
            "eventsPending": await self._data.outbox.pending_count(),
            "requestsInProgress": self._requests_in_progress(),
            "memoryBytes": memory_bytes(),
        }

    async def _traces(self, query: Query) -> Answer:
        wanted = query.get("id")
        if wanted:
            trace = self._stack.traces.trace(wanted[0])
            return (200, trace) if trace else (404, {"error": "no such trace"})
        return 200, {"traces": self._stack.traces.traces(_limit(query, TRACES_DEFAULT))}

    async def _logs(self, query: Query) -> Answer:
        return 200, {"lines": self._log.lines(_limit(query, LINES_DEFAULT))}

    async def _dead(self, query: Query) -> Answer:
        topic = query.get("topic", [None])[0]
        letters = await self._data.outbox.dead_letters(topic)
        return 200, {"deadLetters": [asdict(one) for one in letters[: _limit(query, DEAD_DEFAULT)]]}


def isolation_of(stack: Stack) -> dict[str, Any]:
    """The level in force with its parts, and the same in one line: shown, never implied."""
    facts = stack.functions.isolation()
    lost = [*([facts["fallback"]] if facts.get("fallback") else []), *facts.get("missing", ())]
    level = str(facts.get("driver"))
    enforced = ", ".join(facts.get("enforces", ()))
    summary = f"enforced: {enforced or 'nothing'}" + (
        f"; not enforced: {'; '.join(lost)}" * bool(lost)
    )
    return {"level": level, "summary": summary, **facts}


def memory_bytes() -> int:
    """The resident memory of this process; its peak where the system tells no more."""
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123  # a path object adds nothing
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _limit(query: Query, default: int) -> int:
    text = query.get("limit", [""])[0]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else default
