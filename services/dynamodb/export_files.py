"""What an export writes: data files of one quarter of the hash order each, and its manifests.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from typing import Any

import orjson

from fogbank.services.context import Context
from fogbank.services.dynamodb import copying, ion, job_lists, stored
from fogbank.services.dynamodb.copying import place, prefix_of
from fogbank.services.dynamodb.job_lists import Task
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.tables import clear
from fogbank.services.dynamodb.target_objects import digest, put_object
from fogbank.services.errors import AwsError
from fogbank.storage.keys import after
from fogbank.storage.kv import Reader
from fogbank.storage.outbox import Event

# Each of AWS's partitions writes a file of its own; ours are as many as the shards of a stream.
PARTITIONS = 4
FILE_BYTES_MAX = 8 * 1024 * 1024
# What AWS bills at least for an incremental export.
INCREMENTAL_BYTES_MIN = 10_000_000
_NAME_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_NAME_LENGTH = 26


@dataclass(frozen=True, slots=True)
class _Lines:
    """Some lines of a data file, and where the next file begins; None when nothing is left."""

    lines: list[bytes]
    following: bytes | None
    size_bytes: int


@service.consumer("dynamodb.export")
async def write_export(ctx: Context, event: Event) -> None:
    """The export's files are in the bucket and it is COMPLETED; or it has FAILED and says why.

    Each file that was written is noted with where the next one begins: a killed server goes on
    from there, and what it wrote without noting it is written again under the same name.
    """
    export_id = event.body["body"]["Export"]
    task = await ctx.store.read(lambda tx: job_lists.load(tx, ctx.world, "export", export_id))
    if task is None or task["Status"] != "IN_PROGRESS":
        return
    try:
        await _write_all(ctx, task)
        outcome: Task = {"Status": "COMPLETED"}
    except AwsError as error:
        if error.status >= 500:
            raise
        outcome = {"Status": "FAILED", **_failure(ctx, error)}
    prefix = prefix_of(place(ctx.world, "export-item", export_id))
    while await ctx.store.write(partial(clear, start=prefix, stop=prefix + b"\xff")):
        continue
    task = {**task, **outcome, "EndMs": task.get("EndMs", ctx.clock.now_ms())}
    if outcome["Status"] == "FAILED":
        task.pop("ExportManifest", None)
    await ctx.store.write(lambda tx: job_lists.save(tx, ctx.world, "export", task))


def _failure(ctx: Context, error: AwsError) -> Task:
    return {
        "FailureCode": f"S3{error.code}",
        "FailureMessage": (
            f"{error.message} (Service: Amazon S3; Status Code: {error.status}; Error Code: "
            f"{error.code}; Request ID: {ctx.request_id}; S3 Extended Request ID: null; "
            "Proxy: null)"
        ),
    }


async def _write_all(ctx: Context, task: Task) -> None:
    folder = f"{task['Folder']}/{task['Id']}"
    if not task["Files"]:
        await put_object(ctx, task["Request"], f"{folder}/_started", b"")
    # Incremental exports to one place share a folder of data.
    data = f"{task['Folder']}/data" if "FromMs" in task else f"{folder}/data"
    for partition in range(PARTITIONS):
        await _write_partition(ctx, task, partition, data)
    await _write_manifests(ctx, task, folder)


async def _write_partition(ctx: Context, task: Task, partition: int, data: str) -> None:
    """The partition's files are written and noted, at least one."""
    mine = [file for file in task["Files"] if file["partition"] == partition]
    start: bytes | None = b""
    if mine:
        start = None if mine[-1]["following"] is None else bytes.fromhex(mine[-1]["following"])
    while start is not None:
        begin = start
        found = await ctx.store.read(lambda tx, at=begin: _read(tx, ctx, task, partition, at))  # type: ignore[misc]
        packed = await asyncio.to_thread(_pack, found.lines)
        number = len(task["Files"])
        kind = "ion" if _is_ion(task) else "json"
        key = f"{data}/{_file_name(task['Id'], number)}.{kind}.gz"
        etag = await put_object(ctx, task["Request"], key, packed)
        task["Files"].append(
            {
                "partition": partition,
                "following": None if found.following is None else found.following.hex(),
                "itemCount": len(found.lines),
                "sizeBytes": found.size_bytes,
                "md5Checksum": digest(packed),
                "etag": etag,
                "dataFileS3Key": key,
            }
        )
        await ctx.store.write(lambda tx: job_lists.save(tx, ctx.world, "export", task))
        start = found.following


def _pack(lines: list[bytes]) -> bytes:
    """Equal lines make equal files: no time and no name is in them."""
    return gzip.compress(b"".join(lines), mtime=0)


def _file_name(export_id: str, number: int) -> str:
    digest = blake2b(f"{export_id} {number}".encode(), digest_size=_NAME_LENGTH).digest()
    return "".join(_NAME_ALPHABET[byte & 31] for byte in digest)


