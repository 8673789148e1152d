"""Key conditions: which partition a query reads, and between which sort keys."""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from fogbank.services.dynamodb.conditions import (
    COMPILED_MAX,
    Condition,
    Node,
    compiled,
    condition,
)
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.keys import part
from fogbank.services.dynamodb.operands import begins_with, compare
from fogbank.services.dynamodb.schema import Index, Table, hash8
from fogbank.services.dynamodb.scope import Scope
from fogbank.services.dynamodb.values import Item, Value, kind_of
from fogbank.storage.keys import after, pack

KIND = "KeyConditionExpression"
ONE_PER_KEY = (
    "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per "
    "key"
)
# An operator, the path of the key, and the placeholders of values.
_Found = tuple[str, tuple[str | int, ...], tuple[str, ...]]
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


@dataclass(frozen=True, slots=True)
class KeyCondition:
    """`operator`: a comparator, BETWEEN or begins_with."""

    name: str
    operator: str
    values: tuple[Value, ...]

    def holds(self, value: Value) -> bool:
        if self.operator == "begins_with":
            return begins_with(value, self.values[0])
        if self.operator == "BETWEEN":
            low, high = self.values
            return compare(">=", value, low) and compare("<=", value, high)
        return compare(self.operator, value, self.values[0])


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys that a query reads: `start <= key < stop`."""

    start: bytes
    stop: bytes
    conditions: tuple[KeyCondition, ...]


def from_expression(text: str, scope: Scope) -> list[KeyCondition]:
    """The conditions that a KeyConditionExpression names, in their order."""
    found, clauses = _compiled(text)
    for clause in clauses:
        # Each is used for itself, as what is wrong is told clause by clause.
        scope.use(clause)
    result = [
        KeyCondition(
            str(scope.resolve(path)[0]), operator, tuple(scope.values[name] for name in names)
        )
        for operator, path, names in found
    ]
    if len(result) > 2 and len({one.name for one in result}) < len(result):
        _fail(ONE_PER_KEY)
    return result


@lru_cache(maxsize=COMPILED_MAX)
def _compiled(text: str) -> tuple[tuple[_Found, ...], tuple[Condition, ...]]:
    """What the expression says of keys, and its clauses."""
    root = condition(text, KIND).root
    return tuple(_conditions(root)), tuple(compiled(clause, KIND) for clause in _clauses(root))


def _fail(message: str) -> NoReturn:
    # AWS says these without the prefix that its other texts on expressions have.
    raise ValidationException(message)


def _clauses(node: Node) -> Iterator[Node]:
    if node.kind == "and":
        for inner in node.parts:
            yield from _clauses(inner)
    else:
        yield node


def _conditions(node: Node) -> Iterator[_Found]:
    if node.kind == "and":
        for inner in node.parts:
            yield from _conditions(inner)
        return
    if node.kind in ("or", "not", "in"):
        _fail(f"Invalid operator used in {KIND}: {node.kind.upper()}")
    operator = {"compare": node.parts[0], "between": "BETWEEN", "call": node.parts[0]}[node.kind]
    if operator == "<>" or (node.kind == "call" and operator != "begins_with"):
        _fail(f"Invalid operator used in {KIND}: {operator}")
    arguments: Sequence[Node] = node.parts if node.kind == "between" else node.parts[1:]
    if any(argument.kind == "call" for argument in arguments):
        _fail("KeyConditionExpressions cannot contain nested operations")
    paths = [argument for argument in arguments if argument.kind == "path"]
    if not paths:
        _fail("Invalid condition in KeyConditionExpression: No key attribute specified")
    if len(paths) > 1:
        _fail(
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one "
            "condition"
        )
    if len(paths[0].parts) > 1:
        _fail("KeyConditionExpressions cannot have conditions on nested attributes")
    if arguments[0] is not paths[0]:
        if node.kind != "compare":
            _fail(
                f"Invalid condition in KeyConditionExpression: {operator} operator must have the "
                "key attribute as its first operand"
            )
        operator = _FLIPPED[operator]
    yield (
        operator,
        paths[0].parts,
        tuple(argument.parts[0] for argument in arguments if argument.kind == "value"),
    )


def check_count(table: Table, index: Index | None, conditions: int) -> None:
    """There are not more conditions than keys; what AWS says of it for KeyConditions differs."""
    keys = len(table.key_names if index is None else index.key_names)
    if conditions > max(keys, 2):
        raise ValidationException(
            f"The number of query conditions ({conditions}) exceeds the number of key attributes "
            f"defined in the schema ({keys})"
        )


def range_of(table: Table, index: Index | None, given: list[KeyCondition]) -> KeyRange:
    """The keys that fulfil the conditions; raises what AWS raises when they are no key range."""
    names = [one.name for one in given]
    if len(set(names)) < len(names):
        _fail(ONE_PER_KEY)
    hashes = (table.hash_name,) if index is None else index.hash_names
    ranges = table.key_names[1:] if index is None else index.range_names
    if len(given) > len(hashes) + len(ranges) and len(given) > 2:
        raise ValidationException("Conditions can be of length 1 or 2 only")
    by_name = {one.name: one for one in given}
    for name in hashes:
        if name not in by_name:
            raise ValidationException(f"Query condition missed key schema element: {name}")
    others = [one for one in given if one.name not in hashes]
    if len(ranges) > 1:
        _check_prefix(ranges, by_name)
    for position in range(len(others)):
        if position >= len(ranges) or ranges[position] not in by_name:
            missed = ranges[position] if position < len(ranges) else None
            if missed is None:
                raise ValidationException("Query key condition not supported")
            raise ValidationException(f"Query condition missed key schema element: {missed}")
    ordered = [by_name[name] for name in (*hashes, *ranges[: len(others)])]
    for one in ordered:
        if any(kind_of(value) != table.types[one.name] for value in one.values):
            raise ValidationException(
                "One or more parameter values were invalid: Condition parameter type does not "
                "match schema type"
            )
        _check_not_empty(one)
    if any(one.operator != "=" for one in ordered[: len(hashes) + max(0, len(others) - 1)]):
        raise ValidationException("Query key condition not supported")
    return _bounds(table, index, ordered, len(hashes))


def _check_prefix(ranges: Sequence[str], by_name: dict[str, KeyCondition]) -> None:
    """All sort keys before the last that a condition is on are equal to something."""
    last = max((at for at, name in enumerate(ranges) if name in by_name), default=0)
    wrong = [name for name in ranges[:last] if name not in by_name or by_name[name].operator != "="]
    if wrong:
        raise ValidationException(
            f"RANGE key attributes {', '.join(wrong)} must have equality conditions specified in "
            f"the query because a condition is present on key attribute {ranges[last]}"
        )


def _check_not_empty(one: KeyCondition) -> None:
    for value in one.values:
        kind, member = next(iter(value.items()))
        if member == "" and one.operator != "begins_with":
            word = "string" if kind == "S" else "binary"
            raise ValidationException(
                "One or more parameter values are not valid. The AttributeValue for a key "
                f"attribute cannot contain an empty {word} value. Key: {one.name}"
            )


def _bounds(
    table: Table, index: Index | None, ordered: list[KeyCondition], hash_count: int
) -> KeyRange:
    packed = pack(*[part(one.values[0]) for one in ordered[:hash_count]])
    prefix = (table.prefix if index is None else index.prefix) + pack(hash8(packed)) + packed
    rest = ordered[hash_count:]
    while rest and rest[0].operator == "=":
        prefix += pack(part(rest.pop(0).values[0]))
    start, stop = prefix, after(prefix)
    if rest:
        start, stop = _sort_bounds(prefix, rest[0])
    return KeyRange(start, stop, tuple(ordered))


def _sort_bounds(prefix: bytes, one: KeyCondition) -> tuple[bytes, bytes]:
    first = prefix + pack(part(one.values[0]))
    if one.operator == "BETWEEN":
        return first, after(prefix + pack(part(one.values[1])))
    if one.operator == "begins_with":
        return _begin_bounds(prefix, one.values[0])
    return {
        "<": (prefix, first),
        "<=": (prefix, after(first)),
        ">": (after(first), after(prefix)),
        ">=": (first, after(prefix)),
    }[one.operator]


def _begin_bounds(prefix: bytes, value: Value) -> tuple[bytes, bytes]:
    kind, member = next(iter(value.items()))
    if kind == "N":
        raise ValidationException(
            "Invalid KeyConditionExpression: Incorrect operand type for operator or function; "
            "operator or function: begins_with, operand type: N"
        )
    data = member.encode() if kind == "S" else b64decode(member)
    # A packed part ends in a zero, so its beginning is the part without that.
    start = prefix + pack(member if kind == "S" else data)[:-1]
    # The first key behind all that begin so: the last byte that can grow, grown.
    grown = start.rstrip(b"\xff")
    return start, grown[:-1] + bytes((grown[-1] + 1,))


def boundaries_hold(keys: KeyRange, start_key: Item, hash_names: Sequence[str]) -> None:
    """An ExclusiveStartKey lies within the query; raises what AWS raises when it does not."""
    for one in keys.conditions:
        if one.name in hash_names:
            if not one.holds(start_key[one.name]):
                raise ValidationException(
                    "The provided starting key is outside query boundaries based on provided "
                    "conditions"
                )
        elif not one.holds(start_key[one.name]):
            raise ValidationException(
                "The provided starting key does not match the range key predicate"
            )
