"""Many items in one request: got in one consistent read, written each on its own."""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema, stored, values
from fogbank.services.dynamodb.capacity import Told, consumed, read_units, wanted
from fogbank.services.dynamodb.errors import (
    ProvisionedThroughputExceededException,
    ThrottlingException,
    ValidationException,
    missing,
)
from fogbank.services.dynamodb.faults import ValueFault, bare
from fogbank.services.dynamodb.items import (
    NAMES,
    Change,
    Guard,
    Work,
    check_size,
    delete_work,
    projection_of,
    put_work,
    vectors_written,
    write_cost,
)
from fogbank.services.dynamodb.keys import check_key, check_present, expected_reads, item_key
from fogbank.services.dynamodb.moments import Moment, moment_of
from fogbank.services.dynamodb.schema import Table
from fogbank.services.dynamodb.scope import Scope, both_kinds, scope_of
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, BOOLEAN, STRING, check
from fogbank.services.dynamodb.throttling import READ, WRITE, Meter, meter_of
from fogbank.services.dynamodb.values import Item
from fogbank.services.errors import AwsError
from fogbank.storage.kv import Reader, Writer

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
GET_MAX = 100
WRITE_MAX = 25
ANSWER_BYTES_MAX = 16 * 1024 * 1024

DUPLICATES = "Provided list of item keys contains duplicates"
_GET_SHAPE = {
    "RequestItems!": {
        None: {
            "Keys!": [{None: ANY}],
            "ConsistentRead": BOOLEAN,
            "ProjectionExpression": STRING,
            "ExpressionAttributeNames": NAMES,
            "AttributesToGet": [STRING],
        }
    },
    "ReturnConsumedCapacity": STRING,
}
_WRITE_SHAPE = {
    "RequestItems!": {
        None: [{"PutRequest": {"Item!": {None: ANY}}, "DeleteRequest": {"Key!": {None: ANY}}}]
    },
    "ReturnConsumedCapacity": STRING,
    "ReturnItemCollectionMetrics": STRING,
}


class _Wanted:
    """The items of one table that a batch asks for, under the name that it gave."""

    def __init__(self, ctx: Context, given: str, request: Input) -> None:
        self.given = given
        self.name = schema.named(ctx, given, "BatchGetItem")
        self.request = request
        try:
            self.keys = [values.item(key)[0] for key in request["Keys"]]
        except ValueFault as fault:
            raise bare(fault) from None
        if not self.keys:
            raise ValidationException(
                f"1 validation error detected: Value '[]' at 'requestItems.{given}.member.keys' "
                "failed to satisfy constraint: Member must have length greater than or equal to 1"
            )
        _refuse_duplicates(self.keys)
        self.scope: Scope = scope_of(request, ("ProjectionExpression",), ("AttributesToGet",))
        self.projection = projection_of(request, self.scope)
        self.scope.finish()
        self.items: list[Item] = []
        self.units = 0.0
        self.left: list[Item] = []
        self.table: Table | None = None
        self.served = False
        self.refusal: AwsError | None = None


def _refuse_duplicates(keys: list[Item]) -> None:
    for at, key in enumerate(keys):
        if key in keys[:at]:
            raise ValidationException(DUPLICATES)


def _refuse_empty(request: Input, operation: str) -> None:
    if not request["RequestItems"]:
        raise ValidationException(f"The requestItems parameter is required for {operation}")


