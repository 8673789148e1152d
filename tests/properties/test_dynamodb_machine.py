"""The running server against the model: callers at once, callers that leave, restarts, kill -9."""

import asyncio
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Coroutine, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fogbank.services.dynamodb import table_updates
from fogbank.storage.clock import ManualClock
from tests.properties.dynamodb_ledger import Ledger, Plan
from tests.properties.dynamodb_model import (
    Alter,
    Amend,
    Batch,
    Call,
    Check,
    Condition,
    Delete,
    Erase,
    Index,
    Insert,
    Look,
    One,
    Place,
    Put,
    Sent,
    Transaction,
    Update,
    Value,
    Write,
)
from tests.properties.dynamodb_stack import Client, Cut, ServedStack
from tests.properties.dynamodb_wire import Wire
from tests.stack import RunningStack, new_root

T = TypeVar("T")

# A server that stops while it accepts a connection leaves it to the end of its process.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

# `make soak` multiplies the examples.
SOAK = int(os.environ.get("SOAK_TIMES", "1"))
EPOCH_MS = 1_700_000_000_000

INDEXES = {
    "things": (
        Index("by-g", ("g",), frozenset("prg")),
        Index("by-g-n", ("g", "n"), frozenset("prgnv")),
        Index("in-p-g", ("p", "g"), None, is_global=False),
        Index("in-p-n", ("p", "n"), frozenset("prn"), is_global=False),
    ),
    "others": (Index("others-by-g", ("g",), None),),
}
LATER = {
    "things": Index("later", ("v", "exp"), frozenset({"p", "r", "v", "exp", "g"})),
    "others": Index("later-others", ("n",), None),
}

# Calls

PLACES = [("things", p, r) for p in "ab" for r in (-1, 0, 10)] + [("others", p) for p in "cde"]
places: st.SearchStrategy[Place] = st.sampled_from(PLACES)
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "g": st.sampled_from(["x", "y"]),
    "n": st.integers(0, 2),
    "v": st.integers(0, 3),
    "tags": st.frozensets(st.sampled_from("stu"), min_size=1),
    # Seconds from the beginning: long ago, soon, later, tomorrow.
    "exp": st.sampled_from([-6 * 365 * 24 * 3600, -5, 20, 60, 500, 5000, 86400]),
}
numbers = st.integers(-1, 2)


def _pairs(**values: st.SearchStrategy[Value]) -> st.SearchStrategy[tuple[tuple[str, Value], ...]]:
    return st.fixed_dictionaries({}, optional=values).map(lambda some: tuple(some.items()))


attributes = _pairs(**VALUES)
conditions = st.none() | st.builds(
    Condition, st.sampled_from(["absent", "present", "below"]), st.integers(0, 3)
)


@cache
@st.composite
def updates(draw: st.DrawFn, place: Place) -> Update:
    """Each attribute is in one section at most, and one at least is in one."""
    sections: dict[str, list[Any]] = {"set": [], "add": [], "delete": [], "remove": []}
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3, unique=True))
    for name in names:
        among = ["set", "remove"] + (["add"] if name in ("n", "v", "tags") else [])
        section = draw(st.sampled_from(among + (["delete"] if name == "tags" else [])))
        if section == "remove":
            sections[section].append(name)
        else:
            value = numbers if section == "add" and name != "tags" else VALUES[name]
            sections[section].append((name, draw(value)))
    some = {section: tuple(parts) for section, parts in sections.items()}
    return Update(place, **some, condition=draw(conditions))


@cache
def statements(place: Place) -> st.SearchStrategy[Write]:
    amended = _pairs(g=VALUES["g"], n=VALUES["n"], v=VALUES["v"])
    removed = st.sampled_from([(), ("tags",), ("exp",)])
    return st.one_of(
        st.builds(Insert, st.just(place), attributes),
        st.builds(Amend, st.just(place), set=amended.filter(bool), remove=removed),
        st.builds(Erase, st.just(place)),
    )


@cache
def simple_writes(place: Place) -> st.SearchStrategy[Put | Delete]:
    return st.builds(Put, st.just(place), attributes) | st.builds(Delete, st.just(place))


@cache
def writes(place: Place) -> st.SearchStrategy[Write]:
    return st.one_of(
        updates(place),
        st.builds(Put, st.just(place), attributes, conditions),
        st.builds(Delete, st.just(place), conditions),
    )


