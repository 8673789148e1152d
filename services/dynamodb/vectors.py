"""What items are to the vector indexes of their table: fit to be written, indexed, projected.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearchWorkingWith.html

The texts for vectors that do not fit, and the bytes of a write, are answers of AWS that public
conformance tests hold; only the text for a number that is too large is modelled on the others.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isinf

import orjson

from fogbank.services.dynamodb import stored
from fogbank.services.dynamodb.errors import ValidationException, invalid
from fogbank.services.dynamodb.keys import check_index_keys, check_updated
from fogbank.services.dynamodb.schema import Index, Record, Table
from fogbank.services.dynamodb.values import Item, Value, kind_of, text_size, value
from fogbank.services.dynamodb.vector_rules import Definition, schema_names, vector_name

FLOAT_BYTES = 4
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearchMonitoring.html
BYTES_MIN = 1024
Vector = Sequence[float]


def check_vectors_of(table: Table, item: Item, *, updated: bool = False) -> None:
    """What `item` has for the table's vector indexes fits them; for an item that is written."""
    for index in table.record.get("VectorIndexes") or ():
        if "DeletedAtMs" in index:
            continue
        _check_schema(table, index, item, updated)
        found = item.get(vector_name(index))
        if found is not None:
            _check_vector(index, found)


def _check_schema(table: Table, index: Definition, item: Item, updated: bool) -> None:
    """Its partition key is as good as an index key; of a filter only the type counts."""
    name = index["IndexName"]
    hashes = tuple(schema_names(index, "HASH"))
    if hashes:
        keyed = Index(name, True, hashes, (), "KEYS_ONLY", frozenset(), b"")
        checked = replace(table, indexes=(keyed,))
        (check_updated if updated else check_index_keys)(checked, item)
    for filter_ in schema_names(index, "INLINE_FILTER"):
        given = item.get(filter_)
        if given is not None and kind_of(given) != table.types[filter_]:
            raise invalid(
                f"Type mismatch for Index Key {filter_} Expected: {table.types[filter_]} "
                f"Actual: {kind_of(given)} IndexName: {name}"
            )


def _check_vector(index: Definition, found: Value) -> None:
    name, suffix = vector_name(index), f"IndexName: {index['IndexName']}"
    if "L" not in found:
        raise _unfit(
            f"Invalid type for parameter {name}, Expected: 32-bit floating point number list "
            + suffix
        )
    members = found["L"]
    if len(members) == index["Dimensions"] and _floats_of(members) is not None:
        return
    if len(members) != index["Dimensions"]:
        raise _unfit(
            f"Invalid size for parameter {name}, Expected: {index['Dimensions']}, "
            f"Actual: {len(members)} {suffix}"
        )
    for at, member in enumerate(members):
        if "N" not in member:
            raise _unfit(
                f"Invalid type for parameter {name}[{at}], Expected: 32-bit floating point "
                f"number, Actual: {kind_of(member)}. {suffix}"
            )
        if not fits(member):
            raise _unfit(
                f"Invalid value for parameter {name}[{at}], Expected: 32-bit floating point "
                f"number, Actual: {member['N']}. {suffix}"
            )


def _unfit(text: str) -> ValidationException:
    """The full stop is AWS's: its other texts of this kind have a colon."""
    return ValidationException(f"One or more parameter values were invalid. {text}")


def fits(number: Value) -> bool:
    """Whether a number is one of 32-bit floating point, but for its precision."""
    return not isinf(array("f", [float(number["N"])])[0])


def floats(members: list[Value]) -> Vector:
    """The numbers as an index has them, in single precision.

    Their normal form is JSON, which is read three times faster than a float at a time.
    """
    return array("f", orjson.loads(f"[{','.join([member['N'] for member in members])}]"))


def _floats_of(members: list[Value]) -> Vector | None:
    """The same, or None when they are not all numbers that fit."""
    try:
        found = floats(members)
    except KeyError:
        return None
    return None if found and (isinf(max(found)) or isinf(min(found))) else found


def vector_of(index: Definition, item: Item) -> Vector | None:
    """The item's vector; None when the item is not in the index.

    That is so without the vector or the partition key, and for what an older item has of them
    that could not be written since the index is there.
    """
    members = (item.get(vector_name(index)) or {}).get("L")
    if members is None or len(members) != index["Dimensions"]:
        return None
    if any(name not in item for name in schema_names(index, "HASH")):
        return None
    return _floats_of(members)


def projected(table: Table, index: Definition, item: Item) -> Item:
    """What the index has of the item besides the vector."""
    vector = vector_name(index)
    if index["Projection"]["ProjectionType"] == "ALL":
        return {name: member for name, member in item.items() if name != vector}
    names = {*table.key_names, *schema_names(index)}
    names.update(index["Projection"].get("NonKeyAttributes") or ())
    return {name: member for name, member in item.items() if name in names and name != vector}


def entry_bytes(table: Table, index: Definition, item: Item) -> int:
    """How much of the item the index holds; nothing when the item is not in it."""
    if vector_of(index, item) is None:
        return 0
    kept = projected(table, index, item)
    sizes = (text_size(name) + value(member)[1] for name, member in kept.items())
    return text_size(vector_name(index)) + int(index["Dimensions"]) * FLOAT_BYTES + sum(sizes)


def billed_bytes(table: Table, raw: bytes) -> int:
    """What a write of the item is charged for: numbers of an indexed vector count as single ones.

    Reads, and the limit of an item, go by the numbers that it holds.
    """
    size_bytes = stored.size_of(raw)
    item = stored.open_(raw)
    dimensions = {
        vector_name(index): int(index["Dimensions"])
        for index in table.record.get("VectorIndexes") or ()
        if vector_of(index, item) is not None
    }
    for name, count_ in dimensions.items():
        size_bytes += count_ * FLOAT_BYTES - value(item[name])[1]
    return size_bytes


def written(table: Table, old: bytes | None, new: bytes | None) -> dict[str, float]:
    """The bytes of a write that go to each index whose entry it changes."""
    before, after = ({} if raw is None else stored.open_(raw) for raw in (old, new))
    found: dict[str, float] = {}
    for index in table.record.get("VectorIndexes") or ():
        if "DeletedAtMs" in index:
            continue
        sizes = [entry_bytes(table, index, item) for item in (before, after)]
        if any(sizes) and projected_whole(table, index, before) != projected_whole(
            table, index, after
        ):
            found[index["IndexName"]] = float(max(BYTES_MIN, *sizes))
    return found


def projected_whole(table: Table, index: Definition, item: Item) -> Item:
    """The index's entry of the item, vector and all; empty when it has none."""
    if vector_of(index, item) is None:
        return {}
    name = vector_name(index)
    return {**projected(table, index, item), name: item[name]}


def count(table: Table, record: Record, pairs: Iterable[tuple[bytes, bytes]]) -> None:
    """The record has the counts of its vector indexes over all the items of the table."""
    indexes = record.get("VectorIndexes") or ()
    for index in indexes:
        index["ItemCount"] = index["SizeBytes"] = 0
    for _, raw in pairs:
        item = stored.open_(raw)
        for index in indexes:
            size = entry_bytes(table, index, item)
            index["ItemCount"] += bool(size)
            index["SizeBytes"] += size
