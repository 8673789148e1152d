"""All or nothing: up to 100 actions on items of any tables, in one transaction of the store.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema, stored, values
from fogbank.services.dynamodb.capacity import consumed, read_units, wanted
from fogbank.services.dynamodb.errors import (
    ConditionalCheckFailedException,
    DuplicateItemException,
    IdempotentParameterMismatchException,
    ItemCollectionSizeLimitExceededException,
    ProvisionedThroughputExceededException,
    ThrottlingException,
    TransactionCanceledException,
    ValidationException,
    missing,
)
from fogbank.services.dynamodb.faults import NestingFault
from fogbank.services.dynamodb.items import (
    DELETE_SHAPE,
    GET_SHAPE,
    PUT_SHAPE,
    UPDATE_SHAPE,
    AnyProjection,
    Change,
    Guard,
    Work,
    check_size,
    delete_work,
    guard_of,
    projection_of,
    put_work,
    update_work,
    vectors_written,
    write_cost,
)
from fogbank.services.dynamodb.keys import EmptyKey, check_key, expected_reads, item_key
from fogbank.services.dynamodb.moments import Moment, moment_of
from fogbank.services.dynamodb.schema import Table
from fogbank.services.dynamodb.scope import Scope, scope_of
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import STRING, check
from fogbank.services.dynamodb.stream_records import size_of
from fogbank.services.dynamodb.throttling import READ, WRITE, Meter, meter_of
from fogbank.services.dynamodb.updates import update
from fogbank.services.dynamodb.values import Item
from fogbank.services.errors import AwsError
from fogbank.storage.keys import pack, span, unpack
from fogbank.storage.kv import Reader, Writer

ACTIONS_MAX = 100
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
TRANSACTION_BYTES_MAX = 4 * 1024 * 1024
TOKEN_LIFE_MS = 10 * 60 * 1000
# Tokens that a request with a token forgets, once they have expired.
FORGOTTEN_MAX = 20
DUPLICATES = "Transaction request cannot include multiple operations on one item"

_WRITE_SHAPE = {
    "TransactItems!": [
        {
            "ConditionCheck": {**DELETE_SHAPE, "ConditionExpression!": STRING},
            "Put": PUT_SHAPE,
            "Delete": DELETE_SHAPE,
            "Update": {**UPDATE_SHAPE, "UpdateExpression!": STRING},
        }
    ],
    "ClientRequestToken": STRING,
    "ReturnConsumedCapacity": STRING,
    "ReturnItemCollectionMetrics": STRING,
}
_GET_SHAPE = {"TransactItems!": [{"Get!": GET_SHAPE}], "ReturnConsumedCapacity": STRING}


@dataclass(frozen=True, slots=True)
class Action:
    """One write of a transaction, ready to run; `item` has its key, and is whole when it is put."""

    given: str
    record_key: bytes
    item: Item
    work: Work
    size_bytes: int = 0


# Items by their tables, as they are stored.
Stands = list[tuple[Table, bytes | None]]


@service.operation("TransactWriteItems")
async def transact_write_items(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html

    AWS's order: 1 to 100 actions; per action what PutItem, UpdateItem or DeleteItem checks before
    their table; the token; then all tables; one action an item; then keys, conditions and updates,
    whose failures become the cancellation's reasons.
    """
    check(request, _WRITE_SHAPE)
    _check_count(request["TransactItems"])
    actions = [_action(ctx, one) for one in request["TransactItems"]]
    check_total(sum(action.size_bytes for action in actions))
    moment = moment_of(ctx)
    meter = meter_of(ctx)
    token = request.get("ClientRequestToken")

    def work(tx: Writer) -> tuple[list[Change], Stands]:
        if token is not None and is_repeated(
            ctx, tx, token, request["TransactItems"], moment.now_ms
        ):
            return [], reread(tx, actions, moment, meter)
        return run(tx, actions, moment, meter), []

    reads = [key for action in actions for key in expected_reads(action.record_key, (action.item,))]
    changes, stands = await ctx.store.write(work, reads=reads)
    if meter is not None:
        meter.settle()
    return _written(request, actions, changes, stands)


