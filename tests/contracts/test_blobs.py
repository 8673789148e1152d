"""One suite for every driver of `Blobs`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fogbank.storage.blobs import INLINE_BYTES_MAX, BlobMissing, BlobRef, Blobs, Staged
from fogbank.storage.clock import ManualClock
from fogbank.storage.files import RELEASE_GRACE_S, FileBlobs
from fogbank.storage.keyring import Keyring
from fogbank.storage.kv import Store, Writer
from fogbank.storage.memory import MemoryBlobs, MemoryStore
from fogbank.storage.sqlite import SqliteStore

FRAME = 64 << 10
SIZES = [0, 1, FRAME - 1, FRAME, FRAME + 1, 8 * FRAME, 8 * FRAME + 1, 3_000_000]


class World:
    def __init__(self, blobs: Blobs, store: Store, clock: ManualClock) -> None:
        self.blobs = blobs
        self.store = store
        self.clock = clock

    async def keep(self, data: bytes, *, piece: int = 100_000) -> BlobRef:
        staged = await self.blobs.stage(pieces(data, piece), key_name="s3/photos")
        return await self.attach(staged)

    async def attach(self, staged: Staged) -> BlobRef:
        return await self.store.write(lambda tx: self.blobs.attach(tx, staged))

    async def read(self, ref: BlobRef, start: int = 0, stop: int | None = None) -> bytes:
        return b"".join([piece async for piece in self.blobs.read(ref, start, stop)])

    async def pass_grace(self) -> None:
        self.clock.advance(RELEASE_GRACE_S + 1)
        if isinstance(self.blobs, FileBlobs):
            await self.blobs.remove_released()


@pytest.fixture(params=["memory", "files"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    clock = ManualClock()
    if request.param == "memory":
        memory = MemoryStore()
        yield World(MemoryBlobs(memory), memory, clock)
        return
    keyring = Keyring.open(tmp_path, bytes(32))
    store = await SqliteStore.open(tmp_path / "s.db", keyring.database_key)
    blobs = FileBlobs(tmp_path / "blobs", store, keyring, clock)
    yield World(blobs, store, clock)
    await blobs.close()
    await store.close()


async def pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def pattern(size: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
async def test_a_blob_comes_back_as_it_was_written(world: World, size: int) -> None:
    data = pattern(size)
    ref = await world.keep(data)
    assert await world.read(ref) == data


async def test_the_sizes_of_the_pieces_do_not_matter(world: World) -> None:
    data = pattern(900_001)
    for piece in (7_001, FRAME, 8 * FRAME, 900_001):
        assert await world.read(await world.keep(data, piece=piece)) == data


async def test_a_staged_blob_tells_its_size(world: World) -> None:
    staged = await world.blobs.stage(pieces(pattern(200_000)), key_name="k")
    assert staged.size_bytes == 200_000
    await world.blobs.discard(staged)


@pytest.mark.parametrize("size", [1000, FRAME + 1, 1_000_000])
async def test_a_range_is_that_part_of_the_blob(world: World, size: int) -> None:
    data = pattern(size)
    ref = await world.keep(data)
    for start, stop in [
        (0, 1),
        (size - 1, size),
        (1, size - 1),
        (size // 2, size // 2 + 1),
        (FRAME - 1, FRAME + 1),
        (size // 3, None),
        (5, 5),
        (9, 3),
        (size, None),
        (0, size + 100),
    ]:
        assert await world.read(ref, start, stop) == data[start:stop], (start, stop)


async def test_small_blobs_are_loaded_in_a_transaction_and_large_ones_are_not(world: World) -> None:
    small = await world.keep(pattern(INLINE_BYTES_MAX))
    large = await world.keep(pattern(INLINE_BYTES_MAX + 1))
    load = world.blobs.load
    assert await world.store.read(lambda tx: load(tx, small)) == pattern(INLINE_BYTES_MAX)
    assert await world.store.read(lambda tx: load(tx, large)) is None


async def test_a_blob_whose_transaction_failed_is_not_there(world: World) -> None:
    for size in (10, 200_000):
        staged = await world.blobs.stage(pieces(pattern(size)), key_name="k")
        made: list[BlobRef] = []

        def work(tx: Writer, staged: Staged = staged, made: list[BlobRef] = made) -> None:
            made.append(world.blobs.attach(tx, staged))
            raise KeyError

        with pytest.raises(KeyError):
            await world.store.write(work)
        await world.blobs.discard(staged)
        with pytest.raises(BlobMissing):
            await world.read(made[0])


async def test_discarding_what_a_transaction_named_changes_nothing(world: World) -> None:
    for size in (10, 200_000):
        staged = await world.blobs.stage(pieces(pattern(size)), key_name="k")
        ref = await world.attach(staged)
        await world.blobs.discard(staged)
        assert await world.read(ref) == pattern(size)


async def test_stage_raises_what_its_source_raises(world: World) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield pattern(700_000)
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        await world.blobs.stage(broken(), key_name="k")


async def test_a_released_blob_is_gone_some_time_after_its_commit(world: World) -> None:
    for size in (10, 200_000):
        ref = await world.keep(pattern(size))
        await world.store.write(lambda tx, ref=ref: world.blobs.release(tx, ref))  # type: ignore[misc]
        await world.pass_grace()
        with pytest.raises(BlobMissing):
            await world.read(ref)


async def test_a_release_whose_transaction_failed_did_not_happen(world: World) -> None:
    ref = await world.keep(pattern(200_000))

    def work(tx: Writer) -> None:
        world.blobs.release(tx, ref)
        raise KeyError

    with pytest.raises(KeyError):
        await world.store.write(work)
    await world.pass_grace()
    assert await world.read(ref) == pattern(200_000)


async def test_a_blob_that_never_was_is_missing(world: World) -> None:
    for inline in (True, False):
        with pytest.raises(BlobMissing):
            await world.read({"id": "00" * 16, "size": 5, "inline": inline})
