"""What callers sent and were told, judged against what is found when all is quiet."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from tests.properties.dynamodb_checks import Observed, Observer, Records
from tests.properties.dynamodb_model import (
    KEYS,
    TTL_NAME,
    Batch,
    Call,
    Change,
    Evidence,
    Index,
    Place,
    Schema,
    Sent,
    State,
    explanations,
    is_expired,
)
from tests.properties.dynamodb_stack import Client, Cut, Json, until
from tests.properties.dynamodb_wire import Wire, create_table

ITERATOR_LIFE_S = 15 * 60

# What each caller does, one call after the other, and where it leaves a call.
Plan: TypeAlias = Sequence[tuple[Call, Cut | None]]


@dataclass
class Consumer:
    """Reads one shard by one iterator after the other; `start` is its first record's position."""

    arn: str
    shard: str
    start: int
    iterator: str | None
    issued_s: int
    records: list[Json] = field(default_factory=list)


class Ledger:
    """The states that the tables may be in, and what their streams were seen to tell."""

    def __init__(
        self,
        client: Client,
        wire: Wire,
        now_s: Callable[[], int],
        indexes: Mapping[str, Iterable[Index]],
        later: Iterable[Index] = (),
        limit: int = 3,
    ) -> None:
        known = {index.name: index for some in indexes.values() for index in some}
        known |= {index.name: index for index in later}
        self.client, self.wire, self.now_s = client, wire, now_s
        self.observer = Observer(client, wire, known, limit)
        self.states = [
            State(schemas={table: Schema(frozenset(some)) for table, some in indexes.items()})
        ]
        # By stream and shard, all records up to the last judgement.
        self.streams: dict[str, Records] = {}
        self.closed: set[str] = set()
        self.consumers: list[Consumer] = []

    async def set_up(self) -> None:
        for table, schema in self.states[0].schemas.items():
            await self.client.ok("CreateTable", **create_table(table, schema.indexes))
            ttl = {"Enabled": True, "AttributeName": TTL_NAME}
            await self.client.ok("UpdateTimeToLive", TableName=table, TimeToLiveSpecification=ttl)
        await self.judge([], self._nothing)

    async def _nothing(self) -> None:
        return

    # Callers

    async def perform(self, plan: Plan, sent: list[Sent]) -> None:
        """What one caller does; `sent` has each call and, once it was answered, its outcome."""
        for call, cut in plan:
            sent.append(Sent(call, None))
            operation, request = self.wire.request(call)
            answer = await self.client.call(operation, request, cut=cut)
            if answer is not None:
                assert answer[0] < 500, (operation, request, answer)
                outcome = self.wire.outcome(call, *answer)
                assert not (isinstance(call, Batch) and outcome.code), (call, answer)
                sent[-1] = Sent(call, outcome)

    async def together(self, plans: Iterable[Plan]) -> list[list[Sent]]:
        """All callers at once, while every consumer reads on."""
        callers: list[list[Sent]] = []
        async with asyncio.TaskGroup() as group:
            for plan in plans:
                callers.append([])
                group.create_task(self.perform(plan, callers[-1]))
            for consumer in self.consumers:
                group.create_task(self.consume(consumer, limit=2))
        return callers

    # Judgement

    async def judge(
        self, callers: Iterable[Sequence[Sent]], settled: Callable[[], Awaitable[None]]
    ) -> None:
        """Fails unless one order of the calls explains all that is found once it is quiet."""
        await settled()
        await until(self._is_quiet, "items expire and indexes are built")
        now_s = self.now_s()
        found = {table: await self.observer.table(table) for table in KEYS}
        evidence = Evidence(self._new_records(found), now_s)
        items = {place: item for one in found.values() for place, item in one.items.items()}
        schemas = {table: one.schema for table, one in found.items()}
        counts = {place: len(records) for place, records in evidence.records.items()}

        def is_end(state: State) -> bool:
            told = (state.items, state.schemas, state.read)
            return told == (items, schemas, counts)

        starts = [replace(state, read={}) for state in self.states]
        callers = list(callers)
        states = explanations(starts, callers, evidence, is_end)
        assert states, _unexplained(starts[0], callers, evidence, items)
        self.states = states
        for consumer in self.consumers:
            await self._catch_up(consumer)

    async def _is_quiet(self) -> bool:
        now_s = self.now_s()
        for table in KEYS:
            described = (await self.client.ok("DescribeTable", TableName=table))["Table"]
            for index in described.get("GlobalSecondaryIndexes", ()):
                if index["IndexStatus"] != "ACTIVE" or index.get("Backfilling"):
                    return False
            for raw in (await self.client.ok("Scan", TableName=table))["Items"]:
                item = self.wire.seen(raw)
                assert item is not None
                if is_expired(item, now_s):
                    return False
        return True

    def _new_records(self, found: Mapping[str, Observed]) -> dict[Place, list[Change]]:
        """Those since the last judgement; what was read then is read again as it was."""
        changes: dict[Place, list[Change]] = {}
        closed = {arn for observed in found.values() for arn in observed.closed}
        assert self.closed <= closed, "a stream that was switched off is on again"
        self.closed = closed
        for table, observed in found.items():
            for arn, shards in observed.streams.items():
                known = self.streams.get(arn, {})
                assert not known or known.keys() == shards.keys()
                for shard, records in shards.items():
                    old = known.get(shard, [])
                    assert records[: len(old)] == old, f"{shard} has forgotten what it told"
                    some = self.observer.changes(table, records[len(old) :])
                    for place, new in some.items():
                        changes.setdefault(place, []).extend(new)
                self.streams[arn] = shards
        return changes

    # Consumers

    async def open(self, arn: str, shard: str, kind: str, start: int, **more: object) -> None:
        """A consumer of all records from position `start` on, which the iterator means."""
        consumer = Consumer(arn, shard, start, None, self.now_s())
        await self._turn_to(consumer, kind, **more)
        self.consumers.append(consumer)

    async def _turn_to(self, consumer: Consumer, kind: str, **more: object) -> None:
        place = {"StreamArn": consumer.arn, "ShardId": consumer.shard}
        answer = await self.client.ok("GetShardIterator", **place, ShardIteratorType=kind, **more)
        consumer.iterator, consumer.issued_s = answer["ShardIterator"], self.now_s()

    async def consume(self, consumer: Consumer, limit: int) -> bool:
        """One page; True while there may be more now."""
        if consumer.iterator is None:
            return False
        request = {"ShardIterator": consumer.iterator, "Limit": limit}
        answer = await self.client.call("GetRecords", request)
        if answer is None:
            return True
        status, page = answer
        if self.now_s() > consumer.issued_s + ITERATOR_LIFE_S:
            assert (status, page["__type"].rpartition("#")[2]) == (400, "ExpiredIteratorException")
            await self._go_on(consumer)
            return True
        assert status == 200, page
        consumer.records += page["Records"]
        consumer.iterator, consumer.issued_s = page.get("NextShardIterator"), self.now_s()
        return bool(page["Records"])

    async def _go_on(self, consumer: Consumer) -> None:
        """A new iterator, to what follows the last record that was read."""
        before = [*self.streams[consumer.arn][consumer.shard][: consumer.start], *consumer.records]
        if not before:
            await self._turn_to(consumer, "TRIM_HORIZON")
            return
        number = before[-1]["dynamodb"]["SequenceNumber"]
        await self._turn_to(consumer, "AFTER_SEQUENCE_NUMBER", SequenceNumber=number)

    async def _catch_up(self, consumer: Consumer) -> None:
        """It has read each record from its start on once; a closed shard has ended."""
        while await self.consume(consumer, limit=1000):
            continue
        expected = self.streams[consumer.arn][consumer.shard][consumer.start :]
        assert consumer.records == expected, f"{consumer} should have read {expected}"
        assert (consumer.iterator is None) == (consumer.arn in self.closed)


def _unexplained(
    start: State, callers: Sequence[Sequence[Sent]], evidence: Evidence, items: object
) -> str:
    lines = ["no order of the calls explains what is found", f"before: {dict(start.items)}"]
    for number, calls in enumerate(callers):
        lines += [f"caller {number}: {sent}" for sent in calls]
    lines += [
        f"record of {place}: {one}" for place, some in evidence.records.items() for one in some
    ]
    return "\n".join([*lines, f"found at {evidence.now_s}: {items}"])