@cache
def actions(place: Place) -> st.SearchStrategy[Write]:
    checks = st.builds(Check, st.just(place), conditions.filter(bool))
    return writes(place) | checks


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    some = draw(st.lists(places, min_size=1, max_size=3, unique=True))
    kind = draw(st.sampled_from([actions, actions, statements]))
    token = draw(st.sampled_from(["", "", "one", "two", "three"]))
    return Transaction(tuple(draw(kind(place)) for place in some), token)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    some = draw(st.lists(places, min_size=1, max_size=3, unique=True))
    return Batch(tuple(draw(simple_writes(place)) for place in some))


looks = st.lists(places, min_size=1, max_size=3, unique=True).map(tuple).map(Look)
ones = places.flatmap(lambda place: writes(place) | statements(place)).map(One)
alters = st.sampled_from(
    [Alter(table, create=index) for table, index in LATER.items()]
    + [Alter(table, delete=index) for table, index in LATER.items()]
    + [Alter(table, streams=streams) for table in INDEXES for streams in (False, True)]
)
calls: st.SearchStrategy[Call] = st.one_of(ones, ones, ones, transactions(), batches(), looks)
cuts = st.none() | st.none() | st.builds(Cut, st.sampled_from([0.5, 1.0, 1.0]), st.integers(0, 30))
plans: st.SearchStrategy[Plan] = st.lists(st.tuples(calls, cuts), min_size=1, max_size=2)
callers = st.lists(plans, min_size=1, max_size=3)
KINDS = ["TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP"]


class DynamoDBMachine(RuleBasedStateMachine):
    """One stack in this process. Every rule ends at rest, where everything is compared."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.root = Path(tempfile.mkdtemp(prefix="fogbank-machine-"))
        self.clock = ManualClock(EPOCH_MS)
        self.stack = ServedStack(self.root, self.clock)
        self.client = Client(self.stack)
        self.ledger: Ledger
        self.transactions: list[Transaction] = []
        # When the clock was moved on, to which second, with how many records in each shard then.
        self.marks: list[tuple[int, dict[tuple[str, str], int]]] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    def now_s(self) -> int:
        return (self.clock.now_ms() - EPOCH_MS) // 1000

    @initialize(limit=st.integers(1, 5))
    def start(self, limit: int) -> None:
        self.ledger = Ledger(
            self.client, Wire(EPOCH_MS // 1000), self.now_s, INDEXES, LATER.values(), limit
        )
        self.run(self.stack.start())
        self.run(self.ledger.set_up())

    async def _settle(self) -> None:
        await self.stack.settle(self.client.connections)

    async def _judge(self, sent: list[list[Sent]]) -> None:
        known = [one.call for some in sent for one in some]
        self.transactions += [one for one in known if isinstance(one, Transaction) and one.token]
        await self.ledger.judge(sent, self._settle)

    @rule(callers=callers)
    def call(self, callers: list[Plan]) -> None:
        async def together() -> None:
            await self._judge(await self.ledger.together(callers))

        self.run(together())

    @rule(callers=callers, alter=alters, cut=cuts)
    def alter(self, callers: list[Plan], alter: Alter, cut: Cut | None) -> None:
        """The table changes while it is written to, and by one caller while an index is built."""
        first, *others = callers
        self.call([[(alter, cut), *first, *(others[0] if others else ())], *others[1:]])

    @precondition(lambda self: self.transactions)
    @rule(number=st.integers(0, 99), callers=callers, cut=cuts)
    def repeat(self, number: int, callers: list[Plan], cut: Cut | None) -> None:
        """A transaction that has been sent is sent again, twice at once."""
        again = self.transactions[number % len(self.transactions)]
        self.call([*callers, [(again, cut)], [(again, None)]])

    @rule(callers=callers, turns=st.integers(0, 60), drains=st.booleans())
    def restart(self, callers: list[Plan], turns: int, drains: bool) -> None:
        """The stack stops under its callers: it drains, or cuts off what is under way."""

        async def restart() -> None:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(self.ledger.together(callers))
                for _ in range(turns):
                    await asyncio.sleep(0)
                await self.stack.stop(5.0 if drains else 0.0)
                await self.client.hang_up()
            await self.stack.start()
            await self._judge(running.result())

        self.run(restart())

    @precondition(lambda self: self.now_s() < 70_000)
    @rule(seconds=st.sampled_from([1, 19, 41, 451, 901, 3601]), callers=callers)
    def wait(self, seconds: int, callers: list[Plan]) -> None:
        """Time passes, and callers come as it has passed: items expire, tokens and iterators."""
        self.clock.advance(seconds)
        counts = {
            (arn, shard): len(records)
            for arn, shards in self.ledger.streams.items()
            for shard, records in shards.items()
        }
        self.marks.append((self.now_s(), counts))
        self.call(callers)

    @precondition(lambda self: len(self.ledger.consumers) < 6)
    @rule(number=st.integers(0, 99), kind=st.sampled_from(KINDS), at=st.integers(0, 99))
    def follow(self, number: int, kind: str, at: int) -> None:
        """A consumer begins to read a shard, by an iterator of one of the kinds."""
        shards = [(arn, shard) for arn, some in self.ledger.streams.items() for shard in some]
        # Shards that have something to tell come first to mind.
        shards.sort(key=lambda one: -len(self.ledger.streams[one[0]][one[1]]))
        arn, shard = shards[min(number // 5, len(shards) - 1)]
        records = self.ledger.streams[arn][shard]
        more: dict[str, Any] = {}
        start = {"TRIM_HORIZON": 0, "LATEST": len(records)}.get(kind, 0)
        if kind.endswith("SEQUENCE_NUMBER") and records:
            start = at % len(records)
            more["SequenceNumber"] = records[start]["dynamodb"]["SequenceNumber"]
            start += kind.startswith("AFTER")
        elif kind == "AT_TIMESTAMP" and self.marks:
            time_s, counts = self.marks[at % len(self.marks)]
            start = counts.get((arn, shard), 0)
            more["Timestamp"] = EPOCH_MS // 1000 + time_s
        elif kind not in ("TRIM_HORIZON", "LATEST"):
            return
        self.run(self.ledger.open(arn, shard, kind, start, **more))

    @invariant()
    def nothing_has_failed(self) -> None:
        assert [line for line in self.stack.log.lines(1000) if "500 id=" in line] == []

    def teardown(self) -> None:
        self.run(self.client.hang_up())
        if self.stack.is_running:
            self.run(self.stack.stop(0.0))
        self.loop.close()
        shutil.rmtree(self.root)


TestDynamoDB = DynamoDBMachine.TestCase
TestDynamoDB.settings = settings(
    deadline=None,
    max_examples=25 * SOAK,
    stateful_step_count=15,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index is built in many steps, so that writes come between them."""
    monkeypatch.setattr(table_updates, "BACKFILL_SLICE_ITEMS", 1)


