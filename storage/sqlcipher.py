"""Connections to the encrypted database: how they are opened, and what their errors mean."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from aiosqlite.core import Connection as HopConnection
from sqlcipher3 import dbapi2

from fogbank.storage.kv import StoreDamaged, StoreFailed, StoreFull

Durability = Literal["full", "relaxed"]

# Measured with 1 KB unique values, see ARCHITECTURE.md: with rowids 4 KiB pages write as few bytes
# a put as larger ones and less is encrypted for an overwrite. Without rowids a row lives in the
# tree's inner pages too, the tree is deep, and a put writes three to five times as much.
PAGE_BYTES = 4096
FORMAT_VERSION = 1
_SYNCHRONOUS = {"full": "FULL", "relaxed": "NORMAL"}
_BUSY_TIMEOUT_MS = 10_000

# https://www.sqlite.org/rescode.html; the low byte is the primary code.
_FULL, _CORRUPT, _NOT_A_DATABASE, _IO_ERROR = 13, 11, 26, 10

_CHUNK_ROWS_MIN, _CHUNK_ROWS_MAX, _CHUNK_BYTES = 16, 1024, 1 << 20

_GET = "SELECT v FROM pairs WHERE k = ?"
_UP = "SELECT k, v FROM pairs WHERE k >= ? AND k < ? ORDER BY k LIMIT ?"
_DOWN = "SELECT k, v FROM pairs WHERE k >= ? AND k < ? ORDER BY k DESC LIMIT ?"


def connect(path: Path, key: bytes, durability: Durability, *, cache_kib: int) -> Any:
    """A connection in autocommit mode, on which `key` has been proven right.

    Raises StoreDamaged when the file is no database, or not under this key.
    """
    connection = dbapi2.connect(
        str(path), isolation_level=None, check_same_thread=False, cached_statements=64
    )
    try:
        # Its log goes to stderr; errors are raised all the same.
        connection.execute("PRAGMA cipher_log_level = NONE").fetchone()
        # A raw key: no derivation, so that a connection opens in well under a millisecond.
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute(f"PRAGMA cipher_page_size = {PAGE_BYTES}")
        # Locking and wiping every allocation halves the speed; swap is the operator's to encrypt.
        connection.execute("PRAGMA cipher_memory_security = OFF")
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        # Sorting spills would be plain files.
        connection.execute("PRAGMA temp_store = MEMORY")
        # The store decides when to move the log into the database, away from the writer's path.
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchone()
    except BaseException as error:
        connection.close()
        if isinstance(error, dbapi2.Error):
            raise failure_of(error) from error
        raise
    return connection


def failure_of(error: BaseException) -> StoreFailed:
    """What an error of the database means to whoever waits for a `work`."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == _FULL:
        return StoreFull("no space is left for the database")
    if code in (_CORRUPT, _NOT_A_DATABASE):
        return StoreDamaged(f"the database is damaged, or its key is another one: {error}")
    if code == _IO_ERROR:
        return StoreFailed(f"the database could not be read or written: {error}")
    return StoreFailed(f"the database refused: {error}")


async def hopping(connector: Callable[[], Any]) -> HopConnection:
    """A connection with a thread of its own.

    The thread does not keep a process alive: what it has not committed, nobody was told of.
    """
    connection = HopConnection(connector, 64)
    connection._thread.daemon = True
    return await connection


def hop(connection: HopConnection, function: Callable[[], None]) -> None:
    """Run `function` on the connection's thread, after what was given to it before.

    aiosqlite's public methods hop once for each statement, which costs 3 to 9 times a point read,
    and none of them runs a function. Its queue is private: a test pins that it works this way.
    `function` tells its own outcome, and raises nothing.
    """
    connection._tx.put_nowait((None, function))


class Rows:
    """A Reader over one connection, inside the transaction that its user began."""

    __slots__ = ("cursor",)

    def __init__(self, connection: Any) -> None:
        self.cursor = connection.cursor()

    def get(self, key: bytes) -> bytes | None:
        row = self.cursor.execute(_GET, (key,)).fetchone()
        return None if row is None else row[0]

    def range(
        self, start: bytes, stop: bytes, *, reverse: bool = False, expected: int = 0
    ) -> Iterator[tuple[bytes, bytes]]:
        return itertools.chain.from_iterable(self.chunks(start, stop, reverse, expected))

    def chunks(
        self, start: bytes, stop: bytes, reverse: bool, expected: int
    ) -> Iterator[list[tuple[bytes, bytes]]]:
        """Each chunk is a query of its own from the last key on: nothing stays open between."""
        rows_max = _CHUNK_ROWS_MIN
        while start < stop:
            sql = _DOWN if reverse else _UP
            rows = self.cursor.execute(sql, (start, stop, rows_max)).fetchall()
            yield rows
            if len(rows) < rows_max:
                return
            last = rows[-1][0]
            start, stop = (start, last) if reverse else (last + b"\x00", stop)
            row_bytes = sum([len(value) for _, value in rows]) // len(rows) + 1
            expected -= len(rows)
            rows_max = expected if expected > 0 else rows_max * 4
            rows_max = max(1, min(rows_max, _CHUNK_ROWS_MAX, _CHUNK_BYTES // row_bytes))