def _check_count(given: list[Any]) -> None:
    if not 1 <= len(given) <= ACTIONS_MAX:
        bound = "greater than or equal to 1" if not given else "less than or equal to 100"
        raise ValidationException(
            f"1 validation error detected: Value '{given}' at 'transactItems' failed to satisfy "
            f"constraint: Member must have length {bound}"
        )


def _action(ctx: Context, given: dict[str, Any]) -> Action:
    present = [kind for kind in _BUILDERS if given.get(kind) is not None]
    if len(present) != 1:
        raise ValidationException(
            "TransactItems can only contain one of Check, Put, Update or Delete"
        )
    request = given[present[0]]
    name = schema.named(ctx, request["TableName"], _PERMISSIONS[present[0]])
    item, work = _BUILDERS[present[0]](request)
    size = size_of(item)
    return Action(request["TableName"], schema.table_key(ctx.world, name), item, work, size)


def check_total(size_bytes: int) -> None:
    if size_bytes > TRANSACTION_BYTES_MAX:
        raise ValidationException(
            "The aggregate size of the items in the transaction exceeds the maximum of 4 MB"
        )


def _put(request: Input) -> tuple[Item, Work]:
    scope = scope_of(request, ("ConditionExpression",), outer=1)
    item, size = values.item(request["Item"])
    check_size(size)
    guard = guard_of(request, scope)
    scope.finish()
    return item, put_work(item, stored.seal(item, size), guard)


def _delete(request: Input) -> tuple[Item, Work]:
    key, guard = _key_and_guard(request)
    return key, delete_work(key, guard)


def _check(request: Input) -> tuple[Item, Work]:
    key, guard = _key_and_guard(request)

    def work(tx: Writer, table: Table, moment: Moment) -> Change:
        check_key(table, key)
        old = tx.get(item_key(table, key))
        guard.check(old)
        return Change(table, old, old, {})

    return key, work


def _key_and_guard(request: Input) -> tuple[Item, Guard]:
    scope = scope_of(request, ("ConditionExpression",), outer=1)
    with _key_of(request) as key:
        guard = guard_of(request, scope)
        scope.finish()
    return key, guard


def _update(request: Input) -> tuple[Item, Work]:
    scope = scope_of(request, ("UpdateExpression", "ConditionExpression"), outer=1)
    with _key_of(request) as key:
        compiled = scope.use(update(request["UpdateExpression"]))
        guard = guard_of(request, scope)
        scope.finish()
    return key, update_work(key, compiled, guard, scope)


@contextmanager
def _key_of(request: Input) -> Iterator[Item]:
    """The key; one that is nested too deeply is told after what is wrong with expressions."""
    deep: NestingFault | None = None
    key: Item = {}
    try:
        key, _ = values.item(request["Key"])
    except NestingFault as fault:
        deep = fault
    yield key
    if deep is not None:
        raise deep


# Each action needs the permission of the operation that it is like.
_PERMISSIONS = {
    "ConditionCheck": "ConditionCheckItem",
    "Put": "PutItem",
    "Delete": "DeleteItem",
    "Update": "UpdateItem",
}
_BUILDERS: dict[str, Callable[[Input], tuple[Item, Work]]] = {
    "ConditionCheck": _check,
    "Put": _put,
    "Delete": _delete,
    "Update": _update,
}


# What cancels a transaction, as its reasons call it.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
_REASONS: dict[type[AwsError], str] = {
    ConditionalCheckFailedException: "ConditionalCheckFailed",
    DuplicateItemException: "DuplicateItem",
    ValidationException: "ValidationError",
    ProvisionedThroughputExceededException: "ProvisionedThroughputExceeded",
    ThrottlingException: "ThrottlingError",
    ItemCollectionSizeLimitExceededException: "ItemCollectionSizeLimitExceeded",
}
_REASONED = tuple(_REASONS)


def reason_of(error: AwsError) -> dict[str, Any]:
    code = next(code for kind, code in _REASONS.items() if isinstance(error, kind))
    text = error.message
    if isinstance(error, ItemCollectionSizeLimitExceededException):
        text = error.reason
    return {"Code": code, "Message": text, **error.fields}


