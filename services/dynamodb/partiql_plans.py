"""Where a SELECT reads: the keys that its conditions name, and what is left to test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod

from fogbank.services.dynamodb.conditions import Condition, Node
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.key_conditions import KeyCondition, range_of
from fogbank.services.dynamodb.operands import order_key
from fogbank.services.dynamodb.partiql_statements import (
    Equality,
    Ordering,
    Statement,
    equality,
)
from fogbank.services.dynamodb.schema import Index, Table
from fogbank.services.dynamodb.scope import Scope
from fogbank.services.dynamodb.values import Item, Value, kind_of
from fogbank.storage.keys import after

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-operators.html
PARTITIONS_MAX = 50

_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

Partition = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Ranges of keys in the order in which they are read, and what is left to test."""

    ranges: tuple[tuple[bytes, bytes], ...]
    backward: bool
    tests: tuple[Condition, ...]
    # One item at most: its whole key is given.
    is_point: bool
    # Several partitions: pages are short.
    is_spread: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """The table or index that is read, and the names of its keys."""

    table: Table
    index: Index | None
    hashes: tuple[str, ...]
    sorts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Keys:
    """The partitions that conditions name, how they narrow the sort keys, and the others."""

    partitions: list[Partition]
    sorts: list[KeyCondition]
    rest: list[Node]


def plan(statement: Statement, scope: Scope, table: Table, index: Index | None) -> Plan:
    """The plan of a SELECT: a query where the conditions name partitions, else a scan."""
    hashes = (table.hash_name,) if index is None else index.hash_names
    sorts = table.key_names[1:] if index is None else index.range_names
    place = _Place(table, index, hashes, sorts)
    keys = _keys([condition.root for condition in statement.where], scope, place)
    if keys is not None:
        _check_projected(statement, scope, index)
        return _query(statement, place, [keys], _kept(statement, keys.rest))
    for condition in statement.where:
        branches = _branches(condition.root, scope, place)
        if branches:
            return _query(statement, place, branches, statement.where)
    _check_ordering(statement.order, place, 0)
    prefix = table.prefix if index is None else index.prefix
    return Plan(((prefix, after(prefix)),), False, statement.where, False, False)


def _check_projected(statement: Statement, scope: Scope, index: Index | None) -> None:
    """Conditions beside those on the keys only look at what the index has; a scan's may not."""
    if index is None or index.projection == "ALL":
        return
    names = [name for condition in statement.where for name in condition.top_names(scope)]
    missing = [name for name in dict.fromkeys(names) if name not in index.projected]
    if missing:
        raise ValidationException(
            f"One or more parameter values were invalid: Secondary index {index.name} does not "
            f"project one or more filter attributes: [{', '.join(missing)}]"
        )


def _kept(statement: Statement, rest: list[Node]) -> tuple[Condition, ...]:
    return tuple(one for one in statement.where if any(one.root is node for node in rest))


def _query(
    statement: Statement, place: _Place, branches: list[_Keys], tests: tuple[Condition, ...]
) -> Plan:
    found: dict[str, list[tuple[Partition, _Keys]]] = {}
    for keys in branches:
        for partition in keys.partitions:
            found.setdefault(repr(partition), []).append((partition, keys))
    _check_ordering(statement.order, place, len(found))
    directions = {one.name: one.descending for one in statement.order}
    groups = list(found.values())
    if any(name in directions for name in place.hashes):
        groups.sort(
            key=lambda group: [order_key(value) for value in group[0][0]],
            reverse=directions.get(place.hashes[0], False),
        )
    backward = any(directions.get(name, False) for name in place.sorts)
    ranges: list[tuple[bytes, bytes]] = []
    for group in groups:
        bounds = sorted(_bounds(place, partition, keys.sorts) for partition, keys in group)
        joined = list(_joined(bounds))
        ranges += reversed(joined) if backward else joined
    only = branches[0].sorts
    whole = len(only) == len(place.sorts) and all(one.operator == "=" for one in only)
    is_point = place.index is None and whole and len(branches) == len(groups) == 1
    return Plan(tuple(ranges), backward, tests, is_point, len(groups) > 1)


def _bounds(place: _Place, partition: Partition, sorts: list[KeyCondition]) -> tuple[bytes, bytes]:
    keys = [
        KeyCondition(name, "=", (value,))
        for name, value in zip(place.hashes, partition, strict=True)
    ]
    found = range_of(place.table, place.index, [*keys, *sorts])
    return found.start, found.stop


