"""SELECT: by key when the conditions name one, else by reading the table or the index whole."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from math import prod
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema, stored, values
from fogbank.services.dynamodb.capacity import wanted
from fogbank.services.dynamodb.conditions import Condition, Node
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.key_conditions import KeyCondition, range_of
from fogbank.services.dynamodb.operands import order_key
from fogbank.services.dynamodb.partiql_statements import (
    Equality,
    Ordering,
    Statement,
    equality,
    shown_name,
)
from fogbank.services.dynamodb.reads import (
    Page,
    Reading,
    TooMuchForTheLoop,
    consumed_by,
    fetched,
    fetches,
    is_start_key,
    page_of,
    position,
)
from fogbank.services.dynamodb.schema import Index, Table, key_item
from fogbank.services.dynamodb.scope import Scope, lookup
from fogbank.services.dynamodb.values import Item, Value, kind_of
from fogbank.services.errors import AwsError
from fogbank.storage.keys import after
from fogbank.storage.kv import Reader

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-operators.html
PARTITIONS_MAX = 50
PARTITIONS_PAGE_MAX = 10

_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a SELECT reads: ranges of keys in their order, and what is left to test."""

    ranges: tuple[tuple[bytes, bytes], ...]
    backward: bool
    tests: tuple[Condition, ...]
    # One item at most: its whole key is given.
    is_point: bool
    # Several partitions: pages are short.
    is_spread: bool


def plan(statement: Statement, scope: Scope, table: Table, index: Index | None) -> Plan:
    """The plan of a SELECT: a query where the conditions name partitions, else a scan."""
    hashes = (table.hash_name,) if index is None else index.hash_names
    ranges = table.key_names[1:] if index is None else index.range_names
    found, rest = _equalities(statement, scope, hashes)
    if len(found) < len(hashes):
        _check_ordering(statement.order, (*hashes, *ranges), hashes, 0)
        prefix = table.prefix if index is None else index.prefix
        return Plan(((prefix, after(prefix)),), False, statement.where, False, False)
    for name in hashes:
        _check_types(table, name, found[name].values)
    count = prod(len(found[name].values) for name in hashes)
    if count > PARTITIONS_MAX:
        raise ValidationException(
            f"The IN operator is provided with too many operands; number of operands: {count}"
        )
    partitions = list(product(*[found[name].values for name in hashes]))
    _check_ordering(statement.order, (*hashes, *ranges), hashes, len(partitions))
    sorts, rest = _sort_conditions(rest, scope, table, ranges)
    directions = {one.name: one.descending for one in statement.order}
    if any(name in directions for name in hashes):
        partitions.sort(
            key=lambda partition: [order_key(value) for value in partition],
            reverse=directions.get(hashes[0], False),
        )
    bounds = []
    for partition in partitions:
        keys = [
            KeyCondition(name, "=", (value,)) for name, value in zip(hashes, partition, strict=True)
        ]
        bounds.append(range_of(table, index, [*keys, *sorts]))
    whole = (
        index is None and all(one.operator == "=" for one in sorts) and len(sorts) == len(ranges)
    )
    return Plan(
        tuple((one.start, one.stop) for one in bounds),
        any(directions.get(name, False) for name in ranges),
        tuple(rest),
        whole and len(partitions) == 1,
        len(partitions) > 1,
    )


def _equalities(
    statement: Statement, scope: Scope, names: Sequence[str]
) -> tuple[dict[str, Equality], list[Condition]]:
    """The first equality on each of `names`, and the conditions that are left."""
    found: dict[str, Equality] = {}
    rest = []
    for condition in statement.where:
        one = equality(condition.root, scope)
        if one is not None and one.name in names and one.name not in found:
            found[one.name] = one
        else:
            rest.append(condition)
    return found, rest


def _sort_conditions(
    given: list[Condition], scope: Scope, table: Table, names: Sequence[str]
) -> tuple[list[KeyCondition], list[Condition]]:
    """The conditions on sort keys that narrow the range: equalities, then one of any kind."""
    result: list[KeyCondition] = []
    rest = list(given)
    for name in names:
        for condition in rest:
            one = _key_condition(condition.root, scope)
            if one is not None and one.name == name:
                _check_types(table, name, one.values)
                result.append(one)
                rest.remove(condition)
                break
        else:
            break
        if result[-1].operator != "=":
            break
    return result, rest


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


def _check_types(table: Table, name: str, given: Sequence[Value]) -> None:
    check_key_types(table, {name: given[0]})
    for value in given[1:]:
        check_key_types(table, {name: value})


def check_key_types(table: Table, key: Item) -> None:
    for name, value in key.items():
        if kind_of(value) != table.types[name]:
            raise ValidationException(
                "Key attribute's data type should match its data type in table's schema: "
                f"Key {name}"
            )


def _check_ordering(
    order: Sequence[Ordering], names: Sequence[str], hashes: Sequence[str], partitions: int
) -> None:
    for one in order:
        if one.name not in names:
            raise ValidationException(
                f"Variable reference {one.name} in ORDER BY clause must be part of the primary key"
            )
    if order and not partitions:
        raise ValidationException(
            "Must have at least one non-optional hash key condition in WHERE clause when using "
            "ORDER BY clause."
        )
    if order and partitions > 1 and all(one.name not in hashes for one in order):
        raise ValidationException(
            "Must have hash key in ORDER BY clause when more than one hash key condition "
            "specified in WHERE clause."
        )


