"""The server at the level of bytes on the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import Mock

import pytest

from fogbank.gateway.app import application
from fogbank.gateway.connection import HEAD_BYTES_MAX, URL_BYTES_MAX
from fogbank.gateway.exchange import ClientGone
from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.server import HttpServer, bind


class Site:
    """Answers by path and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.bodies: list[bytes] = []
        self.entered = asyncio.Event()
        self.released = asyncio.Event()
        self.gone = asyncio.Event()

    async def respond(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        self.entered.set()
        if request.path == "/wait":
            await self.released.wait()
        if request.path == "/ignore":
            return HttpResponse(403, [], b"no")
        if request.path == "/endless":
            return HttpResponse(200, [], self._endless())
        if request.path == "/inject":
            return HttpResponse(200, [(b"X-A", b"a\r\nX-B: b"), (b"bad name", b"1")], b"")
        try:
            self.bodies.append(await request.body.read())
        except ClientGone:
            self.gone.set()
            raise
        headers = [(b"X-CamelCase-Header", b"1"), (b"content-type", b"text/plain")]
        return HttpResponse(204 if request.path == "/none" else 200, headers, b"hello")

    async def _endless(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            self.gone.set()


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Site, int, HttpServer]]:
    site = Site()
    async with asyncio.TaskGroup() as tasks:
        server = HttpServer(application(site.respond), tasks)
        sock = bind("127.0.0.1", 0)
        await server.serve(sock)
        yield site, sock.getsockname()[1], server
        site.released.set()
        await server.drain(5)


