"""One request and its response, between ASGI's messages and the bytes of a connection."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from fogbank.gateway.departures import Departures
from fogbank.services.body import SMALL_BYTES

LINGER_S = 2.0
BODILESS = frozenset({204, 304})
# An answer up to this size leaves with others; a larger one is written when it is ready, its head
# apart from its body from there on: copying to join them costs more.
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
Scope = dict[str, Any]
Headers = list[tuple[bytes, bytes]]

_log = logging.getLogger("fogbank.server")


class ClientGone(ConnectionError):
    """The client closed the connection before the exchange was over."""


class Line(Protocol):
    """What an exchange needs of its connection."""

    transport: asyncio.Transport
    flow: FlowControl
    tasks: set[Any]
    departures: Departures

    @property
    def default_headers(self) -> Headers: ...

    def on_response_complete(self) -> None: ...


def _kind_of(name: bytes) -> bytes:
    if len(_KINDS) >= _KINDS_MAX:
        _KINDS.clear()
    unsafe = _UNSAFE_IN_NAME.search(name)
    _KINDS[name] = kind = _DROPPED if unsafe else _FRAMING.get(name.lower(), _PLAIN)
    return kind


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


class Exchange:
    """Runs the application for one request. Header names of its response go out as given."""

    def __init__(
        self, line: Line, scope: Scope, *, waiting_for_100_continue: bool, keep_alive: bool
    ) -> None:
        self._line = line
        self.scope = scope
        self.waiting_for_100_continue = waiting_for_100_continue
        self.keep_alive = keep_alive
        self.disconnected = False
        self.more_body = True
        self.response_complete = False
        self._response_started = False
        self._is_chunked: bool | None = None
        self._left = 0
        self._head = b""
        self._is_bodiless = False
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0
        self._was_read = False
        self._message_event: asyncio.Event | None = None

    @property
    def message_event(self) -> asyncio.Event:
        """Set when there is news for `receive`. Most requests have arrived before anybody asks."""
        if self._message_event is None:
            self._message_event = asyncio.Event()
        return self._message_event

    def start(self, app: Application) -> None:
        """The request's task runs from now on, and is among the connection's until it ends."""
        task = asyncio.get_running_loop().create_task(self._run(app))
        self._line.tasks.add(task)
        task.add_done_callback(self._line.tasks.discard)

    async def _run(self, app: Application) -> None:
        scope = self.scope
        if (
            not self.more_body
            and self._waiting_bytes <= SMALL_BYTES
            and not self.waiting_for_100_continue
        ):
            scope["arrived_body"] = self._taken()
        scope["answer"] = self.answer
        try:
            await app(scope, self.receive, self.send)
            if not self.response_complete and not self.disconnected:
                raise AssertionError("the application left its response unfinished")
        except asyncio.CancelledError:
            self._line.transport.close()
        except Exception as error:
            # Half a response must not look like a whole one: the connection breaks off.
            _log.error("a response broke off", exc_info=error)
            self._line.transport.close()
        finally:
            # Nothing that refers to itself is left behind: the collector would have to find it.
            del scope["answer"]

    def add(self, piece: bytes) -> None:
        """A piece of the request's body has arrived."""
        self._pieces.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes > HIGH_WATER_LIMIT:
            self._line.flow.pause_reading()
        self._tell()

    def end(self) -> None:
        """The request's body is complete."""
        self.more_body = False
        self._tell()

    def _tell(self) -> None:
        """There is news, if anybody has ever waited for some."""
        if self._message_event is not None:
            self._message_event.set()

    def _taken(self) -> bytes:
        """What has arrived since the last time, without a copy when it is one piece."""
        pieces, self._pieces = self._pieces, []
        self._waiting_bytes = 0
        self._was_read = not self.more_body
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def receive(self) -> Any:
        """The next piece of the body; after the last one, the end of the connection."""
        if self.waiting_for_100_continue and not self._line.transport.is_closing():
            self._line.departures.now(self._line.transport, b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self._has_news():
            self._line.flow.resume_reading()
            event = self.message_event
            while not self._has_news():
                event.clear()
                await event.wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._taken(), "more_body": self.more_body}

    def _has_news(self) -> bool:
        if self.disconnected or self.response_complete or self._pieces:
            return True
        return not self.more_body and not self._was_read

    async def send(self, message: Any) -> None:
        if self._line.flow.write_paused and not self.disconnected:
            await self._line.flow.drain()
        if self.disconnected:
            raise ClientGone
        if message["type"] == "http.response.start":
            self._start(message["status"], message["headers"])
        else:
            self._continue(message.get("body", b""), message.get("more_body", False))

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a response that is complete, with its length: `send` twice, in one step."""
        if self._line.flow.write_paused and not self.disconnected:
            await self._line.flow.drain()
        if self.disconnected:
            raise ClientGone
        self._start(status, headers, len(body))
        self._continue(body, False)

    def _start(self, status: int, headers: Headers, length: int | None = None) -> None:
        """The head is ready to go out; `length` is the body's where no header says it."""
        assert not self._response_started
        self._response_started = True
        # A client that waits for "100 Continue" and gets its answer first will not send the body:
        # what it sends next on this connection would be taken for that body.
        if self.waiting_for_100_continue:
            self.keep_alive = False
            self.waiting_for_100_continue = False
        self._is_bodiless = self.scope["method"] == "HEAD" or status in BODILESS
        content = [STATUS_LINE.get(status) or b"HTTP/1.1 %d \r\n" % status]
        for name, value in self._line.default_headers:
            content += (name, b": ", value, b"\r\n")
        # One look over all values: almost none ever has anything to clean.
        if _UNSAFE_IN_VALUE.search(b"".join([value for _, value in headers])):
            headers = [(name, _UNSAFE_IN_VALUE.sub(b" ", value)) for name, value in headers]
        for name, value in headers:
            kind = _KINDS.get(name) or _kind_of(name)
            if kind is not _PLAIN:
                if kind == b"content-length":
                    self._left = int(value)
                    self._is_chunked = False
                elif kind == b"connection":
                    if b"close" in value.lower():
                        self.keep_alive = False
                        continue
                else:
                    continue
            content += (name, b": ", value, b"\r\n")
        if length is not None and self._is_chunked is None and 200 <= status != 204:
            content.append(b"Content-Length: %d\r\n" % length)
            self._left = length
            self._is_chunked = False
        if self._is_chunked is None and not self._is_bodiless:
            if self.scope["http_version"] == "1.0":
                self.keep_alive = False
                self._is_chunked = False
                self._left = -1
            else:
                self._is_chunked = True
                content.append(b"transfer-encoding: chunked\r\n")
        content.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        # Held back until the first piece of the body: a system call for each would cost a small
        # answer more than all else that the server does for it.
        self._head = b"".join(content)

    def _continue(self, body: bytes, more: bool) -> None:
        assert self._response_started and not self.response_complete
        line = self._line
        if self._is_bodiless:
            self._left = 0
            body = b""
        elif self._is_chunked:
            end = b"" if more else b"0\r\n\r\n"
            body = b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end
        elif self._left >= 0:
            # Never more bytes than announced: they would be read as the next response.
            assert len(body) <= self._left
            self._left -= len(body)
        whole = False
        if self._head:
            if len(body) < JOINED_BYTES_MAX:
                body = self._head + body
                whole = not more
            else:
                line.departures.now(line.transport, self._head)
            self._head = b""
        # One that is alone has nobody to leave with.
        if whole and self.keep_alive and len(line.tasks) > 1:
            line.departures.add(line.transport, body)
        else:
            line.departures.now(line.transport, body)
        if not more:
            assert self._left <= 0
            self.response_complete = True
            self._tell()
            if not self.keep_alive:
                close_gently(line.transport, unread=self.more_body)
            line.on_response_complete()