@pytest.fixture(scope="module")
def victim() -> Iterator[RunningStack]:
    root = new_root()
    running = RunningStack(root, "--durability", "relaxed").start()
    yield running
    running.stop()
    shutil.rmtree(root, ignore_errors=True)


_accounts = itertools.count(200_000_000_000)
rounds = st.lists(st.tuples(callers, st.integers(0, 300)), min_size=1, max_size=3)


@settings(deadline=None, max_examples=8 * SOAK, suppress_health_check=list(HealthCheck))
@given(rounds=rounds)
def test_kill_9_leaves_what_an_order_of_the_calls_explains(
    victim: RunningStack, rounds: list[tuple[list[Plan], int]]
) -> None:
    asyncio.run(_kill_rounds(victim, rounds))


async def _kill_rounds(victim: RunningStack, rounds: list[tuple[list[Plan], int]]) -> None:
    client = Client(victim, str(next(_accounts)))
    # All times but tomorrow's have passed.
    epoch_s = int(time.time()) - 10_000
    ledger = Ledger(client, Wire(epoch_s), lambda: int(time.time()) - epoch_s, INDEXES)
    await ledger.set_up()
    for arn, shards in ledger.streams.items():
        for shard in shards:
            await ledger.open(arn, shard, "LATEST", 0)
    for plans, turns in rounds:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(ledger.together(plans))
            for _ in range(turns):
                await asyncio.sleep(0)
            victim.kill()
            await client.hang_up()
        victim.start()
        await ledger.judge(running.result(), _at_rest)
    await client.hang_up()


async def _at_rest() -> None:
    """Nothing is under way in a process that has just started."""
