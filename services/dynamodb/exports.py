"""Exports of tables to S3: asked for, described and listed.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.HowItWorks.html
"""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import change_log, copying, ion, job_lists, schema
from fogbank.services.dynamodb.backup_errors import (
    AccessDenied,
    ExportConflictException,
    ExportNotFoundException,
    InvalidExportTimeException,
    PointInTimeRecoveryUnavailableException,
)
from fogbank.services.dynamodb.backup_records import new_id
from fogbank.services.dynamodb.backups import moment_ms, require_table, time_text
from fogbank.services.dynamodb.copying import Job, finishes, place
from fogbank.services.dynamodb.errors import TableNotFoundException, ValidationException
from fogbank.services.dynamodb.job_lists import PAGE_MAX, Task
from fogbank.services.dynamodb.recovery import window_ms
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, INTEGER, STRING, check
from fogbank.services.events import emit
from fogbank.storage.kv import Reader, Writer

WINDOW_MS_MIN = 15 * 60 * 1000
WINDOW_MS_MAX = 24 * 3600 * 1000

_SHAPE = {
    "TableArn!": STRING,
    "ExportTime": ANY,
    "ClientToken": STRING,
    "S3Bucket!": STRING,
    "S3BucketOwner": STRING,
    "S3Prefix": STRING,
    "S3SseAlgorithm": STRING,
    "S3SseKmsKeyId": STRING,
    "ExportFormat": STRING,
    "ExportType": STRING,
    "IncrementalExportSpecification": {
        "ExportFromTime": ANY,
        "ExportToTime": ANY,
        "ExportViewType": STRING,
    },
    "FilterSpecification": ANY,
}
_DESCRIBE_SHAPE = {"ExportArn!": STRING}
_LIST_SHAPE = {"TableArn": STRING, "MaxResults": INTEGER, "NextToken": STRING}
# What a request may not change under the same client token.
_COMPARED = tuple(name.rstrip("!") for name in _SHAPE if name != "ClientToken")


def refused(text: str) -> ValidationException:
    return ValidationException(f"Invalid Request: {text}")


