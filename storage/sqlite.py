"""The default `Store`: an encrypted SQLite database with group commit."""

import asyncio
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from aiosqlite.core import Connection as HopConnection
from sqlcipher3 import dbapi2

from fogbank.storage.hot import HotPairs, HotReader, Stale
from fogbank.storage.kv import Reader, StoreClosed, StoreFailed, T, Writer
from fogbank.storage.overlay import Overlay
from fogbank.storage.sqlcipher import (
    FORMAT_VERSION,
    PAGE_BYTES,
    Durability,
    Rows,
    connect,
    failure_of,
    hop,
    hopping,
)

# Bounds of one commit: they bound how long the first of its callers waits for the last.
BATCH_WORKS_MAX = 256
BATCH_BYTES_MAX = 16 << 20
READERS = 3
# The log is moved into the database beside the writer from this size on.
CHECKPOINT_BYTES = 16 << 20
_WRITER_CACHE_KIB, _READER_CACHE_KIB, _BRIEF_CACHE_KIB = 32 << 10, 8 << 10, 32 << 10

# Each statement gives the interpreter's lock away and waits for it anew while the event loop
# computes: a group asks for all that it will need at once, and writes many rows in one statement.
_ROWS_AT_ONCE = (64, 16, 4, 1)
_GETS = {
    rows: f"SELECT k, v FROM pairs WHERE k IN ({', '.join('?' * rows)})" for rows in _ROWS_AT_ONCE
}
_PUTS = {
    rows: f"INSERT INTO pairs (k, v) VALUES {', '.join(['(?, ?)'] * rows)}"
    " ON CONFLICT (k) DO UPDATE SET v = excluded.v"
    for rows in _ROWS_AT_ONCE
}
_DELETE = "DELETE FROM pairs WHERE k = ?"
_DELETE_RANGE = "DELETE FROM pairs WHERE k >= ? AND k < ?"

_Job = tuple[Callable[[Overlay], Any], asyncio.Future[Any], Sequence[bytes]]
_Calls = list[Callable[[], None]]
_Outcome = tuple[asyncio.Future[Any], Any, BaseException | None, _Calls]


class FormatTooNew(StoreFailed):
    """The database was written by a later version of this program."""


class SqliteStore:
    """One writer that commits in groups, three readers, and one connection for brief reads.

    The process is the only one that writes to the file: the data directory's lock sees to that.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        writer: "_Writer",
        readers: "list[_PoolReader]",
        brief: Any,
        verify: Callable[[], list[str]],
    ) -> None:
        self._loop = loop
        self._writer = writer
        self._readers = readers
        self._brief = brief
        self._brief_rows = Rows(brief)
        self._hot = writer.hot
        self._verify = verify
        self._open = True

    @classmethod
    async def open(
        cls, path: Path, key: bytes, *, durability: Durability = "full"
    ) -> "SqliteStore":
        """The store in the file `path`, made when absent, under the raw 256-bit `key`.

        Raises StoreDamaged when the file is no database under this key, FormatTooNew, StoreFull.
        """
        loop = asyncio.get_running_loop()

        def connector(cache_kib: int) -> Callable[[], Any]:
            return lambda: connect(path, key, durability, cache_kib=cache_kib)

        await asyncio.to_thread(_prepare, path, key, durability)
        opened: list[HopConnection] = []
        try:
            for cache_kib in (_WRITER_CACHE_KIB, 1 << 10, *[_READER_CACHE_KIB] * READERS):
                opened.append(await hopping(connector(cache_kib)))
            brief = connect(path, key, durability, cache_kib=_BRIEF_CACHE_KIB)
        except BaseException:
            for connection in opened:
                await connection.close()
            raise
        writer = _Writer(loop, opened[0], opened[1])
        readers = [_PoolReader(connection, writer.hot) for connection in opened[2:]]
        return cls(loop, writer, readers, brief, lambda: _verify(connector(_READER_CACHE_KIB)()))

    async def read(self, work: Callable[[Reader], T], *, brief: bool = False) -> T:
        if not self._open:
            raise StoreClosed
        if brief:
            return self._read_here(work)
        reader = min(self._readers, key=_PoolReader.load)
        future: asyncio.Future[T] = self._loop.create_future()
        reader.submit(work, future)
        return await future

    def _read_here(self, work: Callable[[Reader], T]) -> T:
        """On the loop: a hot pair takes 1 us, one in a cached page 6, a hop to a thread 50."""
        if self._hot.is_current():
            reader = HotReader(self._hot, self._brief_rows)
            try:
                result = work(reader)
                if reader.is_sound():
                    return result
            except Stale:
                pass
            except dbapi2.Error as error:
                raise failure_of(error) from error
            except BaseException:
                # Of a state that never was, anything may have been concluded.
                if reader.is_sound():
                    raise
            finally:
                reader.close()
        try:
            return _read(self._brief_rows, work)
        finally:
            self._hot.database_was_read()

    async def write(self, work: Callable[[Writer], T], *, reads: Sequence[bytes] = ()) -> T:
        if not self._open:
            raise StoreClosed
        future: asyncio.Future[T] = self._loop.create_future()
        self._writer.submit(work, future, reads)
        return await future

    async def verify(self) -> list[str]:
        """What is wrong with the database's pages and trees, a line each: [] when it is whole."""
        return await asyncio.to_thread(self._verify)

    async def close(self) -> None:
        """Every queued work is committed and the log is part of the database."""
        if not self._open:
            return
        self._open = False
        self._brief_rows.cursor.close()
        self._brief.close()
        for reader in self._readers:
            await reader.close()
        await self._writer.close()


