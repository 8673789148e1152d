"""The stack served from this process by a clock that stands still, and a client that may leave."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import orjson

from fogbank.functions.ports import Functions
from fogbank.gateway.admin import Pages
from fogbank.gateway.app import application
from fogbank.gateway.authenticate import Authenticator
from fogbank.gateway.exchange import ClientGone
from fogbank.gateway.execute_api import ExecuteApi
from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.identify import Identifier
from fogbank.gateway.log import Log
from fogbank.gateway.origin import Door
from fogbank.gateway.server import HttpServer, Listener, bind
from fogbank.gateway.stages import Gateway
from fogbank.services.context import Stack
from fogbank.services.events import context_of
from fogbank.services.ids import Ids
from fogbank.services.registry import Catalog
from fogbank.services.trace import TraceBuffer
from fogbank.storage.clock import ManualClock
from fogbank.storage.datadir import DataDir
from fogbank.storage.outbox import Event

Json = dict[str, Any]
WITHIN_S = 10.0
LAST_TURNS = 10


class Endpoint(Protocol):
    """Where a client connects; the port may change when the stack is started again."""

    port: int


class ServedStack:
    """All of the stack but functions, behind its own HTTP server, on the running event loop.

    It starts, serves and stops as `fogbank up` does, in the same order.
    """

    def __init__(self, root: Path, clock: ManualClock) -> None:
        self.root = root
        self.clock = clock
        self.port = 0
        self.log = Log(1000, requests=False, out=io.StringIO())
        self._drain_s: asyncio.Future[float]
        self._listener: Listener
        self._data: DataDir
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        self._drain_s = loop.create_future()
        self._task = loop.create_task(self._run(ready))
        await asyncio.wait([self._task, ready], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await self._task

    async def stop(self, drain_s: float = WITHIN_S) -> None:
        """Requests that are not done within `drain_s` are cut off, their handlers cancelled."""
        assert self._task is not None
        self._drain_s.set_result(drain_s)
        await self._task
        self._task = None

    async def settle(self, connections: int) -> None:
        """No request is under way, and only so many connections are open."""
        state = self._listener.state

        async def is_settled() -> bool:
            await asyncio.sleep(0)
            return not state.tasks and len(state.connections) <= connections

        await until(is_settled, "requests end and connections close")
        # Works of handlers whose callers left are queued before this one.
        await self._data.store.write(lambda tx: None)

    async def _run(self, ready: asyncio.Future[None]) -> None:
        data = await DataDir.open(
            self.root / "data", master_key="11" * 32, durability="relaxed", clock=self.clock
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._serve(data, tasks, ready)
        finally:
            await data.close()

    async def _serve(
        self, data: DataDir, tasks: asyncio.TaskGroup, ready: asyncio.Future[None]
    ) -> None:
        sock = bind("127.0.0.1", 0)
        self.port = sock.getsockname()[1]
        ids = Ids()
        stack = Stack(
            store=data.store,
            blobs=data.blobs,
            outbox=data.outbox,
            functions=cast(Functions, None),
            clock=self.clock,
            ids=ids,
            traces=TraceBuffer(ids),
            catalog=Catalog(),
            endpoint=f"http://127.0.0.1:{self.port}",
        )
        gateway = Gateway(
            stack,
            door=Door((), loopback=True),
            identifier=Identifier("us-east-1"),
            authenticator=Authenticator(data.store, self.clock, (), strict=False),
            log=self.log,
            pages=cast(Pages, None),
            data_plane=ExecuteApi(stack),
            requests_max=1000,
        )

        async def deliver(event: Event) -> None:
            await stack.catalog.consume(context_of(stack, event), event)

        async def respond(request: HttpRequest) -> HttpResponse:
            # What is accepted while the server stops has nobody left to answer it.
            if events.cancelling():
                raise ClientGone
            return await gateway.respond(request)

        server = HttpServer(application(respond), tasks)
        events = tasks.create_task(data.outbox.run(deliver))
        self._data, self._listener = data, await server.serve(sock)
        ready.set_result(None)
        await server.drain(await self._drain_s)
        events.cancel()
        await asyncio.wait([events])


@dataclass(frozen=True)
class Cut:
    """Where a caller leaves: how much of its request it sends, and for how long it waits then."""

    sent: float
    turns: int


class Client:
    """Speaks DynamoDB's protocol over connections that it keeps, until `hang_up`."""

    def __init__(self, endpoint: Endpoint, account: str = "000000000000") -> None:
        self._endpoint = endpoint
        self._account = account
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._busy: set[asyncio.StreamWriter] = set()

    @property
    def connections(self) -> int:
        return len(self._idle)

    async def hang_up(self) -> None:
        """No connection is open; calls that wait read what has come, and then end unanswered.

        A server that stops within this process does not close what its kernel accepted last.
        """
        for _ in range(LAST_TURNS):
            await asyncio.sleep(0)
        for writer in [*self._busy, *(writer for _, writer in self._idle)]:
            writer.transport.abort()
        self._idle.clear()

    async def call(
        self, operation: str, request: Json, *, cut: Cut | None = None
    ) -> tuple[int, Json] | None:
        """The status and the answer; None when nobody stayed for it."""
        message = self._message(operation, request)
        try:
            reader, writer = await self._connection()
        except OSError:
            return None
        self._busy.add(writer)
        try:
            if cut is not None:
                writer.write(message[: round(len(message) * cut.sent)])
                for _ in range(cut.turns):
                    await asyncio.sleep(0)
                writer.transport.abort()
                return None
            writer.write(message)
            answer = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
            return None
        except BaseException:
            writer.transport.abort()
            raise
        finally:
            self._busy.discard(writer)
        self._idle.append((reader, writer))
        return answer

    async def ok(self, operation: str, **request: Any) -> Json:
        """The answer of a call that succeeds."""
        answer = await self.call(operation, request)
        assert answer is not None, f"{operation}: the server has gone"
        assert answer[0] == 200, (operation, request, answer)
        return answer[1]

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._idle:
            return self._idle.pop()
        return await asyncio.open_connection("127.0.0.1", self._endpoint.port)

    def _message(self, operation: str, request: Json) -> bytes:
        body = orjson.dumps(request)
        prefix = "DynamoDBStreams" if operation in STREAMS else "DynamoDB"
        head = (
            "POST / HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{self._endpoint.port}\r\n"
            "Content-Type: application/x-amz-json-1.0\r\n"
            f"X-Amz-Target: {prefix}_20120810.{operation}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={self._account}/20260101/us-east-1/"
            "dynamodb/aws4_request, SignedHeaders=host, Signature=00\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


STREAMS = frozenset({"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"})


async def _answer(reader: asyncio.StreamReader) -> tuple[int, Json]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return int(status.split(" ")[1]), orjson.loads(body)


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for what the stack does by itself."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not await holds():
                continue
    except TimeoutError:
        raise AssertionError(f"in vain: {what}") from None
