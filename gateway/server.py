"""The HTTP server: uvicorn's httptools protocol, with the case of header names kept both ways."""

import asyncio
import contextlib
import logging
import re
import socket
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from fogbank.services.body import SMALL_BYTES

# S3's own limit for the headers of a request is 8 KB, API Gateway's 10,240 bytes, an Application
# Load Balancer's 60 KB; real clients stay below all of them.
HEAD_BYTES_MAX = 64 * 1024
URL_BYTES_MAX = 32 * 1024
KEEP_ALIVE_S = 75
BACKLOG = 2048
# A client that sends the head of a request has this long to finish it.
HEAD_S = 30.0
LINGER_S = 2.0
BODILESS = frozenset({204, 304})
JOINED_BYTES_MAX = 64 * 1024

_UNSAFE_IN_VALUE = re.compile(b"[\x00-\x08\x0a-\x1f\x7f]")
_UNSAFE_IN_NAME = re.compile(b'[\x00-\x20\x7f()<>@,;:\\[\\]={}\\\\"]')
# What the server does about a response header, by its name as it is given; bounded.
_KINDS: dict[bytes, bytes] = {}
_KINDS_MAX = 1024
_PLAIN, _DROPPED = b"plain", b"dropped"
_FRAMING = {
    b"content-length": b"content-length",
    b"connection": b"connection",
    b"transfer-encoding": _DROPPED,
}

Application = Callable[[Any, Any, Any], Awaitable[None]]


_log = logging.getLogger("fogbank.server")


def _nothing() -> None:
    """What follows a response once its request is over."""


def _kind_of(name: bytes) -> bytes:
    if len(_KINDS) >= _KINDS_MAX:
        _KINDS.clear()
    unsafe = _UNSAFE_IN_NAME.search(name)
    _KINDS[name] = kind = _DROPPED if unsafe else _FRAMING.get(name.lower(), _PLAIN)
    return kind


class ClientGone(ConnectionError):
    """The client closed the connection before the exchange was over."""


class _Refused(Exception):
    """The head of a request breaks a limit: raised inside the parser to stop it."""


def close_gently(transport: asyncio.Transport, *, unread: bool) -> None:
    """Close, but let a client that still sends read its answer first.

    The kernel resets a connection that is closed with bytes unread, and the reset can overtake the
    answer: https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    """
    if unread and transport.can_write_eof() and not transport.is_closing():
        transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_S, transport.close)
    else:
        transport.close()


