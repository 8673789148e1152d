"""PartiQL: one statement, a batch of them, or a transaction.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema, stored
from fogbank.services.dynamodb.capacity import consumed, read_units, wanted
from fogbank.services.dynamodb.errors import (
    ProvisionedThroughputExceededException,
    ThrottlingException,
    TransactionCanceledException,
    ValidationException,
)
from fogbank.services.dynamodb.faults import ValueFault
from fogbank.services.dynamodb.items import Change, consumed_by, metered, write_cost
from fogbank.services.dynamodb.keys import check_key, item_key
from fogbank.services.dynamodb.moments import Moment, moment_of
from fogbank.services.dynamodb.partiql_parser import statement as parsed
from fogbank.services.dynamodb.partiql_reads import projected, refuse_many_keys, select
from fogbank.services.dynamodb.partiql_statements import EXISTS, PERMISSIONS, Statement
from fogbank.services.dynamodb.partiql_writes import key_and_rest, returned, work_of
from fogbank.services.dynamodb.schema import Table
from fogbank.services.dynamodb.scope import Scope
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, BOOLEAN, INTEGER, STRING, check
from fogbank.services.dynamodb.throttling import READ, WRITE, Meter, meter_of
from fogbank.services.dynamodb.transactions import (
    Action,
    Stands,
    check_total,
    is_repeated,
    read_capacity,
    reason_of,
    refuse_duplicates,
    reread,
    run,
    spend_reads,
    write_capacity,
)
from fogbank.services.errors import AwsError
from fogbank.storage.kv import Reader, Writer

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
BATCH_MAX = 25
TRANSACTION_MAX = 100
STATEMENT_CHARACTERS_MAX = 8192
TOKEN_CHARACTERS_MAX = 32768
CLIENT_TOKEN_CHARACTERS_MAX = 36

Tx = TypeVar("Tx")

_ONE = {
    "Statement!": STRING,
    "Parameters": [ANY],
    "ConsistentRead": BOOLEAN,
    "ReturnValuesOnConditionCheckFailure": STRING,
}
_EXECUTE_SHAPE = {
    **_ONE,
    "NextToken": STRING,
    "ReturnConsumedCapacity": STRING,
    "Limit": INTEGER,
}
_BATCH_SHAPE = {"Statements!": [_ONE], "ReturnConsumedCapacity": STRING}
_TRANSACTION_SHAPE = {
    "TransactStatements!": [_ONE],
    "ClientRequestToken": STRING,
    "ReturnConsumedCapacity": STRING,
}
_KEYLESS_READ = "Select statements within {} must specify the primary key in the where clause."
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html
_BATCH_CODES = {
    "ValidationException": "ValidationError",
    "SerializationException": "ValidationError",
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "DuplicateItemException": "DuplicateItem",
    "ResourceNotFoundException": "ResourceNotFound",
    "AccessDeniedException": "AccessDenied",
    "ItemCollectionSizeLimitExceededException": "ItemCollectionSizeLimitExceeded",
    "ProvisionedThroughputExceededException": "ProvisionedThroughputExceeded",
    "RequestLimitExceeded": "RequestLimitExceeded",
    "ThrottlingException": "ThrottlingError",
    "TransactionConflictException": "TransactionConflict",
}


@dataclass(frozen=True, slots=True)
class Bound:
    """One statement of a request with the values of its parameters."""

    request: Input
    statement: Statement
    scope: Scope

    @property
    def shows_item(self) -> bool:
        return self.request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"


@service.operation("ExecuteStatement")
async def execute_statement(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html"""
    check(request, _EXECUTE_SHAPE)
    limit = request.get("Limit")
    if limit is not None and limit < 1:
        raise ValidationException(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            "constraint: Member must have value greater than or equal to 1"
        )
    bound = _bound(request)
    statement, scope = bound.statement, bound.scope
    if statement.verb == EXISTS:
        raise ValidationException("EXISTS() is only supported in ExecuteTransaction")
    if statement.is_read:
        return await select(ctx, request, statement, scope)
    record_key = _record_key(ctx, statement)
    moment = moment_of(ctx)
    meter = meter_of(ctx)

    def write(tx: Writer, table: Table, moment: Moment) -> Change:
        _, work = work_of(statement, scope, table, shows_item=bound.shows_item)
        return work(tx, table, moment)

    change = await ctx.store.write(lambda tx: metered(tx, record_key, write, moment, meter))
    if meter is not None:
        meter.settle()
    answer: Output = {"Items": returned(statement, scope, change)}
    told = wanted(request, statement.table)
    if told:
        answer["ConsumedCapacity"] = consumed_by(change, told)
    return answer


