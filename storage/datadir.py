"""The data directory: opened by one process, composed of the parts that keep state."""

import asyncio
import errno
import fcntl
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fogbank.storage.clock import Clock, SystemClock
from fogbank.storage.files import FileBlobs
from fogbank.storage.keyring import KEYRING_FILE, Keyring, load_master_key, parse_master_key
from fogbank.storage.kv import StoreDamaged
from fogbank.storage.outbox import Policy, StoreOutbox
from fogbank.storage.sqlcipher import Durability
from fogbank.storage.sqlite import SqliteStore

DATABASE_FILE = "fogbank.db"
LOCK_FILE = "lock"
BLOBS_FOLDER = "blobs"


class DataDirInUse(Exception):
    """Another process has the data directory open."""


class NotWritable(Exception):
    """The data directory cannot be made, or not be written to."""


class DatabaseDamaged(Exception):
    """The database does not open under its key, or the keyring that opens it is gone."""


@dataclass(frozen=True, slots=True)
class DataDir:
    """All that has state. `run` does its chores; `close` comes last.

    What stops `open` is one of these, each with a message of one line: DataDirInUse, NotWritable,
    DatabaseDamaged, FormatTooNew, StoreFull, MasterKeyMissing, MasterKeyWrong, KeyFileUnsafe.
    """

    path: Path
    keyring: Keyring
    store: SqliteStore
    blobs: FileBlobs
    outbox: StoreOutbox
    lock: int

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        key_file: Path | None = None,
        master_key: str | None = None,
        durability: Durability = "full",
        clock: Clock | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        policies: Mapping[str, Policy] | None = None,
    ) -> "DataDir":
        """The data directory `path`, made when absent, under `master_key` (32 bytes, hexadecimal
        or base64) or else the key in `key_file`, which is made at the first start."""
        clock = clock or SystemClock()
        lock = _lock(path)
        try:
            keyring = _keyring(path, key_file, master_key, random_bytes)
            try:
                store = await SqliteStore.open(
                    path / DATABASE_FILE, keyring.database_key, durability=durability
                )
            except StoreDamaged as error:
                raise DatabaseDamaged(f"the database in {path} is damaged: {error}") from error
        except BaseException:
            os.close(lock)
            raise
        blobs = FileBlobs(
            path / BLOBS_FOLDER,
            store,
            keyring,
            clock,
            is_synced=durability == "full",
            random_bytes=random_bytes,
        )
        outbox = StoreOutbox(store, clock, random_bytes=random_bytes, policies=policies)
        return cls(path, keyring, store, blobs, outbox, lock)

    async def run(self) -> None:
        """Sweep what a crash left behind and remove released blobs, until cancelled.

        Not the outbox: `outbox.run(deliver)` needs to know the consumers.
        """
        await self.blobs.run()

    async def close(self) -> None:
        """All that was acknowledged is in its place, and another process may open the directory."""
        try:
            await self.blobs.close()
            await self.store.close()
        finally:
            await asyncio.to_thread(os.close, self.lock)


def _lock(path: Path) -> int:
    """A descriptor that holds the directory's lock: the kernel lets go when the process ends."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise NotWritable(f"the data directory {path} is not writable: {reason}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise DataDirInUse(
            f"the data directory {path} is in use by another stack (process {holder})"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _keyring(
    path: Path,
    key_file: Path | None,
    master_key: str | None,
    random_bytes: Callable[[int], bytes],
) -> Keyring:
    is_new = not (path / KEYRING_FILE).exists()
    if is_new and (path / DATABASE_FILE).exists():
        raise DatabaseDamaged(f"{path / KEYRING_FILE} is missing: the database cannot be opened")
    if master_key is not None:
        master = parse_master_key(master_key)
    elif key_file is not None:
        master = load_master_key(key_file, path, is_new=is_new)
    else:
        raise ValueError("a data directory needs a key file or a master key")
    return Keyring.open(path, master, random_bytes=random_bytes)
