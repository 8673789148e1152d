"""A stack in memory with functions that are told what to answer."""

import asyncio
import io
import zipfile
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from fogbank.functions.ports import FunctionVersion, Invocation, Outcome
from fogbank.services.context import Caller, Context, Stack, World
from fogbank.services.ids import Ids
from fogbank.services.registry import Catalog
from fogbank.services.trace import TraceBuffer
from fogbank.storage.clock import ManualClock
from fogbank.storage.kv import Writer
from fogbank.storage.memory import MemoryBlobs, MemoryStore
from fogbank.storage.outbox import Event

ACCOUNT, REGION = "111122223333", "us-east-1"


def outcome(payload: bytes = b"null", error: str | None = None) -> Outcome:
    return Outcome(payload, error, b"REPORT", "stream", 1.0, 1, None, 10)


class ToldFunctions:
    """Answers what `answers` holds, in turn, then null; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: deque[Outcome | Exception] = deque()
        self.asked: list[tuple[FunctionVersion, Invocation]] = []
        self.retired: list[str] = []
        self.expected: list[tuple[str, bool]] = []

    async def invoke(self, version: FunctionVersion, invocation: Invocation) -> Outcome:
        self.asked.append((version, invocation))
        answer = self.answers.popleft() if self.answers else outcome()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def retire(self, key: str) -> None:
        self.retired.append(key)

    def expect(self, runtime: str, *, uses_sdk: bool) -> None:
        self.expected.append((runtime, uses_sdk))

    def isolation(self) -> dict[str, Any]:
        return {"driver": "told"}


class WatchedClock(ManualClock):
    """A clock that tells when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = asyncio.Event()

    async def sleep(self, delay_s: float) -> None:
        self.asleep.set()
        await super().sleep(delay_s)


class KeptOutbox:
    """Keeps events; the test delivers them."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(
        self, tx: Writer, topic: str, key: str, body: dict[str, Any], *, due_ms: int = 0
    ) -> None:
        self.events.append(Event(f"e{len(self.events)}", topic, key, body, 0, 1))

    async def run(self, deliver: Callable[[Event], Awaitable[None]]) -> None:
        raise NotImplementedError


class Fixture:
    """`call` runs one operation of Lambda as a request does."""

    def __init__(self) -> None:
        self.functions, self.outbox, self.clock = ToldFunctions(), KeptOutbox(), WatchedClock()
        ids, store = Ids(), MemoryStore()
        self.stack = Stack(
            store=store,
            blobs=MemoryBlobs(store),
            outbox=self.outbox,
            functions=self.functions,
            clock=self.clock,
            ids=ids,
            traces=TraceBuffer(ids),
            catalog=Catalog(),
            endpoint="http://127.0.0.1:4566",
        )

    def context(self, account: str = ACCOUNT) -> Context:
        return Context(
            World(account, REGION),
            Caller(account, f"arn:aws:iam::{account}:root", account),
            self.stack.ids.uuid(),
            self.stack.traces.begin(self.clock.now_ms()),
            self.stack,
        )

    async def call(self, operation: str, service: str = "lambda", **request: Any) -> Any:
        return await self.stack.catalog.dispatch(self.context(), service, operation, request)

    async def deploy(self, name: str = "f", **options: Any) -> Any:
        """A function that is Active already."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("index.py", "")
        answer = await self.call(
            "CreateFunction",
            **{
                "FunctionName": name,
                "Runtime": "python3.12",
                "Handler": "index.handler",
                "Role": f"arn:aws:iam::{ACCOUNT}:role/worker",
                "Code": {"ZipFile": buffer.getvalue()},
                **options,
            },
        )
        self.clock.advance(1)
        return answer
