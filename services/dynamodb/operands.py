"""What the operators and functions of expressions compute, over attribute values."""

from base64 import b64decode
from decimal import Decimal
from typing import Any

from fogbank.services.dynamodb.values import SET_ORDER, Value

ORDERED = ("S", "N", "B")
TYPES = ("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M")


def order_key(value: Value) -> Any:
    """What a scalar compares by; None for a type without an order."""
    kind, member = next(iter(value.items()))
    if kind == "S":
        # Python orders text by code point, which is the order of its UTF-8.
        return member
    if kind == "N":
        return Decimal(member)
    return b64decode(member) if kind == "B" else None


def compare(operator: str, left: Value | None, right: Value | None) -> bool:
    """Values of different types are unequal and have no order."""
    if operator == "=":
        return left is not None and left == right
    if operator == "<>":
        return left != right
    if left is None or right is None or left.keys() != right.keys():
        return False
    first, second = order_key(left), order_key(right)
    if first is None:
        return False
    if operator == "<":
        return bool(first < second)
    if operator == "<=":
        return bool(first <= second)
    if operator == ">":
        return bool(first > second)
    return bool(first >= second)


def begins_with(value: Value | None, start: Value | None) -> bool:
    if value is None or start is None:
        return False
    if "S" in value and "S" in start:
        return bool(value["S"].startswith(start["S"]))
    if "B" in value and "B" in start:
        return b64decode(value["B"]).startswith(b64decode(start["B"]))
    return False


def contains(value: Value | None, wanted: Value | None) -> bool:
    if value is None or wanted is None:
        return False
    kind, member = next(iter(value.items()))
    other, sought = next(iter(wanted.items()))
    if kind == "S":
        return other == "S" and sought in member
    if kind == "B":
        return other == "B" and b64decode(sought) in b64decode(member)
    if kind in SET_ORDER:
        return other == kind[0] and sought in member
    return kind == "L" and wanted in member


def size(value: Value | None) -> Value | None:
    """The size function's number; None where there is none, which no comparison holds for."""
    if value is None:
        return None
    kind, member = next(iter(value.items()))
    if kind == "S":
        return {"N": str(len(member))}
    if kind == "B":
        return {"N": str(len(b64decode(member)))}
    if kind in ("L", "M") or kind in SET_ORDER:
        return {"N": str(len(member))}
    return None
