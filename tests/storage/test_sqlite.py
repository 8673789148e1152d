"""What is SQLite's own: durability over kill -9, a full disk, wrong keys, the hop to a thread."""

import asyncio
import os
import resource
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosqlite.core import Connection as HopConnection
from sqlcipher3 import dbapi2

from fogbank.storage.kv import Reader, StoreDamaged, StoreFailed, Writer
from fogbank.storage.sqlcipher import hop
from fogbank.storage.sqlite import CHECKPOINT_BYTES, SqliteStore

KEY = bytes(range(32))

# Writes with many callers, and prints the number of each put once it is acknowledged.
LOAD = """
import asyncio, os, pathlib, sys
from fogbank.storage.sqlite import SqliteStore

async def caller(store, name):
    for number in range(1_000_000):
        value = (b"%d-%d " % (name, number)) * 100
        def work(tx):
            tx.put(b"a/%d/%d" % (name, number), value)
            tx.put(b"b/%d/%d" % (name, number), value)
            tx.sequence(b"n")
        await store.write(work)
        os.write(1, b"%d %d\\n" % (name, number))

async def main():
    store = await SqliteStore.open(pathlib.Path(sys.argv[1]), bytes(range(32)))
    async with asyncio.TaskGroup() as group:
        for name in range(16):
            group.create_task(caller(store, name))

asyncio.run(main())
"""

# Writes until the disk is full, then again when there is space; prints what was acknowledged.
FULL = """
import asyncio, os, pathlib, resource, sys
from fogbank.storage.kv import StoreFailed
from fogbank.storage.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(pathlib.Path(sys.argv[1]), bytes(range(32)))
    kept = []
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
    failures = 0
    for number in range(200):
        try:
            await store.write(lambda tx: tx.put(b"k%d" % number, os.urandom(50_000)))
            kept.append(number)
        except StoreFailed:
            failures += 1
    assert await store.read(lambda tx: tx.get(b"k0"), brief=True) is not None
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.write(lambda tx: tx.put(b"k1000", b""))
    kept.append(1000)
    print(failures, *kept, flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Closed even when the test fails: its threads would outlive the tests."""
    opened = await SqliteStore.open(tmp_path / "s.db", KEY)
    yield opened
    await opened.close()


def spawn(program: str, path: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", program, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@pytest.mark.parametrize("acknowledged_min", [1, 50, 400, 1500])
async def test_kill_9_loses_no_acknowledged_write(tmp_path: Path, acknowledged_min: int) -> None:
    path = tmp_path / "s.db"
    with spawn(LOAD, path) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(acknowledged_min)]
        child.kill()
        lines += child.stdout.readlines()
    acknowledged = [tuple(map(int, line.split())) for line in lines if line.endswith(b"\n")]
    store = await SqliteStore.open(path, KEY)

    def pairs(tx: Writer, prefix: bytes) -> dict[bytes, bytes]:
        return {key[2:]: value for key, value in tx.range(prefix + b"/", prefix + b"0")}

    first, second = await store.write(lambda tx: (pairs(tx, b"a"), pairs(tx, b"b")))
    assert first == second
    for name, number in acknowledged:
        assert first[b"%d/%d" % (name, number)] == (b"%d-%d " % (name, number)) * 100
    assert await store.write(lambda tx: tx.sequence(b"n")) == len(first) + 1
    assert await store.verify() == []
    await store.close()


async def test_a_full_disk_loses_nothing_acknowledged_and_the_store_recovers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"
    with spawn(FULL, path) as child:
        assert child.stdout is not None
        failures, *kept = map(int, child.stdout.read().split())
    assert failures > 0
    store = await SqliteStore.open(path, KEY)
    found = await store.read(lambda tx: [key for key, _ in tx.range(b"k", b"l")])
    assert sorted(found) == sorted(b"k%d" % number for number in kept)
    assert await store.verify() == []
    await store.close()


