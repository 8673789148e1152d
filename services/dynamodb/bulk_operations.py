"""Bulk puts of items from S3 into a table: started, described, listed and cancelled.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.Requesting.html

AWS's answers were not seen: the form of the ARN, and the texts of refusals that no model has, are
those of exports and imports, or ours.
"""

from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output, World
from fogbank.services.dynamodb import ion, job_lists, schema
from fogbank.services.dynamodb.backup_errors import AccessDenied
from fogbank.services.dynamodb.backup_records import new_id
from fogbank.services.dynamodb.errors import (
    IdempotentParameterMismatchException,
    ResourceInUseException,
    ResourceNotFoundException,
    ValidationException,
    invalid,
)
from fogbank.services.dynamodb.job_lists import LISTED_MS, PAGE_MAX, Task
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import INTEGER, STRING, check
from fogbank.services.dynamodb.vector_indexes import is_changing
from fogbank.services.events import emit
from fogbank.storage.keys import span
from fogbank.storage.kv import Reader, Writer

KIND = "bulk"
PAGE_DEFAULT = 10
_RESOURCE = "bulk-operation"
_SHAPE = {
    "ClientToken": STRING,
    "TableName!": STRING,
    "InputS3Configuration!": {
        "S3BucketOwner": STRING,
        "S3Bucket!": STRING,
        "S3KeyPrefix": STRING,
        "InputFormat!": STRING,
        "InputCompressionType": STRING,
    },
    "OutputS3Configuration!": {
        "S3BucketOwner": STRING,
        "S3Bucket!": STRING,
        "S3KeyPrefix": STRING,
        "S3SseAlgorithm": STRING,
        "S3SseKmsKeyId": STRING,
        "OutputType!": [STRING],
    },
    "MaxWriteRequestUnits": INTEGER,
    "PerformanceTier": STRING,
}
_ARN_SHAPE = {"BulkOperationArn!": STRING}
_LIST_SHAPE = {"MaxResults": INTEGER, "NextToken": STRING}
_COMPARED = tuple(name.rstrip("!") for name in _SHAPE if name != "ClientToken")
_UNDER_WAY = ("IN_PROGRESS", "CANCELLING")


