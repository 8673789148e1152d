"""The one way in which an item changes: the item, its index entries and its stream record."""

from fogbank.services.dynamodb import change_log, item_collections, stored
from fogbank.services.dynamodb.capacity import write_units
from fogbank.services.dynamodb.expiry import note_expiry
from fogbank.services.dynamodb.keys import base_key, index_key
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.replicated import spread
from fogbank.services.dynamodb.schema import Index, Table
from fogbank.services.dynamodb.stream_records import append
from fogbank.services.dynamodb.values import Item, text_size, value
from fogbank.storage.kv import Writer

IndexUnits = dict[str, float]
_NO_INDEXES: IndexUnits = {}


def change_item(
    tx: Writer, table: Table, key: bytes, old: bytes | None, new: bytes | None, moment: Moment
) -> IndexUnits:
    """The item under `key` goes from `old` to `new`, both as stored; None is absence.

    A change that changes nothing writes nothing. Returns the write units of each index touched.
    """
    if old == new:
        return _NO_INDEXES
    before = after = None
    entries: list[tuple[Index, Entry, Entry]] = []
    if table.stream_view is not None or table.indexes or table.ttl_name is not None:
        before = None if old is None else stored.open_(old)
        after = None if new is None else stored.open_(new)
    item = before if after is None else after
    if table.indexes:
        assert item is not None
        entries = _entries(table, item, (before, old), (after, new))
        if item_collections.has_collections(table):
            growth = _growth(old, new, entries)
            item_collections.resize(tx, table, item, growth, moment)
    if new is None:
        tx.delete(key)
    else:
        tx.put(key, new)
    if table.replicas and not moment.is_replicated:
        spread(tx, table, moment, key, new)
    if table.log_prefix is not None:
        change_log.note(tx, table, moment, key, old)
    if item is None:
        return _NO_INDEXES
    if table.stream_view is not None:
        append(tx, table, moment, key, item, old, new)
    if table.ttl_name is not None:
        note_expiry(tx, table, moment, key, before, after)
    if not entries:
        return _NO_INDEXES
    units: IndexUnits = {}
    for index, gone, come in entries:
        changed = _change_entry(tx, gone, come)
        if changed:
            units[index.name] = changed
    return units


Entry = tuple[bytes, bytes] | None


def _entries(
    table: Table,
    item: Item,
    old: tuple[Item | None, bytes | None],
    new: tuple[Item | None, bytes | None],
) -> list[tuple[Index, Entry, Entry]]:
    """What each index has of an item, open and as stored, before and after."""
    base = base_key(table, item)
    return [
        (index, _entry(table, index, *old, base), _entry(table, index, *new, base))
        for index in table.indexes
    ]


def _growth(old: bytes | None, new: bytes | None, entries: list[tuple[Index, Entry, Entry]]) -> int:
    """By how much the item's collection grows: the item, and what local indexes have of it."""
    growth = (stored.size_of(new) if new else 0) - (stored.size_of(old) if old else 0)
    for index, gone, come in entries:
        if not index.is_global:
            growth += stored.size_of(come[1]) if come else 0
            growth -= stored.size_of(gone[1]) if gone else 0
    return growth


def _change_entry(tx: Writer, old: Entry, new: Entry) -> float:
    if old == new:
        return 0.0
    units = 0.0
    if old is not None and (new is None or new[0] != old[0]):
        tx.delete(old[0])
        units = write_units(stored.size_of(old[1]))
        old = None
    if new is not None:
        tx.put(new[0], new[1])
        before = 0 if old is None else stored.size_of(old[1])
        units += write_units(before, stored.size_of(new[1]))
    return units


def _entry(table: Table, index: Index, item: Item | None, raw: bytes | None, base: bytes) -> Entry:
    """The pair that `item`, whose own key is `base`, has in `index`."""
    if item is None or raw is None:
        return None
    key = index_key(table, index, item, base)
    return None if key is None else (key, project(index, item, raw))


def project(index: Index, item: Item, raw: bytes) -> bytes:
    """What `index` keeps of the item, as stored."""
    if index.projection == "ALL":
        return raw
    kept = {name: member for name, member in item.items() if name in index.projected}
    size = sum(text_size(name) + value(member)[1] for name, member in kept.items())
    return stored.seal(kept, size)


def put_entry(tx: Writer, table: Table, index: Index, raw: bytes) -> None:
    """The stored item `raw` has its entry in `index`: for an index that is being built."""
    item = stored.open_(raw)
    entry = _entry(table, index, item, raw, base_key(table, item))
    if entry is not None:
        tx.put(*entry)
