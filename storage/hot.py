"""Pairs that were read or written lately, so that a commit does not make the next read cold.

SQLite drops a connection's whole page cache when another connection has committed: a point read
then decrypts four pages anew, 115 us where it took 6. A store that has one writer knows exactly
what each commit changed.
"""

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from fogbank.storage.sqlcipher import Rows

HOT_BYTES_MAX = 32 << 20
_VALUE_BYTES_MAX = 64 << 10
_PAIR_OVERHEAD_BYTES = 200
ABSENT: Final = object()
_OVER = "a transaction is used after its work returned"


Find = Callable[[bytes, object], object]
Chunk = list[tuple[bytes, bytes]]


class Stale(BaseException):
    """A snapshot may be newer than the hot pairs: the work is run again, on the database alone."""


class HotPairs:
    """What the database held after the last commit that the event loop was told of.

    Used on the event loop only, but for `commit_begins`. A commit is visible to other connections
    some time before the loop is told: `begun` and `settled` count both ends of that window. Within
    it a work may read hot pairs alone, or the database alone, but no mixture; and once anybody has
    read the database, the hot pairs rest until the loop has been told of what it may have shown.
    """

    def __init__(self) -> None:
        # A plain dict looks for its first entry past all that were taken from its front.
        self._pairs: OrderedDict[bytes, bytes | None] = OrderedDict()
        # The value, None when it is known that there is none, the default when nothing is known.
        self.find: Find = self._pairs.get
        self._size_bytes = 0
        self.begun = 0
        self._settled = 0
        self._shown = 0

    def commit_begins(self) -> None:
        """On the writer's thread, before the commit: from now on others may see it."""
        self.begun += 1

    def commit_settled(self, written: dict[bytes, bytes | None] | None) -> None:
        """The loop is told of a commit and of what it wrote; None: of what cannot be told."""
        self._settled += 1
        if written is None:
            self._pairs.clear()
            self._size_bytes = 0
            return
        for key, value in written.items():
            self.add(key, value)

    def database_was_read(self) -> None:
        """Somebody has a result that may be as new as the commit under way."""
        if self.begun != self._settled:
            self._shown = self.begun

    def is_current(self) -> bool:
        return self._settled >= self._shown

    def is_still(self, begun: int) -> bool:
        """Whether the database shows what the hot pairs do, and did when so many had begun."""
        return begun == self.begun == self._settled

    def add(self, key: bytes, value: bytes | None) -> None:
        old = self._pairs.pop(key, ABSENT)
        if old is not ABSENT:
            self._size_bytes -= _size(key, old)
        if value is not None and len(value) > _VALUE_BYTES_MAX:
            return
        self._pairs[key] = value
        self._size_bytes += _size(key, value)
        while self._size_bytes > HOT_BYTES_MAX:
            oldest, dropped = self._pairs.popitem(last=False)
            self._size_bytes -= _size(oldest, dropped)


def _refuse(key: bytes, default: object) -> object:
    raise AssertionError(_OVER)


def _size(key: bytes, value: object) -> int:
    return len(key) + (len(value) if isinstance(value, bytes) else 0) + _PAIR_OVERHEAD_BYTES


class HotReader:
    """A Reader for one brief work: hot pairs first, else the database as long as it is as old.

    Nothing is begun and nothing pinned: what was read belongs together when no commit has begun
    meanwhile, which `is_sound` tells afterwards. Raises Stale as soon as it knows better.
    """

    __slots__ = ("_at", "_find", "_hot", "_reads_database", "_rows")

    def __init__(self, hot: HotPairs, rows: Rows) -> None:
        self._find = hot.find
        self._hot = hot
        self._rows = rows
        self._at = hot.begun
        self._reads_database = False

    def get(self, key: bytes) -> bytes | None:
        found = self._find(key, ABSENT)
        if found is not ABSENT:
            return found  # type: ignore[return-value]  # what a pair has, or None
        self._reads_database = True
        value = self._rows.get(key)
        if not self._hot.is_still(self._at):
            raise Stale
        self._hot.add(key, value)
        return value

    def range(
        self, start: bytes, stop: bytes, *, reverse: bool = False, expected: int = 0
    ) -> Iterator[tuple[bytes, bytes]]:
        assert self._find is not _refuse, _OVER
        self._reads_database = True
        if not self._hot.is_still(self._at):
            raise Stale
        chunks = self._rows.chunks(start, stop, reverse, expected)
        return itertools.chain.from_iterable(self._while_open(chunks))

    def _while_open(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Looked at once a chunk and not once a pair: that would cost a page a tenth."""
        for chunk in chunks:
            assert self._find is not _refuse, "a range is consumed after its work returned"
            yield chunk

    def is_sound(self) -> bool:
        """Whether all that was read is of one state: asked when the work is over."""
        return not self._reads_database or self._hot.is_still(self._at)

    def close(self) -> None:
        """Whoever kept the transaction, or a range of it, is told so instead of misled."""
        self._find = _refuse
