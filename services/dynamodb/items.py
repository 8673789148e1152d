"""One item at a time: put, got, updated and deleted."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import legacy, schema, stored, values
from fogbank.services.dynamodb.capacity import Told, consumed, read_units, wanted, write_units
from fogbank.services.dynamodb.changes import IndexUnits, change_item
from fogbank.services.dynamodb.conditions import Truth, condition
from fogbank.services.dynamodb.errors import (
    ConditionalCheckFailedException,
    ValidationException,
)
from fogbank.services.dynamodb.faults import KindFault, ValueFault, bare, counted
from fogbank.services.dynamodb.item_collections import metrics
from fogbank.services.dynamodb.keys import (
    check_item,
    check_key,
    check_updated,
    expected_reads,
    item_key,
)
from fogbank.services.dynamodb.moments import Moment, moment_of
from fogbank.services.dynamodb.paths import Projection, projection, select
from fogbank.services.dynamodb.schema import Table
from fogbank.services.dynamodb.scope import Scope, scope_of
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, BOOLEAN, STRING, check
from fogbank.services.dynamodb.throttling import READ, WRITE, Meter, meter_of
from fogbank.services.dynamodb.updates import Update, update
from fogbank.services.dynamodb.values import ITEM_BYTES_MAX, Item
from fogbank.services.dynamodb.vectors import billed_bytes, check_vectors_of, written
from fogbank.storage.kv import Reader, Writer

_LEGACY = ("Expected", "ConditionalOperator")
AnyUpdate = Update | legacy.LegacyUpdate
AnyProjection = Projection | legacy.Attributes

NAMES = {None: STRING}
WRITE_SHAPE = {
    "TableName!": STRING,
    "ConditionExpression": STRING,
    "ExpressionAttributeNames": NAMES,
    "ExpressionAttributeValues": {None: ANY},
    "ReturnValues": STRING,
    "ReturnConsumedCapacity": STRING,
    "ReturnItemCollectionMetrics": STRING,
    "ReturnValuesOnConditionCheckFailure": STRING,
    "Expected": legacy.EXPECTED,
    "ConditionalOperator": STRING,
}
PUT_SHAPE = {**WRITE_SHAPE, "Item!": {None: ANY}}
DELETE_SHAPE = {**WRITE_SHAPE, "Key!": {None: ANY}}
UPDATE_SHAPE = {
    **DELETE_SHAPE,
    "UpdateExpression": STRING,
    "AttributeUpdates": legacy.ATTRIBUTE_UPDATES,
}
GET_SHAPE = {
    "TableName!": STRING,
    "Key!": {None: ANY},
    "ConsistentRead": BOOLEAN,
    "ProjectionExpression": STRING,
    "ExpressionAttributeNames": NAMES,
    "ReturnConsumedCapacity": STRING,
    "AttributesToGet": [STRING],
}


@dataclass(frozen=True, slots=True)
class Change:
    """What was written: the item before and after as stored, and what each index took.

    `collection` are the metrics of its item collection, where there are collections.
    """

    table: Table
    old: bytes | None
    new: bytes | None
    index_units: IndexUnits
    collection: dict[str, Any] | None = None


# A write of one item, ready to run on its table.
Work = Callable[[Writer, Table, Moment], Change]


@dataclass(frozen=True, slots=True)
class Guard:
    """The condition of a write, and whether a failure shows the item."""

    holds: Truth | None
    scope: Scope
    shows_item: bool

    def check(self, old: bytes | None) -> None:
        if self.holds is None:
            return
        item = {} if old is None else stored.open_(old)
        if not self.holds(item, self.scope):
            raise ConditionalCheckFailedException(item if self.shows_item and item else None)


def changed(
    tx: Writer,
    table: Table,
    item: Item,
    places: tuple[bytes, bytes | None, bytes | None],
    moment: Moment,
) -> Change:
    """The item is changed. `item` has its key; `places` are its key, what was and what is there."""
    key, old, new = places
    units = change_item(tx, table, key, old, new, moment)
    return Change(table, old, new, units, metrics(tx, table, item) if table.indexes else None)


def guard_of(request: Input, scope: Scope) -> Guard:
    """The condition that the request has, in either of its forms."""
    text = request.get("ConditionExpression")
    older = legacy.expected(request)
    holds = None if older is None else older.holds
    if text is not None:
        holds = scope.use(condition(text)).holds
    return Guard(holds, scope, request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD")


def _guard_of_one(request: Input, scope: Scope) -> Guard:
    """The guard of a PutItem or UpdateItem; their own expressions' faults are told plainly."""
    try:
        return guard_of(request, scope)
    except ValidationException as error:
        raise counted(error) from None


