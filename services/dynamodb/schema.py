"""A table as compiled from its record: keys, indexes, and where its items lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from fogbank.services.context import Context, World
from fogbank.services.dynamodb.errors import (
    AccessDeniedException,
    ResourceInUseException,
    ResourceNotFoundException,
    ValidationException,
)
from fogbank.services.dynamodb.values import Item
from fogbank.storage.keys import pack, span
from fogbank.storage.kv import Reader, Writer

Record = dict[str, Any]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
TABLE_NAME_MIN, TABLE_NAME_MAX = 3, 255
_COMPILED_MAX = 4096
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index. `prefix` begins the keys of its entries."""

    name: str
    is_global: bool
    hash_names: tuple[str, ...]
    range_names: tuple[str, ...]
    projection: str
    projected: frozenset[str]
    prefix: bytes
    ready: bool = True

    @property
    def key_names(self) -> tuple[str, ...]:
        return self.hash_names + self.range_names


@dataclass(frozen=True, slots=True)
class Table:
    """What data-plane operations need of a table; immutable, one per distinct record."""

    record: Record
    world: World
    name: str
    id: str
    arn: str
    hash_name: str
    range_name: str | None
    key_names: tuple[str, ...]
    types: dict[str, str]
    indexes: tuple[Index, ...]
    prefix: bytes
    stream_view: str | None
    ttl_name: str | None
    ttl_prefix: bytes | None
    # Where changes are logged, while recovery is on or a copy is being made.
    log_prefix: bytes | None
    # The other members of its global table: regions, and the table's id there.
    replicas: dict[str, str]

    def index(self, name: str) -> Index:
        for index in self.indexes:
            if index.name == name:
                return index
        raise ValidationException(f"The table does not have the specified index: {name}")


@lru_cache(maxsize=_COMPILED_MAX)
def table_key(world: World, name: str) -> bytes:
    return pack("dynamodb", world.account, world.region, "table", name)


def items_span(world: World, table_id: str) -> tuple[bytes, bytes]:
    return span("dynamodb", world.account, world.region, "item", table_id)


def indexes_span(world: World, table_id: str, *index: str) -> tuple[bytes, bytes]:
    return span("dynamodb", world.account, world.region, "index", table_id, *index)


def times_span(world: World, table_id: str, *times: str) -> tuple[bytes, bytes]:
    """Where the index of the items' times lies, for TTL."""
    return span("dynamodb", world.account, world.region, "ttl", table_id, *times)


def policies_span(world: World, table: str) -> tuple[bytes, bytes]:
    return span("dynamodb", world.account, world.region, "policy", table)


def policy_key(world: World, table: str, arn: str) -> bytes:
    return policies_span(world, table)[0] + pack(arn)


def log_span(world: World, table_id: str, log: str) -> tuple[bytes, bytes]:
    """Where the changes of items are logged."""
    return span("dynamodb", world.account, world.region, "log", table_id, log)


def index_id(index: dict[str, Any]) -> str:
    """What its entries lie under: an index made online differs from an older one of its name."""
    return str(index.get("Id") or index["IndexName"])


def hash8(packed: bytes) -> bytes:
    """Where in hash order a partition lies. Scans follow it and parallel scans divide it."""
    return blake2b(packed, digest_size=8).digest()


