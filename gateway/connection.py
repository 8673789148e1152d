"""One connection: uvicorn's httptools protocol, with the case of header names kept both ways."""

import asyncio
import math
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from fogbank.gateway.departures import Departures
from fogbank.gateway.exchange import Exchange, Headers, Scope, close_gently

# S3's own limit for the headers of a request is 8 KB, API Gateway's 10,240 bytes, an Application
# Load Balancer's 60 KB; real clients stay below all of them.
HEAD_BYTES_MAX = 64 * 1024
URL_BYTES_MAX = 32 * 1024
KEEP_ALIVE_S = 75.0
# A client that sends the head of a request has this long to finish it.
HEAD_S = 30.0


class _Refused(Exception):
    """The head of a request breaks a limit: raised inside the parser to stop it."""


class ListenerState(ServerState):
    """What the connections of one listening socket share."""

    def __init__(self) -> None:
        super().__init__()
        self.departures = Departures()
        self.is_closed = False


class CasePreservingProtocol(HttpToolsProtocol):
    """Bounds the head, and says what a request's headers were both as they came and by name.

    Depends on uvicorn's internals: the range in pyproject.toml is narrow and test_server.py looks
    at the bytes on the wire.
    """

    app: Any
    cycle: Any  # an Exchange, or None before the first
    pipeline: Any
    parser: Any  # None only after the connection was given up, when nothing is parsed any more
    raw_headers: Headers
    by_name: dict[bytes, bytes]
    _in_head = True
    _head_bytes = 0
    _refusal: tuple[int, str] | None = None

    def __init__(self, config: Config, state: ListenerState) -> None:
        super().__init__(config, state, {})
        self.departures = state.departures
        self._listener = state
        # When, by the loop's clock, to give up waiting for the client: `HttpServer` looks now and
        # then. A timer for each request would cost it 2 us.
        self.deadline = math.inf

    @property
    def default_headers(self) -> Headers:
        return self.server_state.default_headers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # always a Transport here
        self.deadline = self.loop.time() + HEAD_S
        if self._listener.is_closed:
            # Accepted in the very turn in which the listener closed: nobody else will end it.
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None or self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head and self.parser is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX + URL_BYTES_MAX and self._refusal is None:
                self._refusal = (431, "The head of the request is too large.")
                self.send_400_response("")

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.raw_headers = []
        self.by_name = {}
        self._in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > URL_BYTES_MAX:
            self._refuse(414, "The URL of the request is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # A trailer of a chunked body: the request has begun without it.
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(431, "The headers of the request are too large.")
        # Of a name that comes twice the first counts.
        self.by_name.setdefault(name.lower(), value)
        self.raw_headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self.deadline = math.inf
        http_version = self.parser.get_http_version()
        expected = self.by_name.get(b"expect")
        previous = self.cycle
        self.cycle = exchange = Exchange(
            self,
            self._scope(http_version),
            waiting_for_100_continue=expected is not None and expected.lower() == b"100-continue",
            keep_alive=http_version != "1.0" and self.parser.should_keep_alive(),
        )
        if previous is None or previous.response_complete:
            exchange.start(self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft(exchange)

    def _scope(self, http_version: str) -> Scope:
        """ASGI's, as far as `app.py` reads it; header names as they came, and "by_name" beside."""
        path, query = self.url, b""
        if not path.startswith(b"/") or b"?" in path or b"#" in path:
            url = httptools.parse_url(path)
            path, query = url.path or b"/", url.query or b""
        return {
            "type": "http",
            "method": self.parser.get_method().decode("ascii"),
            "http_version": http_version,
            "raw_path": path,
            "query_string": query,
            "headers": self.raw_headers,
            "by_name": self.by_name,
            "client": self.client,
        }

    def on_body(self, body: bytes) -> None:
        if not self.cycle.response_complete:
            self.cycle.add(body)

    def on_message_complete(self) -> None:
        if not self.cycle.response_complete:
            self.cycle.end()

    def on_response_complete(self) -> None:
        """What waits behind a response that is complete comes next."""
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self.pipeline.pop().start(self.app)
        else:
            self.deadline = self.loop.time() + KEEP_ALIVE_S

    def shutdown(self) -> None:
        """The connection ends with the response that is under way, or at once."""
        self.departures.flush()
        super().shutdown()

    def _should_upgrade(self) -> bool:
        return False

    def _unsupported_upgrade_warning(self) -> None:
        """Upgrades are not offered: the request is answered as if it had not asked."""

    def _refuse(self, status: int, message: str) -> None:
        self._refusal = (status, message)
        raise _Refused

    def send_400_response(self, msg: str) -> None:
        status, text = self._refusal or (400, "This is not an HTTP request.")
        self._refusal = (status, text)
        if self.cycle is not None and not self.cycle.response_complete:
            # A request is being answered: a second response would break into it.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.transport.close()
            return
        body = text.encode()
        self.departures.now(
            self.transport,
            STATUS_LINE[status]
            + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body)
            + body,
        )
        close_gently(self.transport, unread=True)
