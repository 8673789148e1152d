"""Keys of items and of index entries: checked as AWS does, encoded for the store."""

from base64 import b64decode
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.schema import Index, Table, hash8, last_seen
from fogbank.services.dynamodb.values import Item, Value, kind_of, text_size
from fogbank.storage.keys import Part, pack, pack_bytes, pack_text

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
HASH_BYTES_MAX = 2048
RANGE_BYTES_MAX = 1024
# As many characters are surely within both limits.
_SHORT = RANGE_BYTES_MAX // 4
_NUMBERS_MAX = 8192

_INVALID = "One or more parameter values were invalid: "
MISMATCH = "The provided key element does not match the schema"
_EMPTY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
    "contain an empty {} value. Key: {}"
)
_EMPTY_INDEXED = (
    "One or more parameter values are not valid. A value specified for a secondary index key is "
    "not supported. The AttributeValue for a key attribute cannot contain an empty {} value. "
    "IndexName: {}, IndexKey: {}"
)
_EMPTY_UPDATED = (
    "One or more parameter values are not valid. The update expression attempted to update a "
    "secondary index key to a value that is not supported. The AttributeValue for a key attribute "
    "cannot contain an empty {} value."
)


class EmptyKey(ValidationException):
    """A value of a key is empty: a transaction is not cancelled for it but refused."""


def part(value: Value) -> Part:
    """The part of a key that orders as DynamoDB orders the value."""
    kind, member = next(iter(value.items()))
    if kind == "S":
        return str(member)
    return Decimal(member) if kind == "N" else b64decode(member)


@lru_cache(maxsize=_NUMBERS_MAX)
def _packed_number(text: str) -> bytes:
    """Sort keys repeat: small counters, days, versions."""
    return pack(Decimal(text))


def _packed(value: Value) -> bytes:
    text = value.get("S")
    if text is not None:
        return pack_text(text)
    text = value.get("N")
    return pack_bytes(b64decode(value["B"])) if text is None else _packed_number(text)


def item_key(table: Table, item: Item) -> bytes:
    """The store's key of an item whose key attributes are checked."""
    packed = _packed(item[table.hash_name])
    key = table.prefix + pack_bytes(hash8(packed)) + packed
    if table.range_name is not None:
        key += _packed(item[table.range_name])
    return key


def expected_reads(record_key: bytes, items: Iterable[Item]) -> list[bytes]:
    """The keys that a write of `items` will look for in the store, the table's record first.

    By the table as it was last seen: it may be another one by now, and the items may not fit it.
    """
    table = last_seen(record_key)
    if table is None:
        return [record_key]
    try:
        return [record_key, *[item_key(table, item) for item in items]]
    except KeyError:
        return [record_key]


def base_key(table: Table, item: Item) -> bytes:
    """The item's own key, as the entries of indexes end in it."""
    return pack(*[part(item[name]) for name in table.key_names])


def index_key(table: Table, index: Index, item: Item, base: bytes) -> bytes | None:
    """The store's key of the entry of `item` in `index`; None when it has none (sparse).

    An item of before the index may hold a value there that no key can have: it has no entry.
    """
    for name in index.key_names:
        value = item.get(name)
        if value is None or value.get(table.types[name], "") == "":
            return None
    hashes = pack(*[part(item[name]) for name in index.hash_names])
    ranges = pack(*[part(item[name]) for name in index.range_names])
    return b"".join((index.prefix, pack(hash8(hashes)), hashes, ranges, base))


def check_key(table: Table, key: Item) -> None:
    """`key` is exactly the primary key of `table`."""
    if len(key) != len(table.key_names):
        raise ValidationException(MISMATCH)
    check_present(table, key)
    _check_values(table, key)


def check_present(table: Table, item: Item) -> None:
    """`item` has a primary key of the types of `table`."""
    for name in table.key_names:
        value = item.get(name)
        if value is None or table.types[name] not in value:
            raise ValidationException(MISMATCH)


def check_item(table: Table, item: Item) -> None:
    """`item` has the primary key of `table`, and its index keys fit their types and limits."""
    for name in table.key_names:
        value = item.get(name)
        if value is None:
            raise ValidationException(_INVALID + f"Missing the key {name} in the item")
        kind, expected = kind_of(value), table.types[name]
        if kind != expected:
            raise ValidationException(
                _INVALID + f"Type mismatch for key {name} expected: {expected} actual: {kind}"
            )
    _check_values(table, item)
    check_index_keys(table, item)


def check_updated(table: Table, item: Item) -> None:
    """What an update made of the index keys fits them."""
    for index in table.indexes:
        for name in index.key_names:
            value = item.get(name)
            if value is None:
                continue
            kind = kind_of(value)
            if kind != table.types[name]:
                raise ValidationException(
                    _INVALID + f"Type mismatch for Index Key {name} Expected: {table.types[name]} "
                    f"Actual: {kind} IndexName: {index.name}"
                )
            if value[kind] == "":
                word = "string" if kind == "S" else "binary"
                raise EmptyKey(_EMPTY_UPDATED.format(word))
        _check_sizes(item, index.hash_names, index.range_names)


def check_index_keys(table: Table, item: Item) -> None:
    for index in table.indexes:
        for name in index.key_names:
            value = item.get(name)
            if value is None or name in table.key_names:
                continue
            kind, expected = kind_of(value), table.types[name]
            if kind != expected:
                raise ValidationException(
                    _INVALID + f"Type mismatch for Index Key {name} Expected: {expected} "
                    f"Actual: {kind} IndexName: {index.name}"
                )
            if value[kind] == "":
                word = "string" if kind == "S" else "binary"
                raise EmptyKey(_EMPTY_INDEXED.format(word, index.name, name))
        _check_sizes(item, index.hash_names, index.range_names)


def _check_values(table: Table, item: Item) -> None:
    is_short = True
    for name in table.key_names:
        for kind, member in item[name].items():
            if not member:
                word = "string" if kind == "S" else "binary"
                raise EmptyKey(_EMPTY.format(word, name))
            is_short = is_short and len(member) <= _SHORT
    if not is_short:
        _check_sizes(item, table.key_names[:1], table.key_names[1:])


def _check_sizes(item: Item, hashes: Iterable[str], ranges: Iterable[str]) -> None:
    if _sum_of_sizes(item, hashes) > HASH_BYTES_MAX:
        raise ValidationException(
            _INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes"
        )
    if _sum_of_sizes(item, ranges) > RANGE_BYTES_MAX:
        raise ValidationException(
            _INVALID + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
        )


def _sum_of_sizes(item: Item, names: Iterable[str]) -> int:
    total = 0
    for name in names:
        value = item.get(name)
        if value is not None and "N" not in value:
            total += _size(value)
    return total


def _size(value: Value | None) -> int:
    if value is None or "N" in value:
        return 0
    if "S" in value:
        return text_size(value["S"])
    text: str = value["B"]
    return len(text) * 3 // 4 - text.count("=")
