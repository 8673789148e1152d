"""PATCH: operations on the fields of a record, each field with the operations that it allows.

https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fogbank.services.apigateway.errors import BadRequestException

Record = dict[str, Any]
# (record, the path's segments after the field's name, operation, value)
Apply = Callable[[Record, list[str], str, str | None], None]


@dataclass(frozen=True, slots=True)
class Field:
    """`depth` is how many path segments follow the field's name; None leaves that to `apply`."""

    ops: tuple[str, ...]
    apply: Apply
    depth: int | None = 0


def patched(
    record: Record, operations: list[dict[str, Any]], fields: Mapping[str, Field]
) -> Record:
    """A copy of `record` with `operations` applied in order."""
    result = copy.deepcopy(record)
    for operation in operations:
        path = str(operation.get("path") or "")
        name, *rest = segments_of(path)
        field = fields.get(name)
        if field is None or field.depth not in (None, len(rest)):
            raise BadRequestException.patch_path(path)
        if operation.get("op") not in field.ops:
            raise BadRequestException.patch_op(field.ops)
        field.apply(result, rest, str(operation["op"]), operation.get("value"))
    return result


def segments_of(path: str) -> list[str]:
    """The segments of a JSON pointer, unescaped; an empty list of names is one empty name."""
    if not path.startswith("/"):
        raise BadRequestException.patch_path(path)
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def is_true(value: str | None) -> bool:
    """AWS takes any text for a boolean; everything that is not "true" is false."""
    return (value or "").lower() == "true"


def text(name: str) -> Field:
    """A text that `replace` sets, or takes away when it is set to nothing."""

    def apply(record: Record, rest: list[str], op: str, value: str | None) -> None:
        if value:
            record[name] = value
        else:
            record.pop(name, None)

    return Field(("replace",), apply)


def flag(name: str) -> Field:
    def apply(record: Record, rest: list[str], op: str, value: str | None) -> None:
        record[name] = is_true(value)

    return Field(("replace",), apply)


def entry(name: str, of: Callable[[str], Any] = str) -> Field:
    """An entry of a map: `/name/key`."""

    def apply(record: Record, rest: list[str], op: str, value: str | None) -> None:
        entries = record.setdefault(name, {})
        if op == "remove":
            entries.pop(rest[0], None)
        else:
            entries[rest[0]] = of(value or "")
        if not entries:
            del record[name]

    return Field(("add", "remove", "replace"), apply, depth=1)


def member(name: str) -> Field:
    """A member of a list of texts: the path's last segment is the member itself, as AWS has it."""

    def apply(record: Record, rest: list[str], op: str, value: str | None) -> None:
        members = record.setdefault(name, [])
        if op == "remove":
            members[:] = [one for one in members if one != rest[0]]
        elif op == "replace" and rest[0] in members:
            members[members.index(rest[0])] = value or rest[0]
        elif rest[0] not in members:
            members.append(rest[0])

    return Field(("add", "remove", "replace"), apply, depth=1)
