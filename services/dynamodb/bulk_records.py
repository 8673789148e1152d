"""The records of a bulk put: an item each, with a condition of its own if it has one.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.Format.html

Conditions are members beside the Item, under the names that PutItem has for them. That they are is
not confirmed by a page that was read whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from fogbank.services.dynamodb import ion, stored, values
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.import_formats import BadObject, BadRecord
from fogbank.services.dynamodb.items import NAMES, Work, check_size, guard_of, put_work
from fogbank.services.dynamodb.scope import scope_of
from fogbank.services.dynamodb.shapes import ANY, STRING, check
from fogbank.services.dynamodb.values import Item
from fogbank.services.errors import AwsError

_SHAPE = {
    "Item!": {None: ANY},
    "ConditionExpression": STRING,
    "ExpressionAttributeNames": NAMES,
    "ExpressionAttributeValues": {None: ANY},
}


@dataclass(frozen=True, slots=True)
class Put:
    """One record, the `number`th of the object `key`: what is to be written, or why it cannot be.

    An item that cannot be is as it was given. With the last one the object cannot be read further.
    """

    key: str
    number: int
    size_bytes: int
    item: Item
    work: Work | None
    error: AwsError | None = None
    is_last: bool = False


def put_of(key: str, number: int, format_: str, record: Any) -> Put:
    """The put that the record is; a line that is no JSON ends its object."""
    request: dict[str, Any] = {}
    try:
        request = _READERS[format_](record)
        check(request, _SHAPE)
        scope = scope_of(request, ("ConditionExpression",))
        item, size = values.item(request["Item"])
        check_size(size)
        guard = guard_of({**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}, scope)
        scope.finish()
    except BadObject:
        return broken(key, number)
    except BadRecord:
        return Put(key, number, 0, {}, None, ValidationException("The record has no Item"))
    except AwsError as error:
        return Put(key, number, 0, request["Item"], None, error)
    return Put(key, number, size, item, put_work(item, stored.seal(item, size), guard))


def broken(key: str, number: int) -> Put:
    """The record from which on the object cannot be read."""
    error = ValidationException("The object cannot be read from this record on")
    return Put(key, number, 0, {}, None, error, is_last=True)


def _json(line: bytes) -> dict[str, Any]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadObject(str(error)) from None
    if not isinstance(record, dict) or not isinstance(record.get("Item"), dict):
        raise BadRecord
    return record


def _ion(value: Any) -> dict[str, Any]:
    members = ion.members(value)
    request: dict[str, Any] = {"Item": ion.item_of(value)}
    if "ConditionExpression" in members:
        request["ConditionExpression"] = str(members["ConditionExpression"])
    if "ExpressionAttributeNames" in members:
        names = ion.members(members["ExpressionAttributeNames"])
        request["ExpressionAttributeNames"] = {name: str(one) for name, one in names.items()}
    if "ExpressionAttributeValues" in members:
        request["ExpressionAttributeValues"] = ion.item(members["ExpressionAttributeValues"])
    return request


_READERS: dict[str, Callable[[Any], dict[str, Any]]] = {"DYNAMODB_JSON": _json, "ION": _ion}
