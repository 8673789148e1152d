"""Tables: made, described, listed and deleted.

A state ends at a time that the record names, so that nothing waits and no timer moves it.
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema, stored, throughput, warm
from fogbank.services.dynamodb.backup_records import keep_deleted
from fogbank.services.dynamodb.copying import wait_for_copies
from fogbank.services.dynamodb.definitions import check_create
from fogbank.services.dynamodb.descriptions import describe
from fogbank.services.dynamodb.encryption import check_encryption, set_encryption
from fogbank.services.dynamodb.errors import ResourceInUseException, ValidationException
from fogbank.services.dynamodb.item_collections import collections_span
from fogbank.services.dynamodb.moments import Moment, moment_of
from fogbank.services.dynamodb.policies import put_first
from fogbank.services.dynamodb.policy_documents import parsed
from fogbank.services.dynamodb.replica_groups import leave
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import BOOLEAN, INTEGER, STRING, check
from fogbank.services.dynamodb.stream_records import close_stream, open_stream, stream_key, trim
from fogbank.services.dynamodb.stream_settings import check_stream
from fogbank.services.dynamodb.tag_rules import checked_tags, merged
from fogbank.services.dynamodb.vector_indexes import VECTOR_INDEX
from fogbank.services.dynamodb.vectors import count
from fogbank.services.events import emit
from fogbank.storage.keys import after, span, unpack
from fogbank.storage.kv import Reader, Writer
from fogbank.storage.outbox import Event

TABLES_PAGE_MAX = 100
# AWS refreshes counts about every six hours; small tables are counted when asked.
COUNT_LIVE_MAX = 1000
COUNT_REFRESH_MS = 6 * 3600 * 1000
SWEEP_SLICE_KEYS = 1000

KEY_SCHEMA = [{"AttributeName!": STRING, "KeyType!": STRING}]
ATTRIBUTES = [{"AttributeName!": STRING, "AttributeType!": STRING}]
THROUGHPUT = {"ReadCapacityUnits!": INTEGER, "WriteCapacityUnits!": INTEGER}
PROJECTION = {"ProjectionType": STRING, "NonKeyAttributes": [STRING]}
WARM = {"ReadUnitsPerSecond": INTEGER, "WriteUnitsPerSecond": INTEGER}
ON_DEMAND = {"MaxReadRequestUnits": INTEGER, "MaxWriteRequestUnits": INTEGER}
STREAM = {"StreamEnabled!": BOOLEAN, "StreamViewType": STRING}
SSE = {"Enabled": BOOLEAN, "SSEType": STRING, "KMSMasterKeyId": STRING}
LOCAL_INDEX = {"IndexName!": STRING, "KeySchema!": KEY_SCHEMA, "Projection!": PROJECTION}
GLOBAL_INDEX = {
    **LOCAL_INDEX,
    "ProvisionedThroughput": THROUGHPUT,
    "WarmThroughput": WARM,
    "OnDemandThroughput": ON_DEMAND,
}
TAGS = [{"Key": STRING, "Value": STRING}]
_CREATE = {
    "TableName!": STRING,
    "KeySchema!": KEY_SCHEMA,
    "AttributeDefinitions!": ATTRIBUTES,
    "LocalSecondaryIndexes": [LOCAL_INDEX],
    "GlobalSecondaryIndexes": [GLOBAL_INDEX],
    "VectorIndexes": [VECTOR_INDEX],
    "BillingMode": STRING,
    "ProvisionedThroughput": THROUGHPUT,
    "StreamSpecification": STREAM,
    "SSESpecification": SSE,
    "Tags": TAGS,
    "TableClass": STRING,
    "DeletionProtectionEnabled": BOOLEAN,
    "WarmThroughput": WARM,
    "OnDemandThroughput": ON_DEMAND,
    "ResourcePolicy": STRING,
}
_NAME_SHAPE = {"TableName!": STRING}
_LIST_SHAPE = {"ExclusiveStartTableName": STRING, "Limit": INTEGER}


def transition_ms(ctx: Context) -> int:
    """How long a table stays CREATING, UPDATING or DELETING.

    Nothing by default: SDK waiters look once and then sleep for 20 seconds.
    """
    return int(ctx.stack.options.get("dynamodb_transition_ms", 0))


@service.operation("CreateTable")
async def create_table(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html"""
    check(request, _CREATE)
    name = schema.name_of(ctx.world, request["TableName"])
    check_create(request)
    throughput.check_new(request, ctx.world.region)
    check_stream(request.get("StreamSpecification"), creating=True)
    check_encryption(request.get("SSESpecification"))
    policy = request.get("ResourcePolicy")
    document = None if policy is None else parsed(policy)
    now_ms = ctx.clock.now_ms()
    record = new_record(ctx, name, request, now_ms)

    def work(tx: Writer) -> None:
        raw = tx.get(schema.table_key(ctx.world, name))
        if raw is not None and not _is_gone(orjson.loads(raw), now_ms):
            raise ResourceInUseException(f"Table already exists: {name}")
        schema.save(tx, ctx.world, record)
        if document is not None:
            put_first(ctx, tx, record, document)
        if record.get("StreamSpecification"):
            open_stream(tx, Moment(ctx, now_ms), record)

    await ctx.store.write(work)
    answer = describe(record, now_ms)
    answer["TableStatus"] = "CREATING"
    if record.get("WarmThroughput"):
        answer["WarmThroughput"] = {**warm.effective(record, record), "Status": "UPDATING"}
    for member in ("GlobalSecondaryIndexes", "VectorIndexes"):
        for index in answer.get(member, ()):
            index["IndexStatus"] = "CREATING"
    return {"TableDescription": answer}


