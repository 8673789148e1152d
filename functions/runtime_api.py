"""The Lambda Runtime API, 2018-06-01, for one environment: it is known by the socket it speaks on.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. A raw asyncio protocol: every
invocation passes here, and a framework would cost more than all the rest of a warm invocation.
"""

import asyncio
import json
import re
import socket
from dataclasses import dataclass
from typing import Protocol, cast

import httptools

RESPONSE_BYTES_MAX = 6_291_556  # 6 MB and what AWS allows for the frame around it
HEADER_BYTES_MAX = 65_536
PREFIX = "/2018-06-01/runtime/"
_INVOCATION = re.compile(r"invocation/([^/]{1,200})/(response|error)")
_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
    431: "Request Header Fields Too Large",
}


@dataclass(frozen=True, slots=True)
class Task:
    """An invocation as the runtime sees it."""

    request_id: str
    payload: bytes
    deadline_ms: int
    invoked_arn: str
    trace_header: str
    client_context: str | None


class Events(Protocol):
    """What a runtime tells; the environment listens."""

    def on_ready(self) -> None:
        """It asks for its first invocation: init is over."""
        ...

    def on_response(self, payload: bytes) -> None: ...

    def on_error(self, payload: bytes, kind: str) -> None: ...

    def on_oversized(self, size_bytes: int) -> None: ...

    def on_init_error(self, payload: bytes, kind: str) -> None: ...


class RuntimeApi:
    """One invocation at a time: handed to whoever asks for the next, until it is answered."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._task: Task | None = None
        self._rendered = b""
        self._waiting: _Connection | None = None
        self._ready = False
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def serve(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=listener)

    async def serve_connected(self, channel: socket.socket) -> None:
        """The runtime client speaks on `channel`, a Unix socket: half the time of TCP."""
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: _Connection(self), sock=channel)

    def begin(self, task: Task) -> None:
        """The runtime gets `task` when it asks, or at once when it is already asking."""
        assert self._task is None
        self._task = task
        self._rendered = _render_next(task)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.write(self._rendered)

    def abandon(self) -> None:
        self._task = None

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.close()

    def request(
        self, connection: "_Connection", method: bytes, path: str, kind: str, body: "_Body"
    ) -> None:
        """Answer one request of the runtime."""
        if not path.startswith(PREFIX):
            connection.refuse(404, "InvalidPath", f"No such path: {path[:200]}")
            return
        action = path[len(PREFIX) :].partition("?")[0]
        expected = b"GET" if action in ("invocation/next", "restore/next") else b"POST"
        found = _INVOCATION.fullmatch(action)
        if found is None and action not in ("invocation/next", "init/error"):
            connection.refuse(404, "InvalidPath", f"No such path: {path[:200]}")
        elif method != expected:
            connection.refuse(405, "MethodNotAllowed", f"{action} takes {expected.decode()}")
        elif action == "invocation/next":
            self._next(connection)
        elif found is None:
            self._init_error(connection, kind, body)
        else:
            self._answer(connection, found[1], found[2], kind, body)

    def _next(self, connection: "_Connection") -> None:
        if not self._ready:
            self._ready = True
            self._events.on_ready()
        if self._task is not None:
            connection.write(self._rendered)  # asking again is answered with the same invocation
        else:
            self._waiting = connection

    def _init_error(self, connection: "_Connection", kind: str, body: "_Body") -> None:
        if self._ready:
            connection.refuse(403, "InvalidStateTransition", "Init is over")
            return
        connection.accept()
        self._events.on_init_error(bytes(body.data), kind)

    def _answer(
        self, connection: "_Connection", request_id: str, action: str, kind: str, body: "_Body"
    ) -> None:
        if self._task is None or request_id != self._task.request_id:
            connection.refuse(400, "InvalidRequestID", "Invalid request ID")
            return
        self._task = None
        if body.size > RESPONSE_BYTES_MAX:
            connection.refuse(
                413,
                "RequestEntityTooLarge",
                f"Exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).",
            )
            self._events.on_oversized(body.size)
        elif action == "response":
            connection.accept()
            self._events.on_response(bytes(body.data))
        else:
            connection.accept()
            self._events.on_error(bytes(body.data), kind)

    def is_waiting(self, connection: "_Connection") -> bool:
        return self._waiting is connection

    def connected(self, connection: "_Connection") -> None:
        self._connections.add(connection)

    def disconnected(self, connection: "_Connection") -> None:
        self._connections.discard(connection)
        if self._waiting is connection:
            self._waiting = None


def _render_next(task: Task) -> bytes:
    lines = [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        f"Lambda-Runtime-Aws-Request-Id: {task.request_id}",
        f"Lambda-Runtime-Deadline-Ms: {task.deadline_ms}",
        f"Lambda-Runtime-Invoked-Function-Arn: {task.invoked_arn}",
        f"Content-Length: {len(task.payload)}",
    ]
    if task.trace_header:
        lines.append(f"Lambda-Runtime-Trace-Id: {_one_line(task.trace_header)}")
    if task.client_context:
        lines.append(f"Lambda-Runtime-Client-Context: {_one_line(task.client_context)}")
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + task.payload


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


class _Body:
    """What arrived of a request's body; beyond the limit it is counted, not kept."""

    __slots__ = ("data", "size")

    def __init__(self) -> None:
        self.data = bytearray()
        self.size = 0

    def add(self, part: bytes) -> None:
        self.size += len(part)
        if self.size <= RESPONSE_BYTES_MAX:
            self.data += part


_ACCEPTED_BODY = b'{"status":"OK"}\n'
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_ACCEPTED_BODY), _ACCEPTED_BODY)
)


class _Connection(asyncio.Protocol):
    """HTTP/1.1 of one connection; httptools calls the `on_` methods."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._last = False  # the client keeps the connection for this answer only
        self._owed = b""  # an answer that goes out with the next one
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._kind = ""
        self._head_bytes = 0
        self._body = _Body()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._api.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._api.disconnected(self)

    def data_received(self, data: bytes) -> None:
        self._parse(data)
        # A client that has asked for its next invocation together with its answer needs to be
        # told nothing until there is one: one write and one wake-up less for each invocation.
        if self._owed and not self._api.is_waiting(self):
            self.write(b"")

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.refuse(400, "InvalidRequest", "No other protocol is spoken here")
            self.close()
        except httptools.HttpParserError:
            self.refuse(400, "InvalidRequest", "Malformed request")
            self.close()

    def on_message_begin(self) -> None:
        self._begin()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        if name.lower() == b"lambda-runtime-function-error-type":
            self._kind = value.decode("latin-1")

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEADER_BYTES_MAX and self._transport is not None:
            self.refuse(431, "InvalidRequest", "The request's head is too large")
            self.close()

    def on_body(self, part: bytes) -> None:
        self._body.add(part)

    def on_message_complete(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        path = self._url.decode("latin-1")
        body, self._body = self._body, _Body()
        self._api.request(self, self._parser.get_method(), path, self._kind, body)
        if not self._parser.should_keep_alive():
            self._last = True
            if not self._api.is_waiting(self):
                self.close()

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(self._owed + data)
            self._owed = b""
            if self._last:
                self._transport.close()

    def accept(self) -> None:
        self._owed += _ACCEPTED

    def refuse(self, status: int, kind: str, message: str) -> None:
        body = json.dumps({"errorMessage": message, "errorType": kind}).encode()
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.write(head.encode() + body)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