def run(
    tx: Writer, actions: list[Action], moment: Moment, meter: Meter | None = None
) -> list[Change]:
    """Every action is done; raises TransactionCanceledException, with a reason for each, if not."""
    tables = [schema.load(tx, action.record_key, moment.now_ms) for action in actions]
    refuse_duplicates(tables, [action.item for action in actions])
    changes: list[Change] = []
    reasons: list[dict[str, Any]] = []
    if meter is not None:
        meter.begin()
    for action, table in zip(actions, tables, strict=True):
        try:
            if meter is not None:
                meter.admit(table, WRITE)
            change = action.work(tx, table, moment)
            if meter is not None:
                units = {name: 2 * some for name, some in change.index_units.items()}
                meter.write(table, 2 * write_cost(change), units)
            changes.append(change)
            reasons.append({"Code": "None"})
        except EmptyKey:
            raise
        except _REASONED as error:
            reasons.append(reason_of(error))
    if len(changes) < len(actions):
        raise TransactionCanceledException(reasons)
    check_total(sum(stored.size_of(change.new) for change in changes if change.new is not None))
    return changes


def refuse_duplicates(tables: list[Table], items: list[Item]) -> None:
    seen = set()
    for table, item in zip(tables, items, strict=True):
        key = (table.arn, *(repr(item.get(name)) for name in table.key_names))
        if key in seen:
            raise ValidationException(DUPLICATES)
        seen.add(key)


def is_repeated(ctx: Context, tx: Writer, token: str, content: list[Any], now_ms: int) -> bool:
    """Whether this request was done before; it is remembered for ten minutes if not."""
    place = ("dynamodb", ctx.world.account, ctx.world.region)
    _forget(tx, place, now_ms)
    digest = sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    key = pack(*place, "token", token)
    raw = tx.get(key)
    if raw is not None:
        known = orjson.loads(raw)
        if now_ms < known["expires_ms"]:
            if known["digest"] != digest:
                raise IdempotentParameterMismatchException
            return True
    expires_ms = now_ms + TOKEN_LIFE_MS
    tx.put(key, orjson.dumps({"digest": digest, "expires_ms": expires_ms}))
    tx.put(pack(*place, "token-expiry", expires_ms, token), b"")
    return False


def _forget(tx: Writer, place: tuple[str, str, str], now_ms: int) -> None:
    start, _ = span(*place, "token-expiry")
    for count, (key, _) in enumerate(tx.range(start, pack(*place, "token-expiry", now_ms))):
        if count >= FORGOTTEN_MAX:
            break
        token = unpack(key)[-1]
        raw = tx.get(pack(*place, "token", token))
        if raw is not None and orjson.loads(raw)["expires_ms"] <= now_ms:
            tx.delete(pack(*place, "token", token))
        tx.delete(key)


def reread(tx: Reader, actions: list[Action], moment: Moment, meter: Meter | None) -> Stands:
    """What a repeated transaction reads, and is charged for, instead of writing."""
    stands = [standing(tx, action, moment.now_ms) for action in actions]
    if meter is not None:
        meter.begin()
        spend_reads(meter, stands)
    return stands


def spend_reads(meter: Meter, found: Stands) -> None:
    for table, raw in found:
        size = 0 if raw is None else stored.size_of(raw)
        meter.spend(table, READ, 2 * read_units(size, consistent=True))


def standing(tx: Reader, action: Action, now_ms: int) -> tuple[Table, bytes | None]:
    """The item as it is stored, of an action that fitted its table when it was done."""
    table = schema.load(tx, action.record_key, now_ms)
    if any(table.types[name] not in action.item.get(name, {}) for name in table.key_names):
        return table, None
    return table, tx.get(item_key(table, action.item))


def _written(
    request: Input, actions: list[Action], changes: list[Change], stands: Stands
) -> Output:
    """A repeated transaction writes nothing and is charged as a read of its items, `stands`."""
    answer: Output = {}
    if wanted(request):
        names = [action.given for action in actions]
        answer["ConsumedCapacity"] = (
            read_capacity(request, names, stands)
            if stands
            else write_capacity(request, names, changes)
        )
    if stands:
        return answer
    if request.get("ReturnItemCollectionMetrics") == "SIZE":
        metrics: dict[str, list[dict[str, Any]]] = {}
        for action, change in zip(actions, changes, strict=True):
            if change.collection is not None:
                metrics.setdefault(action.given, []).append(change.collection)
        answer["ItemCollectionMetrics"] = metrics
    return answer


