"""`Blobs` on disk: small ones are values of the store, large ones sealed files beside it."""

import asyncio
import errno
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiofiles.os
import orjson
from cryptography.exceptions import InvalidTag

from fogbank.storage.blobs import (
    INLINE_BYTES_MAX,
    BlobDamaged,
    BlobMissing,
    BlobRef,
    BlobStoreFull,
    Staged,
)
from fogbank.storage.clock import Clock
from fogbank.storage.durable import sync_folder
from fogbank.storage.file_ends import Sink, Source
from fogbank.storage.keyring import KEY_BYTES, KeyMissing, Keyring
from fogbank.storage.keys import after, pack, span, unpack
from fogbank.storage.kv import Reader, Store, StoreClosed, StoreFailed, Writer
from fogbank.storage.sealed import FRAME_BYTES

_log = logging.getLogger("fogbank.blobs")

# One hop to a thread seals, writes or opens this much; a stream holds at most three of these.
BATCH_BYTES = 8 * FRAME_BYTES
# What comes in is sealed and written from this size on.
WRITE_BYTES = BATCH_BYTES // 2
# A reader has this long after its transaction to open what it found there.
RELEASE_GRACE_S = 10.0
_THREADS = 4
_SLICE = 256
_ID_BYTES = 16
# A file's folder is the first byte of its id: a few hundred thousand files are some thousand each.
_FOLDERS = tuple(f"{first:02x}" for first in range(256))
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(slots=True)
class StagedInline:
    """The bytes themselves: they become durable with the transaction that names them.

    They need no envelope of their own, for the database that keeps them is encrypted as a whole.
    """

    id: str
    size_bytes: int
    data: bytes


@dataclass(slots=True)
class StagedFile:
    """A file that nothing names, and the key that it is sealed under, which is nowhere else yet."""

    id: str
    size_bytes: int
    data_key: bytes
    key_name: str


