"""Random operations on stores, with restarts and cancelled callers, against a sorted dict."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fogbank.storage.kv import Reader, Store, Writer
from fogbank.storage.memory import MemoryStore
from fogbank.storage.sqlite import SqliteStore

T = TypeVar("T")

KEY = bytes(32)
FIRST, LAST = b"\x01", b"\xff\xff"

keys = st.binary(min_size=1, max_size=3).map(lambda raw: b"\x01" + raw)
values = st.binary(max_size=4) | st.sampled_from([5_000, 100_000]).map(bytes)
steps = st.lists(
    st.tuples(st.just("put"), keys, values)
    | st.tuples(st.just("delete"), keys, st.just(b""))
    | st.tuples(st.just("delete_range"), keys, keys)
    | st.tuples(st.just("range"), keys, keys)
    | st.tuples(st.just("sequence"), st.just(b"n"), st.just(b"")),
    max_size=6,
)
Steps = list[tuple[str, bytes, bytes]]


class Undone(Exception):
    pass


class Model:
    """What a transaction is, without any cleverness."""

    def __init__(self, pairs: dict[bytes, bytes], sequence: int) -> None:
        self.pairs = dict(pairs)
        self.sequence = sequence

    def run(self, steps: Steps) -> list[object]:
        seen: list[object] = []
        for what, one, two in steps:
            within = sorted(key for key in self.pairs if one <= key < two)
            if what == "put":
                self.pairs[one] = two
            elif what == "delete":
                self.pairs.pop(one, None)
            elif what == "delete_range":
                for key in within:
                    del self.pairs[key]
            elif what == "range":
                seen.append([(key, self.pairs[key]) for key in within])
                seen.append(self.pairs.get(one))
            else:
                self.sequence += 1
                seen.append(self.sequence)
        return seen


def perform(tx: Writer, steps: Steps) -> list[object]:
    seen: list[object] = []
    for what, one, two in steps:
        if what == "put":
            tx.put(one, two)
        elif what == "delete":
            tx.delete(one)
        elif what == "delete_range":
            tx.delete_range(one, two)
        elif what == "range":
            pairs = list(tx.range(one, two))
            assert list(tx.range(one, two, reverse=True)) == pairs[::-1]
            seen.append(pairs)
            seen.append(tx.get(one))
        else:
            seen.append(tx.sequence(one))
    return seen


def fail(tx: Writer, steps: Steps) -> None:
    perform(tx, steps)
    raise Undone


class StoreMachine(RuleBasedStateMachine):
    """One store against the model; the drivers are subclasses."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model = Model({}, 0)
        self.store: Store

    def run(self, awaited: Awaitable[T]) -> T:
        return self.loop.run_until_complete(awaited)

    @rule(steps=steps)
    def write(self, steps: Steps) -> None:
        assert self.run(self.store.write(lambda tx: perform(tx, steps))) == self.model.run(steps)

    @rule(steps=steps)
    def write_and_raise(self, steps: Steps) -> None:
        try:
            self.run(self.store.write(lambda tx: fail(tx, steps)))
        except Undone:
            return
        raise AssertionError("the error was lost")

    @rule(
        works=st.lists(st.tuples(steps, st.booleans()), min_size=2, max_size=8),
        reads=st.lists(keys, max_size=6),
    )
    def write_together(self, works: list[tuple[Steps, bool]], reads: list[bytes]) -> None:
        """Works queued at once are done in their order, each seeing those before it, whatever
        they were expected to read."""

        async def one(steps: Steps, raises: bool) -> list[object] | None:
            try:
                return await self.store.write(
                    lambda tx: fail(tx, steps) if raises else perform(tx, steps), reads=reads
                )
            except Undone:
                return None

        async def together() -> list[list[object] | None]:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(*work)) for work in works]
            return [task.result() for task in tasks]

        found = self.run(together())
        assert found == [None if raises else self.model.run(steps) for steps, raises in works]

    @rule(steps=steps)
    def write_with_a_cancelled_caller(self, steps: Steps) -> None:
        """It was done whole or not at all, and only the store can tell which."""

        async def cancelled() -> dict[bytes, bytes]:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(self.store.write(lambda tx: perform(tx, steps)))
                await asyncio.sleep(0)
                task.cancel()
            return await self.store.write(lambda tx: dict(tx.range(FIRST, LAST)))

        found = self.run(cancelled())
        done = Model(self.model.pairs, self.model.sequence)
        done.run(steps)
        assert found in (self.model.pairs, done.pairs)
        sequence = self.run(self.store.write(lambda tx: tx.sequence(b"n")))
        assert sequence in (self.model.sequence + 1, done.sequence + 1)
        self.model = Model(found, sequence)

    @rule(start=keys, stop=keys, brief=st.booleans(), reverse=st.booleans())
    def read_range(self, start: bytes, stop: bytes, brief: bool, reverse: bool) -> None:
        found = self.run(
            self.store.read(lambda tx: list(tx.range(start, stop, reverse=reverse)), brief=brief)
        )
        within = sorted((key for key in self.model.pairs if start <= key < stop), reverse=reverse)
        assert found == [(key, self.model.pairs[key]) for key in within]

    @rule(key=keys, brief=st.booleans())
    def read_one(self, key: bytes, brief: bool) -> None:
        found = self.run(self.store.read(lambda tx: tx.get(key), brief=brief))
        assert found == self.model.pairs.get(key)

    @invariant()
    def all_pairs_are_those_of_the_model(self) -> None:
        def work(tx: Reader) -> list[tuple[bytes, bytes]]:
            return list(tx.range(FIRST, LAST))

        if hasattr(self, "store"):
            assert self.run(self.store.read(work, brief=True)) == sorted(self.model.pairs.items())

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.run(self.store.close())
        self.loop.close()


class MemoryMachine(StoreMachine):
    @initialize()
    def open(self) -> None:
        self.store = MemoryStore()


class SqliteMachine(StoreMachine):
    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fogbank-machine-"))
        self.store = self.run(SqliteStore.open(self.folder / "s.db", KEY, durability="relaxed"))

    @rule()
    def restart(self) -> None:
        self.run(self.store.close())
        self.store = self.run(SqliteStore.open(self.folder / "s.db", KEY, durability="relaxed"))

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)


FEW = settings(
    deadline=None,
    max_examples=25,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
)
TestMemoryStore = MemoryMachine.TestCase
TestMemoryStore.settings = FEW
TestSqliteStore = SqliteMachine.TestCase
TestSqliteStore.settings = FEW
