"""Query and Scan: pages cut by size before the filter, in key order or in hash order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import legacy, schema, stored, values
from fogbank.services.dynamodb.capacity import Told, consumed, read_units, wanted
from fogbank.services.dynamodb.conditions import Condition, condition
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.faults import Fault, ValueFault, bare, counted
from fogbank.services.dynamodb.items import NAMES, AnyProjection, projection_of
from fogbank.services.dynamodb.key_conditions import (
    KeyCondition,
    boundaries_hold,
    check_count,
    from_expression,
    range_of,
)
from fogbank.services.dynamodb.keys import base_key, index_key, item_key
from fogbank.services.dynamodb.pages import Fetched, Page, TooMuchForTheLoop, page_of
from fogbank.services.dynamodb.schema import Index, Table, key_item
from fogbank.services.dynamodb.scope import Scope, scope_of
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, BOOLEAN, INTEGER, STRING, check
from fogbank.services.dynamodb.throttling import READ, meter_of
from fogbank.services.dynamodb.values import Item, kind_of
from fogbank.services.dynamodb.vector_indexes import is_vector_index
from fogbank.storage.keys import after
from fogbank.storage.kv import Reader

SEGMENTS_MAX = 1_000_000
QUERY, SCAN = "Query", "Scan"
NOT_CONSISTENT = "Consistent reads are not supported on global secondary indexes"
# Of vector indexes, which only SearchVectors reads. No AWS page has the texts and their order: they
# are as a public test says that it measured them at AWS, of an index that is ACTIVE.
NOT_SEARCHED = {
    QUERY: "Query operation not supported on this index type.",
    SCAN: "Scan operation not supported on this index type",
}

_LEGACY = ("AttributesToGet", "ConditionalOperator")
_READ_SHAPE = {
    "TableName!": STRING,
    "IndexName": STRING,
    "Select": STRING,
    "Limit": INTEGER,
    "ConsistentRead": BOOLEAN,
    "ExclusiveStartKey": {None: ANY},
    "ReturnConsumedCapacity": STRING,
    "ProjectionExpression": STRING,
    "FilterExpression": STRING,
    "ExpressionAttributeNames": NAMES,
    "ExpressionAttributeValues": {None: ANY},
    "AttributesToGet": [STRING],
    "ConditionalOperator": STRING,
}
QUERY_SHAPE = {
    **_READ_SHAPE,
    "KeyConditionExpression": STRING,
    "ScanIndexForward": BOOLEAN,
    "KeyConditions": legacy.CONDITIONS,
    "QueryFilter": legacy.CONDITIONS,
}
SCAN_SHAPE = {
    **_READ_SHAPE,
    "Segment": INTEGER,
    "TotalSegments": INTEGER,
    "ScanFilter": legacy.CONDITIONS,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A Query or Scan as its request asks for it, before its table is known."""

    request: Input
    scope: Scope
    filter: Condition | legacy.LegacyCondition | None
    filter_name: str
    projection: AnyProjection | None
    start_key: Item | None

    @property
    def consistent(self) -> bool:
        return bool(self.request.get("ConsistentRead"))

    @property
    def select(self) -> str | None:
        select: str | None = self.request.get("Select")
        return select


