"""What a bulk put could not write: noted with its progress, and reported in S3 at its end.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.Output.html

What is reported is AWS's: the records that failed, and for conditions the item that was attempted
and the one that is there. The names of the files and of their members are modelled on exports: the
page that tells them could not be read.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from fogbank.services.context import Context, World
from fogbank.services.dynamodb.job_lists import Task
from fogbank.services.dynamodb.tables import clear
from fogbank.services.dynamodb.target_objects import digest, put_object
from fogbank.services.dynamodb.values import Item
from fogbank.services.errors import AwsError
from fogbank.storage.keys import after, pack, span
from fogbank.storage.kv import Reader, Writer

FILE_BYTES_MAX = 8 * 1024 * 1024
# Each type of output, with the counter of the task that numbers its lines, and its folder.
TYPES = {
    "ERROR": ("FailedItemCount", "errors"),
    "CONDITION_CHECK_FAILURE": ("ConditionFailures", "condition-check-failures"),
}


def _key(world: World, task: Task, type_: str, number: int) -> bytes:
    place = ("dynamodb", world.account, world.region, "bulk-report", task["Id"], type_)
    return pack(*place, f"{number:012d}")


def _note(tx: Writer, ctx: Context, task: Task, type_: str, line: dict[str, Any]) -> None:
    counter, _ = TYPES[type_]
    task[counter] += 1
    if type_ in task["Request"]["OutputS3Configuration"]["OutputType"]:
        tx.put(_key(ctx.world, task, type_, task[counter]), orjson.dumps(line))


def note_error(
    tx: Writer, ctx: Context, task: Task, place: tuple[str, int], error: AwsError, item: Item
) -> None:
    """The record at `place`, an object and a number, is counted and will be reported."""
    key, number = place
    line: dict[str, Any] = {"S3Key": key, "RecordNumber": number}
    line |= {"ErrorCode": error.code, "ErrorMessage": error.message}
    _note(tx, ctx, task, "ERROR", {**line, "Item": item} if item else line)


def note_condition(
    tx: Writer, ctx: Context, task: Task, place: tuple[str, int], item: Item, present: Item | None
) -> None:
    """The same of a record whose condition does not hold, with the item that is there."""
    key, number = place
    line: dict[str, Any] = {"S3Key": key, "RecordNumber": number, "AttemptedItem": item}
    _note(
        tx,
        ctx,
        task,
        "CONDITION_CHECK_FAILURE",
        line if present is None else {**line, "ExistingItem": present},
    )


async def write_reports(ctx: Context, task: Task, status: str) -> None:
    """The report is in the bucket: equal files under equal names, however often it is written."""
    output = task["Request"]["OutputS3Configuration"]
    prefix = (output.get("S3KeyPrefix") or "").rstrip("/")
    folder = f"{prefix}/AWSDynamoDB/{task['Id']}".lstrip("/")
    files: list[dict[str, Any]] = []
    for type_ in output["OutputType"]:
        start: bytes | None = b""
        while start is not None:
            begin = start
            lines, start = await ctx.store.read(
                lambda tx, at=begin, of=type_: _lines(tx, ctx, task, of, at)  # type: ignore[misc]
            )
            if not lines:
                break
            data = b"".join(lines)
            key = f"{folder}/{TYPES[type_][1]}/{len(files):08d}.json"
            files.append(
                {
                    "outputType": type_,
                    "itemCount": len(lines),
                    "md5Checksum": digest(data),
                    "etag": await put_object(ctx, output, key, data),
                    "dataFileS3Key": key,
                }
            )
    manifest = orjson.dumps(_manifest(task, status, files))
    await put_object(ctx, output, f"{folder}/manifest.json", manifest)


def _lines(
    tx: Reader, ctx: Context, task: Task, type_: str, start: bytes
) -> tuple[list[bytes], bytes | None]:
    """The lines of one file, and where the next one begins; None when nothing is left."""
    first, stop = _span(ctx.world, task, type_)
    lines: list[bytes] = []
    size_bytes = 0
    for key, raw in tx.range(max(first, start), stop):
        lines.append(raw + b"\n")
        size_bytes += len(raw)
        if size_bytes >= FILE_BYTES_MAX:
            return lines, after(key)
    return lines, None


def _span(world: World, task: Task, *type_: str) -> tuple[bytes, bytes]:
    return span("dynamodb", world.account, world.region, "bulk-report", task["Id"], *type_)


def _manifest(task: Task, status: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "bulkOperationArn": task["Arn"],
        "bulkOperationStatus": status,
        "tableArn": task["TableArn"],
        "tableId": task["TableId"],
        "startTime": datetime.fromtimestamp(task["StartMs"] / 1000, UTC).isoformat(),
        "processedItemCount": task["ProcessedItemCount"],
        "failedItemCount": task["FailedItemCount"],
        "conditionCheckFailureCount": task["ConditionFailures"],
        "files": files,
    }


async def forget_reports(ctx: Context, task: Task) -> None:
    """Nothing is left in the store of what was reported."""
    start, stop = _span(ctx.world, task)
    while await ctx.store.write(partial(clear, start=start, stop=stop)):
        continue