def new_record(ctx: Context, name: str, request: Input, now_ms: int) -> Record:
    record: Record = {
        "TableName": name,
        "TableId": ctx.ids.uuid(),
        "TableArn": schema.arn_of(ctx.world, name),
        "CreatedMs": now_ms,
        "ActiveAtMs": now_ms + transition_ms(ctx),
        "Creating": True,
        "KeySchema": request["KeySchema"],
        "AttributeDefinitions": request["AttributeDefinitions"],
    }
    for member in (
        *("LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingMode", "TableClass"),
        *("ProvisionedThroughput", "DeletionProtectionEnabled", "WarmThroughput"),
        *("OnDemandThroughput", "VectorIndexes"),
    ):
        if request.get(member) is not None:
            record[member] = request[member]
    if record.get("GlobalSecondaryIndexes"):
        record["GlobalSecondaryIndexes"] = [dict(one) for one in record["GlobalSecondaryIndexes"]]
    for holder in (record, *(record.get("GlobalSecondaryIndexes") or ())):
        throughput.keep_new(holder)
    if request.get("Tags"):
        record["Tags"] = merged(checked_tags(request["Tags"]), [])
    if record.get("BillingMode") == "PAY_PER_REQUEST":
        record["WasOnDemandMs"] = now_ms
    set_stream(record, request.get("StreamSpecification"), now_ms)
    set_encryption(ctx, record, request.get("SSESpecification"))
    return record


def set_stream(record: Record, wanted: dict[str, Any] | None, now_ms: int) -> None:
    """The record has the stream that the specification wants."""
    if wanted is None:
        return
    if not wanted["StreamEnabled"]:
        record.pop("StreamSpecification", None)
        return
    label = _stream_label(now_ms, record.get("LatestStreamLabel"))
    record["StreamSpecification"] = {
        "StreamEnabled": True,
        "StreamViewType": wanted["StreamViewType"],
    }
    record["LatestStreamLabel"] = label
    record["LatestStreamArn"] = f"{record['TableArn']}/stream/{label}"