def _prepare(path: Path, key: bytes, durability: Durability) -> None:
    """The file is there, readable by its owner only, with the one table and a known format."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = connect(path, key, durability, cache_kib=1 << 10)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > FORMAT_VERSION:
            raise FormatTooNew(f"the database has format {version}, this program {FORMAT_VERSION}")
        if version < FORMAT_VERSION:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS pairs (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL)"
            )
            connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            connection.execute("COMMIT")
        connection.execute("SELECT 1 FROM pairs LIMIT 1").fetchone()
    except dbapi2.Error as error:
        raise failure_of(error) from error
    finally:
        connection.close()


def _verify(connection: Any) -> list[str]:
    """Every page's authentication code first, for a page that fails it cannot be read at all."""
    try:
        unsealed = connection.execute("PRAGMA cipher_integrity_check").fetchall()
        if unsealed:
            return [row[0] for row in unsealed]
        lines = connection.execute("PRAGMA integrity_check").fetchall()
        return [line for (line,) in lines if line != "ok"]
    except dbapi2.Error as error:
        return [str(failure_of(error))]
    finally:
        connection.close()


def _read(rows: Rows, work: Callable[[Reader], T]) -> T:
    """Run `work` in a read transaction: its first read fixes what all the others see."""
    overlay = Overlay(rows)
    try:
        rows.cursor.execute("BEGIN")
        try:
            return work(overlay)
        finally:
            overlay.close()
            rows.cursor.execute("COMMIT")
    except dbapi2.Error as error:
        raise failure_of(error) from error


def _split(rows: list[T]) -> Iterator[list[T]]:
    """`rows` in lists as long as there are statements for."""
    at = 0
    for size in _ROWS_AT_ONCE:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


def _settle(outcomes: list[_Outcome]) -> None:
    """On the loop: tell each caller that still waits, and whoever asked to know of the commit."""
    for future, result, error, calls in outcomes:
        for call in calls:
            call()
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        elif isinstance(error, StopIteration):
            future.set_exception(RuntimeError("a work raised StopIteration"))
        else:
            future.set_exception(error)