def _joined(bounds: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """The ranges, in order, without what is in two of them."""
    start, stop = bounds[0]
    for next_start, next_stop in bounds[1:]:
        if next_start <= stop:
            stop = max(stop, next_stop)
        else:
            yield start, stop
            start, stop = next_start, next_stop
    yield start, stop


def _branches(node: Node, scope: Scope, place: _Place) -> list[_Keys]:
    """The keys that each branch of an OR names; none when some branch names none."""
    if node.kind != "or":
        return []
    result = []
    for part in node.parts:
        keys = _keys(list(_conjuncts(part)), scope, place)
        if keys is None:
            return []
        result.append(keys)
    _check_count(len({repr(partition) for keys in result for partition in keys.partitions}))
    _refuse_overlaps(result, scope, place)
    return result


def _conjuncts(node: Node) -> Iterator[Node]:
    if node.kind == "and":
        for part in node.parts:
            yield from _conjuncts(part)
    else:
        yield node


def _refuse_overlaps(branches: list[_Keys], scope: Scope, place: _Place) -> None:
    """Branches on one partition read different sort keys, as far as AWS looks at them.

    A branch that says of its sort key what no range can say is not looked at.
    """
    found: dict[str, list[tuple[bytes, bytes]]] = {}
    for keys in branches:
        if not keys.sorts and any(_tells_of(node, scope, place.sorts) for node in keys.rest):
            continue
        for partition in keys.partitions:
            bounds = _bounds(place, partition, keys.sorts)
            found.setdefault(repr(partition), []).append(bounds)
    for some in found.values():
        for (start, stop), (next_start, next_stop) in pairwise(sorted(some)):
            if next_start < stop and (start, stop) != (next_start, next_stop):
                raise ValidationException(
                    "Overlapping conditions with range keys are not supported in where clause"
                )


def _tells_of(node: Node, scope: Scope, names: Sequence[str]) -> bool:
    return any(
        one.kind == "path" and scope.resolve(one.parts)[0] in names
        for one in (node, *node.operands())
    )


def _keys(nodes: list[Node], scope: Scope, place: _Place) -> _Keys | None:
    """What conditions that all hold say of the keys; None when they name no partition."""
    found: dict[str, Equality] = {}
    rest = []
    for node in nodes:
        one = equality(node, scope)
        if one is not None and one.name in place.hashes and one.name not in found:
            found[one.name] = one
        else:
            rest.append(node)
    if len(found) < len(place.hashes):
        return None
    for name in place.hashes:
        for value in found[name].values:
            check_key_types(place.table, {name: value})
    _check_count(prod(len(found[name].values) for name in place.hashes))
    partitions = list(product(*[found[name].values for name in place.hashes]))
    sorts = _sort_conditions(rest, scope, place)
    return _Keys(partitions, sorts, rest)


def _check_count(partitions: int) -> None:
    if partitions > PARTITIONS_MAX:
        raise ValidationException(
            f"The IN operator is provided with too many operands; number of operands: {partitions}"
        )


def _sort_conditions(rest: list[Node], scope: Scope, place: _Place) -> list[KeyCondition]:
    """The conditions that narrow the range: equalities, then one of any kind; out of `rest`."""
    result: list[KeyCondition] = []
    for name in place.sorts:
        for at, node in enumerate(rest):
            one = _key_condition(node, scope)
            if one is not None and one.name == name:
                for value in one.values:
                    check_key_types(place.table, {name: value})
                result.append(one)
                del rest[at]
                break
        else:
            break
        if result[-1].operator != "=":
            break
    return result


def _key_condition(node: Node, scope: Scope) -> KeyCondition | None:
    """What a condition says of an attribute of the top, if a range of keys can say it."""
    if node.kind == "compare":
        sign, left, right = node.parts
        if left.kind == "value":
            sign, left, right = _FLIPPED.get(sign), right, left
        operator, path, given = sign, left, (right,)
    elif node.kind == "between":
        operator, path, given = "BETWEEN", node.parts[0], node.parts[1:]
    elif node.kind == "call" and node.parts[0] == "begins_with":
        operator, path, given = "begins_with", node.parts[1], node.parts[2:]
    else:
        return None
    if operator in (None, "<>") or path.kind != "path" or len(path.parts) != 1:
        return None
    if any(one.kind != "value" for one in given):
        return None
    name = str(scope.resolve(path.parts)[0])
    return KeyCondition(name, operator, tuple(scope.values[one.parts[0]] for one in given))


def check_key_types(table: Table, key: Item) -> None:
    for name, value in key.items():
        if kind_of(value) != table.types[name]:
            raise ValidationException(
                "Key attribute's data type should match its data type in table's schema: "
                f"Key {name}"
            )


def _check_ordering(order: Sequence[Ordering], place: _Place, partitions: int) -> None:
    for one in order:
        if one.name not in (*place.hashes, *place.sorts):
            raise ValidationException(
                f"Variable reference {one.name} in ORDER BY clause must be part of the primary key"
            )
    if order and not partitions:
        raise ValidationException(
            "Must have at least one non-optional hash key condition in WHERE clause when using "
            "ORDER BY clause."
        )
    if order and partitions > 1 and all(one.name not in place.hashes for one in order):
        raise ValidationException(
            "Must have hash key in ORDER BY clause when more than one hash key condition "
            "specified in WHERE clause."
        )