async def test_every_caller_of_a_failed_commit_is_told(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "s.db", KEY)
    await store.write(lambda tx: tx.put(b"before", b""))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log_bytes = (tmp_path / "s.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (log_bytes, hard))
    try:
        results = await asyncio.gather(
            *[store.write(lambda tx, n=n: tx.put(b"k%d" % n, os.urandom(9000))) for n in range(20)],  # type: ignore[misc]
            return_exceptions=True,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert [isinstance(result, StoreFailed) for result in results] == [True] * 20
    assert await store.read(lambda tx: list(tx.range(b"a", b"z"))) == [(b"before", b"")]
    await store.write(lambda tx: tx.put(b"after", b""))
    await store.close()


async def test_another_key_is_damage_said_plainly(tmp_path: Path) -> None:
    await (await SqliteStore.open(tmp_path / "s.db", KEY)).close()
    with pytest.raises(StoreDamaged):
        await SqliteStore.open(tmp_path / "s.db", bytes(32))


async def test_a_plain_sqlite_file_is_refused(tmp_path: Path) -> None:
    plain = dbapi2.connect(str(tmp_path / "s.db"))
    plain.execute("CREATE TABLE pairs (k, v)")
    plain.close()
    with pytest.raises(StoreDamaged):
        await SqliteStore.open(tmp_path / "s.db", KEY)


async def test_the_log_stays_bounded_under_load(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "s.db", KEY, durability="relaxed")
    largest = written = 0

    async def caller(name: int) -> None:
        nonlocal largest, written
        for number in range(120):
            value = os.urandom(50_000)
            key = b"%d/%d" % (name, number % 20)
            await store.write(lambda tx: tx.put(key, value))  # noqa: B023
            written += len(value)
            largest = max(largest, (tmp_path / "s.db-wal").stat().st_size)

    async with asyncio.TaskGroup() as group:
        for name in range(16):
            group.create_task(caller(name))
    assert written > 4 * CHECKPOINT_BYTES
    assert largest < 3 * CHECKPOINT_BYTES
    await store.close()


async def test_a_function_hops_to_aiosqlites_thread_in_order(tmp_path: Path) -> None:
    """Pins the private queue that `hop` uses: functions run one by one, before a later close."""
    connection = await HopConnection(lambda: dbapi2.connect(str(tmp_path / "x.db")), 64)
    ran: list[int] = []
    for number in range(100):
        hop(connection, lambda number=number: ran.append(number))  # type: ignore[misc]
    await connection.close()
    assert ran == list(range(100))


async def test_a_database_error_that_a_work_handles_still_fails_its_group(tmp_path: Path) -> None:
    """SQLite may have undone the transaction: going on would commit the half of a group."""
    store = await SqliteStore.open(tmp_path / "s.db", KEY)
    rows = store._writer._rows

    def work(tx: Writer) -> None:
        tx.put(b"a", b"")
        rows.cursor.execute("ROLLBACK")
        rows.cursor = _Broken(rows.cursor)
        try:
            tx.get(b"other")
        except dbapi2.Error:
            rows.cursor = rows.cursor.real

    with pytest.raises(StoreFailed):
        await store.write(work)
    assert await store.read(lambda tx: tx.get(b"a")) is None
    await store.write(lambda tx: tx.put(b"b", b""))
    await store.close()


class _Broken:
    def __init__(self, real: object) -> None:
        self.real = real

    def execute(self, *args: object) -> None:
        raise dbapi2.OperationalError("disk I/O error")


async def test_reads_never_go_back_nor_mix_two_commits(store: SqliteStore) -> None:
    """Brief reads of hot pairs, of the database, and of threads, while commits go on."""
    written = 0
    stop = False

    def put(number: int) -> Callable[[Writer], None]:
        def work(tx: Writer) -> None:
            for key in (b"a", b"b"):
                tx.put(key, b"%d" % number)
            if number % 50 == 0:
                tx.delete_range(b"x", b"y")

        return work

    async def write() -> None:
        nonlocal written
        while not stop:
            written += 1
            await store.write(put(written))

    def read(tx: Reader, miss: bytes) -> int:
        a = int(tx.get(b"a") or b"0")
        assert tx.get(b"miss" + miss) is None
        assert int(tx.get(b"b") or b"0") == a
        return a

    async def readings(*, brief: bool, misses: bool, count: int) -> None:
        last = 0
        for number in range(count):
            miss = b"%d" % number if misses else b""
            found = await store.read(lambda tx: read(tx, miss), brief=brief)  # noqa: B023
            assert found >= max(last, seen[0])
            last = seen[0] = found
            await asyncio.sleep(0)

    seen = [0]
    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        async with asyncio.TaskGroup() as readers:
            readers.create_task(readings(brief=True, misses=False, count=4000))
            readers.create_task(readings(brief=True, misses=True, count=1000))
        assert seen[0] > 0
        stop = True


def commit_now(store: SqliteStore, work: Callable[[Writer], None]) -> None:
    """The work is committed, and the loop, which stands still meanwhile, is not told of it yet."""
    committed = threading.Event()
    writer, tell = store._writer, store._writer._tell

    def told(*args: Any) -> None:
        tell(*args)
        committed.set()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer, "_tell", told)
        writer.submit(work, asyncio.get_running_loop().create_future(), ())
        assert committed.wait(10)


def by_get(tx: Reader) -> bytes | None:
    return tx.get(b"b")


def by_range(tx: Reader) -> bytes | None:
    return dict(tx.range(b"b", b"c"))[b"b"]


def by_get_whatever_it_raises(tx: Reader) -> bytes | None:
    try:
        return tx.get(b"b")
    except BaseException:
        return tx.get(b"b")


def put(value: bytes) -> Callable[[Writer], None]:
    """`a` and `b` are always the same."""

    def both(tx: Writer) -> None:
        tx.put(b"a", value)
        tx.put(b"b", value)

    return both


@pytest.mark.parametrize("second", [by_get, by_range, by_get_whatever_it_raises])
async def test_a_commit_between_a_hot_read_and_a_cold_one_makes_the_work_run_again(
    store: SqliteStore, second: Callable[[Reader], bytes | None]
) -> None:
    await store.write(put(b"old"))
    await store.write(lambda tx: tx.delete_range(b"x", b"y"))  # no pair is hot after this one
    assert await store.read(lambda tx: tx.get(b"a"), brief=True) == b"old"  # `a` is, again
    runs = 0

    def work(tx: Reader) -> tuple[bytes | None, bytes | None]:
        nonlocal runs
        runs += 1
        first = tx.get(b"a")
        if runs == 1:
            commit_now(store, put(b"new"))
        return first, second(tx)

    assert await store.read(work, brief=True) == (b"new", b"new")
    assert runs == 2


async def test_a_range_that_a_commit_came_into_is_read_again(store: SqliteStore) -> None:
    keys = [b"%03d" % number for number in range(100)]

    def put_all(value: bytes) -> Callable[[Writer], None]:
        def work(tx: Writer) -> None:
            for key in keys:
                tx.put(key, value)

        return work

    await store.write(put_all(b"old"))
    runs = 0

    def work(tx: Reader) -> set[bytes]:
        nonlocal runs
        runs += 1
        found = set()
        for at, (_, value) in enumerate(tx.range(b"0", b"1")):
            if runs == 1 and at == 1:
                commit_now(store, put_all(b"new"))
            found.add(value)
        return found

    assert await store.read(work, brief=True) == {b"new"}
    assert runs == 2


async def test_what_is_concluded_from_two_states_at_once_is_not_raised(store: SqliteStore) -> None:
    await store.write(put(b"old"))
    await store.write(lambda tx: tx.delete_range(b"x", b"y"))  # no pair is hot after this one
    runs = 0

    def work(tx: Reader) -> bytes | None:
        nonlocal runs
        runs += 1
        first = tx.get(b"a")
        if runs == 1:
            commit_now(store, put(b"new"))
        pairs = dict(tx.range(b"b", b"c")) if runs > 1 else {b"b": b"new"}
        assert pairs[b"b"] == first, "the two are always the same"
        return first

    assert await store.read(work, brief=True) == b"new"
    assert runs == 2


async def test_a_thread_that_has_shown_a_commit_is_not_contradicted(store: SqliteStore) -> None:
    await store.write(lambda tx: tx.put(b"n", b"0"))
    for number in range(1, 300):
        value = b"%d" % number
        async with asyncio.TaskGroup() as group:
            group.create_task(store.write(lambda tx: tx.put(b"n", value)))  # noqa: B023
            for _ in range(3):
                in_thread = await store.read(lambda tx: int(tx.get(b"n") or b""))
                here = await store.read(lambda tx: int(tx.get(b"n") or b""), brief=True)
                assert here >= in_thread


async def together(store: SqliteStore, *writes: Awaitable[None]) -> list[BaseException | None]:
    """What becomes of writes that are one group: they wait while the writer is kept busy."""
    entered, gate = threading.Event(), threading.Event()

    def wait(tx: Writer) -> None:
        entered.set()
        assert gate.wait(10)

    busy = asyncio.ensure_future(store.write(wait))
    assert await asyncio.to_thread(entered.wait, 10)
    gathered = asyncio.gather(*writes, return_exceptions=True)
    await asyncio.sleep(0)
    assert len(store._writer._queue) == len(writes)
    gate.set()
    await busy
    return await gathered


async def test_works_that_come_while_a_group_begins_do_not_disturb_it(store: SqliteStore) -> None:
    loop = asyncio.get_running_loop()
    late: asyncio.Future[None] = loop.create_future()

    class Arriving(tuple[bytes, ...]):
        """Keys; while the writer lists them, another work arrives."""

        def __iter__(self) -> Iterator[bytes]:
            store._writer.submit(lambda tx: tx.put(b"late", b""), late, ())
            return super().__iter__()

    await together(
        store,
        store.write(lambda tx: tx.put(b"a", b""), reads=Arriving([b"a"])),
        store.write(lambda tx: tx.put(b"b", b""), reads=(b"b",)),
    )
    await late
    found = await store.read(lambda tx: [key for key, _ in tx.range(b"a", b"z")])
    assert found == [b"a", b"b", b"late"]


async def test_a_bug_of_ours_in_a_group_fails_its_callers_and_no_later_ones(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(batch: Any, keys: list[bytes]) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr("fogbank.storage.sqlite._Batch.fetch", broken)
        writes = [store.write(lambda tx: tx.put(b"a", b"")) for _ in range(3)]
        found = await together(store, *writes)
    assert [type(one) for one in found] == [StoreFailed] * 3
    await store.write(lambda tx: tx.put(b"b", b""))


async def test_a_commit_that_cannot_begin_fails_its_callers_and_no_later_ones(
    tmp_path: Path,
) -> None:
    store = await SqliteStore.open(tmp_path / "s.db", KEY)
    rows = store._writer._rows
    rows.cursor, real = _Broken(rows.cursor), rows.cursor
    with pytest.raises(StoreFailed):
        await store.write(lambda tx: tx.put(b"a", b""))
    rows.cursor = real
    await store.write(lambda tx: tx.put(b"b", b""))
    assert await store.read(lambda tx: [key for key, _ in tx.range(b"a", b"c")]) == [b"b"]
    await store.close()
