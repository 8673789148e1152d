"""The data directory: who may open it, what stops it, and what `check` finds."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fogbank.storage.blobs import BlobRef
from fogbank.storage.check import Problem, check
from fogbank.storage.datadir import (
    DatabaseDamaged,
    DataDir,
    DataDirInUse,
    NotWritable,
)
from fogbank.storage.keyring import MasterKeyMissing, MasterKeyWrong
from fogbank.storage.keys import pack
from fogbank.storage.kv import Reader
from fogbank.storage.sqlcipher import connect
from fogbank.storage.sqlite import FormatTooNew

SECRET = b"the planted plaintext of this test"


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def opened(root: Path) -> DataDir:
    return await DataDir.open(root / "data", key_file=root / "master.key")


async def keep(data: DataDir, content: bytes) -> BlobRef:
    async def source() -> AsyncIterator[bytes]:
        yield content

    staged = await data.blobs.stage(source(), key_name="s3/secret-bucket-name")
    return await data.store.write(lambda tx: data.blobs.attach(tx, staged))


async def test_all_is_there_after_reopening(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    refs = [await keep(data, SECRET * count) for count in (1, 10_000)]
    await data.store.write(lambda tx: data.outbox.add(tx, "topic", "key", {"n": 1}))
    await data.close()
    data = await opened(tmp_path)
    for ref, count in zip(refs, (1, 10_000), strict=True):
        assert b"".join([piece async for piece in data.blobs.read(ref)]) == SECRET * count
    assert await data.outbox.pending_count() == 1
    await data.close()


async def test_nothing_is_readable_by_others(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    await keep(data, SECRET * 10_000)
    open_to_others = [
        path
        for path in [tmp_path / "data", *(tmp_path / "data").rglob("*")]
        if path.stat().st_mode & 0o077
    ]
    await data.close()
    assert open_to_others == []


async def test_no_planted_plaintext_is_on_the_disk(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    for count in (1, 100, 10_000):
        await keep(data, SECRET * count)
    await data.store.write(lambda tx: tx.put(pack("table", SECRET), SECRET * 3))
    await data.store.write(lambda tx: data.outbox.add(tx, "t", SECRET.decode(), {"s": "plain"}))
    files = files_of(tmp_path)
    assert any(path.name.endswith("-wal") and path.stat().st_size for path in files)
    for path in files:
        content = path.read_bytes()
        assert SECRET not in content, path
        assert b"secret-bucket-name" not in content, path
        assert b"SQLite format" not in content, path
    await data.close()
    assert SECRET not in (tmp_path / "data" / "fogbank.db").read_bytes()


async def test_a_directory_in_use_names_the_process(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    with pytest.raises(DataDirInUse, match=str(os.getpid())):
        await opened(tmp_path)
    await data.close()
    await (await opened(tmp_path)).close()


async def test_a_killed_process_leaves_the_directory_free(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys, pathlib\n"
        "from fogbank.storage.datadir import DataDir\n"
        "async def main():\n"
        "    root = pathlib.Path(sys.argv[1])\n"
        "    await DataDir.open(root / 'data', key_file=root / 'master.key')\n"
        "    print('open', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:  # noqa: ASYNC220
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(DataDirInUse, match=str(child.pid)):
            await opened(tmp_path)
        child.kill()
    await (await opened(tmp_path)).close()


async def test_a_path_that_cannot_be_a_directory_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(NotWritable):
        await opened(tmp_path)


async def test_a_lost_key_file_is_said_plainly(tmp_path: Path) -> None:
    await (await opened(tmp_path)).close()
    (tmp_path / "master.key").unlink()
    with pytest.raises(MasterKeyMissing):
        await opened(tmp_path)


async def test_another_key_is_said_plainly(tmp_path: Path) -> None:
    await (await opened(tmp_path)).close()
    with pytest.raises(MasterKeyWrong):
        await DataDir.open(tmp_path / "data", master_key="ab" * 32)


async def test_a_master_key_may_come_as_text(tmp_path: Path) -> None:
    for _ in range(2):
        data = await DataDir.open(tmp_path / "data", master_key="ab" * 32)
        await data.close()


async def test_a_lost_keyring_is_not_made_anew(tmp_path: Path) -> None:
    await (await opened(tmp_path)).close()
    (tmp_path / "data" / "keyring.json").unlink()
    with pytest.raises(DatabaseDamaged):
        await opened(tmp_path)


async def test_a_damaged_database_is_said_plainly(tmp_path: Path) -> None:
    await (await opened(tmp_path)).close()
    (tmp_path / "data" / "fogbank.db").write_bytes(os.urandom(40_000))
    with pytest.raises(DatabaseDamaged):
        await opened(tmp_path)


async def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    await data.close()
    path = tmp_path / "data" / "fogbank.db"
    connection = connect(path, data.keyring.database_key, "full", cache_kib=100)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(FormatTooNew):
        await opened(tmp_path)


async def test_rotating_the_master_key_keeps_all_data(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    ref = await keep(data, SECRET * 10_000)
    data.keyring.rotate_master(bytes(range(32)))
    await data.close()
    data = await DataDir.open(tmp_path / "data", master_key=bytes(range(32)).hex())
    assert b"".join([piece async for piece in data.blobs.read(ref)]) == SECRET * 10_000
    await data.close()


async def test_a_healthy_directory_has_no_problems(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    refs = [await keep(data, SECRET * count) for count in (1, 10_000, 20_000)]
    await data.store.write(lambda tx: data.blobs.release(tx, refs[2]))
    for number in range(3):
        await data.store.write(lambda tx, n=number: data.outbox.add(tx, "t", f"k{n % 2}", {"n": n}))  # type: ignore[misc]
    assert await check(data, deep=True) == []
    await data.close()


async def test_a_lost_and_an_unnamed_file_are_found(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    ref = await keep(data, SECRET * 10_000)
    path = next((tmp_path / "data" / "blobs").rglob(ref["id"]))
    stray = "ffee" + "00" * 14
    path.rename(tmp_path / "data" / "blobs" / "ff" / stray)
    assert {problem.where for problem in await check(data)} == {
        f"blob {ref['id']}",
        f"blob {stray}",
    }
    await data.close()


async def test_only_a_deep_check_finds_a_bit_in_the_middle_of_a_file(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    ref = await keep(data, SECRET * 10_000)
    path = next((tmp_path / "data" / "blobs").rglob(ref["id"]))
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert await check(data) == []
    assert [problem.where for problem in await check(data, deep=True)] == [f"blob {ref['id']}"]
    await data.close()


async def test_a_malformed_and_an_unreachable_event_are_found(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    await data.store.write(lambda tx: tx.put(pack("outbox", "event", "t", "k", 1), b"{"))
    assert len(await check(data)) == 2
    await data.close()


async def test_a_flipped_bit_in_the_database_is_found(tmp_path: Path) -> None:
    data = await opened(tmp_path)
    for number in range(200):
        await data.store.write(lambda tx, n=number: tx.put(b"k%d" % n, os.urandom(1000)))  # type: ignore[misc]
    await data.close()
    path = tmp_path / "data" / "fogbank.db"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    data = await opened(tmp_path)
    assert await check(data) != []
    await data.close()


async def test_the_checks_of_other_layers_run_too(tmp_path: Path) -> None:
    def mine(tx: Reader) -> Iterator[Problem]:
        yield Problem("mine", str(tx.get(b"absent")))

    data = await opened(tmp_path)
    assert await check(data, checks=(mine,)) == [Problem("mine", "None")]
    await data.close()
