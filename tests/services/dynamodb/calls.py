"""DynamoDB's operations over a store in memory, called as another service would call them."""

from typing import Any, cast

import orjson

from fogbank.functions.ports import Functions
from fogbank.services.context import Caller, Context, Stack, World
from fogbank.services.ids import Ids
from fogbank.services.registry import Catalog
from fogbank.services.trace import Span, TraceBuffer
from fogbank.storage.clock import ManualClock
from fogbank.storage.kv import Writer
from fogbank.storage.memory import MemoryBlobs, MemoryStore
from fogbank.storage.outbox import Event


class KeptOutbox:
    """Events wait here until a test delivers them."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(
        self, tx: Writer, topic: str, key: str, body: dict[str, Any], *, due_ms: int = 0
    ) -> None:
        self.events.append(Event(str(len(self.events)), topic, key, body, due_ms, 1))

    async def run(self, deliver: Any) -> None:
        while self.events:
            await deliver(self.events.pop(0))


class Calls:
    """`await calls("PutItem", TableName=...)` is the operation's answer, raw bytes parsed."""

    def __init__(self, service: str = "dynamodb", **options: Any) -> None:
        self.clock = ManualClock()
        self.outbox = KeptOutbox()
        self.catalog = Catalog()
        self.store = MemoryStore()
        ids = Ids()
        self.service = service
        self.stack = Stack(
            store=self.store,
            blobs=MemoryBlobs(self.store),
            outbox=self.outbox,
            functions=cast(Functions, None),
            clock=self.clock,
            ids=ids,
            traces=TraceBuffer(ids),
            catalog=self.catalog,
            endpoint="http://127.0.0.1:4566",
            options=options,
        )
        self.ctx = Context(
            World("000000000000", "us-east-1"),
            Caller("test", "arn:aws:iam::000000000000:root", "test"),
            "request",
            Span("1-0-0", "0", None),
            self.stack,
        )

    async def __call__(self, operation: str, /, **request: Any) -> dict[str, Any]:
        answer = await self.ctx.call(self.service, operation, request)
        if "__raw__" in answer:
            return cast(dict[str, Any], orjson.loads(answer["__raw__"]))
        return answer

    def region(self, region: str) -> None:
        """Further calls are made in `region`."""
        world = World(self.ctx.world.account, region)
        self.ctx = self.ctx._replace(world=world)

    def account(self, account: str) -> None:
        """Further calls are made by `account`."""
        self.ctx = self.ctx._replace(world=World(account, self.ctx.world.region))

    async def settle(self) -> None:
        """Every event has been delivered."""

        async def deliver(event: Event) -> None:
            await self.catalog.consume(self.ctx, event)

        await self.outbox.run(deliver)
