"""A `Store` and `Blobs` in memory: the twins that contract tests compare with, for unit tests."""

import bisect
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from fogbank.storage.blobs import INLINE_BYTES_MAX, BlobMissing, BlobRef, Staged
from fogbank.storage.keys import pack
from fogbank.storage.kv import Reader, StoreClosed, T, Writer
from fogbank.storage.overlay import Overlay


class MemoryStore:
    """Nothing is durable. A `work` writes to an overlay that is applied when it returns."""

    def __init__(self) -> None:
        self._pairs: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        self._open = True

    async def read(self, work: Callable[[Reader], T], *, brief: bool = False) -> T:
        return self._run(work, keep=False)

    async def write(self, work: Callable[[Writer], T], *, reads: Sequence[bytes] = ()) -> T:
        return self._run(work, keep=True)

    def _run(self, work: Callable[[Overlay], T], *, keep: bool) -> T:
        if not self._open:
            raise StoreClosed
        overlay = Overlay(_Pairs(self._pairs, self._keys))
        try:
            result = work(overlay)
        finally:
            overlay.close()
        if keep:
            self._apply(overlay)
            for call in overlay.calls:
                call()
        return result

    def _apply(self, overlay: Overlay) -> None:
        for start, stop in overlay.cleared:
            low, high = bisect.bisect_left(self._keys, start), bisect.bisect_left(self._keys, stop)
            for key in self._keys[low:high]:
                del self._pairs[key]
            del self._keys[low:high]
        for key, value in overlay.pending.items():
            if value is not None:
                if key not in self._pairs:
                    bisect.insort(self._keys, key)
                self._pairs[key] = value
            elif self._pairs.pop(key, None) is not None:
                del self._keys[bisect.bisect_left(self._keys, key)]

    async def close(self) -> None:
        self._open = False


class _Pairs:
    """The store as it is; it does not change while a `work` runs, for that never waits."""

    def __init__(self, pairs: dict[bytes, bytes], keys: list[bytes]) -> None:
        self._pairs = pairs
        self._keys = keys

    def get(self, key: bytes) -> bytes | None:
        return self._pairs.get(key)

    def range(
        self, start: bytes, stop: bytes, *, reverse: bool = False, expected: int = 0
    ) -> Iterator[tuple[bytes, bytes]]:
        low, high = bisect.bisect_left(self._keys, start), bisect.bisect_left(self._keys, stop)
        at = range(high - 1, low - 1, -1) if reverse else range(low, high)
        return ((self._keys[index], self._pairs[self._keys[index]]) for index in at)


@dataclass(slots=True)
class _StagedBytes:
    id: str
    data: bytes
    size_bytes: int


class MemoryBlobs:
    """Blobs as values of the store, in clear. Large ones are not `load`ed, as with files."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._numbers = itertools.count(1)

    async def stage(self, chunks: AsyncIterator[bytes], *, key_name: str) -> Staged:
        data = b"".join([chunk async for chunk in chunks])
        return _StagedBytes(f"{next(self._numbers):032x}", data, len(data))

    def stage_small(self, data: bytes) -> Staged | None:
        if len(data) > INLINE_BYTES_MAX:
            return None
        return _StagedBytes(f"{next(self._numbers):032x}", data, len(data))

    def attach(self, tx: Writer, staged: Staged) -> BlobRef:
        assert isinstance(staged, _StagedBytes)
        tx.put(_key(staged.id), staged.data)
        inline = staged.size_bytes <= INLINE_BYTES_MAX
        return {"id": staged.id, "size": staged.size_bytes, "inline": inline}

    async def discard(self, staged: Staged) -> None:
        pass

    def release(self, tx: Writer, ref: BlobRef) -> None:
        tx.delete(_key(ref["id"]))

    def load(self, tx: Reader, ref: BlobRef) -> bytes | None:
        if not ref["inline"]:
            return None
        return self._data(tx, ref)

    def hold(self, refs: Iterable[BlobRef]) -> AbstractContextManager[None]:
        return nullcontext()

    async def read(
        self, ref: BlobRef, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]:
        data = await self._store.read(lambda tx: self._data(tx, ref))
        wanted = data[start:stop]
        for at in range(0, len(wanted), INLINE_BYTES_MAX):
            yield wanted[at : at + INLINE_BYTES_MAX]

    def _data(self, tx: Reader, ref: BlobRef) -> bytes:
        data = tx.get(_key(ref["id"]))
        if data is None:
            raise BlobMissing(f"blob {ref['id']} is not there")
        return data


def _key(blob_id: str) -> bytes:
    return pack("blobs", "inline", blob_id)
