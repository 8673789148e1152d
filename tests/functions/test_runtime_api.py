"""The Runtime API as a runtime meets it, over a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.functions.runtime_api import RESPONSE_BYTES_MAX, RuntimeApi, Task
from tests.functions.building import until


class Recorder:
    """Remembers what the runtime told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def on_ready(self) -> None:
        self.told.append(("ready", None))

    def on_response(self, payload: bytes) -> None:
        self.told.append(("response", payload))

    def on_error(self, payload: bytes, kind: str) -> None:
        self.told.append(("error", kind))

    def on_oversized(self, size_bytes: int) -> None:
        self.told.append(("oversized", size_bytes))

    def on_init_error(self, payload: bytes, kind: str) -> None:
        self.told.append(("init error", kind))


class Runtime:
    """An API that is served, and one connection to it."""

    def __init__(self, api: RuntimeApi, events: Recorder) -> None:
        self.api = api
        self.events = events
        self.address: tuple[str, int] = ("", 0)
        self.reader = asyncio.StreamReader()
        self.writer: asyncio.StreamWriter | None = None

    async def send(self, data: bytes) -> None:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(*self.address)
        self.writer.write(data)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), headers, body

    async def ask(self, method: str, path: str, body: bytes = b"", head: str = "") -> int:
        size = f"Content-Length: {len(body)}\r\n"
        text = f"{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: x\r\n{head}{size}\r\n"
        await self.send(text.encode() + body)
        return (await self.answer())[0]


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    events = Recorder()
    api = RuntimeApi(events)
    listener = socket.create_server(("127.0.0.1", 0))
    made = Runtime(api, events)
    made.address = listener.getsockname()
    await api.serve(listener)
    yield made
    if made.writer is not None:
        made.writer.close()
        await asyncio.wait([asyncio.ensure_future(made.writer.wait_closed())])
    api.close()
    listener.close()


NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"


def task(request_id: str = "r1") -> Task:
    return Task(request_id, b'{"a": 1}', 1234, "arn:f", "Root=1", '{"custom": {}}')


async def test_next_waits_for_an_invocation_and_carries_its_facts(runtime: Runtime) -> None:
    await runtime.send(NEXT)
    await until(lambda: bool(runtime.events.told))
    runtime.api.begin(task())
    status, headers, body = await runtime.answer()
    assert [status, body] == [200, b'{"a": 1}']
    assert headers["lambda-runtime-aws-request-id"] == "r1"
    assert headers["lambda-runtime-deadline-ms"] == "1234"
    assert headers["lambda-runtime-invoked-function-arn"] == "arn:f"
    assert headers["lambda-runtime-trace-id"] == "root=1"
    assert headers["lambda-runtime-client-context"] == '{"custom": {}}'


async def test_next_again_is_the_same_invocation(runtime: Runtime) -> None:
    runtime.api.begin(task())
    for _ in range(2):
        assert await runtime.ask("GET", "invocation/next") == 200
    assert runtime.events.told == [("ready", None)]


async def test_a_response_ends_the_invocation(runtime: Runtime) -> None:
    runtime.api.begin(task())
    assert await runtime.ask("POST", "invocation/r1/response", b"1") == 202
    assert await runtime.ask("POST", "invocation/r1/response", b"2") == 400
    assert runtime.events.told == [("response", b"1")]


async def test_a_chunked_response_is_read(runtime: Runtime) -> None:
    runtime.api.begin(task())
    head = b"POST /2018-06-01/runtime/invocation/r1/response HTTP/1.1\r\nHost: x\r\n"
    await runtime.send(head + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")
    assert (await runtime.answer())[0] == 202
    assert runtime.events.told == [("response", b"abc")]


async def test_a_wrong_request_id_is_400(runtime: Runtime) -> None:
    runtime.api.begin(task())
    assert await runtime.ask("POST", "invocation/other/response", b"1") == 400
    assert runtime.events.told == []


async def test_an_oversized_response_is_413(runtime: Runtime) -> None:
    runtime.api.begin(task())
    body = bytes(RESPONSE_BYTES_MAX + 1)
    assert await runtime.ask("POST", "invocation/r1/response", body) == 413
    assert runtime.events.told == [("oversized", RESPONSE_BYTES_MAX + 1)]


async def test_an_error_names_its_type(runtime: Runtime) -> None:
    runtime.api.begin(task())
    head = "Lambda-Runtime-Function-Error-Type: Odd\r\n"
    assert await runtime.ask("POST", "invocation/r1/error", b"{}", head) == 202
    assert runtime.events.told == [("error", "Odd")]


async def test_an_init_error_after_init_is_403(runtime: Runtime) -> None:
    assert await runtime.ask("POST", "init/error", b"{}") == 202
    runtime.api.begin(task())
    await runtime.ask("GET", "invocation/next")
    assert await runtime.ask("POST", "init/error", b"{}") == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nothing", 404),
        ("POST", "invocation/next", 405),
        ("GET", "invocation/r1/response", 405),
        ("POST", "invocation/r1/other", 404),
    ],
)
async def test_what_does_not_exist_is_refused(
    runtime: Runtime, method: str, path: str, status: int
) -> None:
    assert await runtime.ask(method, path) == status


@pytest.mark.parametrize(
    "data",
    [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00\xff" * 50 + b"\r\n\r\n"],
)
async def test_malformed_requests_are_400(runtime: Runtime, data: bytes) -> None:
    await runtime.send(data)
    assert (await runtime.answer())[0] == 400


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_break_the_parser(parts: list[bytes]) -> None:
    async def feed() -> None:
        api = RuntimeApi(Recorder())
        with socket.create_server(("127.0.0.1", 0)) as listener:
            await api.serve(listener)
            _, writer = await asyncio.open_connection(*listener.getsockname())
            for part in parts:
                writer.write(part)
            writer.close()
            await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])
            api.close()

    asyncio.run(feed())
