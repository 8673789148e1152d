"""What a write of a global table's item leaves: its version, and an event for each replica."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import blake2b

from fogbank.services.context import World
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.schema import Table
from fogbank.services.events import emit
from fogbank.storage.keys import pack, span
from fogbank.storage.kv import Reader, Writer


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """When and where an item was last written; the later one wins, in every region alike."""

    at_ms: int
    region: str

    @classmethod
    def read(cls, raw: bytes) -> "Version":
        at_ms, _, region = raw.partition(b" ")
        return cls(int(at_ms), region.decode())


_NEVER = Version(0, "")


def versions_span(world: World, table_id: str) -> tuple[bytes, bytes]:
    return span("dynamodb", world.account, world.region, "version", table_id)


def version_prefix(world: World, table_id: str) -> bytes:
    return pack("dynamodb", world.account, world.region, "version", table_id)


def _key(table: Table, suffix: bytes) -> bytes:
    return version_prefix(table.world, table.id) + suffix


def version_of(tx: Reader, table: Table, suffix: bytes) -> Version:
    """That of the item whose key, behind the table's prefix, is `suffix`; it may be deleted."""
    raw = tx.get(_key(table, suffix))
    return _NEVER if raw is None else Version.read(raw)


def keep_version(tx: Writer, table: Table, suffix: bytes, version: Version) -> None:
    tx.put(_key(table, suffix), b"%d %s" % (version.at_ms, version.region.encode()))


def spread(tx: Writer, table: Table, moment: Moment, key: bytes, new: bytes | None) -> None:
    """Every replica will hear of the item, which is `new` from now on."""
    suffix = key[len(table.prefix) :]
    here = table.world.region
    # A write follows all that is known here, though another region's clock be ahead.
    at_ms = max(moment.now_ms, version_of(tx, table, suffix).at_ms + 1)
    keep_version(tx, table, suffix, Version(at_ms, here))
    order = blake2b(suffix, digest_size=12).hexdigest()
    for region, table_id in table.replicas.items():
        body = {
            "From": here,
            "To": region,
            "Table": table.name,
            "TableId": table_id,
            "AtMs": at_ms,
            "Suffix": b64encode(suffix).decode(),
            "Item": None if new is None else b64encode(new).decode(),
        }
        emit(moment.ctx, tx, "dynamodb.replicate", f"{table_id} {order}", body)