def name_of(world: World, given: str, shortest: int = TABLE_NAME_MIN) -> str:
    """The table's name, which may be given as its ARN."""
    if given.startswith("arn:"):
        parts = given.split(":", 5)
        if len(parts) == 6 and parts[5].startswith("table/") and parts[2] == "dynamodb":
            if (parts[3], parts[4]) != (world.region, world.account):
                raise ResourceNotFoundException()
            given = parts[5].split("/")[1]
    if not shortest <= len(given) <= TABLE_NAME_MAX:
        bound = f"greater than or equal to {shortest}"
        if len(given) >= shortest:
            bound = f"less than or equal to {TABLE_NAME_MAX}"
        raise _misnamed(given, f"have length {bound}")
    if not _NAME_CHARACTERS.issuperset(given):
        raise _misnamed(given, "satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
    return given


def _misnamed(given: str, demand: str) -> ValidationException:
    return ValidationException(
        f"1 validation error detected: Value '{given}' at 'tableName' failed to satisfy "
        f"constraint: Member must {demand}"
    )


def named(ctx: Context, given: str, operation: str) -> str:
    """The name of the table that `operation` is about, whose items it reads or writes.

    Such names may be of any length from 1 on; another account's table is not for the caller.
    """
    if given.startswith("arn:"):
        refuse_foreign(ctx, given, operation)
    return name_of(ctx.world, given, 1)


def refuse_foreign(ctx: Context, arn: str, operation: str) -> None:
    """The resource of an ARN is of the caller's account. Accounts are worlds of their own here."""
    parts = arn.split(":", 5)
    if len(parts) == 6 and parts[2] == "dynamodb" and parts[4] != ctx.world.account:
        raise AccessDeniedException(ctx.caller.arn, operation, arn, foreign=True)


def arn_of(world: World, name: str) -> str:
    return world.arn("dynamodb", f"table/{name}")


@lru_cache(maxsize=_COMPILED_MAX)
def compiled(raw: bytes) -> Table:
    """The table of a record; content-addressed, so it never goes stale."""
    record = orjson.loads(raw)
    _, _, _, region, account, _ = record["TableArn"].split(":", 5)
    world = World(account, region)
    keys = {element["KeyType"]: element["AttributeName"] for element in record["KeySchema"]}
    table_id = record["TableId"]
    prefix = pack("dynamodb", account, region, "item", table_id)
    stream = record.get("StreamSpecification") or {}
    live = record.get("TimeToLive")
    log = record.get("Log")
    return Table(
        record=record,
        world=world,
        name=record["TableName"],
        id=table_id,
        arn=record["TableArn"],
        hash_name=keys["HASH"],
        range_name=keys.get("RANGE"),
        key_names=tuple(keys[kind] for kind in ("HASH", "RANGE") if kind in keys),
        types={
            attribute["AttributeName"]: attribute["AttributeType"]
            for attribute in record["AttributeDefinitions"]
        },
        indexes=tuple(_indexes(world, record, keys)),
        prefix=prefix,
        stream_view=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        ttl_name=live["AttributeName"] if live else None,
        ttl_prefix=times_span(world, table_id, live["Id"])[0] if live else None,
        replicas={
            region: replica["TableId"] for region, replica in (record.get("Replicas") or {}).items()
        },
        log_prefix=log_span(world, table_id, log["Id"])[0] if log else None,
    )


def _indexes(world: World, record: Record, keys: dict[str, str]) -> list[Index]:
    result = []
    for member, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
        for given in record.get(member) or ():
            schema = given["KeySchema"]
            hashes = _names(schema, "HASH")
            ranges = _names(schema, "RANGE")
            projection = given["Projection"]
            projected = {*keys.values(), *hashes, *ranges}
            projected.update(projection.get("NonKeyAttributes") or ())
            result.append(
                Index(
                    name=given["IndexName"],
                    is_global=is_global,
                    hash_names=hashes,
                    range_names=ranges,
                    projection=projection["ProjectionType"],
                    projected=frozenset(projected),
                    prefix=indexes_span(world, record["TableId"], index_id(given))[0],
                    ready=not given.get("backfilling", False),
                )
            )
    return result


def _names(schema: Sequence[dict[str, str]], kind: str) -> tuple[str, ...]:
    return tuple(element["AttributeName"] for element in schema if element["KeyType"] == kind)


# The table that was last found under a key: a hint, which may be out of date.
_latest: dict[bytes, Table] = {}
last_seen = _latest.get


def load(tx: Reader, key: bytes, now_ms: int) -> Table:
    """The table under `key`, ready for data.

    Raises ResourceNotFoundException also while the table is being created, as AWS does.
    """
    raw = tx.get(key)
    if raw is None:
        raise ResourceNotFoundException()
    _latest[key] = table = compiled(raw)
    if len(_latest) > _COMPILED_MAX:
        _latest.clear()
    if now_ms < table.record["ActiveAtMs"] and table.record.get("Creating", True):
        raise ResourceNotFoundException()
    if table.record.get("DeletedAtMs") is not None:
        raise ResourceNotFoundException()
    return table


def describe_load(tx: Reader, world: World, name: str, now_ms: int) -> Record:
    """The record of the table, whatever its state; a table that is gone is not found."""
    raw = tx.get(table_key(world, name))
    record: Record | None = None if raw is None else orjson.loads(raw)
    if record is None or now_ms >= (record.get("DeletedAtMs") or now_ms + 1):
        raise ResourceNotFoundException(f"Table: {name} not found")
    return record


def save(tx: Writer, world: World, record: Record) -> None:
    tx.put(table_key(world, record["TableName"]), orjson.dumps(record))


def status_of(record: Record, now_ms: int) -> str:
    """Where the table stands at this moment: its record says when each state ends."""
    if record.get("DeletedAtMs") is not None:
        return "DELETING"
    if now_ms < record["ActiveAtMs"]:
        return "CREATING" if record.get("Creating", True) else "UPDATING"
    return "ACTIVE"


def require_active(record: Record, now_ms: int) -> None:
    status = status_of(record, now_ms)
    if status != "ACTIVE":
        verb = {"CREATING": "created", "UPDATING": "updated", "DELETING": "deleted"}[status]
        raise ResourceInUseException(
            f"Attempt to change a resource which is still in use: Table is being {verb}: "
            f"{record['TableName']}"
        )


def key_item(table: Table, item: Item, index: Index | None = None) -> Item:
    """The attributes of `item` that identify it, in the table and in `index`."""
    names = table.key_names if index is None else dict.fromkeys(index.key_names + table.key_names)
    return {name: item[name] for name in names}
