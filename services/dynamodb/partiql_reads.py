"""SELECT: by key when the conditions name one, else by reading the table or the index whole."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema, stored, values
from fogbank.services.dynamodb.capacity import wanted
from fogbank.services.dynamodb.conditions import Condition
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.pages import Page, TooMuchForTheLoop, page_of
from fogbank.services.dynamodb.partiql_plans import Plan, plan
from fogbank.services.dynamodb.partiql_statements import (
    PERMISSIONS,
    Statement,
    shown_name,
)
from fogbank.services.dynamodb.reads import (
    NOT_SEARCHED,
    SCAN,
    Reading,
    consumed_by,
    fetches,
    is_start_key,
    position,
    units_of,
)
from fogbank.services.dynamodb.schema import Index, Table, key_item
from fogbank.services.dynamodb.scope import Scope, lookup
from fogbank.services.dynamodb.throttling import READ, meter_of
from fogbank.services.dynamodb.values import Item
from fogbank.services.dynamodb.vector_indexes import is_vector_index
from fogbank.services.errors import AwsError
from fogbank.storage.keys import after
from fogbank.storage.kv import Reader

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-operators.html
PARTITIONS_PAGE_MAX = 10


async def select(ctx: Context, request: Input, statement: Statement, scope: Scope) -> Output:
    """The answer of ExecuteStatement to a SELECT: a page of items."""
    name = schema.named(ctx, statement.table, PERMISSIONS[statement.verb])
    record_key = schema.table_key(ctx.world, name)
    now_ms = ctx.clock.now_ms()
    meter = meter_of(ctx)
    start_key = _start_key(request, scope)
    reading = Reading(
        {**request, "IndexName": statement.index}, scope, None, "", statement.projection, start_key
    )

    def work(tx: Reader, *, brief: bool) -> Output:
        table = schema.load(tx, record_key, now_ms)
        index = _index_of(statement, table, reading, now_ms)
        if statement.unsupported is not None:
            raise ValidationException(statement.unsupported)
        metered = index.name if index is not None and index.is_global else ""
        if meter is not None:
            meter.begin()
            meter.admit(table, READ, metered)
        fetch = fetches(reading, index)
        planned = plan(statement, scope, table, index)
        limit = request.get("Limit")
        if planned.is_spread:
            limit = min(limit or PARTITIONS_PAGE_MAX, PARTITIONS_PAGE_MAX)
        ranges = planned.ranges
        if start_key is not None:
            ranges = _resumed(planned, table, index, start_key)
        pairs = _pairs(tx, ranges, planned.backward)
        page = page_of(pairs, limit, (tx, table) if fetch else None, brief=brief)
        if meter is not None:
            meter.spend(table, READ, units_of(reading, page), metered)
        if planned.is_point:
            page.last = None
        answer: Output = {}
        if page.last is not None:
            last = key_item(table, stored.open_(page.last), index)
            answer["NextToken"] = _token(request, scope, last)
            answer["LastEvaluatedKey"] = last
        told = wanted(request, statement.table)
        if told:
            answer["ConsumedCapacity"] = consumed_by(reading, table, index, page, told)
        if not planned.tests and statement.projection is None:
            return _spliced(page, answer)
        return {"Items": _items(page, planned.tests, statement, scope), **answer}

    try:
        answer = await ctx.store.read(lambda tx: work(tx, brief=True), brief=True)
    except TooMuchForTheLoop:
        answer = await ctx.store.read(lambda tx: work(tx, brief=False))
    if meter is not None:
        meter.settle()
    return answer


def _index_of(statement: Statement, table: Table, reading: Reading, now_ms: int) -> Index | None:
    """The index that FROM names. The texts differ from those of Query, as they do at AWS."""
    if statement.index is None:
        return None
    if is_vector_index(table.record, statement.index, now_ms):
        # It has no key that a condition could name: whatever reads it would be a scan.
        raise ValidationException(NOT_SEARCHED[SCAN])
    found = next((one for one in table.indexes if one.name == statement.index), None)
    if found is None:
        raise ValidationException("The table does not have the specified index")
    if found.is_global and reading.consistent:
        raise ValidationException(
            "Strongly consistent read is not supported on Global Secondary Indexes"
        )
    if not found.ready:
        raise ValidationException(
            f"Cannot read from backfilling global secondary index: {found.name}"
        )
    refuse_many_keys(found)
    return found


def refuse_many_keys(index: Index) -> None:
    if len(index.hash_names) > 1 or len(index.range_names) > 1:
        raise ValidationException(
            "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or "
            "multi-attribute RANGE keys."
        )


def _pairs(
    tx: Reader, ranges: Sequence[tuple[bytes, bytes]], backward: bool
) -> Iterator[tuple[bytes, bytes]]:
    for start, stop in ranges:
        if start < stop:
            yield from tx.range(start, stop, reverse=backward)


def _spliced(page: Page, answer: Output) -> Output:
    """Whole items go into the answer as they are stored."""
    joined = b",".join([stored.json_of(raw) for raw in page.raws])
    rest = b"," + orjson.dumps(answer)[1:] if answer else b"}"
    return {"__raw__": b'{"Items":[' + joined + b"]" + rest}


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
