"""Streams as they lie in the store: what they are, and their records in order per shard."""

from typing import Any

import orjson

from fogbank.services.context import World
from fogbank.services.dynamodb import stored
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.schema import Record, Table
from fogbank.services.dynamodb.values import Item, text_size, value
from fogbank.services.events import emit
from fogbank.storage.keys import pack, span, unpack
from fogbank.storage.kv import Reader, Writer

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
RETENTION_MS = 24 * 3600 * 1000
TRIM_PERIOD_MS = 3600 * 1000
SHARDS = 4
# Sequence numbers are texts of at least 21 digits.
_SEQUENCE_BASE = 10**20


def sequence_text(sequence: int) -> str:
    return str(_SEQUENCE_BASE + sequence)


def sequence_of(text: str) -> int | None:
    """The number of a SequenceNumber of ours; None for any other text."""
    if not (text.isascii() and text.isdigit() and 21 <= len(text) <= 40):
        return None
    return max(0, int(text) - _SEQUENCE_BASE)


def shard_of(key: bytes, prefix: bytes) -> int:
    """The shard of the item under `key`: a quarter of the hash order, so an item never moves."""
    return key[len(prefix) + 1] * SHARDS >> 8


def shard_id(stream: Record, shard: int) -> str:
    return f"shardId-{stream['CreatedMs']:020d}-{shard:08x}"


def stream_key(world: World, table: str, label: str) -> bytes:
    return pack("dynamodb", world.account, world.region, "stream", table, label)


def streams_span(world: World, *table: str) -> tuple[bytes, bytes]:
    return span("dynamodb", world.account, world.region, "stream", *table)


def records_prefix(world: World, label: str, table_id: str) -> bytes:
    return pack("dynamodb", world.account, world.region, "record", table_id, label)


def open_stream(tx: Writer, moment: Moment, record: Record) -> None:
    """The stream that the table's record names exists, with its shards open."""
    world = moment.ctx.world
    label = record["LatestStreamLabel"]
    stream = {
        "TableName": record["TableName"],
        "TableId": record["TableId"],
        "StreamArn": record["LatestStreamArn"],
        "StreamLabel": label,
        "StreamViewType": record["StreamSpecification"]["StreamViewType"],
        "KeySchema": record["KeySchema"],
        "CreatedMs": moment.now_ms,
    }
    tx.put(stream_key(world, record["TableName"], label), orjson.dumps(stream))
    _emit_trim(tx, moment, stream)


def _emit_trim(tx: Writer, moment: Moment, stream: Record) -> None:
    body = {"TableName": stream["TableName"], "StreamLabel": stream["StreamLabel"]}
    due_ms = moment.now_ms + TRIM_PERIOD_MS
    emit(moment.ctx, tx, "dynamodb.trim", stream["StreamArn"], body, due_ms=due_ms)


def close_stream(tx: Writer, moment: Moment, table: str, label: str) -> None:
    """No record follows; those that are there can be read for a day."""
    key = stream_key(moment.ctx.world, table, label)
    raw = tx.get(key)
    if raw is not None:
        tx.put(key, orjson.dumps({**orjson.loads(raw), "ClosedMs": moment.now_ms}))


def append(
    tx: Writer,
    table: Table,
    moment: Moment,
    key: bytes,
    item: Item,
    old: bytes | None,
    new: bytes | None,
) -> None:
    """The stream has a record of the change of `item` from `old` to `new`, as stored."""
    ctx = moment.ctx
    label = table.record["LatestStreamLabel"]
    prefix = records_prefix(ctx.world, label, table.id)
    sequence = tx.sequence(prefix)
    keys = {name: item[name] for name in table.key_names}
    name = "MODIFY" if old is not None else "INSERT"
    view = table.stream_view or ""
    body: dict[str, Any] = {
        "at_ms": moment.now_ms,
        "name": name if new is not None else "REMOVE",
        "keys": keys,
        "size": size_of(keys),
    }
    if new is not None and "NEW" in view:
        body["new"] = orjson.Fragment(stored.json_of(new))
        body["size"] += stored.size_of(new)
    if old is not None and "OLD" in view:
        body["old"] = orjson.Fragment(stored.json_of(old))
        body["size"] += stored.size_of(old)
    if moment.expired:
        body["expired"] = True
    tx.put(prefix + pack(shard_of(key, table.prefix), sequence), orjson.dumps(body))


def size_of(item: Item) -> int:
    return sum(text_size(name) + value(member)[1] for name, member in item.items())


def trim(tx: Writer, moment: Moment, stream: Record, slice_max: int) -> bool:
    """Records of more than a day ago are gone; True while there may be more of them."""
    horizon_ms = moment.now_ms - RETENTION_MS
    prefix = records_prefix(moment.ctx.world, stream["StreamLabel"], stream["TableId"])
    removed = 0
    for shard in range(SHARDS):
        for key, raw in tx.range(*_shard_span(prefix, shard)):
            if orjson.loads(raw)["at_ms"] >= horizon_ms:
                break
            tx.delete(key)
            removed += 1
            if removed >= slice_max:
                return True
    if "ClosedMs" in stream and stream["ClosedMs"] < horizon_ms:
        tx.delete(stream_key(moment.ctx.world, stream["TableName"], stream["StreamLabel"]))
    else:
        _emit_trim(tx, moment, stream)
    return False


def _shard_span(prefix: bytes, shard: int) -> tuple[bytes, bytes]:
    start = prefix + pack(shard)
    return start, start + b"\xff"


def read_shard(
    tx: Reader, world: World, stream: Record, shard: int, start: int
) -> tuple[bytes, bytes]:
    """The range of a shard's records from a sequence number on."""
    prefix = records_prefix(world, stream["StreamLabel"], stream["TableId"])
    return prefix + pack(shard, start), _shard_span(prefix, shard)[1]


def last_sequence(tx: Reader, world: World, stream: Record, shard: int) -> int:
    """That of the newest record of the shard; 0 when it has none."""
    start, stop = read_shard(tx, world, stream, shard, 0)
    for key, _ in tx.range(start, stop, reverse=True):
        return int(str(unpack(key)[-1]))
    return 0
