"""What is stored of buckets, objects, uploads and parts, and its form in the store."""

import hashlib
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from typing import Any, TypeVar

import orjson

from fogbank.storage.blobs import BlobRef

STANDARD = "STANDARD"
FULL_OBJECT = "FULL_OBJECT"
COMPOSITE = "COMPOSITE"


@dataclass(frozen=True, slots=True)
class Bucket:
    """`location` is the constraint as it was given: None in us-east-1, perhaps "EU"."""

    id: str
    name: str
    account: str
    region: str
    created_ms: int
    location: str | None = None
    ownership: str = "BucketOwnerEnforced"
    tags: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A version of an object; what listings show comes first.

    Its bytes are in `blob` (None when there are none), or in the parts of `upload`, the multipart
    upload that made it. `headers` are by their model names; `version` None is the null version.
    """

    etag: str
    size: int
    modified_ms: int
    checksums: dict[str, str]
    checksum_type: str = FULL_OBJECT
    storage_class: str = STANDARD
    version: str | None = None
    blob: BlobRef | None = None
    upload: str | None = None
    parts: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    tags: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload in progress. `algorithm` None: the default, which listings do not show."""

    id: str
    key: str
    initiated_ms: int
    initiator: list[str]
    algorithm: str | None = None
    checksum_type: str | None = None
    storage_class: str = STANDARD
    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    tags: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Part:
    etag: str
    size: int
    modified_ms: int
    checksums: dict[str, str]
    blob: BlobRef | None = None


Record = TypeVar("Record", Bucket, StoredObject, Upload, Part)


def to_bytes(record: Bucket | StoredObject | Upload | Part) -> bytes:
    """A record without what has its default: records are read in thousands by listings."""
    shown: dict[str, Any] = {}
    for name, default in _DEFAULTS[type(record)]:
        value = getattr(record, name)
        if value != default:
            shown[name] = value
    return orjson.dumps(shown)


def from_bytes(kind: type[Record], raw: bytes) -> Record:
    return kind(**orjson.loads(raw))


@lru_cache(maxsize=1024)
def bucket_of(raw: bytes) -> Bucket:
    """A bucket's record; remembered by its bytes, so that a changed record is another entry."""
    return from_bytes(Bucket, raw)


@lru_cache(maxsize=2048)
def object_of(raw: bytes) -> StoredObject:
    """An object's record, remembered by its bytes; nobody changes what is in it."""
    return from_bytes(StoredObject, raw)


def _defaults(kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    pairs: list[tuple[str, Any]] = []
    for one in fields(kind):
        if one.default_factory is not MISSING:
            pairs.append((one.name, one.default_factory()))
        else:
            pairs.append((one.name, one.default))
    return tuple(pairs)


_DEFAULTS: dict[type[Any], tuple[tuple[str, Any], ...]] = {
    kind: _defaults(kind) for kind in (Bucket, StoredObject, Upload, Part)
}


@lru_cache(maxsize=256)
def owner_id(account: str) -> str:
    """The canonical user id of an account: 64 hex digits, always the same ones."""
    return hashlib.sha256(b"canonical user " + account.encode()).hexdigest()


def owner(account: str) -> dict[str, str]:
    """AWS shows no DisplayName since November 2025."""
    return {"ID": owner_id(account)}