class FileBlobs:
    """Files live at `folder/aa/<id>`; what the store knows of each is a record of its own.

    aiofiles removes files. All else is plain `os` calls on threads of its own: sealing, writing and
    syncing a batch is one hop here, and would be one for each call there.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        *,
        is_synced: bool = True,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._folder = folder
        self._temporary = folder / "tmp"
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._is_synced = is_synced
        self._random_bytes = random_bytes
        self._threads = ThreadPoolExecutor(_THREADS, "fogbank-blobs")
        self._staged: set[str] = set()
        self._held: Counter[str] = Counter()
        self._released = asyncio.Event()
        for place in (folder, self._temporary):
            place.mkdir(mode=0o700, exist_ok=True)
        self._make_folders()
        for leftover in self._temporary.iterdir():
            leftover.unlink()

    def _make_folders(self) -> None:
        """All folders that files go to are there, durably: a blob then costs one folder's sync.

        The one made last stands for all: it is only made when the others are durable.
        """
        last = self._folder / _FOLDERS[-1]
        if last.is_dir():
            return
        for name in _FOLDERS[:-1]:
            (self._folder / name).mkdir(mode=0o700, exist_ok=True)
        if self._is_synced:
            sync_folder(self._folder)
        last.mkdir(mode=0o700, exist_ok=True)
        if self._is_synced:
            sync_folder(self._folder)

    async def stage(self, chunks: AsyncIterator[bytes], *, key_name: str) -> Staged:
        blob_id = self._random_bytes(_ID_BYTES)
        parts: list[bytes] = []
        gathered_bytes = 0
        sink: Sink | None = None
        writing: asyncio.Future[None] | None = None
        try:
            async for chunk in chunks:
                parts.append(chunk)
                gathered_bytes += len(chunk)
                if gathered_bytes < WRITE_BYTES:
                    continue
                if sink is None:
                    sink = self._new_sink(blob_id)
                if writing is not None:
                    await writing
                writing = self._in_thread(sink.write, parts)
                parts, gathered_bytes = [], 0
            if writing is not None:
                await writing
            if sink is None:
                staged = self.stage_small(b"".join(parts))
                if staged is not None:
                    return staged
                sink = self._new_sink(blob_id)
            place = self._path(blob_id.hex())
            await self._in_thread(sink.finish, parts, place, self._is_synced)
            return StagedFile(blob_id.hex(), sink.size_bytes, sink.data_key, key_name)
        except BaseException as error:
            if writing is not None:
                _drop(writing)
            if sink is not None:
                # After what its thread is doing now; shielded, for this may be a cancellation.
                await asyncio.shield(self._in_thread(sink.abandon, self._path(blob_id.hex())))
                self._staged.discard(blob_id.hex())
            if isinstance(error, OSError) and error.errno in _NO_SPACE:
                raise BlobStoreFull("no space is left for blobs") from error
            raise

    def _new_sink(self, blob_id: bytes) -> Sink:
        self._staged.add(blob_id.hex())
        return Sink(self._temporary, self._random_bytes(KEY_BYTES), blob_id)

    def stage_small(self, data: bytes) -> Staged | None:
        if len(data) > INLINE_BYTES_MAX:
            return None
        # Ids in order of time: new records are neighbours in the database, so that a commit of
        # many writes few pages. Nothing follows from an id but its place.
        blob_id = f"{self._clock.now_ms():012x}{self._random_bytes(_ID_BYTES - 6).hex()}"
        return StagedInline(blob_id, len(data), data)

    def _in_thread(self, function: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    def attach(self, tx: Writer, staged: Staged) -> BlobRef:
        if isinstance(staged, StagedInline):
            tx.put(_inline_key(staged.id), staged.data)
            return {"id": staged.id, "size": staged.size_bytes, "inline": True}
        assert isinstance(staged, StagedFile)
        # Wrapped here and not when staged: under the version of the key that is current now.
        envelope = self._keyring.wrap(tx, staged.key_name, staged.data_key, _label(staged.id))
        record = {"size": staged.size_bytes, **envelope}
        tx.put(_file_key(staged.id), orjson.dumps(record))
        tx.after_commit(lambda: self._staged.discard(staged.id))
        return {"id": staged.id, "size": staged.size_bytes, "inline": False}

    async def discard(self, staged: Staged) -> None:
        if isinstance(staged, StagedFile):
            await self._remove_unnamed(staged.id)

    async def _remove_unnamed(self, blob_id: str) -> bool:
        # A write and not a read: it is queued behind a cancelled caller's work that may name it.
        if await self._store.write(lambda tx: tx.get(_file_key(blob_id))) is not None:
            return False
        await self._in_thread(self._path(blob_id).unlink, True)
        self._staged.discard(blob_id)
        return True

    def release(self, tx: Writer, ref: BlobRef) -> None:
        due_ms = self._clock.now_ms() + round(RELEASE_GRACE_S * 1000)
        tx.put(pack("blobs", "released", due_ms, ref["id"]), b"")
        tx.after_commit(self._released.set)

    def load(self, tx: Reader, ref: BlobRef) -> bytes | None:
        if not ref["inline"]:
            return None
        data = tx.get(_inline_key(ref["id"]))
        if data is None:
            raise BlobMissing(f"blob {ref['id']} is not in the store")
        return data

    @contextmanager
    def hold(self, refs: Iterable[BlobRef]) -> Iterator[None]:
        ids = [ref["id"] for ref in refs]
        self._held.update(ids)
        try:
            yield
        finally:
            self._held.subtract(ids)
            for blob_id in ids:
                if not self._held[blob_id]:
                    del self._held[blob_id]

    async def read(
        self, ref: BlobRef, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]:
        end = ref["size"] if stop is None else min(stop, ref["size"])
        if start >= end:
            return
        if ref["inline"]:
            data = await self._store.read(lambda tx: self.load(tx, ref), brief=True)
            assert data is not None
            yield data[start:end]
            return
        with self.hold([ref]):
            data_key, size = await self._store.read(
                lambda tx: self._open(tx, ref["id"]), brief=True
            )
            source = Source(self._path(ref["id"]), bytes.fromhex(ref["id"]), data_key, size)
            try:
                async for piece in self._pieces(source, start, end):
                    yield piece
            finally:
                # Not awaited, for the consumer may be gone; it waits for the read under way.
                self._in_thread(source.close)

    async def _pieces(self, source: Source, start: int, stop: int) -> AsyncIterator[bytes]:
        """One batch is opened ahead while the consumer is busy with the one before."""
        first, last = start // FRAME_BYTES, (stop - 1) // FRAME_BYTES
        step = BATCH_BYTES // FRAME_BYTES
        batches = [(at, min(step, last + 1 - at)) for at in range(first, last + 1, step)]
        ahead = self._in_thread(source.read, *batches[0])
        try:
            for number, (at, _) in enumerate(batches):
                data = await ahead
                if number + 1 < len(batches):
                    ahead = self._in_thread(source.read, *batches[number + 1])
                low = max(0, start - at * FRAME_BYTES)
                high = stop - at * FRAME_BYTES
                yield data if low == 0 and high >= len(data) else data[low:high]
        finally:
            _drop(ahead)

    def _open(self, tx: Reader, blob_id: str) -> tuple[bytes, int]:
        """The data key and the size of the blob, from its record."""
        raw = tx.get(_file_key(blob_id))
        if raw is None:
            raise BlobMissing(f"blob {blob_id} is not in the store")
        record = orjson.loads(raw)
        try:
            return self._keyring.unwrap(tx, record, _label(blob_id)), record["size"]
        except (InvalidTag, KeyMissing) as error:
            raise BlobDamaged(f"the key of blob {blob_id} does not open") from error

    async def verify(self, blob_id: str, *, deep: bool) -> None:
        """The blob's key opens and its file has the right size and last frame; `deep`: every frame.

        Raises BlobMissing or BlobDamaged.
        """
        _, size = await self._store.read(lambda tx: self._open(tx, blob_id))
        start = 0 if deep else size - 1
        async for _ in self.read({"id": blob_id, "size": size, "inline": False}, start):
            pass

    async def rotate_key(self, name: str) -> int:
        """Every blob under the key `name` is wrapped by a new version of it; their number.

        Only the wrapped keys change, in slices of one transaction each. Cut off at any moment, all
        blobs open; run again, it begins with a newer version.
        """
        version = await self._store.write(lambda tx: self._keyring.add_version(tx, name))
        start, stop = span("blobs", "file")
        rewrapped = 0
        while start < stop:
            start, count = await self._store.write(
                lambda tx, start=start: self._rewrap(tx, name, version, start, stop)  # type: ignore[misc]
            )
            rewrapped += count
        await self._store.write(lambda tx: self._keyring.drop_versions_before(tx, name, version))
        return rewrapped

    def _rewrap(
        self, tx: Writer, name: str, version: int, start: bytes, stop: bytes
    ) -> tuple[bytes, int]:
        """The next slice of records is rewritten; where the one after it starts."""
        count = 0
        for seen, (key, raw) in enumerate(tx.range(start, stop), 1):
            record = orjson.loads(raw)
            if record["key"] == name and record["version"] < version:
                label = _label(str(unpack(key)[2]))
                data_key = self._keyring.unwrap(tx, record, label)
                envelope = self._keyring.wrap(tx, name, data_key, label)
                tx.put(key, orjson.dumps({"size": record["size"], **envelope}))
                count += 1
            if seen == _SLICE:
                return after(key), count
        return stop, count

    async def run(self) -> None:
        """Remove what is released, when its time has come, until cancelled."""
        await self.sweep()
        while True:
            self._released.clear()
            due_ms = await self._store.read(_first_due, brief=True)
            if due_ms is None:
                await self._released.wait()
                continue
            await self._clock.sleep((due_ms - self._clock.now_ms()) / 1000)
            try:
                await self.remove_released()
            except StoreClosed:
                raise
            except StoreFailed as failure:
                _log.warning("released blobs stay for now: %s", failure)
                await self._clock.sleep(RELEASE_GRACE_S)

    async def remove_released(self) -> int:
        """Released blobs whose time has come, and that nobody reads, are gone; their number."""
        now_ms = self._clock.now_ms()
        removed = 0
        while True:
            due = await self._store.read(lambda tx: _due(tx, now_ms))
            if not due:
                return removed
            gone = [entry for entry in due if not self._held[entry[1]]]
            for _, blob_id in gone:
                with suppress(FileNotFoundError):
                    await aiofiles.os.remove(self._path(blob_id))
            await self._store.write(lambda tx: self._forget(tx, due, gone, now_ms))  # noqa: B023
            removed += len(gone)

    def _forget(
        self,
        tx: Writer,
        due: list[tuple[bytes, str]],
        gone: list[tuple[bytes, str]],
        now_ms: int,
    ) -> None:
        for key, blob_id in due:
            tx.delete(key)
            if (key, blob_id) in gone:
                tx.delete(_inline_key(blob_id))
                tx.delete(_file_key(blob_id))
            else:
                later_ms = now_ms + round(RELEASE_GRACE_S * 1000)
                tx.put(pack("blobs", "released", later_ms, blob_id), b"")

    async def sweep(self) -> int:
        """Files that no record names are gone: what a crash left behind; their number."""
        found = await self._in_thread(lambda: list(self.file_ids()))
        swept = 0
        for at in range(0, len(found), _SLICE):
            ids = [blob_id for blob_id in found[at : at + _SLICE] if blob_id not in self._staged]
            for blob_id in await self._store.read(lambda tx, ids=ids: _unnamed(tx, ids)):  # type: ignore[misc]
                swept += await self._remove_unnamed(blob_id)
        return swept

    def file_ids(self) -> Iterator[str]:
        """The ids of the blobs that have a file, named or not. Walks the folders: for a thread."""
        for path in self._folder.glob("??/*"):
            yield path.name

    def _path(self, blob_id: str) -> Path:
        return self._folder / blob_id[:2] / blob_id

    async def close(self) -> None:
        """No thread of these blobs runs any more."""
        await asyncio.to_thread(self._threads.shutdown)


def _drop(future: asyncio.Future[Any]) -> None:
    """Nobody waits for `future` any more: its error, if it has one, is of no interest."""
    if not future.cancel() and not future.cancelled():
        future.exception()


def _inline_key(blob_id: str) -> bytes:
    return pack("blobs", "inline", blob_id)


def _file_key(blob_id: str) -> bytes:
    return pack("blobs", "file", blob_id)


def _label(blob_id: str) -> bytes:
    return b"fogbank data key " + blob_id.encode()


def _first_due(tx: Reader) -> int | None:
    for key, _ in tx.range(*span("blobs", "released")):
        due_ms = unpack(key)[2]
        assert isinstance(due_ms, int)
        return due_ms
    return None


def _due(tx: Reader, now_ms: int) -> list[tuple[bytes, str]]:
    """Keys and blob ids of the next released blobs whose time has come."""
    found: list[tuple[bytes, str]] = []
    for key, _ in tx.range(pack("blobs", "released"), pack("blobs", "released", now_ms + 1)):
        found.append((key, str(unpack(key)[3])))
        if len(found) == _SLICE:
            break
    return found


def _unnamed(tx: Reader, ids: list[str]) -> list[str]:
    return [blob_id for blob_id in ids if tx.get(_file_key(blob_id)) is None]