@service.operation("BatchExecuteStatement")
async def batch_execute_statement(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html

    Each statement succeeds or fails on its own; all of them are reads or all are writes.
    """
    check(request, _BATCH_SHAPE)
    given = request["Statements"]
    _check_count(given, "statements", BATCH_MAX)
    bounds = [_bound_or_error(one) for one in given]
    _refuse_mixture(bounds, "BatchExecuteStatement")
    moment = moment_of(ctx)
    capacities: list[dict[str, Any]] = []
    meter = meter_of(ctx)

    def read(tx: Reader, one: Bound) -> dict[str, Any]:
        table = schema.load(tx, _record_key(ctx, one.statement), moment.now_ms)
        if meter is not None:
            meter.admit(table, READ)
        raw = _point(tx, one, table, "BatchExecuteStatement")
        size = 0 if raw is None else stored.size_of(raw)
        units = read_units(size, consistent=bool(one.request.get("ConsistentRead")))
        if meter is not None:
            meter.spend(table, READ, units)
        if told := wanted(request, one.statement.table):
            capacities.append(consumed(table, told, units))
        return _found(one, table, raw)

    def write(tx: Writer, one: Bound) -> dict[str, Any]:
        table = schema.load(tx, _record_key(ctx, one.statement), moment.now_ms)
        _, work = work_of(one.statement, one.scope, table, shows_item=one.shows_item)
        try:
            if meter is not None:
                meter.admit(table, WRITE)
            change = work(tx, table, moment)
        except AwsError as error:
            # Only a statement that came to its item says which table that is in.
            return {**_failure(error), "TableName": table.name}
        if meter is not None:
            # What is written stays written: its indexes' debts are paid later.
            meter.charge(table, write_cost(change), change.index_units)
        if told := wanted(request, one.statement.table):
            capacities.append(consumed_by(change, told))
        items = returned(one.statement, one.scope, change)
        return {"TableName": table.name, **({"Item": items[0]} if items else {})}

    reads = all(isinstance(one, AwsError) or one.statement.is_read for one in bounds)

    def begin() -> None:
        """The work may run again: nothing of the run before counts."""
        capacities.clear()
        if meter is not None:
            meter.begin()

    def read_all(tx: Reader) -> list[dict[str, Any]]:
        begin()
        return [_response(one, read, tx) for one in bounds]

    def write_all(tx: Writer) -> list[dict[str, Any]]:
        begin()
        return [_response(one, write, tx) for one in bounds]

    responses = await (ctx.store.read(read_all) if reads else ctx.store.write(write_all))
    if meter is not None:
        meter.settle()
    answer: Output = {"Responses": responses}
    if wanted(request):
        answer["ConsumedCapacity"] = capacities
    return answer


def _response(
    one: Bound | AwsError, respond: Callable[[Tx, Bound], dict[str, Any]], tx: Tx
) -> dict[str, Any]:
    """What a batch answers for one statement, which may have failed already."""
    if isinstance(one, AwsError):
        return _failure(one)
    try:
        return respond(tx, one)
    except AwsError as error:
        return _failure(error)


def _failure(error: AwsError) -> dict[str, Any]:
    code = _BATCH_CODES.get(error.code, "InternalServerError")
    return {"Error": {"Code": code, "Message": error.message, **error.fields}}


@service.operation("ExecuteTransaction")
async def execute_transaction(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteTransaction.html"""
    check(request, _TRANSACTION_SHAPE)
    given = request["TransactStatements"]
    _check_count(given, "transactStatements", TRANSACTION_MAX)
    bounds = []
    for at, one in enumerate(given):
        with _said_of(at):
            bounds.append(_transaction_bound(one))
    _refuse_mixture(bounds, "ExecuteTransaction")
    if bounds[0].statement.is_read:
        return await _read_together(ctx, request, bounds)
    return await _write_together(ctx, request, bounds)


def _transaction_bound(request: Input) -> Bound:
    bound = _bound(request)
    if bound.statement.returning is not None:
        raise ValidationException("RETURNING clause is not supported in ExecuteTransaction.")
    if bound.statement.index is not None:
        raise ValidationException("Reads on indices are not supported within transactions.")
    return bound


@contextmanager
def _said_of(position: int) -> Iterator[None]:
    """What is wrong with a statement, but not with a value, is said with its place."""
    try:
        yield
    except ValueFault:
        raise
    except ValidationException as error:
        raise ValidationException(
            f"Validation failed in TransactStatements[{position}]: {error.message}"
        ) from None


async def _read_together(ctx: Context, request: Input, bounds: list[Bound]) -> Output:
    now_ms = ctx.clock.now_ms()
    meter = meter_of(ctx)

    def work(tx: Reader) -> list[tuple[Table, bytes | None]]:
        tables = [schema.load(tx, _record_key(ctx, one.statement), now_ms) for one in bounds]
        if meter is not None:
            _admit(meter, tables)
        found = []
        for at, (one, table) in enumerate(zip(bounds, tables, strict=True)):
            with _said_of(at):
                found.append((table, _point(tx, one, table, "ExecuteTransaction")))
        check_total(sum(stored.size_of(raw) for _, raw in found if raw is not None))
        refuse_duplicates(
            tables, [_key(one, table) for one, table in zip(bounds, tables, strict=True)]
        )
        return found

    found = await ctx.store.read(work)
    answer: Output = {"Responses": []}
    for one, (table, raw) in zip(bounds, found, strict=True):
        response = _found(one, table, raw)
        answer["Responses"].append({"Item": response["Item"]} if raw is not None else {})
    if meter is not None:
        spend_reads(meter, found)
        meter.settle()
    if wanted(request):
        names = [one.statement.table for one in bounds]
        answer["ConsumedCapacity"] = read_capacity(request, names, found)
    return answer


def _admit(meter: Meter, tables: Sequence[Table]) -> None:
    """Each table has throughput left for reads; raises a cancellation with a reason for each."""
    reasons: list[dict[str, Any]] = []
    for table in tables:
        try:
            meter.admit(table, READ)
            reasons.append({"Code": "None"})
        except (ProvisionedThroughputExceededException, ThrottlingException) as error:
            reasons.append(reason_of(error))
    if any(reason["Code"] != "None" for reason in reasons):
        raise TransactionCanceledException(reasons)


async def _write_together(ctx: Context, request: Input, bounds: list[Bound]) -> Output:
    moment = moment_of(ctx)
    meter = meter_of(ctx)
    token = request.get("ClientRequestToken")
    content = request["TransactStatements"]

    def work(tx: Writer) -> tuple[list[Change], Stands]:
        repeated = token is not None and is_repeated(ctx, tx, token, content, moment.now_ms)
        actions = []
        for at, one in enumerate(bounds):
            record_key = _record_key(ctx, one.statement)
            table = schema.load(tx, record_key, moment.now_ms)
            with _said_of(at):
                item, write = work_of(one.statement, one.scope, table, shows_item=one.shows_item)
            actions.append(Action(one.statement.table, record_key, item, write))
        if repeated:
            return [], reread(tx, actions, moment, meter)
        return run(tx, actions, moment, meter), []

    changes, stands = await ctx.store.write(work)
    if meter is not None:
        meter.settle()
    answer: Output = {"Responses": []}
    if wanted(request):
        # A repeated transaction writes nothing and is charged as a read of its items.
        names = [one.statement.table for one in bounds]
        answer["ConsumedCapacity"] = (
            read_capacity(request, names, stands)
            if stands
            else write_capacity(request, names, changes)
        )
    return answer


def _bound(request: Input) -> Bound:
    _check_lengths(request)
    compiled = parsed(request["Statement"])
    return Bound(request, compiled, compiled.bind(request.get("Parameters")))


def _bound_or_error(request: Input) -> Bound | AwsError:
    try:
        bound = _bound(request)
        if bound.statement.verb == EXISTS:
            raise ValidationException("EXISTS() is only supported in ExecuteTransaction")
    except AwsError as error:
        return error
    return bound


def _refuse_mixture(bounds: Sequence[Bound | AwsError], operation: str) -> None:
    kinds = {one.statement.is_read for one in bounds if isinstance(one, Bound)}
    if len(kinds) > 1:
        raise ValidationException(
            f"{operation} API does not support both read and write operations in the same request."
        )


def _record_key(ctx: Context, statement: Statement) -> bytes:
    name = schema.named(ctx, statement.table, PERMISSIONS[statement.verb])
    return schema.table_key(ctx.world, name)


def _key(one: Bound, table: Table) -> dict[str, Any]:
    found = key_and_rest(one.statement, one.scope, table)
    return {} if found is None else found[0]


def _point(tx: Reader, one: Bound, table: Table, operation: str) -> bytes | None:
    """The one item that a SELECT within several statements names by its key."""
    for index in table.indexes:
        if index.name == one.statement.index:
            refuse_many_keys(index)
    if one.statement.unsupported is not None:
        raise ValidationException(one.statement.unsupported)
    found = key_and_rest(one.statement, one.scope, table)
    if found is None or found[1] or one.statement.index is not None:
        raise ValidationException(_KEYLESS_READ.format(operation))
    check_key(table, found[0])
    return tx.get(item_key(table, found[0]))


def _found(one: Bound, table: Table, raw: bytes | None) -> dict[str, Any]:
    if raw is None:
        return {"TableName": table.name}
    item = projected(stored.open_(raw), one.statement, one.scope)
    return {"TableName": table.name, "Item": item}


def _check_count(given: list[Any], member: str, most: int) -> None:
    if not 1 <= len(given) <= most:
        bound = "greater than or equal to 1" if not given else f"less than or equal to {most}"
        raise ValidationException(
            f"1 validation error detected: Value '{given}' at '{member}' failed to satisfy "
            f"constraint: Member must have length {bound}"
        )


def _check_lengths(request: Input) -> None:
    """What the model says of the texts of a request, also for a call from another service."""
    for member, most in (
        ("Statement", STATEMENT_CHARACTERS_MAX),
        ("NextToken", TOKEN_CHARACTERS_MAX),
    ):
        text = request.get(member)
        if text is not None and not 1 <= len(text) <= most:
            bound = "greater than or equal to 1" if not text else f"less than or equal to {most}"
            raise ValidationException(
                f"1 validation error detected: Value '{text}' at "
                f"'{member[0].lower()}{member[1:]}' failed to satisfy constraint: "
                f"Member must have length {bound}"
            )
    if request.get("Parameters") == []:
        raise ValidationException(
            "1 validation error detected: Value '[]' at 'parameters' failed to satisfy "
            "constraint: Member must have length greater than or equal to 1"
        )
