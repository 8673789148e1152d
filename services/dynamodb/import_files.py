"""What an import reads: every object under a prefix, record by record, into the new table."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import orjson

from fogbank.services.context import Context
from fogbank.services.dynamodb import ion, job_lists, schema, stored, values
from fogbank.services.dynamodb.changes import change_item
from fogbank.services.dynamodb.import_formats import BadObject, BadRecord, reader
from fogbank.services.dynamodb.items import check_size
from fogbank.services.dynamodb.job_lists import Task
from fogbank.services.dynamodb.keys import check_item, item_key
from fogbank.services.dynamodb.moments import moment_of
from fogbank.services.dynamodb.schema import Table
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.source_objects import Source, records_of
from fogbank.services.dynamodb.tables import transition_ms
from fogbank.services.dynamodb.values import Item
from fogbank.services.dynamodb.vectors import check_vectors_of
from fogbank.services.errors import AwsError
from fogbank.storage.kv import Writer
from fogbank.storage.outbox import Event

BATCH_ITEMS = 100
BATCH_BYTES = 256 * 1024
FAILED_ITEMS = (
    "Some of the items failed validation checks and were not imported. Please check CloudWatch "
    "error logs for more details."
)


@service.consumer("dynamodb.import")
async def run_import(ctx: Context, event: Event) -> None:
    """The table has the items of every object, and is ACTIVE; the import says how it went.

    How far it is, is written with each batch of items: a killed server goes on from there.
    """
    import_id = event.body["body"]["Import"]
    task = await ctx.store.read(lambda tx: job_lists.load(tx, ctx.world, "import", import_id))
    if task is None or task["Status"] != "IN_PROGRESS":
        return
    batch = _Batch(ctx, task)
    try:
        source = Source(ctx, task["Request"]["S3BucketSource"])
        async for key, _ in source.listed(task["After"]):
            await _import_object(ctx, task, source, key, batch)
    except AwsError as error:
        if error.status >= 500:
            raise
        failure = error
        await ctx.store.write(lambda tx: _fail(tx, ctx, task, failure))
        return
    await ctx.store.write(lambda tx: _finish(tx, ctx, task))


def _fail(tx: Writer, ctx: Context, task: Task, error: AwsError) -> None:
    """A source that cannot be read leaves no table."""
    task |= {
        "Status": "FAILED",
        "EndMs": ctx.clock.now_ms(),
        "FailureCode": f"S3{error.code}",
        "FailureMessage": error.message,
    }
    job_lists.save(tx, ctx.world, "import", task)
    if _record(tx, ctx, task) is not None:
        tx.delete(schema.table_key(ctx.world, task["TableName"]))


def _finish(tx: Writer, ctx: Context, task: Task) -> None:
    task |= {"Status": "COMPLETED", "EndMs": ctx.clock.now_ms()}
    if task["ErrorCount"]:
        task |= {
            "Status": "FAILED",
            "FailureCode": "ItemValidationError",
            "FailureMessage": FAILED_ITEMS,
        }
    job_lists.save(tx, ctx.world, "import", task)
    record = _record(tx, ctx, task)
    if record is not None:
        record["ActiveAtMs"] = ctx.clock.now_ms() + transition_ms(ctx)
        schema.save(tx, ctx.world, record)


def _record(tx: Writer, ctx: Context, task: Task) -> schema.Record | None:
    raw = tx.get(schema.table_key(ctx.world, task["TableName"]))
    record: schema.Record | None = None if raw is None else orjson.loads(raw)
    return record if record is not None and record["TableId"] == task["TableId"] else None


class _Batch:
    """Items that wait to be written together, with how far the import is behind them."""

    def __init__(self, ctx: Context, task: Task) -> None:
        self._ctx = ctx
        self._task = task
        self._items: list[tuple[Item, int]] = []
        self._size_bytes = 0

    def add(self, item: Item, size_bytes: int) -> None:
        self._items.append((item, size_bytes))
        self._size_bytes += size_bytes

    @property
    def is_full(self) -> bool:
        return len(self._items) >= BATCH_ITEMS or self._size_bytes >= BATCH_BYTES

    async def write(self) -> None:
        """The items and the state of the import are durable together."""
        items, task, ctx = self._items, self._task, self._ctx
        self._items, self._size_bytes = [], 0
        moment = moment_of(ctx)

        def work(tx: Writer) -> None:
            record = _record(tx, ctx, task)
            assert record is not None, "a table that is being imported cannot be deleted"
            table = schema.compiled(orjson.dumps(record))
            for item, size in items:
                key = item_key(table, item)
                change_item(tx, table, key, tx.get(key), stored.seal(item, size), moment)
            job_lists.save(tx, ctx.world, "import", task)

        await ctx.store.write(work)


async def _import_object(ctx: Context, task: Task, source: Source, key: str, batch: _Batch) -> None:
    request = task["Request"]
    types = {
        one["AttributeName"]: one["AttributeType"]
        for one in request["TableCreationParameters"]["AttributeDefinitions"]
    }
    item_of: Callable[[Any], Any] = ion.item_of
    if request["InputFormat"] != "ION":
        item_of = reader(request["InputFormat"], request.get("InputFormatOptions") or {}, types)
    raw = await ctx.store.read(
        lambda tx: tx.get(schema.table_key(ctx.world, task["TableName"])), brief=True
    )
    assert raw is not None, "a table that is being imported cannot be deleted"
    table = schema.compiled(raw)
    done, number = task["Records"], 0
    compression = request.get("InputCompressionType") or "NONE"
    try:
        async with aclosing(source.chunks(key)) as chunks:
            async for record, size in records_of(chunks, request["InputFormat"], compression):
                number += 1
                if number <= done:
                    # The header says what the columns are, also of what is left.
                    if number == 1 and request["InputFormat"] == "CSV":
                        item_of(record)
                    continue
                task["ProcessedSizeBytes"] += size
                _take(task, table, item_of, record, batch)
                task["Records"] = number
                if batch.is_full:
                    await batch.write()
    except BadObject:
        task["ErrorCount"] += 1
        task["ProcessedItemCount"] += 1
    task |= {"After": key, "Records": 0}
    await batch.write()


def _take(
    task: Task, table: Table, item_of: Callable[[Any], Any], record: Any, batch: _Batch
) -> None:
    """The record's item is in the batch, or counted as an error."""
    try:
        given = item_of(record)
        if given is None:
            return
        item, size = values.item(given)
        check_size(size)
        check_item(table, item)
        check_vectors_of(table, item)
    except (BadRecord, AwsError):
        task["ErrorCount"] += 1
    else:
        task["ImportedItemCount"] += 1
        batch.add(item, size)
    task["ProcessedItemCount"] += 1