class Cycle(RequestResponseCycle):
    """One request and its response: header names go out as they are given."""

    _head = b""
    _is_bodiless = False
    _waiting_bytes = 0

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._pieces: list[bytes] = []

    def _apart(self, body: bytes) -> bytes:
        """Write the head by itself: copying a large piece to join them costs more."""
        self.transport.write(self._head)
        return body

    async def run_asgi(self, app: Any) -> None:
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        if (
            not self.more_body
            and self._waiting_bytes <= SMALL_BYTES
            and not self.waiting_for_100_continue
        ):
            scope["arrived_body"] = self._taken()
        scope["answer"] = self.answer
        try:
            await app(self.scope, self.receive, self.send)
            if not self.response_complete and not self.disconnected:
                raise AssertionError("the application left its response unfinished")
        except asyncio.CancelledError:
            self.transport.close()
        except Exception as error:
            # Half a response must not look like a whole one: the connection breaks off.
            _log.error("a response broke off", exc_info=error)
            self.transport.close()
        finally:
            self.on_response = _nothing
            # Nothing that refers to itself is left behind: the collector would have to find it.
            del scope["answer"]

    def add(self, piece: bytes) -> None:
        """A piece of the request's body has arrived."""
        self._pieces.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.message_event.set()

    def _taken(self) -> bytes:
        """What has arrived since the last time, without a copy when it is one piece."""
        pieces, self._pieces = self._pieces, []
        self._waiting_bytes = 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def receive(self) -> Any:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._taken(), "more_body": self.more_body}

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            raise ClientGone
        if message["type"] == "http.response.start":
            self._start(message["status"], message["headers"])
        else:
            self._continue(message.get("body", b""), message.get("more_body", False))

    async def answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a response that is complete, with its length: `send` twice, in one step."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            raise ClientGone
        self._start(status, headers, len(body))
        self._continue(body, False)

    def _start(
        self, status: int, headers: list[tuple[bytes, bytes]], length: int | None = None
    ) -> None:
        """The head is ready to go out; `length` is the body's where no header says it."""
        assert not self.response_started
        self.response_started = True
        # A client that waits for "100 Continue" and gets its answer first will not send the body:
        # what it sends next on this connection would be taken for that body.
        if self.waiting_for_100_continue:
            self.keep_alive = False
            self.waiting_for_100_continue = False
        self._is_bodiless = self.scope["method"] == "HEAD" or status in BODILESS
        content = [STATUS_LINE.get(status) or b"HTTP/1.1 %d \r\n" % status]
        for name, value in self.default_headers:
            content += (name, b": ", value, b"\r\n")
        # One look over all values: almost none ever has anything to clean.
        if _UNSAFE_IN_VALUE.search(b"".join([value for _, value in headers])):
            headers = [(name, _UNSAFE_IN_VALUE.sub(b" ", value)) for name, value in headers]
        for name, value in headers:
            kind = _KINDS.get(name) or _kind_of(name)
            if kind is not _PLAIN:
                if kind == b"content-length":
                    self.expected_content_length = int(value)
                    self.chunked_encoding = False
                elif kind == b"connection":
                    if b"close" in value.lower():
                        self.keep_alive = False
                        continue
                else:
                    continue
            content += (name, b": ", value, b"\r\n")
        if length is not None and self.chunked_encoding is None and 200 <= status != 204:
            content.append(b"Content-Length: %d\r\n" % length)
            self.expected_content_length = length
            self.chunked_encoding = False
        if self.chunked_encoding is None and not self._is_bodiless:
            if self.scope["http_version"] == "1.0":
                self.keep_alive = False
                self.chunked_encoding = False
                self.expected_content_length = -1
            else:
                self.chunked_encoding = True
                content.append(b"transfer-encoding: chunked\r\n")
        content.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        # Held back until the first piece of the body: a system call for each would cost a small
        # answer more than all else that the server does for it.
        self._head = b"".join(content)

    def _continue(self, body: bytes, more: bool) -> None:
        assert self.response_started and not self.response_complete
        if self._is_bodiless:
            self.expected_content_length = 0
            body = b""
        elif self.chunked_encoding:
            end = b"" if more else b"0\r\n\r\n"
            body = b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end
        elif self.expected_content_length >= 0:
            # Never more bytes than announced: they would be read as the next response.
            assert len(body) <= self.expected_content_length
            self.expected_content_length -= len(body)
        if self._head:
            body = self._head + body if len(body) < JOINED_BYTES_MAX else self._apart(body)
            self._head = b""
        self.transport.write(body)
        if not more:
            assert self.expected_content_length <= 0
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                close_gently(self.transport, unread=self.more_body)
            self.on_response()


