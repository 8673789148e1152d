"""How fast a table answers as it grows, and in how much memory: `python -m bench.tablesize`.

One process, no HTTP: what is measured is the service over the encrypted store on disk. Items are
read by random keys, so that neither the store's hot pairs nor a page cache hold what is asked for.
"""

import asyncio
import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from fogbank.functions.ports import Functions
from fogbank.services.context import Caller, Context, Stack, World
from fogbank.services.ids import Ids
from fogbank.services.registry import Catalog
from fogbank.services.trace import Span, TraceBuffer
from fogbank.storage.clock import SystemClock
from fogbank.storage.memory import MemoryBlobs, MemoryStore
from fogbank.storage.outbox import StoreOutbox
from fogbank.storage.sqlite import SqliteStore

SIZES = (1_000, 100_000, 1_000_000)
SAMPLES = 2_000
PER_PARTITION = 100
TEXT_BYTES = 200
TABLE = "growing"
LOADERS = 8


def key(number: int) -> dict[str, Any]:
    partition, position = divmod(number, PER_PARTITION)
    return {"p": {"S": f"partition {partition}"}, "s": {"N": str(position)}}


class Table:
    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.items = 0

    async def call(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.ctx.call("dynamodb", operation, {"TableName": TABLE, **request})

    async def create(self) -> None:
        await self.call(
            "CreateTable",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "p", "KeyType": "HASH"},
                {"AttributeName": "s", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "p", "AttributeType": "S"},
                {"AttributeName": "s", "AttributeType": "N"},
            ],
        )

    async def grow(self, items: int) -> None:
        starts = iter(range(self.items, items, 25))

        async def load() -> None:
            for start in starts:
                puts = [
                    {"PutRequest": {"Item": {**key(number), "text": {"S": text(number)}}}}
                    for number in range(start, min(start + 25, items))
                ]
                await self.ctx.call("dynamodb", "BatchWriteItem", {"RequestItems": {TABLE: puts}})

        async with asyncio.TaskGroup() as loaders:
            for _ in range(LOADERS):
                loaders.create_task(load())
        self.items = items

    async def median_us(self, operation: str, samples: int) -> float:
        chance = random.Random(self.items)
        taken = []
        for _ in range(samples):
            number = chance.randrange(self.items)
            request = REQUESTS[operation](number)
            before = time.perf_counter()
            await self.call(operation, **request)
            taken.append(time.perf_counter() - before)
        return statistics.median(taken) * 1e6


def text(number: int) -> str:
    return f"{number:x} ".ljust(TEXT_BYTES, "x")


REQUESTS: dict[str, Any] = {
    "GetItem": lambda number: {"Key": key(number)},
    "PutItem": lambda number: {"Item": {**key(number), "text": {"S": text(time.time_ns())}}},
    "Query": lambda number: {
        "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": key(number)["p"]},
        "Limit": 10,
    },
}


async def run(sizes: tuple[int, ...]) -> None:
    clock, ids = SystemClock(), Ids()
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteStore.open(Path(folder) / "db", bytes(range(32)))
        stack = Stack(
            store=store,
            blobs=MemoryBlobs(MemoryStore()),
            outbox=StoreOutbox(store, clock),
            functions=cast(Functions, None),
            clock=clock,
            ids=ids,
            traces=TraceBuffer(ids, 1000),
            catalog=Catalog(),
            endpoint="http://127.0.0.1",
        )
        caller = Caller("bench", "arn:aws:iam::000000000000:root", "bench")
        world = World("000000000000", "us-east-1")
        table = Table(Context(world, caller, "bench", Span("1-0-0", "0", None), stack))
        await table.create()
        print(
            f"{'items':>10}  " + "  ".join(f"{name + ' us':>11}" for name in REQUESTS) + "  RSS MB"
        )
        for size in sizes:
            await table.grow(size)
            figures = [await table.median_us(name, SAMPLES) for name in REQUESTS]
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            shown = "  ".join(f"{figure:11.0f}" for figure in figures)
            print(f"{size:>10}  {shown}  {peak_mb:6.0f}", flush=True)
        await store.close()


if __name__ == "__main__":
    asyncio.run(run(tuple(map(int, sys.argv[1:])) or SIZES))
