"""The stack's own pages: health, status, traces, log lines, dead letters.

Starlette routes them. It is imported with the first page that somebody asks for: 30 ms and 3 MB
that neither start-up nor an idle stack pays.
"""

import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson

from fogbank import __version__
from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.log import Log
from fogbank.gateway.settings import Settings
from fogbank.services.context import Stack
from fogbank.storage.datadir import DataDir

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Router

TRACES_DEFAULT = 100
LINES_DEFAULT = 200
DEAD_DEFAULT = 100

Query = Mapping[str, str]
Document = dict[str, Any] | None


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
        self._router: Router | None = None

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer of a page, of 404 or 405."""
        if self._router is None:
            self._router = self._routes()
        return await through(self._router, request)

    def _routes(self) -> "Router":
        from starlette.routing import Route, Router

        pages = {
            "/_fogbank/health": self._health,
            "/_localstack/health": self._health,
            "/_localstack/info": self._info,
            "/_fogbank/status": self._status,
            "/_fogbank/traces": self._traces,
            "/_fogbank/logs": self._logs,
            "/_fogbank/dead-letters": self._dead,
        }
        documents = [Route(path, _page(page)) for path, page in pages.items()]
        return Router([*documents, Route("/_fogbank/lambda/code/{rest:path}", self._code)])

    async def _code(self, request: "Request") -> "Response":
        """A function's package, at the address that Lambda's GetFunction answered."""
        from starlette.responses import Response

        # Loaded at the first download: start-up does not pay for the whole service.
        from fogbank.services.lambda_ import downloads

        data = await downloads.download(
            self._stack, _raw(request, "raw_path"), _raw(request, "query_string")
        )
        if data is None:
            return Response(b"expired or not valid\n", 403, media_type="text/plain")
        return Response(data, media_type="application/zip")

    async def _health(self, query: Query) -> Document:
        loaded = self._stack.catalog.loaded()
        services = {
            name: "running" if name in loaded else "available"
            for name in self._stack.catalog.names()
        }
        document = {"services": services, "edition": "fogbank", "version": __version__}
        return {**document, "status": "ok", "pid": os.getpid()}

    async def _info(self, query: Query) -> Document:
        return {"version": __version__, "edition": "fogbank", "is_license_activated": False}

    async def _status(self, query: Query) -> Document:
        settings = self._settings
        return {
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

    async def _traces(self, query: Query) -> Document:
        wanted = query.get("id")
        if wanted:
            return self._stack.traces.trace(wanted)
        return {"traces": self._stack.traces.traces(_limit(query, TRACES_DEFAULT))}

    async def _logs(self, query: Query) -> Document:
        return {"lines": self._log.lines(_limit(query, LINES_DEFAULT))}

    async def _dead(self, query: Query) -> Document:
        letters = await self._data.outbox.dead_letters(query.get("topic"))
        return {"deadLetters": [asdict(one) for one in letters[: _limit(query, DEAD_DEFAULT)]]}


def _page(page: Callable[[Query], Awaitable[Document]]) -> Callable[..., Awaitable["Response"]]:
    """A JSON document as a route's endpoint; without a document it is not there."""
    from starlette.responses import Response

    async def endpoint(request: "Request") -> Response:
        document = await page(request.query_params)
        status = 404 if document is None else 200
        body = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE, default=str)
        return Response(body, status, media_type="application/json")

    return endpoint


def _raw(request: "Request", part: str) -> str:
    """The path or the query as it came: what was signed."""
    return str(request.scope[part], "latin-1")


async def through(app: "Router", request: HttpRequest) -> HttpResponse:
    """What an ASGI application answers to a request."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": request.http_version,
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path).rstrip("/"),
        "raw_path": request.path.encode("latin-1"),
        "root_path": "",
        "query_string": request.query.encode("latin-1"),
        "headers": [(name.lower(), value) for name, value in request.headers],
        "client": (request.source_ip, 0),
    }
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return HttpResponse(sent[0]["status"], list(sent[0]["headers"]), body)


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
    text = query.get("limit", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else default
