"""Blobs in files: what is on the disk, and what happens when it is not as it was."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fogbank.storage.blobs import BlobDamaged, BlobMissing, BlobRef, BlobStoreFull
from fogbank.storage.clock import ManualClock
from fogbank.storage.files import RELEASE_GRACE_S, FileBlobs
from fogbank.storage.keyring import Keyring
from fogbank.storage.sqlite import SqliteStore

FRAME = 64 << 10
SEALED = FRAME + 16


class Disk:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = ManualClock()
        self.keyring = Keyring.open(root, bytes(32))
        self.store: SqliteStore
        self.blobs: FileBlobs

    async def open(self) -> "Disk":
        self.store = await SqliteStore.open(self.root / "s.db", self.keyring.database_key)
        self.blobs = FileBlobs(self.root / "blobs", self.store, self.keyring, self.clock)
        return self

    async def close(self) -> None:
        await self.blobs.close()
        await self.store.close()

    async def keep(self, data: bytes, key_name: str = "s3/b") -> BlobRef:
        staged = await self.blobs.stage(source(data), key_name=key_name)
        return await self.store.write(lambda tx: self.blobs.attach(tx, staged))

    async def read(self, ref: BlobRef) -> bytes:
        return b"".join([piece async for piece in self.blobs.read(ref)])

    async def release(self, ref: BlobRef) -> None:
        await self.store.write(lambda tx: self.blobs.release(tx, ref))
        self.clock.advance(RELEASE_GRACE_S + 1)

    def files(self) -> list[Path]:
        return [path for path in (self.root / "blobs").rglob("*") if path.is_file()]


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    opened = await Disk(tmp_path).open()
    yield opened
    await opened.close()


async def source(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 50_000):
        yield data[at : at + 50_000]


def pattern(size: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


TAMPERINGS: dict[str, Callable[[bytes], bytes]] = {
    "one bit of the first frame": lambda data: flip(data, 3),
    "one bit of the last tag": lambda data: flip(data, len(data) - 1),
    "cut by a byte": lambda data: data[:-1],
    "cut at a frame": lambda data: data[:SEALED],
    "a byte more": lambda data: data + b"x",
    "two frames exchanged": lambda data: (
        data[SEALED : 2 * SEALED] + data[:SEALED] + data[2 * SEALED :]
    ),
    "a frame twice": lambda data: data[:SEALED] + data[:SEALED] + data[2 * SEALED :],
    "nothing left": lambda data: b"",
}


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_a_tampered_file_is_found(disk: Disk, what: str) -> None:
    ref = await disk.keep(pattern(3 * FRAME + 5))
    (path,) = disk.files()
    path.write_bytes(TAMPERINGS[what](path.read_bytes()))
    with pytest.raises(BlobDamaged):
        await disk.read(ref)


async def test_the_file_of_another_blob_of_the_same_size_is_found(disk: Disk) -> None:
    one = await disk.keep(pattern(200_000))
    two = await disk.keep(pattern(200_000))
    paths = {path.name: path for path in disk.files()}
    paths[one["id"]].write_bytes(paths[two["id"]].read_bytes())
    with pytest.raises(BlobDamaged):
        await disk.read(one)
    assert await disk.read(two) == pattern(200_000)


async def test_a_record_of_another_blob_does_not_open_this_one(disk: Disk) -> None:
    """The wrapped key is bound to its blob: records cannot be exchanged with their files."""
    from fogbank.storage.keys import pack

    one = await disk.keep(pattern(200_000))
    two = await disk.keep(pattern(200_000))

    def exchange(tx: object) -> None:
        record = tx.get(pack("blobs", "file", two["id"]))  # type: ignore[attr-defined]
        tx.put(pack("blobs", "file", one["id"]), record)  # type: ignore[attr-defined]

    await disk.store.write(exchange)
    with pytest.raises(BlobDamaged):
        await disk.read(one)


async def test_a_lost_file_is_missing(disk: Disk) -> None:
    ref = await disk.keep(pattern(200_000))
    disk.files()[0].unlink()
    with pytest.raises(BlobMissing):
        await disk.read(ref)


async def test_a_range_does_not_open_frames_that_it_does_not_need(disk: Disk) -> None:
    ref = await disk.keep(pattern(4 * FRAME))
    (path,) = disk.files()
    path.write_bytes(flip(path.read_bytes(), 3))
    pieces = [piece async for piece in disk.blobs.read(ref, FRAME, 2 * FRAME)]
    assert b"".join(pieces) == pattern(4 * FRAME)[FRAME : 2 * FRAME]


async def test_a_broken_source_leaves_no_file(disk: Disk) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield pattern(2_000_000)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await disk.blobs.stage(broken(), key_name="k")
    assert disk.files() == []


@pytest.mark.parametrize("after_pieces", range(6))
async def test_a_cancelled_stage_leaves_no_file(disk: Disk, after_pieces: int) -> None:
    reached = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for number in range(6):
            if number == after_pieces:
                reached.set()
                await asyncio.Event().wait()
            yield pattern(700_000)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(disk.blobs.stage(slow(), key_name="k"))
        await reached.wait()
        task.cancel()
    assert task.cancelled()
    assert disk.files() == []


async def test_a_discarded_blob_leaves_no_file(disk: Disk) -> None:
    staged = await disk.blobs.stage(source(pattern(200_000)), key_name="k")
    assert len(disk.files()) == 1
    await disk.blobs.discard(staged)
    assert disk.files() == []


async def test_discarding_waits_for_the_queued_work_of_a_cancelled_caller(disk: Disk) -> None:
    staged = await disk.blobs.stage(source(pattern(200_000)), key_name="k")
    made: list[BlobRef] = []

    async def attach() -> None:
        await disk.store.write(lambda tx: made.append(disk.blobs.attach(tx, staged)))

    async with asyncio.TaskGroup() as group:
        task = group.create_task(attach())
        await asyncio.sleep(0)
        task.cancel()
    await disk.blobs.discard(staged)
    files = [path.name for path in disk.files()]
    assert files == ([made[0]["id"]] if made else [])


async def test_a_full_disk_is_said_plainly_and_leaves_nothing(disk: Disk) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ref = await disk.keep(pattern(300_000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(BlobStoreFull):
            await disk.blobs.stage(source(pattern(3_000_000)), key_name="k")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert [path.name for path in disk.files()] == [ref["id"]]
    assert await disk.read(await disk.keep(pattern(3_000_000))) == pattern(3_000_000)


async def test_leftovers_of_a_crash_are_swept_and_named_files_stay(disk: Disk) -> None:
    ref = await disk.keep(pattern(200_000))
    await disk.blobs.stage(source(pattern(200_000)), key_name="k")
    (disk.root / "blobs" / "tmp" / "half").write_bytes(b"half")
    await disk.close()
    await disk.open()
    assert await disk.blobs.sweep() == 1
    assert [path.name for path in disk.files()] == [ref["id"]]


async def test_sweeping_leaves_alone_what_is_being_staged(disk: Disk) -> None:
    staged = await disk.blobs.stage(source(pattern(200_000)), key_name="k")
    assert await disk.blobs.sweep() == 0
    ref = await disk.store.write(lambda tx: disk.blobs.attach(tx, staged))
    assert await disk.read(ref) == pattern(200_000)


async def test_a_released_blob_stays_while_somebody_reads_it(disk: Disk) -> None:
    ref = await disk.keep(pattern(3_000_000))
    reading = disk.blobs.read(ref)
    read = await anext(reading)
    await disk.release(ref)
    assert await disk.blobs.remove_released() == 0
    assert read + b"".join([piece async for piece in reading]) == pattern(3_000_000)
    disk.clock.advance(RELEASE_GRACE_S + 1)
    assert await disk.blobs.remove_released() == 1
    assert disk.files() == []


async def test_a_held_blob_stays(disk: Disk) -> None:
    for size in (10, 200_000):
        ref = await disk.keep(pattern(size))
        with disk.blobs.hold([ref]):
            await disk.release(ref)
            assert await disk.blobs.remove_released() == 0
            assert await disk.read(ref) == pattern(size)
        disk.clock.advance(RELEASE_GRACE_S + 1)
        assert await disk.blobs.remove_released() == 1


async def test_the_remover_wakes_by_the_clock(disk: Disk) -> None:
    ref = await disk.keep(pattern(200_000))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(disk.blobs.run())
        await disk.store.write(lambda tx: disk.blobs.release(tx, ref))
        while disk.files():
            disk.clock.advance(1)
            await disk.store.read(lambda tx: None)
        running.cancel()


async def test_a_reader_that_leaves_early_leaves_nothing_held(disk: Disk) -> None:
    ref = await disk.keep(pattern(3_000_000))
    reading = disk.blobs.read(ref)
    await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]
    await disk.release(ref)
    assert await disk.blobs.remove_released() == 1


async def test_rotating_a_key_rewraps_every_blob_under_it(disk: Disk) -> None:
    refs = [await disk.keep(pattern(70_000 + number)) for number in range(5)]
    other = await disk.keep(pattern(80_000), "s3/other")
    before = {path: path.read_bytes() for path in disk.files()}
    assert await disk.blobs.rotate_key("s3/b") == 5
    assert {path: path.read_bytes() for path in disk.files()} == before
    assert await disk.store.read(lambda tx: disk.keyring.version(tx, "s3/b")) == 2
    for number, ref in enumerate(refs):
        assert await disk.read(ref) == pattern(70_000 + number)
    assert await disk.read(other) == pattern(80_000)


async def test_a_rotation_cut_short_leaves_every_blob_readable(disk: Disk) -> None:
    refs = [await disk.keep(pattern(70_000 + number)) for number in range(3)]
    await disk.store.write(lambda tx: disk.keyring.add_version(tx, "s3/b"))
    refs.append(await disk.keep(pattern(70_003)))
    for number, ref in enumerate(refs):
        assert await disk.read(ref) == pattern(70_000 + number)
    assert await disk.blobs.rotate_key("s3/b") == 4


async def test_a_blob_staged_before_a_rotation_is_named_after_it(disk: Disk) -> None:
    await disk.keep(pattern(70_000))
    staged = await disk.blobs.stage(source(pattern(70_001)), key_name="s3/b")
    await disk.blobs.rotate_key("s3/b")
    ref = await disk.store.write(lambda tx: disk.blobs.attach(tx, staged))
    assert await disk.read(ref) == pattern(70_001)


@pytest.mark.parametrize("size", [65_537, 131_072, 262_144, 786_435])
@pytest.mark.parametrize("cuts", [[1], [65_535], [65_536], [65_537], [131_072, 1], [300_000, 7]])
async def test_a_blob_is_the_same_however_it_was_cut_on_its_way_in(
    disk: Disk, cuts: list[int], size: int
) -> None:
    data = pattern(size)

    async def pieces() -> AsyncIterator[bytes]:
        at = 0
        for cut in [*cuts, *cuts, size]:
            if data[at : at + cut]:
                yield data[at : at + cut]
            at += cut

    staged = await disk.blobs.stage(pieces(), key_name="s3/b")
    ref = await disk.store.write(lambda tx: disk.blobs.attach(tx, staged))
    assert await disk.read(ref) == data


async def test_small_bytes_are_staged_without_a_file(disk: Disk) -> None:
    staged = disk.blobs.stage_small(b"x" * FRAME)
    assert staged is not None and disk.blobs.stage_small(b"x" * (FRAME + 1)) is None
    ref = await disk.store.write(lambda tx: disk.blobs.attach(tx, staged))
    assert await disk.store.read(lambda tx: disk.blobs.load(tx, ref)) == b"x" * FRAME
    assert disk.files() == []


async def test_the_folders_of_blobs_are_made_once(disk: Disk) -> None:
    folders = {path.name for path in (disk.root / "blobs").iterdir()}
    assert folders == {"tmp", *(f"{first:02x}" for first in range(256))}
