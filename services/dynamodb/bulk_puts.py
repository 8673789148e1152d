"""What a bulk put does: every object under a prefix, record by record, into a table in use.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.Considerations.html
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

from fogbank.services.context import Context
from fogbank.services.dynamodb import job_lists, schema, stored
from fogbank.services.dynamodb.bulk_operations import KIND
from fogbank.services.dynamodb.bulk_records import Put, broken, put_of
from fogbank.services.dynamodb.bulk_reports import (
    forget_reports,
    note_condition,
    note_error,
    write_reports,
)
from fogbank.services.dynamodb.changes import project
from fogbank.services.dynamodb.errors import (
    ConditionalCheckFailedException,
    ResourceNotFoundException,
)
from fogbank.services.dynamodb.import_files import BATCH_BYTES, BATCH_ITEMS
from fogbank.services.dynamodb.import_formats import BadObject
from fogbank.services.dynamodb.items import Change, write_cost
from fogbank.services.dynamodb.job_lists import Task
from fogbank.services.dynamodb.moments import Moment, moment_of
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.source_objects import Source, records_of
from fogbank.services.dynamodb.vectors import written
from fogbank.services.errors import AwsError
from fogbank.storage.kv import Writer
from fogbank.storage.outbox import Event

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.BestPractices.html
OBJECTS_MAX = 50_000
OBJECT_BYTES_MAX = 5 * 1024**3


class _Cancelled(Exception):
    """Somebody asked for an end: nothing more is written."""


class _Failed(Exception):
    """The operation cannot go on, for a reason that is not S3's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@service.consumer("dynamodb.bulk")
async def run_bulk_put(ctx: Context, event: Event) -> None:
    """The table has the items of every object; the operation says how it went.

    How far it is, is written with each batch of items: a killed server goes on from there.
    """
    bulk_id = event.body["body"]["Bulk"]
    task = await ctx.store.read(lambda tx: job_lists.load(tx, ctx.world, KIND, bulk_id))
    if task is None or "EndMs" in task:
        return
    outcome: Task = {}
    try:
        await _Run(ctx, task).finish_input()
    except _Cancelled:
        outcome = _ended("CANCELLED", "Cancelled", "The bulk operation was cancelled.")
    except _Failed as failed:
        outcome = _ended("FAILED", failed.code, str(failed))
    except AwsError as error:
        if error.status >= 500:
            raise
        outcome = _ended("FAILED", f"S3{error.code}", error.message)
    if not outcome:
        outcome = {"Status": "COMPLETED_WITH_ERRORS" if task["FailedItemCount"] else "COMPLETED"}
    try:
        await write_reports(ctx, task, outcome["Status"])
    except AwsError as error:
        if error.status >= 500:
            raise
        if outcome["Status"] != "FAILED":
            outcome = _ended("FAILED", f"S3{error.code}", error.message)
    await ctx.store.write(lambda tx: _end(tx, ctx, task, outcome))
    await forget_reports(ctx, task)


def _ended(status: str, code: str, message: str | None) -> Task:
    return {"Status": status, "FailureCode": code, "FailureMessage": message}


def _end(tx: Writer, ctx: Context, task: Task, outcome: Task) -> None:
    task |= {**outcome, "EndMs": ctx.clock.now_ms()}
    job_lists.save(tx, ctx.world, KIND, task)


