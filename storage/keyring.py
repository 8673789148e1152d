"""Keys that wrap keys: the master key outside the data directory, all others inside, wrapped."""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from fogbank.storage.durable import write_durably
from fogbank.storage.keys import pack, span
from fogbank.storage.kv import Reader, Writer

KEY_BYTES = 32
KEYRING_FILE = "keyring.json"
_FORMAT = 1
_NONCE_BYTES = 12
_CACHED_KEYS_MAX = 1024


class MasterKeyMissing(Exception):
    """There is data, but not the key file that opens it."""


class MasterKeyWrong(Exception):
    """The master key is malformed, or the data directory was made under another one."""


class KeyFileUnsafe(Exception):
    """The key file is readable by others than its owner, or lies beside what it protects."""


class KeyMissing(Exception):
    """A record names a key, or a version of it, that is not in the store."""


def parse_master_key(text: str) -> bytes:
    """The 32 bytes that `text` gives in hexadecimal or base64. Raises MasterKeyWrong."""
    text = text.strip()
    try:
        key = (
            bytes.fromhex(text)
            if len(text) == 2 * KEY_BYTES
            else base64.b64decode(text, validate=True)
        )
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise MasterKeyWrong("the master key must be 32 bytes, written in hexadecimal or base64")
    return key


def load_master_key(key_file: Path, data_dir: Path, *, is_new: bool) -> bytes:
    """The key in `key_file`, which is made, readable by its owner only, when `is_new`."""
    if key_file.resolve().is_relative_to(data_dir.resolve()):
        raise KeyFileUnsafe(f"the key file {key_file} must not lie inside the data directory")
    try:
        mode = key_file.stat().st_mode
    except FileNotFoundError:
        if not is_new:
            raise MasterKeyMissing(
                f"the data directory {data_dir} needs its key file {key_file}, which is missing"
            ) from None
        key = os.urandom(KEY_BYTES)
        key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(key_file, key.hex().encode() + b"\n")
        return key
    if mode & 0o077:
        raise KeyFileUnsafe(f"the key file {key_file} is open to others: chmod 600 {key_file}")
    return parse_master_key(key_file.read_text(errors="replace"))


