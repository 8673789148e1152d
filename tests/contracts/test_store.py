"""One suite for every driver of `Store`."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fogbank.storage.keys import span
from fogbank.storage.kv import Reader, Store, StoreClosed, Writer
from fogbank.storage.memory import MemoryStore
from fogbank.storage.sqlite import SqliteStore

KEY = bytes(range(32))
Open = Callable[[], Awaitable[Store]]


@pytest.fixture(params=["memory", "full", "relaxed"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store: Store
    if request.param == "memory":
        store = MemoryStore()
    else:
        store = await SqliteStore.open(tmp_path / "s.db", KEY, durability=request.param)
    yield store
    await store.close()


def puts(pairs: dict[bytes, bytes]) -> Callable[[Writer], None]:
    def work(tx: Writer) -> None:
        for key, value in pairs.items():
            tx.put(key, value)

    return work


def fill(*keys: bytes) -> Callable[[Writer], None]:
    def work(tx: Writer) -> None:
        for key in keys:
            tx.put(key, b"v" + key)

    return work


def all_keys(tx: Reader) -> list[bytes]:
    return [key for key, _ in tx.range(b"\x01", b"\xff")]


async def test_what_was_put_is_read(opened: Store) -> None:
    await opened.write(fill(b"a"))
    assert await opened.read(lambda tx: tx.get(b"a")) == b"va"
    assert await opened.read(lambda tx: tx.get(b"a"), brief=True) == b"va"


async def test_a_key_that_was_not_put_is_none(opened: Store) -> None:
    assert await opened.read(lambda tx: tx.get(b"a")) is None


async def test_an_empty_value_is_not_an_absent_one(opened: Store) -> None:
    await opened.write(lambda tx: tx.put(b"a", b""))
    assert await opened.read(lambda tx: tx.get(b"a")) == b""


async def test_a_value_is_replaced(opened: Store) -> None:
    await opened.write(fill(b"a"))
    await opened.write(lambda tx: tx.put(b"a", b"other"))
    assert await opened.read(lambda tx: tx.get(b"a")) == b"other"


async def test_keys_are_ordered_as_bytes_whatever_the_order_of_puts(opened: Store) -> None:
    keys = [b"b", b"a\xff", b"a\x00", b"\xf0", b"a", b"ab"]
    await opened.write(fill(*keys))
    assert await opened.read(all_keys) == sorted(keys)


async def test_a_range_has_its_start_and_not_its_stop(opened: Store) -> None:
    await opened.write(fill(b"a", b"b", b"c"))
    assert await opened.read(lambda tx: list(tx.range(b"a", b"c"))) == [
        (b"a", b"va"),
        (b"b", b"vb"),
    ]


async def test_a_range_in_reverse_is_the_same_backwards(opened: Store) -> None:
    await opened.write(fill(*[b"k%04d" % number for number in range(3000)]))
    forward = await opened.read(lambda tx: list(tx.range(b"k0005", b"k2950")))
    backward = await opened.read(lambda tx: list(tx.range(b"k0005", b"k2950", reverse=True)))
    assert len(forward) == 2945
    assert backward == forward[::-1]


async def test_an_empty_or_inverted_range_has_nothing(opened: Store) -> None:
    await opened.write(fill(b"a", b"b"))
    assert await opened.read(lambda tx: list(tx.range(b"a", b"a"))) == []
    assert await opened.read(lambda tx: list(tx.range(b"b", b"a"))) == []
    assert await opened.read(lambda tx: list(tx.range(b"b", b"a", reverse=True))) == []


async def test_large_values_come_back_in_a_range(opened: Store) -> None:
    values = {b"k%d" % number: os.urandom(300_000) for number in range(30)}
    await opened.write(puts(values))
    assert await opened.read(lambda tx: dict(tx.range(b"k", b"l"))) == values


async def test_a_work_sees_its_own_puts_and_deletes(opened: Store) -> None:
    await opened.write(fill(b"a", b"b", b"c"))

    def work(tx: Writer) -> list[bytes]:
        tx.put(b"bb", b"new")
        tx.delete(b"a")
        tx.put(b"c", b"changed")
        assert tx.get(b"a") is None
        assert tx.get(b"bb") == b"new"
        assert dict(tx.range(b"a", b"z"))[b"c"] == b"changed"
        return all_keys(tx)

    assert await opened.write(work) == [b"b", b"bb", b"c"]
    assert await opened.read(all_keys) == [b"b", b"bb", b"c"]


async def test_a_work_sees_its_own_deleted_range_and_puts_into_it(opened: Store) -> None:
    await opened.write(fill(b"a", b"b", b"c", b"d"))

    def work(tx: Writer) -> list[bytes]:
        tx.put(b"bx", b"before")
        tx.delete_range(b"b", b"d")
        tx.put(b"c", b"again")
        assert tx.get(b"b") is None
        assert tx.get(b"bx") is None
        assert tx.get(b"c") == b"again"
        assert [key for key, _ in tx.range(b"a", b"z", reverse=True)] == [b"d", b"c", b"a"]
        return all_keys(tx)

    assert await opened.write(work) == [b"a", b"c", b"d"]
    assert await opened.read(lambda tx: list(tx.range(b"b", b"d"))) == [(b"c", b"again")]


async def test_a_range_is_that_of_its_call_whatever_is_written_meanwhile(opened: Store) -> None:
    await opened.write(fill(b"a", b"b", b"c"))

    def work(tx: Writer) -> list[bytes]:
        tx.put(b"bb", b"")
        seen = []
        for key, _ in tx.range(b"a", b"z"):
            seen.append(key)
            tx.delete(key)
            tx.put(b"x" + key, b"")
        return seen

    assert await opened.write(work) == [b"a", b"b", b"bb", b"c"]
    assert await opened.read(all_keys) == [b"xa", b"xb", b"xbb", b"xc"]


async def test_a_work_that_raises_leaves_nothing(opened: Store) -> None:
    await opened.write(fill(b"a"))

    def work(tx: Writer) -> None:
        tx.put(b"b", b"")
        tx.delete_range(b"", b"\xff")
        tx.sequence(b"n")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await opened.write(work)
    assert await opened.read(all_keys) == [b"a"]
    assert await opened.write(lambda tx: tx.sequence(b"n")) == 1


async def test_a_work_that_raises_does_not_touch_the_others_of_its_group(opened: Store) -> None:
    def work(tx: Writer, number: int) -> int:
        before = len(all_keys(tx))
        tx.put(b"k%03d" % number, b"")
        if number % 3 == 0:
            tx.delete_range(b"k", b"l")
            raise ValueError(number)
        return before

    async def one(number: int) -> int | None:
        try:
            return await opened.write(lambda tx: work(tx, number))
        except ValueError:
            return None

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(90)]
    kept = [number for number in range(90) if number % 3]
    assert [task.result() for task in tasks if task.result() is not None] == list(range(60))
    assert await opened.read(all_keys) == [b"k%03d" % number for number in kept]


async def test_stop_iteration_reaches_the_caller_as_an_error(opened: Store) -> None:
    empty: list[int] = []
    with pytest.raises(RuntimeError):
        await opened.write(lambda tx: next(iter(empty)))
    assert await opened.read(lambda tx: tx.get(b"a")) is None


async def test_sequences_follow_the_order_of_commits(opened: Store) -> None:
    def work(tx: Writer) -> tuple[int, int]:
        tx.put(b"e%d" % tx.sequence(b"n"), b"")
        return tx.sequence(b"n"), len(list(tx.range(b"e", b"f")))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(opened.write(work)) for _ in range(40)]
    results = [task.result() for task in tasks]
    assert results == [(2 * number, number) for number in range(1, 41)]
    assert await opened.write(lambda tx: tx.sequence(b"other")) == 1


async def test_a_sequence_does_not_show_among_packed_keys(opened: Store) -> None:
    await opened.write(lambda tx: tx.sequence(b"n"))
    assert await opened.read(lambda tx: list(tx.range(*span()))) != []
    for part in (None, b"", "", "sequence"):
        assert await opened.read(lambda tx, part=part: list(tx.range(*span(part)))) == []  # type: ignore[misc]


async def test_what_is_not_bytes_is_refused_without_harm(opened: Store) -> None:
    with pytest.raises(TypeError):
        await opened.write(lambda tx: tx.put(b"a", "text"))  # type: ignore[arg-type]
    await opened.write(fill(b"a"))
    assert await opened.read(all_keys) == [b"a"]


async def test_a_transaction_kept_beyond_its_work_is_refused(opened: Store) -> None:
    await opened.write(fill(b"a", b"b"))
    tx = await opened.read(lambda tx: tx)
    with pytest.raises(AssertionError):
        tx.get(b"a")
    pairs = await opened.read(lambda tx: tx.range(b"a", b"c"), brief=True)
    with pytest.raises(AssertionError):
        list(pairs)


async def test_a_cancelled_caller_does_not_break_the_store(opened: Store) -> None:
    async def put(number: int) -> None:
        await opened.write(lambda tx: tx.put(b"c%03d" % number, b""))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(put(number)) for number in range(50)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
    kept = await opened.read(lambda tx: [key for key, _ in tx.range(b"c", b"d")])
    assert {b"c%03d" % number for number in range(1, 50, 2)} <= set(kept)


async def test_a_cancelled_reader_does_not_break_the_store(opened: Store) -> None:
    await opened.write(fill(b"a"))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(opened.read(lambda tx: tx.get(b"a"))) for _ in range(10)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    assert await opened.read(lambda tx: tx.get(b"a")) == b"va"


async def test_after_commit_runs_on_the_loop_once_it_is_readable(opened: Store) -> None:
    told = asyncio.Event()

    def work(tx: Writer) -> None:
        tx.put(b"a", b"1")
        tx.after_commit(told.set)

    await opened.write(work)
    assert told.is_set()


async def test_after_commit_does_not_run_for_a_work_that_raised(opened: Store) -> None:
    told = asyncio.Event()

    def work(tx: Writer) -> None:
        tx.after_commit(told.set)
        raise KeyError

    with pytest.raises(KeyError):
        await opened.write(work)
    assert not told.is_set()


@pytest.mark.parametrize("brief", [True, False])
async def test_a_read_is_one_snapshot(opened: Store, brief: bool) -> None:
    """Pairs of equal values are written together; no read ever sees them differ."""
    await opened.write(puts({b"a": b"0", b"b": b"0"}))
    stop = False

    async def write() -> None:
        number = 0
        while not stop:
            number += 1
            value = b"%d" % number
            await opened.write(puts({b"a": value, b"b": value}))
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        for _ in range(200):
            a, b = await opened.read(lambda tx: (tx.get(b"a"), tx.get(b"b")), brief=brief)
            assert a == b
            await asyncio.sleep(0)
        stop = True


async def test_a_closed_store_refuses(opened: Store) -> None:
    await opened.close()
    with pytest.raises(StoreClosed):
        await opened.read(lambda tx: None)
    with pytest.raises(StoreClosed):
        await opened.write(lambda tx: None)


async def test_closing_twice_is_harmless(opened: Store) -> None:
    await opened.close()
    await opened.close()


@asynccontextmanager
async def reopened(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, KEY)
    yield store
    await store.close()


async def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    async with reopened(tmp_path / "s.db") as store:
        await store.write(fill(b"a"))
        await store.write(lambda tx: tx.sequence(b"n"))
    async with reopened(tmp_path / "s.db") as store:
        assert await store.read(lambda tx: tx.get(b"a")) == b"va"
        assert await store.write(lambda tx: tx.sequence(b"n")) == 2


async def test_closing_finishes_queued_writes(tmp_path: Path) -> None:
    async with reopened(tmp_path / "s.db") as store, asyncio.TaskGroup() as group:
        for number in range(300):
            group.create_task(store.write(fill(b"q%03d" % number)))
        await asyncio.sleep(0)
        await store.close()
    async with reopened(tmp_path / "s.db") as store:
        assert len(await store.read(all_keys)) == 300


async def test_what_is_expected_is_read_as_the_works_before_left_it(opened: Store) -> None:
    await opened.write(fill(b"a", b"b", b"c", b"d", b"e"))
    seen: list[dict[bytes, bytes | None]] = []
    keys = (b"a", b"b", b"c", b"d", b"e", b"f")

    def look(change: Callable[[Writer], None]) -> Callable[[Writer], None]:
        def work(tx: Writer) -> None:
            seen.append({key: tx.get(key) for key in keys})
            change(tx)

        return work

    def read_and_put(tx: Writer) -> None:
        # A range that is read writes the changes before it into the database's transaction.
        assert [key for key, _ in tx.range(b"a", b"d")] == [b"a", b"c"]
        tx.put(b"f", b"2")

    changes: list[Callable[[Writer], None]] = [
        lambda tx: tx.put(b"a", b"1"),
        lambda tx: tx.delete(b"b"),
        read_and_put,
        lambda tx: tx.delete_range(b"c", b"e"),
        lambda tx: tx.put(b"d", b"3"),
        lambda tx: None,
    ]
    await asyncio.gather(*[opened.write(look(change), reads=keys) for change in changes])
    assert [[one[key] for key in keys] for one in seen] == [
        [b"va", b"vb", b"vc", b"vd", b"ve", None],
        [b"1", b"vb", b"vc", b"vd", b"ve", None],
        [b"1", None, b"vc", b"vd", b"ve", None],
        [b"1", None, b"vc", b"vd", b"ve", b"2"],
        [b"1", None, None, None, b"ve", b"2"],
        [b"1", None, None, b"3", b"ve", b"2"],
    ]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 63, 64, 65, 150])
async def test_any_number_of_keys_may_be_expected(opened: Store, count: int) -> None:
    keys = [b"%04d" % number for number in range(count)]
    await opened.write(fill(*keys[::2]))

    def work(tx: Writer) -> list[bytes | None]:
        return [tx.get(key) for key in keys]

    expected = [b"v" + key if at % 2 == 0 else None for at, key in enumerate(keys)]
    results = await asyncio.gather(*[opened.write(work, reads=keys) for _ in range(3)])
    assert results == [expected] * 3


@pytest.mark.parametrize("count", [1, 3, 4, 5, 63, 64, 65, 150])
async def test_any_number_of_pairs_may_be_written(opened: Store, count: int) -> None:
    keys = [b"%04d" % number for number in range(count)]
    await opened.write(fill(*keys))
    assert await opened.read(all_keys) == keys
