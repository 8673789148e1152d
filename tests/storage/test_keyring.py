"""Keys that wrap keys."""

import base64
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from fogbank.storage.keyring import (
    KEYRING_FILE,
    KeyFileUnsafe,
    KeyMissing,
    Keyring,
    MasterKeyMissing,
    MasterKeyWrong,
    load_master_key,
    parse_master_key,
    replace_key_file,
)
from fogbank.storage.kv import Writer
from fogbank.storage.memory import MemoryStore

OLD, NEW = bytes(32), bytes(range(32))


def test_a_master_key_is_read_in_hexadecimal_and_base64() -> None:
    assert parse_master_key(NEW.hex()) == NEW
    assert parse_master_key(base64.b64encode(NEW).decode() + "\n") == NEW


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "ab" * 31, "ab" * 33, "é" * 44])
def test_a_malformed_master_key_is_refused(text: str) -> None:
    with pytest.raises(MasterKeyWrong):
        parse_master_key(text)


def test_the_key_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    key_file = tmp_path / "config" / "master.key"
    key = load_master_key(key_file, tmp_path / "data", is_new=True)
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert load_master_key(key_file, tmp_path / "data", is_new=False) == key


def test_a_missing_key_file_of_existing_data_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyMissing):
        load_master_key(tmp_path / "master.key", tmp_path / "data", is_new=False)
    assert not (tmp_path / "master.key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_master_key(tmp_path / "master.key", tmp_path / "data", is_new=True)
    (tmp_path / "master.key").chmod(mode)
    with pytest.raises(KeyFileUnsafe):
        load_master_key(tmp_path / "master.key", tmp_path / "data", is_new=False)


def test_a_key_file_inside_the_data_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileUnsafe):
        load_master_key(tmp_path / "data" / "master.key", tmp_path / "data", is_new=True)


def test_the_same_master_key_gives_the_same_database_key(tmp_path: Path) -> None:
    assert Keyring.open(tmp_path, OLD).database_key == Keyring.open(tmp_path, OLD).database_key


def test_another_master_key_is_refused(tmp_path: Path) -> None:
    Keyring.open(tmp_path, OLD)
    with pytest.raises(MasterKeyWrong):
        Keyring.open(tmp_path, NEW)


def test_the_keyring_file_holds_no_key_in_clear(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path, NEW)
    text = (tmp_path / KEYRING_FILE).read_text()
    for secret in (NEW, ring.database_key, ring._root):
        assert secret.hex() not in text
        assert base64.b64encode(secret).decode() not in text


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"wraps": [{"master": 1}]}'])
def test_a_damaged_keyring_file_is_said_plainly(tmp_path: Path, text: str) -> None:
    (tmp_path / KEYRING_FILE).write_text(text)
    with pytest.raises(MasterKeyWrong):
        Keyring.open(tmp_path, OLD)


def test_rotating_the_master_key_keeps_the_database_key(tmp_path: Path) -> None:
    key_file = tmp_path / "master.key"
    before = Keyring.open(tmp_path, OLD)
    before.rotate_master(NEW, replace_key_file(key_file))
    assert parse_master_key(key_file.read_text()) == NEW
    assert Keyring.open(tmp_path, NEW).database_key == before.database_key
    with pytest.raises(MasterKeyWrong):
        Keyring.open(tmp_path, OLD)


def test_a_rotation_that_dies_before_its_key_file_leaves_both_keys_valid(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path, OLD)

    def die(key: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ring.rotate_master(NEW, die)
    assert Keyring.open(tmp_path, OLD).database_key == ring.database_key
    assert Keyring.open(tmp_path, NEW).database_key == ring.database_key


def test_the_first_start_with_the_new_key_ends_a_rotation(tmp_path: Path) -> None:
    Keyring.open(tmp_path, OLD).rotate_master(NEW)
    Keyring.open(tmp_path, NEW)
    with pytest.raises(MasterKeyWrong):
        Keyring.open(tmp_path, OLD)


async def test_what_was_wrapped_is_unwrapped(tmp_path: Path) -> None:
    ring, store = Keyring.open(tmp_path, OLD), MemoryStore()
    envelope = await store.write(lambda tx: ring.wrap(tx, "s3/b", b"secret", b"label"))
    assert await store.read(lambda tx: ring.unwrap(tx, envelope, b"label")) == b"secret"
    again = Keyring.open(tmp_path, OLD)
    assert await store.read(lambda tx: again.unwrap(tx, envelope, b"label")) == b"secret"


async def test_an_envelope_opens_under_its_own_label_only(tmp_path: Path) -> None:
    ring, store = Keyring.open(tmp_path, OLD), MemoryStore()
    envelope = await store.write(lambda tx: ring.wrap(tx, "s3/b", b"secret", b"label"))
    with pytest.raises(InvalidTag):
        await store.read(lambda tx: ring.unwrap(tx, envelope, b"other"))


async def test_older_versions_open_until_they_are_dropped(tmp_path: Path) -> None:
    ring, store = Keyring.open(tmp_path, OLD), MemoryStore()
    envelope = await store.write(lambda tx: ring.wrap(tx, "s3/b", b"secret", b""))
    assert await store.write(lambda tx: ring.add_version(tx, "s3/b")) == 2
    assert await store.read(lambda tx: ring.unwrap(tx, envelope, b"")) == b"secret"
    await store.write(lambda tx: ring.drop_versions_before(tx, "s3/b", 2))
    with pytest.raises(KeyMissing):
        await store.read(lambda tx: ring.unwrap(tx, envelope, b""))


async def test_a_dropped_key_takes_all_that_it_wraps_with_it(tmp_path: Path) -> None:
    ring, store = Keyring.open(tmp_path, OLD), MemoryStore()

    def work(tx: Writer) -> dict[str, object]:
        envelope = ring.wrap(tx, "s3/b", b"secret", b"")
        ring.drop(tx, "s3/b")
        return envelope

    envelope = await store.write(work)
    with pytest.raises(KeyMissing):
        await store.read(lambda tx: ring.unwrap(tx, envelope, b""))