@service.operation("Query")
async def query(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html

    AWS's order: parameters that exclude each other, names and values, the starting key's values,
    that there is a key condition, the projection, the filter, the key condition, what is unused,
    Select; then the table; then the index, key condition against the schema, key attributes in the
    filter, the starting key.
    """
    check(request, QUERY_SHAPE)
    name = schema.named(ctx, request["TableName"], "Query")
    try:
        reading, conditions = _asked(request)
    except ValueFault as fault:
        raise bare(fault) from None
    text = request.get("KeyConditionExpression")

    def place(table: Table, index: Index | None) -> tuple[bytes, bytes, bool]:
        if text is not None:
            check_count(table, index, len(conditions))
        return _query_range(reading, conditions, table, index)

    return await _read(ctx, name, reading, place, QUERY)


def _asked(request: Input) -> tuple[Reading, list[KeyCondition]]:
    """What a Query asks for, as far as its request alone says."""
    older = [*_LEGACY, "QueryFilter"]
    if request.get("KeyConditionExpression") is not None:
        older.append("KeyConditions")
    scope = scope_of(
        request, ("ProjectionExpression", "FilterExpression", "KeyConditionExpression"), older
    )
    start_key = _start_key(request)
    text = request.get("KeyConditionExpression")
    if text is None and request.get("KeyConditions") is None:
        raise ValidationException(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in "
            "the request."
        )
    reading = _reading(request, scope, start_key, "QueryFilter")
    if text is None:
        conditions = legacy.key_conditions(request)
    else:
        conditions = from_expression(text, scope)
    scope.finish()
    try:
        _check_select(reading)
    except Fault as fault:
        raise counted(fault) from None
    return reading, conditions


@service.operation("Scan")
async def scan(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html

    AWS's order: parameters that exclude each other, names and values, segments, the starting key's
    values, the projection, the filter, what is unused, Select; then the table; then the index, the
    starting key against the schema and the segment.
    """
    check(request, SCAN_SHAPE)
    name = schema.named(ctx, request["TableName"], "Scan")
    scope = scope_of(
        request, ("ProjectionExpression", "FilterExpression"), (*_LEGACY, "ScanFilter"), outer=1
    )
    _check_segments(request)
    start_key = _start_key(request)
    reading = _reading(request, scope, start_key, "ScanFilter")
    scope.finish()
    _check_select(reading)

    def place(table: Table, index: Index | None) -> tuple[bytes, bytes, bool]:
        return _scan_range(reading, table, index)

    return await _read(ctx, name, reading, place, SCAN)


def _start_key(request: Input) -> Item | None:
    given = request.get("ExclusiveStartKey")
    if given is None:
        return None
    try:
        return values.item(given)[0]
    except ValueFault as fault:
        raise fault.within("The provided starting key is invalid: {}") from None


def _reading(request: Input, scope: Scope, start_key: Item | None, older_filter: str) -> Reading:
    chosen = projection_of(request, scope)
    tested: Condition | legacy.LegacyCondition | None = legacy.filter_of(request, older_filter)
    filter_name = older_filter
    if request.get("FilterExpression") is not None:
        tested = scope.use(condition(request["FilterExpression"], "FilterExpression"))
        filter_name = "Filter Expression"
    limit = request.get("Limit")
    if limit is not None and limit < 1:
        raise ValidationException(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            "constraint: Member must have value greater than or equal to 1"
        )
    return Reading(request, scope, tested, filter_name, chosen, start_key)


def _check_select(reading: Reading) -> None:
    select, chosen = reading.select, reading.projection
    if chosen is not None and select not in (None, "SPECIFIC_ATTRIBUTES"):
        member = "ProjectionExpression"
        if reading.request.get(member) is None:
            member = "AttributesToGet"
        raise ValidationException(f"Cannot specify the {member} when choosing to get {select}")
    if select == "SPECIFIC_ATTRIBUTES" and chosen is None:
        # Query counts this one, Scan does not.
        raise Fault(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
            "SPECIFIC_ATTRIBUTES"
        )
    if select == "ALL_PROJECTED_ATTRIBUTES" and reading.request.get("IndexName") is None:
        raise ValidationException(
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
        )


def _check_segments(request: Input) -> None:
    segment, total = request.get("Segment"), request.get("TotalSegments")
    if segment is not None and total is None:
        raise ValidationException(
            "The TotalSegments parameter is required but was not present in the request when "
            "Segment parameter is present"
        )
    if total is None:
        return
    if segment is None:
        raise ValidationException(
            "The Segment parameter is required but was not present in the request when parameter "
            "TotalSegments is present"
        )
    if not 1 <= total <= SEGMENTS_MAX:
        bound = "greater than or equal to 1" if total < 1 else "less than or equal to 1000000"
        raise ValidationException(
            f"1 validation error detected: Value '{total}' at 'totalSegments' failed to satisfy "
            f"constraint: Member must have value {bound}"
        )
    if segment < 0:
        raise ValidationException(
            f"1 validation error detected: Value '{segment}' at 'segment' failed to satisfy "
            "constraint: Member must have value greater than or equal to 0"
        )
    if segment >= total:
        raise ValidationException(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )


def _query_range(
    reading: Reading, conditions: list[KeyCondition], table: Table, index: Index | None
) -> tuple[bytes, bytes, bool]:
    keys = range_of(table, index, conditions)
    hashes = (table.hash_name,) if index is None else index.hash_names
    ranges = table.key_names[1:] if index is None else index.range_names
    if reading.filter is not None:
        for name in reading.filter.top_names(reading.scope):
            if name in (*hashes, *ranges):
                raise ValidationException(
                    f"{reading.filter_name} can only contain non-primary key attributes: "
                    f"Primary key attribute: {name}"
                )
    start, stop = keys.start, keys.stop
    backward = reading.request.get("ScanIndexForward") is False
    if reading.start_key is not None:
        if not is_start_key(table, index, reading.start_key):
            raise ValidationException("The provided starting key is invalid")
        boundaries_hold(keys, reading.start_key, hashes)
        at = position(table, index, reading.start_key)
        if backward:
            stop = min(stop, at)
        else:
            start = max(start, after(at))
    return start, stop, backward


def _scan_range(reading: Reading, table: Table, index: Index | None) -> tuple[bytes, bytes, bool]:
    prefix = table.prefix if index is None else index.prefix
    start, stop = prefix, after(prefix)
    segment, total = reading.request.get("Segment"), reading.request.get("TotalSegments")
    if total is not None and segment is not None:
        # A segment is a range of partitions' hashes, so the same items are always in it.
        if segment:
            start = _hash_bound(prefix, (segment << 64) // total)
        if segment + 1 < total:
            stop = _hash_bound(prefix, ((segment + 1) << 64) // total)
    if reading.start_key is not None:
        if not is_start_key(table, index, reading.start_key):
            raise ValidationException(
                "The provided starting key is invalid: The provided key element does not match "
                "the schema"
            )
        at = position(table, index, reading.start_key)
        if not start <= at < stop:
            raise ValidationException(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use "
                "ExclusiveStartKey with correct Segment. "
                f"TotalSegments: {total} Segment: {segment}"
            )
        start = after(at)
    return start, stop, False


def _hash_bound(prefix: bytes, value: int) -> bytes:
    """Before every key of a hash from `value` on: a packed byte string without its end."""
    return prefix + b"\x01" + value.to_bytes(8, "big").replace(b"\x00", b"\x00\xff")


def is_start_key(table: Table, index: Index | None, key: Item) -> bool:
    names = {*table.key_names, *(() if index is None else index.key_names)}
    return key.keys() == names and all(
        kind_of(key[name]) == table.types[name] and next(iter(key[name].values())) != ""
        for name in names
    )


def position(table: Table, index: Index | None, key: Item) -> bytes:
    if index is None:
        return item_key(table, key)
    found = index_key(table, index, key, base_key(table, key))
    assert found is not None
    return found


Place = Callable[[Table, Index | None], tuple[bytes, bytes, bool]]


async def _read(ctx: Context, name: str, reading: Reading, place: Place, operation: str) -> Output:
    record_key = schema.table_key(ctx.world, name)
    now_ms = ctx.clock.now_ms()
    meter = meter_of(ctx)

    def work(tx: Reader, *, brief: bool) -> Output:
        table = schema.load(tx, record_key, now_ms)
        index = _index_of(reading, table, operation, now_ms)
        metered = index.name if index is not None and index.is_global else ""
        if meter is not None:
            meter.begin()
            meter.admit(table, READ, metered)
        start, stop, backward = place(table, index)
        fetch = fetches(reading, index)
        place_ = (start, stop, backward)
        fetched = (tx, table) if fetch else None
        page = _page(tx, place_, reading.request.get("Limit"), fetched, brief=brief)
        if meter is not None:
            meter.spend(table, READ, units_of(reading, page), metered)
        return _answer(reading, table, index, page)

    try:
        answer = await ctx.store.read(lambda tx: work(tx, brief=True), brief=True)
    except TooMuchForTheLoop:
        answer = await ctx.store.read(lambda tx: work(tx, brief=False))
    if meter is not None:
        meter.settle()
    return answer


def _index_of(reading: Reading, table: Table, operation: str, now_ms: int) -> Index | None:
    name = reading.request.get("IndexName")
    if name is None:
        return None
    if is_vector_index(table.record, name, now_ms):
        # A Query is refused for its consistency first, in the words for global indexes.
        if operation == QUERY and reading.consistent:
            raise ValidationException(NOT_CONSISTENT)
        raise ValidationException(NOT_SEARCHED[operation])
    index = table.index(name)
    if index.is_global and reading.consistent:
        raise ValidationException(NOT_CONSISTENT)
    if not index.ready:
        raise ValidationException(
            f"Cannot read from backfilling global secondary index: {index.name}"
        )
    return index


def fetches(reading: Reading, index: Index | None) -> bool:
    """Whether entries must be completed from the table, which only local indexes allow."""
    if index is None or index.projection == "ALL":
        return False
    names: Sequence[str] = ()
    if reading.projection is not None:
        names = reading.projection.top_names(reading.scope)
    missing = [name for name in names if name not in index.projected]
    if index.is_global:
        if reading.select == "ALL_ATTRIBUTES":
            raise ValidationException(
                "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not "
                f"supported for global secondary index {index.name} because its projection type "
                "is not ALL"
            )
        if missing:
            raise ValidationException(
                f"One or more parameter values were invalid: Global secondary index {index.name} "
                f"does not project [{', '.join(missing)}]"
            )
        return False
    return bool(missing) or reading.select == "ALL_ATTRIBUTES"


def _page(
    tx: Reader,
    place: tuple[bytes, bytes, bool],
    limit: int | None,
    fetched: Fetched,
    *,
    brief: bool,
) -> Page:
    start, stop, backward = place
    if start >= stop:
        return Page()
    pairs = tx.range(start, stop, reverse=backward, expected=limit or 0)
    return page_of(pairs, limit, fetched, brief=brief)


def _answer(reading: Reading, table: Table, index: Index | None, page: Page) -> Output:
    answer: Output = {"Count": len(page.raws), "ScannedCount": len(page.raws)}
    if page.last is not None:
        answer["LastEvaluatedKey"] = key_item(table, stored.open_(page.last), index)
    told = wanted(reading.request)
    if told:
        answer["ConsumedCapacity"] = consumed_by(reading, table, index, page, told)
    if reading.filter is None and reading.projection is None:
        if reading.select == "COUNT":
            return answer
        items_json = b",".join([raw[stored.HEAD_BYTES :] for raw in page.raws])
        rest = orjson.dumps(answer)[1:]
        return {"__raw__": b"".join((b'{"Items":[', items_json, b"],", rest))}
    items: list[dict[str, Any]] = [stored.open_(raw) for raw in page.raws]
    if reading.filter is not None:
        holds, scope = reading.filter.holds, reading.scope
        items = [item for item in items if holds(item, scope)]
    answer["Count"] = len(items)
    if reading.select != "COUNT":
        if reading.projection is not None:
            items = [reading.projection.of(item, reading.scope) for item in items]
        answer["Items"] = items
    return answer


def units_of(reading: Reading, page: Page) -> float:
    """Of the entries together and, where items were fetched, of each of them."""
    units = read_units(page.size_bytes, consistent=reading.consistent)
    return units + _fetched_units(reading, page)


def _fetched_units(reading: Reading, page: Page) -> float:
    if not page.fetched_bytes:
        return 0.0
    return read_units(page.fetched_bytes, consistent=reading.consistent)


def consumed_by(
    reading: Reading, table: Table, index: Index | None, page: Page, told: Told
) -> dict[str, Any]:
    units = read_units(page.size_bytes, consistent=reading.consistent)
    if index is None:
        return consumed(table, told, units)
    return consumed(table, told, _fetched_units(reading, page), {index.name: units})