@service.operation("StartBulkPutItems")
async def start_bulk_put_items(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_StartBulkPutItems.html

    Buckets are looked at later: one that is not there, or not open, fails the operation.
    """
    check(request, _SHAPE)
    name = schema.named(ctx, request["TableName"], "StartBulkPutItems")
    _check_places(request)
    await ion.require(request["InputS3Configuration"]["InputFormat"])
    now_ms = ctx.clock.now_ms()
    bulk_id = new_id(ctx, now_ms)
    given = {member: request[member] for member in _COMPARED if request.get(member) is not None}
    token = request.get("ClientToken") or ctx.ids.uuid()

    def work(tx: Writer) -> Task:
        known = job_lists.of_token(tx, ctx, KIND, token, now_ms)
        if known is not None:
            if known["Request"] != given:
                raise IdempotentParameterMismatchException
            return known
        record = schema.describe_load(tx, ctx.world, name, now_ms)
        _check_table(record, now_ms)
        task = _new_task(record, given, bulk_id, token, now_ms)
        job_lists.save(tx, ctx.world, KIND, task)
        job_lists.keep_token(tx, ctx, KIND, token, bulk_id)
        emit(ctx, tx, "dynamodb.bulk", bulk_id, {"Bulk": bulk_id})
        return task

    return {"BulkOperationDescription": describe(await ctx.store.write(work))}


def _check_places(request: Input) -> None:
    output = request["OutputS3Configuration"]
    if not output["OutputType"]:
        raise invalid("OutputType must have at least one value")
    if output.get("S3SseKmsKeyId") is not None and output.get("S3SseAlgorithm") != "KMS":
        raise ValidationException(
            "Invalid Request: KMS Key Id is not supported for this encryption type"
        )
    if request["InputS3Configuration"].get("InputCompressionType") == "ZSTD":
        raise ValidationException(
            "Invalid Request: Fogbank reads GZIP and NONE; InputCompressionType ZSTD is not built"
        )


def _check_table(record: Record, now_ms: int) -> None:
    """The table takes a bulk put now.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.Considerations.html
    """
    if schema.status_of(record, now_ms) not in ("ACTIVE", "UPDATING"):
        schema.require_active(record, now_ms)
    if record.get("Replicas"):
        raise invalid("Bulk put items does not support global tables")
    indexes = record.get("GlobalSecondaryIndexes") or ()
    if any(index.get("backfilling") for index in indexes) or is_changing(record, now_ms):
        raise ResourceInUseException(
            "Attempt to change a resource which is still in use: Table has an index that is being "
            f"created or deleted: {record['TableName']}"
        )


def _new_task(record: Record, given: Input, bulk_id: str, token: str, now_ms: int) -> Task:
    return {
        "Id": bulk_id,
        "Arn": f"{record['TableArn']}/{_RESOURCE}/{bulk_id}",
        "Status": "IN_PROGRESS",
        "StartMs": now_ms,
        "TableArn": record["TableArn"],
        "TableName": record["TableName"],
        "TableId": record["TableId"],
        "Token": token,
        "Request": given,
        # What is done: the objects up to `After`, of `InputBytes`, and `Records` of the next one.
        "After": "",
        "InputBytes": 0,
        "Records": 0,
        "ProcessedItemCount": 0,
        "ProcessedInputBytes": 0,
        "FailedItemCount": 0,
        "ConditionFailures": 0,
        # Bytes put to the table, and to each index by its kind and name.
        "TableBytes": 0,
        "IndexBytes": {},
    }


def describe(task: Task) -> Output:
    request = task["Request"]
    answer: Output = {
        "BulkOperationArn": task["Arn"],
        "BulkOperationStatus": task["Status"],
        "TableDetails": [{"TableName": request["TableName"], "TableId": task["TableId"]}],
        "ClientToken": task["Token"],
        "InputS3Configuration": request["InputS3Configuration"],
        "OutputS3Configuration": request["OutputS3Configuration"],
        **_times(task),
        "BulkOperationUsage": [_usage(task)],
        "PerformanceTier": request.get("PerformanceTier") or "STANDARD",
    }
    for member in (
        *("ProcessedItemCount", "ProcessedInputBytes", "TotalInputBytes", "FailedItemCount"),
        *("FailureCode", "FailureMessage"),
    ):
        if member in task:
            answer[member] = task[member]
    if "MaxWriteRequestUnits" in request:
        answer["MaxWriteRequestUnits"] = request["MaxWriteRequestUnits"]
    return answer


def _times(task: Task) -> Output:
    answer: Output = {"StartTime": task["StartMs"] / 1000}
    if "EndMs" in task:
        answer["EndTime"] = task["EndMs"] / 1000
    return answer


def _usage(task: Task) -> Output:
    """What was put where; the total has all but the vectors."""
    kinds: dict[str, dict[str, int]] = task["IndexBytes"]
    others = sum(
        size for kind, sizes in kinds.items() if kind != "VectorIndexes" for size in sizes.values()
    )
    usage: Output = {
        "TableName": task["Request"]["TableName"],
        "BulkPutBytes": task["TableBytes"] + others,
        "Table": {"BulkPutBytes": task["TableBytes"]},
    }
    for kind, sizes in kinds.items():
        unit = "BulkPutVectorBytes" if kind == "VectorIndexes" else "BulkPutBytes"
        usage[kind] = {name: {unit: size} for name, size in sizes.items()}
    return usage


def _find(tx: Reader, ctx: Context, arn: str) -> Task:
    """The operation of an ARN; raises ResourceNotFoundException when there is none here."""
    parts = arn.split(":", 5)
    names = parts[5].split("/") if len(parts) == 6 else []
    if len(names) != 4 or (names[0], names[2]) != ("table", _RESOURCE) or parts[0] != "arn":
        raise ValidationException("Invalid BulkOperation ARN")
    if parts[4] != ctx.world.account:
        raise AccessDenied
    task = job_lists.load(tx, ctx.world, KIND, names[3])
    if task is None or task["Arn"] != arn:
        raise ResourceNotFoundException(f"BulkOperation: {arn} not found")
    return task


@service.operation("DescribeBulkOperation")
async def describe_bulk_operation(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeBulkOperation.html"""
    check(request, _ARN_SHAPE)
    arn = request["BulkOperationArn"]
    task = await ctx.store.read(lambda tx: _find(tx, ctx, arn), brief=True)
    return {"BulkOperationDescription": describe(task)}


@service.operation("CancelBulkOperation")
async def cancel_bulk_operation(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CancelBulkOperation.html

    What was put stays. One that has ended is refused: the model answers CANCELLING only.
    """
    check(request, _ARN_SHAPE)

    def work(tx: Writer) -> Task:
        task = _find(tx, ctx, request["BulkOperationArn"])
        if task["Status"] not in _UNDER_WAY:
            raise invalid(f"Bulk operation has already ended with status {task['Status']}")
        task["Status"] = "CANCELLING"
        job_lists.save(tx, ctx.world, KIND, task)
        return task

    task = await ctx.store.write(work)
    return {"BulkOperationArn": task["Arn"], "BulkOperationStatus": task["Status"]}


@service.operation("ListBulkOperations")
async def list_bulk_operations(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListBulkOperations.html

    The newest come first; their ids begin with their times.
    """
    check(request, _LIST_SHAPE)
    limit = min(max(1, request.get("MaxResults") or PAGE_DEFAULT), PAGE_MAX)
    found = await ctx.store.read(lambda tx: _newest(tx, ctx, limit + 1, request.get("NextToken")))
    answer: Output = {
        "BulkOperationsSummaryList": [
            {
                "BulkOperationArn": task["Arn"],
                "BulkOperationStatus": task["Status"],
                **_times(task),
            }
            for task in found[:limit]
        ]
    }
    if len(found) > limit:
        answer["NextToken"] = job_lists.next_token(KIND, found[limit - 1]["Id"])
    return answer


def _newest(tx: Reader, ctx: Context, most: int, token: str | None) -> list[Task]:
    start, stop = span("dynamodb", ctx.world.account, ctx.world.region, KIND)
    if token is not None:
        stop = job_lists.task_key(ctx.world, KIND, job_lists.last_of(KIND, token))
    oldest_ms = ctx.clock.now_ms() - LISTED_MS
    found: list[Task] = []
    for _, raw in tx.range(start, stop, reverse=True) if start < stop else ():
        task: dict[str, Any] = orjson.loads(raw)
        if task["StartMs"] < oldest_ms or len(found) == most:
            break
        found.append(task)
    return found


def is_under_way(tx: Reader, world: World, table_id: str) -> bool:
    """Whether a bulk put into the table has not ended."""
    start, stop = span("dynamodb", world.account, world.region, KIND)
    for _, raw in tx.range(start, stop):
        task = orjson.loads(raw)
        if task["TableId"] == table_id and task["Status"] in _UNDER_WAY:
            return True
    return False