@service.operation("PutItem")
async def put_item(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html

    AWS's order: parameters that exclude each other, names and values, the item's values,
    ReturnValues, size, the expression; then the table; then keys; then the condition.
    """
    check(request, PUT_SHAPE)
    name = schema.named(ctx, request["TableName"], "PutItem")
    try:
        scope = scope_of(request, ("ConditionExpression",), _LEGACY)
        try:
            item, size = values.item(request["Item"])
        except KindFault as fault:
            # AWS's regions differ over these in an item: this is the form of most.
            raise ValidationException(fault.older) from None
    except ValueFault as fault:
        raise counted(fault) from None
    check_return_values(request)
    check_size(size)
    guard = _guard_of_one(request, scope)
    scope.finish()
    write = put_work(item, stored.seal(item, size), guard)
    change = await _write(ctx, name, item, write)
    return _answer(request, change)


def put_work(item: Item, raw: bytes, guard: Guard) -> Work:
    """The item is stored, of which `raw` is the stored form."""

    def work(tx: Writer, table: Table, moment: Moment) -> Change:
        check_item(table, item)
        if table.record.get("VectorIndexes"):
            check_vectors_of(table, item)
        key = item_key(table, item)
        old = tx.get(key)
        guard.check(old)
        return changed(tx, table, item, (key, old, raw), moment)

    return work


def check_return_values(request: Input) -> None:
    if request.get("ReturnValues") not in (None, "NONE", "ALL_OLD"):
        raise counted(ValidationException("ReturnValues can only be ALL_OLD or NONE"))


def check_size(size_bytes: int) -> None:
    if size_bytes > ITEM_BYTES_MAX:
        raise ValidationException("Item size has exceeded the maximum allowed size")


@service.operation("DeleteItem")
async def delete_item(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html

    AWS's order: parameters that exclude each other, names and values, the key's values,
    ReturnValues, the expression; then the table; then the key; then the condition.
    """
    check(request, DELETE_SHAPE)
    name = schema.named(ctx, request["TableName"], "DeleteItem")
    try:
        scope = scope_of(request, ("ConditionExpression",), _LEGACY)
        key, _ = values.item(request["Key"])
        check_return_values(request)
        guard = guard_of(request, scope)
        scope.finish()
    except ValidationException as error:
        raise counted(error) from None
    change = await _write(ctx, name, key, delete_work(key, guard))
    return _answer(request, change)


def delete_work(wanted_key: Item, guard: Guard) -> Work:
    """The item is gone, if it was there."""

    def work(tx: Writer, table: Table, moment: Moment) -> Change:
        check_key(table, wanted_key)
        key = item_key(table, wanted_key)
        old = tx.get(key)
        guard.check(old)
        return changed(tx, table, wanted_key, (key, old, None), moment)

    return work


@service.operation("UpdateItem")
async def update_item(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html

    AWS's order: parameters that exclude each other, names and values, the key's values, the
    update, the condition, what is unused; then the table; then the key, attributes of the key in
    the update, the condition, the update on the item, its size, its index keys.
    """
    check(request, UPDATE_SHAPE)
    name = schema.named(ctx, request["TableName"], "UpdateItem")
    try:
        scope = scope_of(
            request, ("UpdateExpression", "ConditionExpression"), ("AttributeUpdates", *_LEGACY)
        )
        key, _ = values.item(request["Key"])
        compiled: AnyUpdate | None = legacy.update_of(request)
    except ValueFault as fault:
        raise counted(fault) from None
    if request.get("UpdateExpression") is not None:
        compiled = scope.use(update(request["UpdateExpression"]))
    guard = _guard_of_one(request, scope)
    scope.finish()
    change = await _write(ctx, name, key, update_work(key, compiled, guard, scope))
    answer = _answer(request, change)
    attributes = _updated(request, change, compiled, scope)
    if attributes:
        answer["Attributes"] = attributes
    return answer


def update_work(wanted_key: Item, compiled: AnyUpdate | None, guard: Guard, scope: Scope) -> Work:
    """The item is what the update makes of it, or of its key when it was not there."""

    def work(tx: Writer, table: Table, moment: Moment) -> Change:
        check_key(table, wanted_key)
        if compiled is not None:
            _check_no_key(table, compiled.top_names(scope))
        key = item_key(table, wanted_key)
        old = tx.get(key)
        guard.check(old)
        before = wanted_key if old is None else stored.open_(old)
        after = before if compiled is None else compiled.apply(before, scope)
        if old is None and compiled is not None and compiled.only_removes:
            # Taking attributes from an item that is not there does not create it.
            return Change(table, None, None, {})
        new, size = values.item(after)
        if size > ITEM_BYTES_MAX:
            raise ValidationException("Item size to update has exceeded the maximum allowed size")
        check_updated(table, new)
        if table.record.get("VectorIndexes"):
            check_vectors_of(table, new, updated=True)
        raw = stored.seal(new, size)
        return changed(tx, table, wanted_key, (key, old, raw), moment)

    return work


def _check_no_key(table: Table, names: list[str]) -> None:
    for name in names:
        if name in table.key_names:
            raise ValidationException(
                f"One or more parameter values were invalid: Cannot update attribute {name}. "
                "This attribute is part of the key"
            )


def _updated(request: Input, change: Change, compiled: AnyUpdate | None, scope: Scope) -> Item:
    """What ReturnValues asks for of the item: all that it is now, or what was updated."""
    mode = request.get("ReturnValues")
    raw = change.old if mode == "UPDATED_OLD" else change.new
    if raw is None or mode not in ("ALL_NEW", "UPDATED_NEW", "UPDATED_OLD"):
        return {}
    item = stored.open_(raw)
    if mode == "ALL_NEW":
        return item
    return select(item, [] if compiled is None else compiled.paths(scope))


async def _write(ctx: Context, name: str, item: Item, work: Work) -> Change:
    """Do the work on the table of that name; `item` has the key of what changes."""
    key = schema.table_key(ctx.world, name)
    reads = expected_reads(key, (item,))
    moment = moment_of(ctx)
    meter = meter_of(ctx)
    change = await ctx.store.write(lambda tx: metered(tx, key, work, moment, meter), reads=reads)
    if meter is not None:
        meter.settle()
    return change


def metered(tx: Writer, key: bytes, work: Work, moment: Moment, meter: Meter | None) -> Change:
    """The write, when there is throughput for it; without a meter there always is."""
    table = schema.load(tx, key, moment.now_ms)
    if meter is None:
        return work(tx, table, moment)
    meter.begin()
    meter.admit(table, WRITE)
    change = work(tx, table, moment)
    meter.write(table, write_cost(change), change.index_units)
    return change


def _answer(request: Input, change: Change) -> Output:
    """What the request wants back of a write: the old item, capacity, collection metrics."""
    answer: Output = {}
    if request.get("ReturnValues") == "ALL_OLD" and change.old is not None:
        answer["Attributes"] = stored.open_(change.old)
    told = wanted(request)
    if told:
        answer["ConsumedCapacity"] = consumed_by(change, told)
    if request.get("ReturnItemCollectionMetrics") == "SIZE" and change.collection:
        answer["ItemCollectionMetrics"] = change.collection
    return answer


def consumed_by(change: Change, told: Told) -> dict[str, Any]:
    """The ConsumedCapacity of one write."""
    capacity = consumed(change.table, told, write_cost(change), change.index_units)
    return capacity | vectors_written(told, (change,))


def vectors_written(told: Told, changes: Iterable[Change]) -> dict[str, Any]:
    """The VectorIndexes of a ConsumedCapacity: what writes to one table made each index take.

    Each write counts on its own, and once: AWS does not say that transactions double what is
    replicated to an index.
    """
    found: dict[str, float] = {}
    for change in changes if told.mode == "INDEXES" else ():
        if change.table.record.get("VectorIndexes"):
            for name, size in written(change.table, change.old, change.new).items():
                found[name] = found.get(name, 0.0) + size
    if not found:
        return {}
    return {
        "VectorIndexes": {name: {"VectorWriteRequestBytes": size} for name, size in found.items()}
    }


def write_cost(change: Change) -> float:
    """The table's units of a write."""
    raws = [raw for raw in (change.old, change.new) if raw is not None]
    if change.table.record.get("VectorIndexes"):
        return write_units(*[billed_bytes(change.table, raw) for raw in raws])
    return write_units(*map(stored.size_of, raws))


def projection_of(request: Input, scope: Scope) -> AnyProjection | None:
    """What a read keeps of an item; None is all of it."""
    if request.get("ProjectionExpression") is not None:
        return scope.use(projection(request["ProjectionExpression"]))
    return legacy.attributes(request)


@service.operation("GetItem")
async def get_item(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html

    AWS's order: parameters that exclude each other, names, the key's values, the projection, what
    is unused; then the table; then the key.
    """
    check(request, GET_SHAPE)
    name = schema.named(ctx, request["TableName"], "GetItem")
    scope = scope_of(request, ("ProjectionExpression",), ("AttributesToGet",))
    try:
        wanted_key, _ = values.item(request["Key"])
    except ValueFault as fault:
        raise bare(fault) from None
    chosen = projection_of(request, scope)
    scope.finish()
    record_key = schema.table_key(ctx.world, name)
    now_ms = ctx.clock.now_ms()
    meter = meter_of(ctx)

    def work(tx: Reader) -> tuple[Table, bytes | None]:
        table = schema.load(tx, record_key, now_ms)
        check_key(table, wanted_key)
        if meter is not None:
            meter.admit(table, READ)
        return table, tx.get(item_key(table, wanted_key))

    table, raw = await ctx.store.read(work, brief=True)
    told = wanted(request)
    if meter is not None:
        meter.spend(table, READ, read_cost(request, raw))
        meter.settle()
    if raw is not None and chosen is None and told is None:
        return {"__raw__": b'{"Item":' + stored.json_of(raw) + b"}"}
    answer: Output = {}
    if raw is not None:
        item = stored.open_(raw)
        answer["Item"] = item if chosen is None else chosen.of(item, scope)
    if told:
        answer["ConsumedCapacity"] = consumed(table, told, read_cost(request, raw))
    return answer


def read_cost(request: Input, raw: bytes | None) -> float:
    """The table's units of a read; that nothing is there costs one too."""
    size = 0 if raw is None else stored.size_of(raw)
    return read_units(size, consistent=bool(request.get("ConsistentRead")))