def _stream_label(now_ms: int, latest: str | None) -> str:
    """This moment, or the one after the latest's: each stream of a table has a label of its own."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    if latest is not None:
        moment = max(moment, datetime.fromisoformat(f"{latest}+00:00") + timedelta(milliseconds=1))
    return moment.isoformat(timespec="milliseconds")[:23]


def _is_gone(record: Record, now_ms: int) -> bool:
    deleted_at_ms = record.get("DeletedAtMs")
    return deleted_at_ms is not None and now_ms >= deleted_at_ms


@service.operation("DescribeTable")
async def describe_table(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html"""
    check(request, _NAME_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    now_ms = ctx.clock.now_ms()

    def work(tx: Reader) -> Record:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
        _count(ctx, tx, record, now_ms)
        return record

    record = await ctx.store.read(work)
    if record.pop("recounted", False):
        await ctx.store.write(lambda tx: _save_counts(tx, ctx, record))
    return {"Table": describe(record, now_ms, whole=True)}


def _count(ctx: Context, tx: Reader, record: Record, now_ms: int) -> None:
    """The record has the counts of a small table as they are, of a large one as of some hours."""
    fresh = now_ms < record.get("CountedMs", -COUNT_REFRESH_MS) + COUNT_REFRESH_MS
    places = [(record, schema.items_span(ctx.world, record["TableId"]))]
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        for index in record.get(member) or ():
            start, stop = schema.indexes_span(ctx.world, record["TableId"], schema.index_id(index))
            places.append((index, (start, stop)))
    for holder, (start, stop) in places:
        items = size_bytes = 0
        for _, raw in tx.range(start, stop):
            items += 1
            size_bytes += stored.size_of(raw)
            if items > COUNT_LIVE_MAX:
                if fresh:
                    return
                record["recounted"] = True
        holder["ItemCount"], holder["SizeBytes"] = items, size_bytes
    if record.get("VectorIndexes"):
        count(schema.compiled(orjson.dumps(record)), record, tx.range(*places[0][1]))
    if record.get("recounted"):
        record["CountedMs"] = now_ms


def _save_counts(tx: Writer, ctx: Context, counted: Record) -> None:
    """What was counted is kept, if the table is still as it was when it was counted."""
    key = schema.table_key(ctx.world, counted["TableName"])
    raw = tx.get(key)
    current = None if raw is None else orjson.loads(raw)
    if current is None or current["TableId"] != counted["TableId"]:
        return
    for name in ("ItemCount", "SizeBytes", "CountedMs"):
        current[name] = counted[name]
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes", "VectorIndexes"):
        counts = {index["IndexName"]: index for index in counted.get(member) or ()}
        for index in current.get(member) or ():
            found = counts.get(index["IndexName"], {})
            index["ItemCount"] = found.get("ItemCount", 0)
            index["SizeBytes"] = found.get("SizeBytes", 0)
    schema.save(tx, ctx.world, current)


@service.operation("ListTables")
async def list_tables(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html"""
    check(request, _LIST_SHAPE)
    limit = request.get("Limit") or TABLES_PAGE_MAX
    if not 0 < limit <= TABLES_PAGE_MAX:
        raise ValidationException(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            "constraint: Member must have value less than or equal to 100"
        )
    start, stop = span("dynamodb", ctx.world.account, ctx.world.region, "table")
    if request.get("ExclusiveStartTableName") is not None:
        start = after(schema.table_key(ctx.world, request["ExclusiveStartTableName"]))
    now_ms = ctx.clock.now_ms()

    def work(tx: Reader) -> list[str]:
        names = []
        for key, raw in tx.range(start, stop):
            if not _is_gone(schema.compiled(raw).record, now_ms):
                names.append(str(unpack(key)[-1]))
                if len(names) > limit:
                    break
        return names

    names = await ctx.store.read(work)
    answer: Output = {"TableNames": names[:limit]}
    if len(names) > limit:
        answer["LastEvaluatedTableName"] = names[limit - 1]
    return answer


@service.operation("DeleteTable")
async def delete_table(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html"""
    check(request, _NAME_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    now_ms = ctx.clock.now_ms()
    delay_ms = transition_ms(ctx)

    def work(tx: Writer) -> Record:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
        if schema.status_of(record, now_ms) == "UPDATING":
            raise ResourceInUseException(
                f"Attempt to change a resource which is still in use: Table: {name} is in the "
                "process of being updated."
            )
        schema.require_active(record, now_ms)
        if record.get("DeletionProtectionEnabled"):
            raise ValidationException(
                "Resource cannot be deleted as it is currently protected against deletion. "
                "Disable deletion protection first."
            )
        if record.get("StreamSpecification"):
            close_stream(tx, Moment(ctx, now_ms), name, record["LatestStreamLabel"])
        tx.delete_range(*schema.policies_span(ctx.world, name))
        record["DeletedAtMs"] = now_ms + delay_ms
        if delay_ms:
            schema.save(tx, ctx.world, record)
        else:
            tx.delete(schema.table_key(ctx.world, name))
        body: dict[str, Any] = {"TableName": name, "TableId": record["TableId"]}
        leave(ctx, tx, record, now_ms)
        if keep_deleted(ctx, tx, record, now_ms):
            body["KeepsItems"] = True
        emit(ctx, tx, "dynamodb.sweep", record["TableId"], body, due_ms=now_ms + delay_ms)
        return record

    answer = describe(await ctx.store.write(work), now_ms)
    for member in ("AttributeDefinitions", "KeySchema", "CreationDateTime"):
        answer.pop(member)
    return {"TableDescription": answer}


@service.consumer("dynamodb.sweep")
async def sweep(ctx: Context, event: Event) -> None:
    """Nothing is left of a deleted table or index, whose data nobody reaches any more."""
    body = event.body["body"]
    table_id = body["TableId"]
    part = None
    if "IndexId" in body:
        part = schema.indexes_span(ctx.world, table_id, body["IndexId"])
    elif "TimesId" in body:
        part = schema.times_span(ctx.world, table_id, body["TimesId"])
    else:
        # Backups, restores and exports that have begun still read the items and their log.
        await wait_for_copies(ctx, table_id)
        if "LogId" in body:
            part = schema.log_span(ctx.world, table_id, body["LogId"])
    if part is not None:
        start, stop = part
        while await ctx.store.write(partial(clear, start=start, stop=stop)):
            continue
        return
    spans = [
        schema.indexes_span(ctx.world, table_id),
        schema.times_span(ctx.world, table_id),
        collections_span(ctx.world, table_id),
    ]
    if not body.get("KeepsItems"):
        spans.append(schema.items_span(ctx.world, table_id))
    for start, stop in spans:
        while await ctx.store.write(partial(clear, start=start, stop=stop)):
            continue

    def forget(tx: Writer) -> None:
        key = schema.table_key(ctx.world, body["TableName"])
        raw = tx.get(key)
        if raw is not None and schema.compiled(raw).id == table_id:
            tx.delete(key)

    await ctx.store.write(forget)


def clear(tx: Writer, start: bytes, stop: bytes) -> bool:
    """One slice of the range is gone; True while there may be more of it."""
    last = b""
    for at, (key, _) in enumerate(tx.range(start, stop), 1):
        last = key
        if at >= SWEEP_SLICE_KEYS:
            break
    if last:
        tx.delete_range(start, after(last))
    return bool(last)


@service.consumer("dynamodb.trim")
async def trim_stream(ctx: Context, event: Event) -> None:
    """The stream has no record of more than a day ago; it is trimmed again in an hour."""
    body = event.body["body"]

    def work(tx: Writer) -> bool:
        raw = tx.get(stream_key(ctx.world, body["TableName"], body["StreamLabel"]))
        return raw is not None and trim(tx, moment_of(ctx), orjson.loads(raw), SWEEP_SLICE_KEYS)

    while await ctx.store.write(work):
        continue