class _Run:
    """The work of one operation. `task` is how far it is, saved with what was written."""

    def __init__(self, ctx: Context, task: Task) -> None:
        self._ctx = ctx
        self._task = task
        self._source = Source(
            ctx,
            # Of a bucket without an owner AWS assumes that it is the caller's.
            {"S3BucketOwner": ctx.world.account, **task["Request"]["InputS3Configuration"]},
        )
        self._puts: list[Put] = []
        self._size_bytes = 0
        self._read_bytes = 0
        self._paced_ms = float(ctx.clock.now_ms())

    async def finish_input(self) -> None:
        """Every record has been put, or counted as one that cannot be."""
        await self._write()
        if "TotalInputBytes" not in self._task:
            await self._measure()
        if "IsRead" in self._task:
            # Its own report may lie among the objects by now.
            return
        async for key, size in self._source.listed(self._task["After"]):
            await self._put_object(key, size)
        self._task["IsRead"] = True
        await self._write()

    async def _measure(self) -> None:
        """Both buckets are open, and how much there is to read is known."""
        total = count = 0
        output = self._task["Request"]["OutputS3Configuration"]
        async for _ in Source(self._ctx, {**output, "S3KeyPrefix": None}).listed():
            break
        async for key, size in self._source.listed():
            count += 1
            total += size
            if count > OBJECTS_MAX or size > OBJECT_BYTES_MAX:
                raise _Failed(
                    "LimitExceededException",
                    f"A bulk operation reads at most {OBJECTS_MAX} objects of {OBJECT_BYTES_MAX} "
                    f"bytes: {key}",
                )
        self._task["TotalInputBytes"] = total
        await self._write()

    async def _put_object(self, key: str, size: int) -> None:
        task = self._task
        given = task["Request"]["InputS3Configuration"]
        done, number, self._read_bytes = task["Records"], 0, 0
        compression = given.get("InputCompressionType") or "NONE"
        try:
            async with aclosing(self._source.chunks(key)) as chunks:
                content = records_of(self._counted(chunks), given["InputFormat"], compression)
                async for record, _ in content:
                    number += 1
                    if number <= done:
                        continue
                    put = put_of(key, number, given["InputFormat"], record)
                    await self._add(put)
                    if put.is_last:
                        break
        except BadObject:
            await self._add(broken(key, number + 1))
        task["InputBytes"] += size
        self._read_bytes = 0
        task |= {"After": key, "Records": 0}
        await self._write()

    async def _add(self, put: Put) -> None:
        self._puts.append(put)
        self._size_bytes += put.size_bytes
        self._task["Records"] = put.number
        # The last record is written with the end of its object: nothing behind it is ever read.
        is_full = len(self._puts) >= BATCH_ITEMS or self._size_bytes >= BATCH_BYTES
        if is_full and not put.is_last:
            await self._write()

    async def _counted(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._read_bytes += len(chunk)
            yield chunk

    async def _write(self) -> None:
        """The items and the state of the operation are durable together.

        Raises _Cancelled when that was asked for since the last time.
        """
        task, ctx, puts = self._task, self._ctx, self._puts
        self._puts, self._size_bytes = [], 0
        moment = moment_of(ctx)
        read_bytes = max(task["ProcessedInputBytes"], task["InputBytes"] + self._read_bytes)

        def work(tx: Writer) -> tuple[Task, float]:
            known = job_lists.load(tx, ctx.world, KIND, task["Id"])
            assert known is not None
            if known["Status"] == "CANCELLING":
                raise _Cancelled
            # A work may run again: it counts from what it was given.
            after = {**task, "IndexBytes": {k: dict(v) for k, v in task["IndexBytes"].items()}}
            after["ProcessedInputBytes"] = read_bytes
            units = sum(_put(tx, ctx, after, put, moment) for put in puts)
            job_lists.save(tx, ctx.world, KIND, after)
            return after, units

        try:
            after, units = await ctx.store.write(work)
        except _Cancelled:
            # Nothing of the batch was written; what is known of it is what the store has.
            stored_ = await ctx.store.read(
                lambda tx: job_lists.load(tx, ctx.world, KIND, task["Id"])
            )
            task.update(stored_ or {})
            raise
        task.update(after)
        await self._pace(units)

    async def _pace(self, units: float) -> None:
        """No more units a second than were asked for."""
        most = self._task["Request"].get("MaxWriteRequestUnits")
        if most is None:
            return
        now_ms = self._ctx.clock.now_ms()
        self._paced_ms = max(self._paced_ms, now_ms - 1000) + units * 1000 / most
        if self._paced_ms > now_ms:
            await self._ctx.clock.sleep((self._paced_ms - now_ms) / 1000)


def _put(tx: Writer, ctx: Context, task: Task, put: Put, moment: Moment) -> float:
    """The record is written, or noted; the units that it takes."""
    task["ProcessedItemCount"] += 1
    place = (put.key, put.number)
    if put.error is not None or put.work is None:
        assert put.error is not None
        note_error(tx, ctx, task, place, put.error, put.item)
        return 0.0
    try:
        table = schema.load(tx, schema.table_key(ctx.world, task["TableName"]), moment.now_ms)
    except ResourceNotFoundException as error:
        raise _Failed(error.code, str(error)) from None
    if table.id != task["TableId"]:
        raise _Failed("ResourceNotFoundException", f"Table: {task['TableName']} was made anew")
    try:
        change = put.work(tx, table, moment)
    except ConditionalCheckFailedException as error:
        note_condition(tx, ctx, task, place, put.item, error.fields.get("Item"))
        return 0.0
    except AwsError as error:
        note_error(tx, ctx, task, place, error, put.item)
        return 0.0
    _count(task, put, change)
    return write_cost(change)


def _count(task: Task, put: Put, change: Change) -> None:
    """What was put where is counted; in whole bytes, for AWS does not say how it rounds."""
    assert change.new is not None
    task["TableBytes"] += stored.size_of(change.new)
    for index in change.table.indexes:
        if index.name in change.index_units:
            kind = "GlobalSecondaryIndexes" if index.is_global else "LocalSecondaryIndexes"
            size = stored.size_of(project(index, put.item, change.new))
            _grow(task, kind, index.name, size)
    if change.table.record.get("VectorIndexes"):
        for name, size_bytes in written(change.table, change.old, change.new).items():
            _grow(task, "VectorIndexes", name, int(size_bytes))


def _grow(task: Task, kind: str, name: str, size: int) -> None:
    sizes = task["IndexBytes"].setdefault(kind, {})
    sizes[name] = sizes.get(name, 0) + size
