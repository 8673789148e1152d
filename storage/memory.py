"""A `Store` in memory: the twin that contract tests compare with, and a store for unit tests."""

import bisect
from collections.abc import Callable, Iterator

from fogbank.storage.kv import Reader, T, Writer

_SEQUENCES = b"\x00sequence\x00"


class MemoryStore:
    """Nothing is durable. Each `work` runs on a copy that replaces the state when it returns."""

    def __init__(self) -> None:
        self._pairs: dict[bytes, bytes] = {}

    async def read(self, work: Callable[[Reader], T], *, brief: bool = False) -> T:
        return work(_Transaction(dict(self._pairs)))

    async def write(self, work: Callable[[Writer], T]) -> T:
        transaction = _Transaction(dict(self._pairs))
        result = work(transaction)
        self._pairs = transaction.pairs
        return result

    async def close(self) -> None:
        self._pairs = {}


class _Transaction:
    def __init__(self, pairs: dict[bytes, bytes]) -> None:
        self.pairs = pairs

    def get(self, key: bytes) -> bytes | None:
        return self.pairs.get(key)

    def range(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        ordered = sorted(self.pairs)
        chosen = ordered[bisect.bisect_left(ordered, start) : bisect.bisect_left(ordered, stop)]
        for key in reversed(chosen) if reverse else chosen:
            if key in self.pairs:
                yield key, self.pairs[key]

    def put(self, key: bytes, value: bytes) -> None:
        self.pairs[key] = value

    def delete(self, key: bytes) -> None:
        self.pairs.pop(key, None)

    def delete_range(self, start: bytes, stop: bytes) -> None:
        for key, _ in list(self.range(start, stop)):
            del self.pairs[key]

    def sequence(self, name: bytes) -> int:
        key = _SEQUENCES + name
        number = int(self.pairs.get(key, b"0")) + 1
        self.pairs[key] = b"%d" % number
        return number