@service.operation("ExportTableToPointInTime")
async def export_table_to_point_in_time(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html

    The items are copied as they were at the moment, then written to the bucket; a bucket that is
    not there or not open fails the export later, as at AWS.
    """
    check(request, _SHAPE)
    name = _table_name(ctx, request["TableArn"])
    incremental = _check_kind(request)
    await ion.require(request.get("ExportFormat"))
    now_ms = ctx.clock.now_ms()
    export_id = new_id(ctx, now_ms)
    token = request.get("ClientToken")

    def work(tx: Writer) -> Task:
        known = job_lists.of_token(tx, ctx, "export", token, now_ms)
        if known is not None:
            if known["Request"] != _compared(request):
                raise ExportConflictException
            return known
        try:
            record = require_table(tx, ctx, name, now_ms)
        except TableNotFoundException:
            raise TableNotFoundException(request["TableArn"]) from None
        task = _new_task(ctx, record, request, export_id, now_ms)
        if incremental:
            task |= _window(record, request["IncrementalExportSpecification"], now_ms)
        else:
            task["AtMs"] = _at_ms(record, moment_ms(request.get("ExportTime")), now_ms)
        if token is not None:
            job_lists.keep_token(tx, ctx, "export", token, export_id)
        job_lists.save(tx, ctx.world, "export", task)
        _start(ctx, tx, record, task)
        return task

    task = await ctx.store.write(work)
    return {"ExportDescription": describe(task)}


def _table_name(ctx: Context, arn: str) -> str:
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "dynamodb":
        raise ValidationException(
            "One or more parameter values were invalid: tableArn is not a valid ARN"
        )
    names = parts[5].split("/")
    if len(names) != 2 or names[0] != "table":
        raise refused("Table ARN is invalid.")
    if parts[4] != ctx.world.account:
        raise AccessDenied
    if parts[3] != ctx.world.region:
        raise TableNotFoundException(arn)
    return schema.name_of(ctx.world, names[1])


def _check_kind(request: Input) -> bool:
    """Whether the export is incremental; its parameters fit that, and its form is one we write."""
    kind, spec = request.get("ExportType"), request.get("IncrementalExportSpecification")
    if spec is not None and kind is None:
        raise refused(
            "Export Type expected to be Incremental Export when incremental export specification "
            "is provided"
        )
    if spec is not None and kind == "FULL_EXPORT":
        raise refused(
            "When Export Type is Full Export , Incremental Export Specification should not be "
            "provided"
        )
    if kind == "INCREMENTAL_EXPORT":
        if spec is None:
            raise refused(
                "Incremental Export Specification expected when export type is set as Incremental "
                "Export"
            )
        if spec.get("ExportFromTime") is None:
            raise refused("ExportFromTime must be provided in IncrementalExportSpecification")
    if request.get("S3SseKmsKeyId") is not None and request.get("S3SseAlgorithm") != "KMS":
        raise refused("KMS Key Id is not supported for this encryption type")
    if request.get("FilterSpecification") is not None:
        raise refused("Fogbank exports whole tables; FilterSpecification is not built")
    return kind == "INCREMENTAL_EXPORT"


def _compared(request: Input) -> dict[str, Any]:
    return {name: request[name] for name in _COMPARED if request.get(name) is not None}


def _new_task(ctx: Context, record: Record, request: Input, export_id: str, now_ms: int) -> Task:
    prefix = request.get("S3Prefix")
    folder = f"{prefix.rstrip('/')}/AWSDynamoDB" if prefix else "AWSDynamoDB"
    return {
        "Id": export_id,
        "Arn": f"{record['TableArn']}/export/{export_id}",
        "Status": "IN_PROGRESS",
        "StartMs": now_ms,
        "TableArn": record["TableArn"],
        "TableName": record["TableName"],
        "TableId": record["TableId"],
        "Keys": [element["AttributeName"] for element in record["KeySchema"]],
        "Token": request.get("ClientToken") or ctx.ids.uuid(),
        "Request": _compared(request),
        "Folder": folder,
        "Files": [],
    }


def _at_ms(record: Record, wanted_ms: int | None, now_ms: int) -> int:
    window = window_ms(record, now_ms)
    if window is None:
        raise PointInTimeRecoveryUnavailableException(record["TableName"])
    if wanted_ms is None:
        return max(window[0], now_ms)
    if not window[0] <= wanted_ms <= max(now_ms, window[1]):
        raise InvalidExportTimeException("Export Time is invalid")
    return wanted_ms


def _window(record: Record, spec: dict[str, Any], now_ms: int) -> Task:
    """The period of an incremental export: its start belongs to it, its end does not."""
    from_ms, to_ms = moment_ms(spec["ExportFromTime"]), moment_ms(spec.get("ExportToTime"))
    assert from_ms is not None
    if from_ms < record["CreatedMs"]:
        raise InvalidExportTimeException(
            "Incremental export period from time cannot be less than the table creation time : "
            f"{time_text(from_ms)}"
        )
    if to_ms is not None and to_ms > now_ms:
        raise InvalidExportTimeException(
            "Incremental export period to time cannot be greater than the current time : "
            f"{time_text(to_ms)}"
        )
    if to_ms is None:
        to_ms = now_ms // 1000 * 1000
    difference = "Difference between export period from time and export period to time is "
    if to_ms - from_ms < WINDOW_MS_MIN:
        raise InvalidExportTimeException(difference + "less than 15 minutes")
    if to_ms - from_ms > WINDOW_MS_MAX:
        raise InvalidExportTimeException(difference + "greater than 24 hours")
    window = window_ms(record, now_ms)
    if window is None:
        raise PointInTimeRecoveryUnavailableException(record["TableName"])
    if from_ms < window[0]:
        raise InvalidExportTimeException(
            "Point in Time Recovery is not available for specified export time"
        )
    return {
        "FromMs": from_ms,
        "ToMs": to_ms,
        "View": spec.get("ExportViewType") or "NEW_AND_OLD_IMAGES",
    }


def _start(ctx: Context, tx: Writer, record: Record, task: Task) -> None:
    log = copying.hold_log(ctx, tx, record, task["Id"])
    at_ms = task.get("AtMs", task.get("ToMs", 0) - 1)
    if "AtMs" in task and "ExportTime" not in task["Request"]:
        at_ms = change_log.newest_ms(tx, log, at_ms)
    copying.start(
        ctx,
        tx,
        "export",
        place(ctx.world, "item", record["TableId"]),
        place(ctx.world, "export-item", task["Id"]),
        log=log,
        at_ms=at_ms,
        from_ms=task.get("FromMs"),
        body={"Export": task["Id"]},
    )


@finishes("export")
def _finish_copy(ctx: Context, tx: Writer, job: Job) -> None:
    task = job_lists.load(tx, ctx.world, "export", job["Body"]["Export"])
    assert task is not None
    copying.release_log_of(ctx, tx, task, task["Id"])
    emit(ctx, tx, "dynamodb.export", task["Id"], {"Export": task["Id"]})


def describe(task: Task) -> Output:
    """An export as DescribeExport shows it: AWS never says that one is full."""
    request = task["Request"]
    answer: Output = {
        "ExportArn": task["Arn"],
        "ExportStatus": task["Status"],
        "StartTime": task["StartMs"] / 1000,
        "TableArn": task["TableArn"],
        "TableId": task["TableId"],
        "ClientToken": task["Token"],
        "S3Bucket": request["S3Bucket"],
        "S3SseAlgorithm": request.get("S3SseAlgorithm") or "AES256",
        "ExportFormat": request.get("ExportFormat") or "DYNAMODB_JSON",
    }
    for member in ("S3BucketOwner", "S3Prefix", "S3SseKmsKeyId"):
        if request.get(member) is not None:
            answer[member] = request[member]
    if "FromMs" in task:
        answer["ExportType"] = "INCREMENTAL_EXPORT"
        answer["IncrementalExportSpecification"] = {
            "ExportFromTime": task["FromMs"] / 1000,
            "ExportToTime": task["ToMs"] / 1000,
            "ExportViewType": task["View"],
        }
    else:
        answer["ExportTime"] = task["AtMs"] / 1000
    if "EndMs" in task:
        answer["EndTime"] = task["EndMs"] / 1000
    for member in ("ItemCount", "BilledSizeBytes", "ExportManifest", "FailureCode"):
        if member in task:
            answer[member] = task[member]
    if "FailureMessage" in task:
        answer["FailureMessage"] = task["FailureMessage"]
    return answer


@service.operation("DescribeExport")
async def describe_export(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeExport.html"""
    check(request, _DESCRIBE_SHAPE)
    arn = request["ExportArn"]
    task = await ctx.store.read(lambda tx: job_lists.find(tx, ctx, "export", arn), brief=True)
    if task is None:
        if arn.split(":")[3] != ctx.world.region:
            raise ExportNotFoundException("Invalid export arn")
        raise ExportNotFoundException(f"Export not found: {arn}")
    return {"ExportDescription": describe(task)}


@service.operation("ListExports")
async def list_exports(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListExports.html

    Exports of a table that was deleted, or made anew, are no longer listed under its ARN.
    """
    check(request, _LIST_SHAPE)
    limit = min(max(1, request.get("MaxResults") or PAGE_MAX), PAGE_MAX)
    arn = request.get("TableArn")

    def work(tx: Reader) -> tuple[list[Task], str | None]:
        found, following = job_lists.page(tx, ctx, "export", limit, request.get("NextToken"), arn)
        if arn is not None and found:
            raw = tx.get(schema.table_key(ctx.world, found[0]["TableName"]))
            present = None if raw is None else schema.compiled(raw).id
            found = [task for task in found if task["TableId"] == present]
        return found, following

    found, following = await ctx.store.read(work)
    answer: Output = {
        "ExportSummaries": [
            {
                "ExportArn": task["Arn"],
                "ExportStatus": task["Status"],
                "ExportType": "INCREMENTAL_EXPORT" if "FromMs" in task else "FULL_EXPORT",
            }
            for task in found
        ]
    }
    if following is not None:
        answer["NextToken"] = following
    return answer