async def select(ctx: Context, request: Input, statement: Statement, scope: Scope) -> Output:
    """The answer of ExecuteStatement to a SELECT: a page of items."""
    name = schema.name_of(ctx.world, statement.table)
    record_key = schema.table_key(ctx.world, name)
    now_ms = ctx.clock.now_ms()
    start_key = _start_key(request, scope)
    reading = Reading(
        {**request, "IndexName": statement.index}, scope, None, "", statement.projection, start_key
    )

    def work(tx: Reader, *, brief: bool) -> Output:
        table = schema.load(tx, record_key, now_ms)
        index = _index_of(statement, table, consistent=reading.consistent)
        fetch = fetches(reading, index)
        if index is not None:
            _check_projected(statement, scope, index)
        planned = plan(statement, scope, table, index)
        limit = request.get("Limit")
        if planned.is_spread:
            limit = min(limit or PARTITIONS_PAGE_MAX, PARTITIONS_PAGE_MAX)
        ranges = planned.ranges
        if start_key is not None:
            ranges = _resumed(planned, table, index, start_key)
        page = page_of(_pairs(tx, ranges, planned.backward), limit, brief=brief)
        if fetch:
            page.raws = [fetched(tx, table, page, raw) for raw in page.raws]
        if planned.is_point:
            page.last = None
        answer: Output = {"Items": _items(page, planned.tests, statement, scope)}
        if page.last is not None:
            last = key_item(table, stored.open_(page.last), index)
            answer["NextToken"] = _token(request, scope, last)
            answer["LastEvaluatedKey"] = last
        mode = wanted(request)
        if mode:
            answer["ConsumedCapacity"] = consumed_by(reading, table, index, page, mode)
        return answer

    try:
        return await ctx.store.read(lambda tx: work(tx, brief=True), brief=True)
    except TooMuchForTheLoop:
        return await ctx.store.read(lambda tx: work(tx, brief=False))


def _index_of(statement: Statement, table: Table, *, consistent: bool) -> Index | None:
    """The index that FROM names. The texts differ from those of Query, as they do at AWS."""
    if statement.index is None:
        return None
    found = next((one for one in table.indexes if one.name == statement.index), None)
    if found is None:
        raise ValidationException("The table does not have the specified index")
    if found.is_global and consistent:
        raise ValidationException(
            "Strongly consistent read is not supported on Global Secondary Indexes"
        )
    if not found.ready:
        raise ValidationException(
            f"Cannot read from backfilling global secondary index: {found.name}"
        )
    return found


def _check_projected(statement: Statement, scope: Scope, index: Index) -> None:
    """The conditions only look at what the index has."""
    names = [name for condition in statement.where for name in condition.top_names(scope)]
    missing = [name for name in dict.fromkeys(names) if name not in index.projected]
    if missing and index.projection != "ALL":
        raise ValidationException(
            f"One or more parameter values were invalid: Secondary index {index.name} does not "
            f"project one or more filter attributes: [{', '.join(missing)}]"
        )


def _pairs(
    tx: Reader, ranges: Sequence[tuple[bytes, bytes]], backward: bool
) -> Iterator[tuple[bytes, bytes]]:
    for start, stop in ranges:
        if start < stop:
            yield from tx.range(start, stop, reverse=backward)


def _items(
    page: Page, tests: Sequence[Condition], statement: Statement, scope: Scope
) -> list[Item]:
    items: list[Item] = [stored.open_(raw) for raw in page.raws]
    if tests:
        items = [item for item in items if all(test.holds(item, scope) for test in tests)]
    return [projected(item, statement, scope) for item in items]


def projected(item: Item, statement: Statement, scope: Scope) -> Item:
    """What a SELECT gives of an item: what stands at a path comes under the path's last part."""
    if statement.projection is None:
        return item
    result: Item = {}
    for path in statement.projection.paths:
        resolved = scope.resolve(path)
        value = lookup(item, resolved)
        if value is not None:
            result[shown_name(resolved)] = value
    return result


def _resumed(
    planned: Plan, table: Table, index: Index | None, start_key: Item
) -> tuple[tuple[bytes, bytes], ...]:
    """The ranges that are left behind `start_key`."""
    if is_start_key(table, index, start_key):
        at = position(table, index, start_key)
        for place, (start, stop) in enumerate(planned.ranges):
            if start <= at < stop:
                left = (start, at) if planned.backward else (after(at), stop)
                return (left, *planned.ranges[place + 1 :])
    raise ValidationException("The provided starting key is invalid")


def _binding(request: Input, scope: Scope) -> str:
    """What a NextToken belongs to: a statement with its parameters."""
    bound = [request["Statement"], scope.values]
    return sha256(orjson.dumps(bound, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _token(request: Input, scope: Scope, last: Item) -> str:
    return urlsafe_b64encode(orjson.dumps([_binding(request, scope), last])).decode()


def _start_key(request: Input, scope: Scope) -> Item | None:
    token = request.get("NextToken")
    if token is None:
        return None
    try:
        content: Any = orjson.loads(urlsafe_b64decode(token))
        binding, last = content
        key, _ = values.item(last)
    except (Base64Error, ValueError, TypeError, AwsError):
        raise ValidationException("Invalid NextToken") from None
    if binding != _binding(request, scope):
        raise ValidationException("NextToken does not match request")
    return key