class Keyring:
    """`database_key` opens the store; named keys live in the store and wrap the keys of blobs.

    The master key wraps one root key in `keyring.json`, from which the database key and the key
    that wraps the named keys are derived. So rotating the master key rewrites one small file, and
    there is no moment at which half of the keys are under the new one.
    """

    def __init__(
        self,
        folder: Path,
        master: bytes,
        wraps: list[dict[str, Any]],
        root: bytes,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._folder = folder
        self._master = master
        self._wraps = wraps
        self._root = root
        self._random_bytes = random_bytes
        self._names = AESGCM(_derive(root, b"named keys"))
        self._keys: dict[bytes, AESGCM] = {}
        self.database_key = _derive(root, b"database")

    @classmethod
    def open(
        cls, folder: Path, master: bytes, *, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> "Keyring":
        """The keyring of the data directory `folder`, made when absent. Raises MasterKeyWrong."""
        path = folder / KEYRING_FILE
        if not path.exists():
            root = random_bytes(KEY_BYTES)
            made = cls(folder, master, [], root, random_bytes)
            made._wraps = [made._wrap_root(master, 1)]
            made._save()
            return made
        try:
            wraps = json.loads(path.read_bytes())["wraps"]
            named = [wrap for wrap in wraps if wrap["master"] == fingerprint(master)]
            sealed = base64.b64decode(named[-1]["root"]) if named else b""
        except (ValueError, KeyError, TypeError) as error:
            raise MasterKeyWrong(f"{path} is damaged: {error}") from error
        if not named:
            raise MasterKeyWrong(f"the data directory {folder} was made under another master key")
        try:
            root = _open(AESGCM(master), sealed, _root_label(named[-1]["number"]))
        except InvalidTag as error:
            raise MasterKeyWrong(f"{path} is damaged: its root key does not open") from error
        ring = cls(folder, master, wraps, root, random_bytes)
        if any(wrap["number"] < named[-1]["number"] for wrap in wraps):
            # A rotation has reached its end: its new key is the one in use.
            ring._wraps = [wrap for wrap in wraps if wrap["number"] >= named[-1]["number"]]
            ring._save()
        return ring

    def rotate_master(self, new: bytes, install: Callable[[bytes], None] | None = None) -> None:
        """The root key is wrapped by `new`, and by the old master key no more.

        `install` puts the new key where the next start finds it (`replace_key_file`). Until it has
        returned both keys open the directory. Without it, the old one does so until the first start
        with the new one: for keys that come from the environment.
        """
        number = max(wrap["number"] for wrap in self._wraps) + 1
        added = self._wrap_root(new, number)
        self._wraps = [*self._wraps, added]
        self._save()
        if install is None:
            return
        install(new)
        self._master = new
        self._wraps = [added]
        self._save()

    def _wrap_root(self, master: bytes, number: int) -> dict[str, Any]:
        sealed = self._seal(AESGCM(master), self._root, _root_label(number))
        return {
            "master": fingerprint(master),
            "number": number,
            "root": base64.b64encode(sealed).decode(),
        }

    def _save(self) -> None:
        text = json.dumps({"format": _FORMAT, "wraps": self._wraps}, indent=1)
        write_durably(self._folder / KEYRING_FILE, text.encode())

    def _seal(self, cipher: AESGCM, secret: bytes, label: bytes) -> bytes:
        nonce = self._random_bytes(_NONCE_BYTES)
        return nonce + cipher.encrypt(nonce, secret, label)

    def wrap(self, tx: Writer, name: str, secret: bytes, label: bytes) -> dict[str, Any]:
        """`secret` sealed under the current version of the key `name`, made when absent."""
        version = self.version(tx, name) or self.add_version(tx, name)
        sealed = self._seal(self._key(tx, name, version), secret, label)
        return {
            "key": name,
            "version": version,
            "sealed": base64.b64encode(sealed).decode(),
        }

    def unwrap(self, tx: Reader, envelope: dict[str, Any], label: bytes) -> bytes:
        """What `wrap` sealed. Raises KeyMissing, and InvalidTag when it is not what it was."""
        key = self._key(tx, envelope["key"], envelope["version"])
        return _open(key, base64.b64decode(envelope["sealed"]), label)

    def version(self, tx: Reader, name: str) -> int:
        """The current version of the key `name`; 0 when there is none."""
        return int(tx.get(pack("keyring", "current", name)) or b"0")

    def add_version(self, tx: Writer, name: str) -> int:
        """A new random key becomes the current version of `name`; older ones still open."""
        version = self.version(tx, name) + 1
        secret = self._random_bytes(KEY_BYTES)
        tx.put(
            pack("keyring", "key", name, version),
            self._seal(self._names, secret, pack(name, version)),
        )
        tx.put(pack("keyring", "current", name), b"%d" % version)
        return version

    def drop_versions_before(self, tx: Writer, name: str, version: int) -> None:
        """Older versions are gone: what they wrapped must have been wrapped anew."""
        tx.delete_range(pack("keyring", "key", name), pack("keyring", "key", name, version))

    def drop(self, tx: Writer, name: str) -> None:
        """The key `name` is gone, and with it all that it wraps."""
        tx.delete_range(*span("keyring", "key", name))
        tx.delete(pack("keyring", "current", name))

    def _key(self, tx: Reader, name: str, version: int) -> AESGCM:
        sealed = tx.get(pack("keyring", "key", name, version))
        if sealed is None:
            raise KeyMissing(f"version {version} of the key {name} is not in the store")
        # Found by the record read in this transaction, so that it never needs invalidation.
        cached = self._keys.get(sealed)
        if cached is None:
            cached = AESGCM(_open(self._names, sealed, pack(name, version)))
            if len(self._keys) >= _CACHED_KEYS_MAX:
                self._keys.clear()
            self._keys[sealed] = cached
        return cached


def replace_key_file(key_file: Path) -> Callable[[bytes], None]:
    """The `install` of `rotate_master` for a key that lives in a file."""
    return lambda key: write_durably(key_file, key.hex().encode() + b"\n")


def fingerprint(master: bytes) -> str:
    """Tells master keys apart and says nothing about them."""
    return hashlib.sha256(b"fogbank master key fingerprint" + master).hexdigest()[:16]


def _derive(root: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(SHA256(), KEY_BYTES, b"fogbank 1 " + purpose).derive(root)


def _root_label(number: int) -> bytes:
    return b"fogbank root key %d" % number


def _open(cipher: AESGCM, sealed: bytes, label: bytes) -> bytes:
    return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], label)