def _read(tx: Reader, ctx: Context, task: Task, partition: int, start: bytes) -> _Lines:
    prefix = prefix_of(place(ctx.world, "export-item", task["Id"]))
    # The hash of an item's key follows the prefix, behind the byte that marks it.
    step = 256 // PARTITIONS
    first = prefix + b"\x01" + bytes([partition * step])
    last = partition == PARTITIONS - 1
    stop = prefix + (b"\x02" if last else b"\x01" + bytes([(partition + 1) * step]))
    line_of: Callable[[bytes], bytes | None] = _full_ion if _is_ion(task) else _full_line
    if "FromMs" in task:
        written_as = _incremental_ion if _is_ion(task) else _incremental_line
        line_of = partial(written_as, keys=task["Keys"], view=task["View"])
    lines: list[bytes] = []
    size_bytes = written = 0
    for key, raw in tx.range(max(first, start), stop):
        line = line_of(raw)
        if line is None:
            continue
        lines.append(line)
        written += len(line)
        size_bytes += stored.size_of(raw) if "FromMs" not in task else len(line)
        if written >= FILE_BYTES_MAX:
            return _Lines(lines, after(key), size_bytes)
    return _Lines(lines, None, size_bytes)


def _is_ion(task: Task) -> bool:
    return bool(task["Request"].get("ExportFormat") == "ION")


def _full_line(raw: bytes) -> bytes:
    return b'{"Item":' + stored.json_of(raw) + b"}\n"


def _full_ion(raw: bytes) -> bytes:
    return ion.line({"Item": ion.plain(stored.open_(raw))})


def _incremental_ion(raw: bytes, keys: list[str], view: str) -> bytes | None:
    """The same members as in JSON, but within a Record. No source at hand confirms this layout."""
    change = copying.open_change(raw)
    known = change.new or change.old
    if known is None:
        return None
    item = ion.plain(stored.open_(known))
    record: dict[str, Any] = {
        "Metadata": {"WriteTimestampMicros": Decimal(change.at_ms * 1000)},
        "Keys": {name: item[name] for name in keys},
    }
    if change.old is not None and view == "NEW_AND_OLD_IMAGES":
        record["OldImage"] = ion.plain(stored.open_(change.old))
    if change.new is not None:
        record["NewImage"] = ion.plain(stored.open_(change.new))
    return ion.line({"Record": record})


def _incremental_line(raw: bytes, keys: list[str], view: str) -> bytes | None:
    """The item before and after the period; None when it neither was nor is."""
    change = copying.open_change(raw)
    known = change.new or change.old
    if known is None:
        return None
    item = stored.open_(known)
    line: dict[str, Any] = {
        "Metadata": {"WriteTimestampMicros": {"N": str(change.at_ms * 1000)}},
        "Keys": {name: item[name] for name in keys},
    }
    if change.old is not None and view == "NEW_AND_OLD_IMAGES":
        line["OldImage"] = orjson.Fragment(stored.json_of(change.old))
    if change.new is not None:
        line["NewImage"] = orjson.Fragment(stored.json_of(change.new))
    return orjson.dumps(line) + b"\n"


async def _write_manifests(ctx: Context, task: Task, folder: str) -> None:
    shown = ("itemCount", "md5Checksum", "etag", "dataFileS3Key")
    files = b"".join(
        orjson.dumps({name: file[name] for name in shown}) + b"\n" for file in task["Files"]
    )
    task["EndMs"] = ctx.clock.now_ms()
    task["ItemCount"] = sum(file["itemCount"] for file in task["Files"])
    size_bytes = sum(file["sizeBytes"] for file in task["Files"])
    incremental = "FromMs" in task
    task["BilledSizeBytes"] = max(INCREMENTAL_BYTES_MIN, size_bytes) if incremental else size_bytes
    task["ExportManifest"] = f"{folder}/manifest-summary.json"
    for name, content in (
        ("manifest-files", files),
        ("manifest-summary", orjson.dumps(_summary(task, f"{folder}/manifest-files.json"))),
    ):
        await put_object(ctx, task["Request"], f"{folder}/{name}.json", content)
        await put_object(ctx, task["Request"], f"{folder}/{name}.md5", digest(content).encode())


def _summary(task: Task, files_key: str) -> dict[str, Any]:
    request = task["Request"]
    times: dict[str, Any] = {"exportTime": _iso(task["AtMs"])} if "AtMs" in task else {}
    kind: dict[str, Any] = {}
    if "FromMs" in task:
        times = {"exportFromTime": _iso(task["FromMs"]), "exportToTime": _iso(task["ToMs"])}
        kind = {"outputView": task["View"], "exportType": "INCREMENTAL_EXPORT"}
    return {
        "version": "2023-08-01" if kind else "2020-06-30",
        "exportArn": task["Arn"],
        "startTime": _iso(task["StartMs"]),
        "endTime": _iso(task["EndMs"]),
        "tableArn": task["TableArn"],
        "tableId": task["TableId"],
        **times,
        "s3Bucket": request["S3Bucket"],
        "s3Prefix": request.get("S3Prefix"),
        "s3SseAlgorithm": request.get("S3SseAlgorithm") or "AES256",
        "s3SseKmsKeyId": request.get("S3SseKmsKeyId"),
        "manifestFilesS3Key": files_key,
        "billedSizeBytes": task["BilledSizeBytes"],
        "itemCount": task["ItemCount"],
        "outputFormat": request.get("ExportFormat") or "DYNAMODB_JSON",
        **kind,
    }


def _iso(at_ms: int) -> str:
    text = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