class CasePreservingProtocol(HttpToolsProtocol):
    """Puts the headers as they came into the scope as "raw_headers", and bounds the head.

    Depends on uvicorn's internals: the range in pyproject.toml is narrow and test_server.py looks
    at the bytes on the wire.
    """

    app: Any
    parser: Any  # None only after the connection was given up, when nothing is parsed any more
    _in_head = True
    _head_bytes = 0
    _refusal: tuple[int, str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # always a Transport here
        self._guard_head()

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
        super().on_message_begin()
        self.raw_headers: list[tuple[bytes, bytes]] = []
        self.scope["raw_headers"] = self.raw_headers  # type: ignore[typeddict-unknown-key]
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
        lower = name.lower()
        if lower == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((lower, value))
        self.raw_headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        assert isinstance(self.cycle, Cycle)
        if not self.cycle.response_complete:
            self.cycle.add(body)

    def on_headers_complete(self) -> None:
        self._in_head = False
        http_version = self.parser.get_http_version()
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = http_version
        url = httptools.parse_url(self.url)
        scope["raw_path"] = path = url.path or b"/"
        scope["path"] = path.decode("latin-1")
        scope["query_string"] = url.query or b""
        previous = self.cycle
        self.cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=http_version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _should_upgrade(self) -> bool:
        return False

    def _unsupported_upgrade_warning(self) -> None:
        """Upgrades are not offered: the request is answered as if it had not asked."""

    def _refuse(self, status: int, message: str) -> None:
        self._refusal = (status, message)
        raise _Refused

    def _guard_head(self) -> None:
        """Close a connection that never finishes its first head."""
        self.timeout_keep_alive_task = self.loop.call_later(HEAD_S, self.timeout_keep_alive_handler)

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
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        close_gently(self.transport, unread=True)


class Listener:
    """One listening socket and the connections that came in by it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._server: asyncio.Server | None = None
        self._closed = False
        self.state = ServerState()

    async def open(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, sock=sock, backlog=BACKLOG)
        self._server = server
        if self._closed:
            server.close()

    def _protocol(self) -> asyncio.Protocol:
        return CasePreservingProtocol(config=self._config, server_state=self.state, app_state={})

    @property
    def is_over(self) -> bool:
        return self._closed and not self.state.connections and not self.state.tasks

    def stop_accepting(self) -> None:
        self._closed = True
        if self._server is not None:
            self._server.close()

    def close(self) -> None:
        """No connection is accepted any more, and those that were are ended."""
        self.stop_accepting()
        for task in list(self.state.tasks):
            task.cancel()
        for connection in list(self.state.connections):
            connection.transport.close()


class HttpServer:
    """Serves one application on any number of listening sockets."""

    def __init__(self, application: Application, tasks: asyncio.TaskGroup) -> None:
        self._config = Config(
            application,
            http=CasePreservingProtocol,
            ws="none",
            lifespan="off",
            loop="none",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._config.load()
        self._tasks = tasks
        self._listeners: set[Listener] = set()
        self._date: list[tuple[bytes, bytes]] = []
        self._stamp()

    @property
    def requests_in_progress(self) -> int:
        return sum(len(listener.state.tasks) for listener in self._listeners)

    async def serve(self, sock: socket.socket) -> Listener:
        """Answer on a bound socket from now on."""
        listener = self._new_listener()
        await listener.open(sock)
        return listener

    def serve_soon(self, sock: socket.socket) -> "Listener":
        """Answer on a socket that listens already: who connects meanwhile waits in its queue."""
        listener = self._new_listener()
        self._tasks.create_task(listener.open(sock))
        return listener

    def _new_listener(self) -> Listener:
        self._listeners = {one for one in self._listeners if not one.is_over}
        listener = Listener(self._config)
        listener.state.default_headers = self._date
        self._listeners.add(listener)
        return listener

    def _stamp(self) -> None:
        # In place of the list, not within it: responses that have begun keep theirs.
        self._date = [(b"Date", formatdate(time.time(), usegmt=True).encode())]
        for listener in self._listeners:
            listener.state.default_headers = self._date

    async def keep_time(self) -> None:
        """Renew the Date header once a second, until cancelled."""
        while True:
            self._stamp()
            await asyncio.sleep(1.0 - time.time() % 1.0)

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let requests in progress finish, then cut what is left."""
        for listener in self._listeners:
            listener.stop_accepting()
            for connection in list(listener.state.connections):
                connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while running := [task for one in self._listeners for task in one.state.tasks]:
                    await asyncio.wait(running)
        for listener in self._listeners:
            listener.close()


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