async def exchange(port: int, raw: bytes) -> bytes:
    """What the server sends for `raw` until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


def get(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_header_names_keep_their_case_in_both_directions() -> None:
    async with serving() as (site, port, _):
        answer = await exchange(port, get("/", "X-MiXeD: Value", "lower: 1"))
    names = [name for name, _ in site.requests[0].headers]
    assert names == [b"Host", b"Connection", b"X-MiXeD", b"lower"]
    assert site.requests[0].header(b"x-mixed") == "Value"
    assert b"\r\nX-CamelCase-Header: 1\r\n" in answer
    assert b"\r\ncontent-type: text/plain\r\n" in answer


async def test_path_and_query_arrive_as_they_were_sent() -> None:
    async with serving() as (site, port, _):
        await exchange(port, get("/a%2Fb//c/../%C3%A9?x=%20+&y"))
    assert (site.requests[0].path, site.requests[0].query) == ("/a%2Fb//c/../%C3%A9", "x=%20+&y")


async def test_the_length_of_a_body_is_announced() -> None:
    async with serving() as (_, port, _server):
        answer = await exchange(port, get("/"))
    assert b"\r\nContent-Length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\nhello")


async def test_head_is_answered_without_a_body() -> None:
    async with serving() as (_, port, _server):
        answer = await exchange(port, get("/", method="HEAD"))
    assert b"\r\nContent-Length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_a_client_that_asks_first_is_told_to_continue() -> None:
    async with serving() as (site, port, _):
        head = get("/", "Expect: 100-continue", "Content-Length: 3", method="PUT")
        answer = await exchange(port, head + b"abc")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert site.bodies == [b"abc"]


async def test_a_client_that_asks_first_and_is_refused_is_disconnected() -> None:
    head = get("/ignore", "Expect: 100-continue", "Content-Length: 3", method="PUT")
    head = head.replace(b"Connection: close\r\n", b"")
    async with serving() as (_, port, _server):
        answer = await exchange(port, head)
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"connection: close" in answer


async def test_pipelined_requests_are_answered_in_order() -> None:
    first = get("/one").replace(b"Connection: close\r\n", b"")
    async with serving() as (site, port, _):
        answer = await exchange(port, first + get("/two"))
    assert [request.path for request in site.requests] == ["/one", "/two"]
    assert answer.count(b"HTTP/1.1 200") == 2


async def test_a_chunked_body_arrives_whole_and_its_trailer_is_no_header() -> None:
    body = b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\n\r\n"
    async with serving() as (site, port, _):
        await exchange(port, get("/", "Transfer-Encoding: chunked", method="PUT", body=body))
    assert site.bodies == [b"abcde"]
    assert site.requests[0].header(b"x-late") is None


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (get("/" + "a" * (URL_BYTES_MAX + 1)), 414),
        (get("/", "X-Large: " + "a" * (HEAD_BYTES_MAX + 1)), 431),
        (get("/", *[f"X-{n}: {'a' * 100}" for n in range(1000)]), 431),
        (b"GET / HTTP/1.1\r\nX-Never-Ends: " + b"a" * 400_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    ],
)
async def test_a_head_that_is_broken_or_too_large_is_refused(raw: bytes, status: int) -> None:
    async with serving() as (site, port, _):
        answer = await exchange(port, raw)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert site.requests == []


async def test_a_client_that_leaves_in_the_middle_of_a_body_ends_the_handler() -> None:
    async with serving() as (site, port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/", "Content-Length: 1000", method="PUT", body=b"abc"))
        async with asyncio.timeout(5):
            await site.entered.wait()
            writer.close()
            await site.gone.wait()


async def test_a_client_that_leaves_in_the_middle_of_an_answer_ends_the_stream() -> None:
    async with serving() as (site, port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/endless"))
        async with asyncio.timeout(5):
            await reader.readexactly(1000)
            writer.transport.abort()
            await site.gone.wait()


async def test_a_value_cannot_smuggle_a_header_into_the_answer() -> None:
    async with serving() as (_, port, _server):
        answer = await exchange(port, get("/inject"))
    assert b"\r\nX-A: a  X-B: b\r\n" in answer
    assert b"bad name" not in answer


async def test_draining_lets_a_request_in_progress_finish() -> None:
    async with serving() as (site, port, server):
        answer = asyncio.ensure_future(exchange(port, get("/wait")))
        await site.entered.wait()
        assert server.requests_in_progress == 1
        site.released.set()
        await server.drain(5)
        assert (await answer).endswith(b"hello")


async def test_draining_cuts_what_takes_too_long() -> None:
    async with serving() as (site, port, server):
        answer = asyncio.ensure_future(exchange(port, get("/wait")))
        await site.entered.wait()
        await server.drain(0.01)
        assert await answer == b""


async def test_a_further_socket_is_served_and_closed_with_its_connections() -> None:
    async with serving() as (_, _port, server):
        sock = bind("127.0.0.1", 0)
        port = sock.getsockname()[1]
        listener = server.serve_soon(sock)
        assert (await exchange(port, get("/"))).endswith(b"hello")
        listener.close()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_closing_a_further_socket_ends_its_requests() -> None:
    async with serving() as (site, _port, server):
        sock = bind("127.0.0.1", 0)
        listener = await server.serve(sock)
        answer = asyncio.ensure_future(exchange(sock.getsockname()[1], get("/wait")))
        await site.entered.wait()
        listener.close()
        assert await answer == b""


async def test_no_content_has_no_body_on_the_wire() -> None:
    async with serving() as (_, port, _server):
        answer = await exchange(port, get("/none"))
    assert answer.startswith(b"HTTP/1.1 204")
    assert answer.endswith(b"\r\n\r\n")


async def test_a_connection_that_never_finishes_its_head_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fogbank.gateway.connection.HEAD_S", -1.0)
    async with serving() as (_, port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: 127")
        assert await ended(server, reader)
        writer.close()


async def test_a_connection_that_is_idle_for_long_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fogbank.gateway.connection.KEEP_ALIVE_S", -1.0)
    async with serving() as (_, port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/").replace(b"Connection: close\r\n", b""))
        assert await ended(server, reader)
        writer.close()


async def test_a_request_in_progress_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fogbank.gateway.connection.HEAD_S", -1.0)
    async with serving() as (site, port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/wait"))
        await site.entered.wait()
        server.end_idle()
        site.released.set()
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()


async def ended(server: HttpServer, reader: asyncio.StreamReader) -> bool:
    """Whether the server ends the connection once it looks for idle ones."""
    reading = asyncio.ensure_future(reader.read())
    async with asyncio.timeout(5):
        while not reading.done():
            server.end_idle()
            await asyncio.sleep(0)
    # By an end or, where bytes were on their way to nobody, by a reset.
    return reading.exception() is None or isinstance(reading.exception(), ConnectionResetError)


async def test_a_connection_that_comes_in_as_its_listener_closes_is_ended() -> None:
    async with serving() as (_, _port, server):
        listener = await server.serve(bind("127.0.0.1", 0))
        late = listener._protocol()
        listener.close()
        transport = Mock(asyncio.Transport)
        transport.get_extra_info.return_value = None
        late.connection_made(transport)
        transport.close.assert_called_once()
