"""The indexes of a record together, of whatever kind: their names, the attributes they use."""

from collections.abc import Collection

from fogbank.services.dynamodb.errors import invalid
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.vector_rules import schema_names

_KEYED = ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")


def index_names(record: Record) -> list[str]:
    return [
        index["IndexName"]
        for member in (*_KEYED, "VectorIndexes")
        for index in record.get(member) or ()
    ]


def types_with(
    record: Record, given: list[dict[str, str]], used: Collection[str]
) -> dict[str, str]:
    """The types of the record's attributes and of those `given` that are `used` by a new index."""
    types = {one["AttributeName"]: one["AttributeType"] for one in record["AttributeDefinitions"]}
    for one in given:
        name, kind = one["AttributeName"], one["AttributeType"]
        if name in used and types.setdefault(name, kind) != kind:
            raise invalid(f"Type of attribute {name} cannot be changed while it is in use")
    return types


def define(record: Record, types: dict[str, str]) -> None:
    record["AttributeDefinitions"] = [
        {"AttributeName": name, "AttributeType": kind} for name, kind in types.items()
    ]


def forget_unused(record: Record) -> None:
    """The record defines what its keys and indexes use. One that is being removed uses nothing."""
    used = {element["AttributeName"] for element in record["KeySchema"]}
    for member in _KEYED:
        for index in record.get(member) or ():
            used.update(element["AttributeName"] for element in index["KeySchema"])
    for index in record.get("VectorIndexes") or ():
        if "DeletedAtMs" not in index:
            used.update(schema_names(index))
    record["AttributeDefinitions"] = [
        one for one in record["AttributeDefinitions"] if one["AttributeName"] in used
    ]