def write_capacity(
    request: Input, names: Sequence[str], changes: Sequence[Change]
) -> list[dict[str, Any]]:
    """A transaction writes everything twice: once to prepare, once to commit.

    `names` are those that the request has for the tables of the changes.
    """
    tables = {change.table.arn: change.table for change in changes}
    units: dict[str, float] = {}
    indexes: dict[str, dict[str, float]] = {}
    for change in changes:
        arn = change.table.arn
        units[arn] = units.get(arn, 0.0) + 2 * write_cost(change)
        for name, some in change.index_units.items():
            mine = indexes.setdefault(arn, {})
            mine[name] = mine.get(name, 0.0) + 2 * some
    given = {change.table.arn: name for name, change in zip(names, changes, strict=True)}
    return [
        consumed(table, told, units[arn], indexes.get(arn), "WriteCapacityUnits")
        | vectors_written(told, [change for change in changes if change.table.arn == arn])
        for arn, table in tables.items()
        if (told := wanted(request, given[arn]))
    ]


@dataclass(slots=True)
class _Get:
    record_key: bytes
    key: Item
    projection: AnyProjection | None
    scope: Scope


@service.operation("TransactGetItems")
async def transact_get_items(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html"""
    check(request, _GET_SHAPE)
    _check_count(request["TransactItems"])
    gets = [_get(ctx, one["Get"]) for one in request["TransactItems"]]
    now_ms = ctx.clock.now_ms()
    meter = meter_of(ctx)

    def work(tx: Reader) -> list[tuple[Table, bytes | None]]:
        tables = [schema.load(tx, one.record_key, now_ms) for one in gets]
        refuse_duplicates(tables, [one.key for one in gets])
        reasons: list[dict[str, Any]] = []
        for one, table in zip(gets, tables, strict=True):
            try:
                check_key(table, one.key)
                if meter is not None:
                    meter.admit(table, READ)
                reasons.append({"Code": "None"})
            except EmptyKey:
                raise
            except _REASONED as error:
                reasons.append(reason_of(error))
        if any(reason["Code"] != "None" for reason in reasons):
            raise TransactionCanceledException(reasons)
        return [
            (table, tx.get(item_key(table, one.key)))
            for one, table in zip(gets, tables, strict=True)
        ]

    found = await ctx.store.read(work)
    check_total(sum(stored.size_of(raw) for _, raw in found if raw is not None))
    if meter is not None:
        spend_reads(meter, found)
        meter.settle()
    answer: Output = {"Responses": []}
    for one, (_, raw) in zip(gets, found, strict=True):
        if raw is None:
            answer["Responses"].append({})
            continue
        item = stored.open_(raw)
        kept = item if one.projection is None else one.projection.of(item, one.scope)
        # An item of which nothing is asked for is told like one that is not there.
        answer["Responses"].append({"Item": kept} if kept else {})
    if wanted(request):
        names = [one["Get"]["TableName"] for one in request["TransactItems"]]
        answer["ConsumedCapacity"] = read_capacity(request, names, found)
    return answer


def _get(ctx: Context, request: Input) -> _Get:
    if request.get("Key") is None:
        raise missing("transactItems.1.member.get.key")
    name = schema.named(ctx, request["TableName"], "GetItem")
    scope = scope_of(request, ("ProjectionExpression",))
    key, _ = values.item(request["Key"])
    chosen = projection_of(request, scope)
    scope.finish()
    return _Get(schema.table_key(ctx.world, name), key, chosen, scope)


def read_capacity(request: Input, names: Sequence[str], found: Stands) -> list[dict[str, Any]]:
    """A transaction reads everything twice too."""
    tables = {table.arn: table for table, _ in found}
    units: dict[str, float] = {}
    for table, raw in found:
        size = 0 if raw is None else stored.size_of(raw)
        units[table.arn] = units.get(table.arn, 0.0) + 2 * read_units(size, consistent=True)
    given = {table.arn: name for name, (table, _) in zip(names, found, strict=True)}
    return [
        consumed(table, told, units[arn], None, "ReadCapacityUnits")
        for arn, table in tables.items()
        if (told := wanted(request, given[arn]))
    ]
