"""Item collections: what a table with local indexes keeps under one partition key, and how much.

Each collection has a count of its bytes, kept with every change, so that no request has to read it
through. A collection whose items came otherwise, with a restored table, is counted once.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html#LSI.ItemCollections
"""

from typing import Any

from fogbank.services.context import World
from fogbank.services.dynamodb import stored
from fogbank.services.dynamodb.errors import ItemCollectionSizeLimitExceededException
from fogbank.services.dynamodb.keys import part
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.schema import Table, hash8
from fogbank.services.dynamodb.values import Item
from fogbank.storage.keys import after, pack, span
from fogbank.storage.kv import Reader, Writer

GIGABYTE = 1024**3
COLLECTION_BYTES_MAX = 10 * GIGABYTE


def collections_span(world: World, table_id: str) -> tuple[bytes, bytes]:
    """Where the counts of a table lie."""
    return span("dynamodb", world.account, world.region, "collection", table_id)


def has_collections(table: Table) -> bool:
    return any(not index.is_global for index in table.indexes)


def _partition(table: Table, item: Item) -> bytes:
    """What the keys of the collection's items and entries begin with, behind their prefixes."""
    packed = pack(part(item[table.hash_name]))
    return pack(hash8(packed)) + packed


def _count_key(table: Table, partition: bytes) -> bytes:
    return collections_span(table.world, table.id)[0] + partition


def _size(tx: Reader, table: Table, partition: bytes) -> int:
    raw = tx.get(_count_key(table, partition))
    return _counted(tx, table, partition) if raw is None else int(raw)


def _counted(tx: Reader, table: Table, partition: bytes) -> int:
    local = (index.prefix for index in table.indexes if not index.is_global)
    total = 0
    for prefix in (table.prefix, *local):
        start = prefix + partition
        total += sum(stored.size_of(raw) for _, raw in tx.range(start, after(start)))
    return total


def resize(tx: Writer, table: Table, item: Item, growth_bytes: int, moment: Moment) -> None:
    """The collection of `item` will be larger by so much; raises when it would be too large.

    It may shrink at any size, and what another replica has accepted is not refused. While a table
    is being filled nothing is counted.
    """
    if not growth_bytes or moment.now_ms < table.record["ActiveAtMs"]:
        return
    partition = _partition(table, item)
    size = _size(tx, table, partition) + growth_bytes
    is_limited = growth_bytes > 0 and not moment.is_replicated
    if is_limited and size > COLLECTION_BYTES_MAX:
        raise ItemCollectionSizeLimitExceededException
    key = _count_key(table, partition)
    if size:
        tx.put(key, b"%d" % size)
    else:
        tx.delete(key)


def metrics(tx: Reader, table: Table, item: Item) -> dict[str, Any] | None:
    """ItemCollectionMetrics of the item's collection; None where there are no collections."""
    if not has_collections(table):
        return None
    lower = float(_size(tx, table, _partition(table, item)) // GIGABYTE)
    return {
        "ItemCollectionKey": {table.hash_name: item[table.hash_name]},
        "SizeEstimateRangeGB": [lower, lower + 1.0],
    }