class _PoolReader:
    """A connection with its thread, for reads that may take long."""

    def __init__(self, connection: HopConnection, hot: HotPairs) -> None:
        self._connection = connection
        self._hot = hot
        self._waiting = 0
        self._rows: Rows | None = None

    def load(self) -> int:
        return self._waiting

    def submit(self, work: Callable[[Reader], T], future: asyncio.Future[T]) -> None:
        loop = future.get_loop()
        self._waiting += 1

        def run() -> None:
            outcome: _Outcome
            try:
                if self._rows is None:
                    self._rows = Rows(self._connection._conn)
                outcome = (
                    future,
                    None if future.cancelled() else _read(self._rows, work),
                    None,
                    [],
                )
            except BaseException as error:  # The caller's to handle, whatever it is.
                outcome = (future, None, error, [])
            loop.call_soon_threadsafe(self._done, outcome)

        hop(self._connection, run)

    def _done(self, outcome: _Outcome) -> None:
        self._waiting -= 1
        self._hot.database_was_read()
        _settle([outcome])

    async def close(self) -> None:
        await self._connection.close()


class _Batch:
    """What a `work` of a group reads: the works before it, then the database."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        # What the works are going to look for, as it was before the group.
        self._fetched: dict[bytes, bytes | None] = {}
        self.pending: dict[bytes, bytes | None] = {}
        # All that the group writes; None when it cannot be told key by key.
        self.written: dict[bytes, bytes | None] | None = {}
        self.size_bytes = 0
        # After an error SQLite may have rolled the transaction back: the whole group fails, even
        # when a `work` handles what its read raised.
        self.failure: dbapi2.Error | None = None

    def fetch(self, keys: list[bytes]) -> None:
        """Have at hand what these keys stand for; called before the first work."""
        found = dict.fromkeys(keys)
        for some in _split(keys):
            found.update(self._rows.cursor.execute(_GETS[len(some)], some).fetchall())
        self._fetched = found

    def get(self, key: bytes) -> bytes | None:
        if key in self.pending:
            return self.pending[key]
        if key in self._fetched and self.written is not None:
            return self.written[key] if key in self.written else self._fetched[key]
        try:
            return self._rows.get(key)
        except dbapi2.Error as error:
            self.failure = error
            raise

    def range(
        self, start: bytes, stop: bytes, *, reverse: bool = False, expected: int = 0
    ) -> Iterator[tuple[bytes, bytes]]:
        try:
            self.flush()
            yield from self._rows.range(start, stop, reverse=reverse, expected=expected)
        except dbapi2.Error as error:
            self.failure = error
            raise

    def add(self, overlay: Overlay) -> None:
        if overlay.cleared:
            self.flush()
            self.written = None
            for start, stop in overlay.cleared:
                self._rows.cursor.execute(_DELETE_RANGE, (start, stop))
        self.pending.update(overlay.pending)
        self.size_bytes += sum([len(value) for value in overlay.pending.values() if value])

    def flush(self) -> None:
        """What the finished works wrote is in the database's transaction; in order of keys, so
        that neighbours share a page while it is at hand."""
        if not self.pending:
            return
        if self.written is not None:
            self.written.update(self.pending)
        written = sorted(self.pending.items())
        self.pending = {}
        puts = [pair for pair in written if pair[1] is not None]
        for some in _split(puts):
            self._rows.cursor.execute(_PUTS[len(some)], [part for pair in some for part in pair])
        if len(puts) < len(written):
            gone = [(key,) for key, value in written if value is None]
            self._rows.cursor.executemany(_DELETE, gone)


class _Writer:
    """Takes every queued work, commits once, tells their callers; and again while there are any."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: HopConnection,
        checkpointer: HopConnection,
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._checkpointer = checkpointer
        self._rows = Rows(connection._conn)
        self._queue: deque[_Job] = deque()
        self._scheduled = False
        self._logged_bytes = 0
        self._checkpointing = False
        self._rest_due = False
        self.hot = HotPairs()

    def submit(
        self, work: Callable[[Writer], Any], future: asyncio.Future[Any], reads: Sequence[bytes]
    ) -> None:
        self._queue.append((work, future, reads))
        # `_drain` lowers the flag before it looks into the queue: no work is left behind.
        if not self._scheduled:
            self._scheduled = True
            hop(self._connection, self._drain)

    def _drain(self) -> None:
        self._scheduled = False
        while self._queue:
            self._commit_group()
            if self._rest_due:
                self._checkpoint_rest()
            if self._logged_bytes > CHECKPOINT_BYTES and not self._checkpointing:
                self._checkpointing = True
                hop(self._checkpointer, self._checkpoint_beside)

    def _commit_group(self) -> None:
        """All works of the group are durable, or none is; the loop is told each one's outcome."""
        outcomes: list[_Outcome] = []
        cursor = self._rows.cursor
        batch = _Batch(self._rows)
        begun = False
        # Taken off at once: the loop adds to the queue at any moment.
        works = min(len(self._queue), BATCH_WORKS_MAX)
        jobs = deque([self._queue.popleft() for _ in range(works)])
        try:
            cursor.execute("BEGIN IMMEDIATE")
            if works > 1:
                batch.fetch(_expected(jobs))
            while jobs and batch.size_bytes < BATCH_BYTES_MAX:
                work, future, _ = jobs.popleft()
                outcomes.append(_run(batch, work, future))
                if batch.failure is not None:
                    raise batch.failure
            batch.flush()
            if batch.written != {}:
                self.hot.commit_begins()
                begun = True
            cursor.execute("COMMIT")
        except Exception as error:  # The database's, or a bug of ours: nobody waits for ever.
            self._roll_back()
            if not outcomes:
                # Not even begun: whoever waits now is told, and later works try anew.
                outcomes = [(future, None, None, []) for _, future, _ in jobs]
                jobs.clear()
            outcomes = [(future, None, failure_of(error), []) for future, *_ in outcomes]
            self._queue.extendleft(reversed(jobs))
            self._tell(outcomes, None, begun)
            return
        self._queue.extendleft(reversed(jobs))
        pairs = 1 if batch.written is None else len(batch.written)
        self._logged_bytes += batch.size_bytes + PAGE_BYTES * (1 + pairs)
        self._tell(outcomes, batch.written, begun)

    def _tell(
        self, outcomes: list[_Outcome], written: dict[bytes, bytes | None] | None, begun: bool
    ) -> None:
        def told() -> None:
            if begun:
                self.hot.commit_settled(written)
            _settle(outcomes)

        self._loop.call_soon_threadsafe(told)

    def _roll_back(self) -> None:
        if self._connection._conn.in_transaction:
            self._rows.cursor.execute("ROLLBACK")

    def _checkpoint_beside(self) -> None:
        """On the checkpointer's thread: move most of the log while the writer goes on."""
        try:
            self._checkpointer._conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except dbapi2.Error:
            # Full disk or the like: the log stays as it is, and writes say what is wrong.
            self._checkpointing = False
            return
        # Between two groups of a busy writer; an idle one is woken.
        self._rest_due = True
        hop(self._connection, self._checkpoint_rest)

    def _checkpoint_rest(self) -> None:
        """On the writer's thread: move the rest, so that the next commit starts the log anew."""
        if not self._rest_due:
            return
        self._rest_due = False
        try:
            self._rows.cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._logged_bytes = 0
        except dbapi2.Error:
            self._logged_bytes = CHECKPOINT_BYTES // 2
        finally:
            self._checkpointing = False

    async def close(self) -> None:
        await self._checkpointer.close()
        await self._connection.close()


def _expected(jobs: Iterable[_Job]) -> list[bytes]:
    """The keys that the works say they will read, each once."""
    return list(dict.fromkeys(itertools.chain.from_iterable(reads for _, _, reads in jobs)))


def _run(batch: _Batch, work: Callable[[Overlay], Any], future: asyncio.Future[Any]) -> _Outcome:
    if future.cancelled():
        return future, None, None, []
    overlay = Overlay(batch)
    try:
        result = work(overlay)
    except BaseException as error:  # The caller's to handle, whatever it is.
        return future, None, error, []
    finally:
        overlay.close()
    try:
        batch.add(overlay)
    except dbapi2.Error as error:
        batch.failure = error
    return future, result, None, overlay.calls