@service.operation("BatchGetItem")
async def batch_get_item(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html

    AWS's order: at least one table, at most 100 keys; per table its name, values, duplicates and
    projection; then the tables; then the keys against their schemas.
    """
    check(request, _GET_SHAPE)
    _refuse_empty(request, "BatchGetItem")
    if sum(len(one["Keys"]) for one in request["RequestItems"].values()) > GET_MAX:
        raise ValidationException("Too many items requested for the BatchGetItem call")
    tables = [_Wanted(ctx, given, one) for given, one in request["RequestItems"].items()]
    _refuse_both_kinds([one.request for one in tables])
    now_ms = ctx.clock.now_ms()
    meter = meter_of(ctx)

    def work(tx: Reader) -> None:
        if meter is not None:
            meter.begin()
        for one in tables:
            one.items, one.left, one.units = [], [], 0.0
            one.table = schema.load(tx, schema.table_key(ctx.world, one.name), now_ms)
            for key in one.keys:
                check_key(one.table, key)
        room = ANSWER_BYTES_MAX
        for one in tables:
            room = _fill(tx, one, room, meter)
        _refuse_all_throttled(meter, len(tables), [one.refusal for one in tables if not one.served])

    await ctx.store.read(work)
    if meter is not None:
        meter.settle()
    answer: Output = {
        "Responses": {one.given: one.items for one in tables},
        "UnprocessedKeys": {
            one.given: {**one.request, "Keys": one.left} for one in tables if one.left
        },
    }
    if wanted(request):
        answer["ConsumedCapacity"] = [
            consumed(one.table, told, one.units)
            for one in tables
            if one.table is not None and (told := wanted(request, one.given))
        ]
    return answer


def _refuse_both_kinds(requests: list[Input]) -> None:
    """Tables are all projected by expressions or all by names, as within one table.

    That AWS refuses it is known, its text is not: it is taken to be that of one table.
    """
    older, newer = "AttributesToGet", "ProjectionExpression"
    if all(any(one.get(member) is not None for one in requests) for member in (older, newer)):
        raise both_kinds([older], [newer])


def _refuse_all_throttled(meter: Meter | None, parts: int, refusals: list[AwsError | None]) -> None:
    """A batch of which nothing could be done for want of throughput fails as a whole."""
    if meter is not None and len(refusals) == parts and refusals[0] is not None:
        raise refusals[0]


def _refusal(meter: Meter | None, table: Table, kind: str) -> AwsError | None:
    if meter is None:
        return None
    try:
        meter.admit(table, kind)
    except (ProvisionedThroughputExceededException, ThrottlingException) as error:
        return error
    return None


def _fill(tx: Reader, one: _Wanted, room: int, meter: Meter | None) -> int:
    """The items of one table, as many as the answer has room for; the others are left."""
    assert one.table is not None
    consistent = bool(one.request.get("ConsistentRead"))
    one.served, one.refusal = False, None
    for key in one.keys:
        one.refusal = _refusal(meter, one.table, READ)
        if one.refusal is not None:
            one.left.append(key)
            continue
        raw = tx.get(item_key(one.table, key))
        size = 0 if raw is None else stored.size_of(raw)
        if size > room:
            one.left.append(key)
            continue
        room -= size
        one.served = True
        units = read_units(size, consistent=consistent)
        one.units += units
        if meter is not None:
            meter.spend(one.table, READ, units)
        if raw is not None:
            item = stored.open_(raw)
            one.items.append(item if one.projection is None else one.projection.of(item, one.scope))
    return room


@service.operation("BatchWriteItem")
async def batch_write_item(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html

    Nothing is written unless every request of the batch is valid.
    """
    check(request, _WRITE_SHAPE)
    _refuse_empty(request, "BatchWriteItem")
    batches: dict[str, list[dict[str, Any]]] = request["RequestItems"]
    if sum(map(len, batches.values())) > WRITE_MAX:
        raise ValidationException("Too many items requested for the BatchWriteItem call")
    works = [
        (given, schema.named(ctx, given, "BatchWriteItem"), [_write_of(one) for one in writes])
        for given, writes in batches.items()
    ]
    for given, _, writes in works:
        if not writes:
            raise ValidationException(
                "The batch write request list for a table cannot be null or empty: " + given
            )
    moment = moment_of(ctx)
    meter = meter_of(ctx)
    left: dict[str, list[dict[str, Any]]] = {}

    def work(tx: Writer) -> list[tuple[str, Table, list[tuple[Item, Change]]]]:
        result = []
        left.clear()
        refused: list[AwsError | None] = []
        if meter is not None:
            meter.begin()
        for given, name, writes in works:
            table = schema.load(tx, schema.table_key(ctx.world, name), moment.now_ms)
            _refuse_same_item(table, [item for item, _ in writes])
            changes = []
            for request_, (item, one) in zip(batches[given], writes, strict=True):
                refusal = _refusal(meter, table, WRITE)
                if refusal is not None:
                    refused.append(refusal)
                    left.setdefault(given, []).append(request_)
                    continue
                change = one(tx, table, moment)
                if meter is not None:
                    meter.charge(table, write_cost(change), change.index_units)
                changes.append((item, change))
            result.append((given, table, changes))
        _refuse_all_throttled(meter, sum(map(len, batches.values())), refused)
        return result

    reads = [
        key
        for _, name, writes in works
        for key in expected_reads(schema.table_key(ctx.world, name), [item for item, _ in writes])
    ]
    done = await ctx.store.write(work, reads=reads)
    if meter is not None:
        meter.settle()
    return {**_written(request, done), "UnprocessedItems": left}


def _write_of(given: dict[str, Any]) -> tuple[Item, Work]:
    put, delete = given.get("PutRequest"), given.get("DeleteRequest")
    if put is not None and delete is not None:
        raise ValidationException(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one "
            "of the supported datatypes"
        )
    guard = Guard(None, Scope(None, None), False)
    if put is not None:
        item, size = values.item(put["Item"])
        check_size(size)
        return item, _put_of_batch(item, put_work(item, stored.seal(item, size), guard))
    if delete is None:
        raise missing("requestItems")
    key, _ = values.item(delete["Key"])
    return key, delete_work(key, guard)


def _put_of_batch(item: Item, put: Work) -> Work:
    """A batch says of keys what it says of those of deletions."""

    def work(tx: Writer, table: Table, moment: Moment) -> Change:
        check_present(table, item)
        return put(tx, table, moment)

    return work


def _refuse_same_item(table: Table, items: list[Item]) -> None:
    keys = [{name: item.get(name) for name in table.key_names} for item in items]
    for at, key in enumerate(keys):
        if key in keys[:at]:
            raise ValidationException(DUPLICATES)


def _written(request: Input, done: list[tuple[str, Table, list[tuple[Item, Change]]]]) -> Output:
    answer: Output = {"UnprocessedItems": {}}
    if wanted(request):
        answer["ConsumedCapacity"] = [
            _capacity(table, told, changes)
            for given, table, changes in done
            if (told := wanted(request, given))
        ]
    if request.get("ReturnItemCollectionMetrics") == "SIZE":
        answer["ItemCollectionMetrics"] = {
            given: found
            for given, _, changes in done
            if (found := [change.collection for _, change in changes if change.collection])
        }
    return answer


def _capacity(table: Table, told: Told, changes: list[tuple[Item, Change]]) -> dict[str, Any]:
    units: dict[str, float] = {}
    for _, change in changes:
        for name, some in change.index_units.items():
            units[name] = units.get(name, 0.0) + some
    capacity = consumed(table, told, sum(write_cost(change) for _, change in changes), units)
    return capacity | vectors_written(told, [change for _, change in changes])
