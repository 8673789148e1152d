"""UpdateTable: capacity, billing, streams, and global indexes added and removed online."""

from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.changes import put_entry
from fogbank.services.dynamodb.definitions import (
    GLOBAL_INDEXES_MAX,
    check_attributes,
    check_billing,
    check_global,
    check_throughput,
    check_used,
    invalid,
)
from fogbank.services.dynamodb.descriptions import describe
from fogbank.services.dynamodb.errors import (
    LimitExceededException,
    ResourceNotFoundException,
    ValidationException,
)
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.replica_groups import SHARED, check_settings, members
from fogbank.services.dynamodb.replicas import REPLICA_UPDATES, update_replicas
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import BOOLEAN, STRING, check
from fogbank.services.dynamodb.stream_records import close_stream, open_stream
from fogbank.services.dynamodb.tables import (
    ATTRIBUTES,
    GLOBAL_INDEX,
    ON_DEMAND,
    SSE,
    STREAM,
    THROUGHPUT,
    WARM,
    set_encryption,
    set_stream,
    transition_ms,
)
from fogbank.services.events import emit
from fogbank.storage.keys import after
from fogbank.storage.kv import Writer
from fogbank.storage.outbox import Event

BACKFILL_SLICE_ITEMS = 500

_SHAPE = {
    "TableName!": STRING,
    "AttributeDefinitions": ATTRIBUTES,
    "BillingMode": STRING,
    "ProvisionedThroughput": THROUGHPUT,
    "GlobalSecondaryIndexUpdates": [
        {
            "Create": GLOBAL_INDEX,
            "Delete": {"IndexName!": STRING},
            "Update": {
                "IndexName!": STRING,
                "ProvisionedThroughput": THROUGHPUT,
                "OnDemandThroughput": ON_DEMAND,
                "WarmThroughput": WARM,
            },
        }
    ],
    "StreamSpecification": STREAM,
    "SSESpecification": SSE,
    "TableClass": STRING,
    "DeletionProtectionEnabled": BOOLEAN,
    "OnDemandThroughput": ON_DEMAND,
    "WarmThroughput": WARM,
    "ReplicaUpdates": REPLICA_UPDATES,
}
_CHANGES = tuple(name for name in _SHAPE if name not in ("TableName!", "AttributeDefinitions"))


@service.operation("UpdateTable")
async def update_table(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html"""
    check(request, _SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    if all(request.get(member) is None for member in _CHANGES):
        raise ValidationException(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
            "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
        )
    if request.get("ReplicaUpdates") is not None:
        return await update_replicas(ctx, name, request)
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> Record:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
        schema.require_active(record, now_ms)
        check_settings(record, request)
        _change_billing(record, request, now_ms)
        _change_stream(tx, Moment(ctx, now_ms), record, request)
        if request.get("DeletionProtectionEnabled") is not None:
            record["DeletionProtectionEnabled"] = request["DeletionProtectionEnabled"]
        _change_shared(ctx, tx, record, request, now_ms)
        # All but streams and protection is one setting of a global table.
        for where, member in members(tx, ctx, record) if set(request) & SHARED else ():
            schema.require_active(member, now_ms)
            _change_billing(member, request, now_ms)
            _change_shared(where, tx, member, request, now_ms)
        return record

    answer = describe(await ctx.store.write(work), now_ms)
    if set(request) - {"TableName", "DeletionProtectionEnabled"}:
        answer["TableStatus"] = "UPDATING"
    return {"TableDescription": answer}


def _change_shared(ctx: Context, tx: Writer, record: Record, request: Input, now_ms: int) -> None:
    """What the members of a global table share, but billing, is changed, and the record saved."""
    _change_indexes(ctx, tx, record, request, now_ms)
    set_encryption(ctx, record, request.get("SSESpecification"))
    for member in ("TableClass", "OnDemandThroughput", "WarmThroughput"):
        if request.get(member) is not None:
            record[member] = request[member]
    record["Creating"] = False
    record["ActiveAtMs"] = now_ms + transition_ms(ctx)
    schema.save(tx, ctx.world, record)


def _change_billing(record: Record, request: Input, now_ms: int) -> None:
    mode = request.get("BillingMode")
    throughput = request.get("ProvisionedThroughput")
    current = record.get("BillingMode") or "PROVISIONED"
    if throughput is None and mode in (None, current):
        return
    check_billing((mode or current) == "PAY_PER_REQUEST", throughput)
    if throughput is None:
        record.pop("ProvisionedThroughput", None)
        for index in record.get("GlobalSecondaryIndexes") or ():
            index.pop("ProvisionedThroughput", None)
        record["WasOnDemandMs"] = now_ms
        record["BillingMode"] = mode
        return
    check_throughput(throughput)
    old = record.get("ProvisionedThroughput") or {}
    read, write = throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]
    if (old.get("ReadCapacityUnits"), old.get("WriteCapacityUnits")) == (read, write):
        raise ValidationException(
            "The provisioned throughput for the table will not change. The requested value equals "
            "the current value. Current ReadCapacityUnits provisioned for the table: "
            f"{read}. Requested ReadCapacityUnits: {read}. Current WriteCapacityUnits provisioned "
            f"for the table: {write}. Requested WriteCapacityUnits: {write}. Refer to the Amazon "
            "DynamoDB Developer Guide for current limits and how to request higher limits."
        )
    record["ProvisionedThroughput"] = _moved(old, throughput, now_ms)
    if mode is not None:
        record["BillingMode"] = mode


def _moved(old: dict[str, Any], new: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """The new capacity, with the times of its last increase and decrease."""
    result = {**old, **new}
    pairs = [(old.get(name, 0), new[name]) for name in ("ReadCapacityUnits", "WriteCapacityUnits")]
    if old and any(after_ > before for before, after_ in pairs):
        result["LastIncreaseDateTime"] = now_ms / 1000
    if any(after_ < before for before, after_ in pairs):
        result["LastDecreaseDateTime"] = now_ms / 1000
        result["NumberOfDecreasesToday"] = old.get("NumberOfDecreasesToday", 0) + 1
    return result


def _change_stream(tx: Writer, moment: Moment, record: Record, request: Input) -> None:
    wanted = request.get("StreamSpecification")
    if wanted is None:
        return
    enabled = bool((record.get("StreamSpecification") or {}).get("StreamEnabled"))
    if wanted["StreamEnabled"] and enabled:
        raise ValidationException(
            f"Table already has an enabled stream: TableName: {record['TableName']}"
        )
    if not wanted["StreamEnabled"] and not enabled:
        raise ValidationException(
            f"Table has no stream to disable: TableName: {record['TableName']}"
        )
    if enabled:
        close_stream(tx, moment, record["TableName"], record["LatestStreamLabel"])
    set_stream(record, wanted, moment.now_ms)
    if wanted["StreamEnabled"]:
        open_stream(tx, moment, record)


def _change_indexes(ctx: Context, tx: Writer, record: Record, request: Input, now_ms: int) -> None:
    updates = request.get("GlobalSecondaryIndexUpdates")
    if updates is None:
        return
    if not updates:
        raise invalid("List of GlobalSecondaryIndexUpdates is empty")
    online = [one for one in updates if one.get("Create") or one.get("Delete")]
    if len(online) > 1:
        raise LimitExceededException(
            "Subscriber limit exceeded: Only 1 online index can be created or deleted "
            "simultaneously per table"
        )
    for one in updates:
        if one.get("Create"):
            _create_index(ctx, tx, record, request, one["Create"], now_ms)
        elif one.get("Delete"):
            _delete_index(ctx, tx, record, one["Delete"]["IndexName"], now_ms)
        elif one.get("Update"):
            _update_index(record, one["Update"], now_ms)
        else:
            raise invalid("One of GlobalSecondaryIndexUpdate's actions must be specified")


def _find(record: Record, name: str) -> dict[str, Any]:
    for index in record.get("GlobalSecondaryIndexes") or ():
        if index["IndexName"] == name:
            found: dict[str, Any] = index
            return found
    raise ResourceNotFoundException(f"Table: {record['TableName']} Index: {name} not found")


def _update_index(record: Record, change: dict[str, Any], now_ms: int) -> None:
    index = _find(record, change["IndexName"])
    throughput = change.get("ProvisionedThroughput")
    if throughput is not None:
        if record.get("BillingMode") == "PAY_PER_REQUEST":
            raise invalid(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
                "BillingMode is PAY_PER_REQUEST"
            )
        check_throughput(throughput, index["IndexName"])
        index["ProvisionedThroughput"] = _moved(
            index.get("ProvisionedThroughput") or {}, throughput, now_ms
        )
    for member in ("OnDemandThroughput", "WarmThroughput"):
        if change.get(member) is not None:
            index[member] = change[member]


def _create_index(
    ctx: Context, tx: Writer, record: Record, request: Input, wanted: dict[str, Any], now_ms: int
) -> None:
    name = wanted["IndexName"]
    present = [
        index["IndexName"]
        for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
        for index in record.get(member) or ()
    ]
    if name in present:
        raise ValidationException(f"Attempting to create an index which already exists: {name}")
    if len(record.get("GlobalSecondaryIndexes") or ()) >= GLOBAL_INDEXES_MAX:
        raise LimitExceededException(
            "Subscriber limit exceeded: GlobalSecondaryIndex count exceeds the per-table limit "
            f"of {GLOBAL_INDEXES_MAX}"
        )
    _define(record, request, wanted)
    index = {
        **wanted,
        "Id": f"{name}@{ctx.ids.hex(4)}",
        "backfilling": True,
        "ActiveAtMs": now_ms + transition_ms(ctx),
    }
    record.setdefault("GlobalSecondaryIndexes", []).append(index)
    if _backfill(ctx, tx, record, name, b"") is None:
        index.pop("backfilling")
        return
    body = {"TableName": record["TableName"], "TableId": record["TableId"], "IndexName": name}
    emit(ctx, tx, "dynamodb.backfill", record["TableId"], body)


def _define(record: Record, request: Input, wanted: dict[str, Any]) -> None:
    """The attributes of the new index's key are defined, and no definition changes its type."""
    given = request.get("AttributeDefinitions") or []
    check_attributes(given)
    types = {one["AttributeName"]: one["AttributeType"] for one in record["AttributeDefinitions"]}
    for one in given:
        if types.get(one["AttributeName"], one["AttributeType"]) != one["AttributeType"]:
            raise invalid(
                f"Type of attribute {one['AttributeName']} cannot be changed while it is in use"
            )
        types[one["AttributeName"]] = one["AttributeType"]
    check_global(wanted, list(types), record.get("BillingMode") == "PAY_PER_REQUEST")
    definitions = [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]
    indexes = [
        *(record.get("LocalSecondaryIndexes") or ()),
        *(record.get("GlobalSecondaryIndexes") or ()),
        wanted,
    ]
    check_used(definitions, record["KeySchema"], indexes)
    record["AttributeDefinitions"] = definitions


def _backfill(ctx: Context, tx: Writer, record: Record, name: str, start: bytes) -> bytes | None:
    """One slice of the table's items have their entries; where to go on, None at the end."""
    table = schema.compiled(orjson.dumps(record))
    index = table.index(name)
    first, stop = schema.items_span(ctx.world, table.id)
    for at, (key, raw) in enumerate(tx.range(max(first, start), stop), 1):
        put_entry(tx, table, index, raw)
        if at >= BACKFILL_SLICE_ITEMS:
            return after(key)
    return None


@service.consumer("dynamodb.backfill")
async def backfill(ctx: Context, event: Event) -> None:
    """The index has an entry for every item that it should, and is ACTIVE."""
    body = event.body["body"]
    key = schema.table_key(ctx.world, body["TableName"])
    start: bytes | None = b"\x00"

    def work(tx: Writer) -> bytes | None:
        raw = tx.get(key)
        record = None if raw is None else orjson.loads(raw)
        if record is None or record["TableId"] != body["TableId"]:
            return None
        names = [index["IndexName"] for index in record.get("GlobalSecondaryIndexes") or ()]
        if body["IndexName"] not in names:
            return None
        assert start is not None
        following = _backfill(ctx, tx, record, body["IndexName"], start)
        if following is None:
            _find(record, body["IndexName"]).pop("backfilling", None)
            schema.save(tx, ctx.world, record)
        return following

    while start is not None:
        start = await ctx.store.write(work)


def _delete_index(ctx: Context, tx: Writer, record: Record, name: str, now_ms: int) -> None:
    index = _find(record, name)
    record["GlobalSecondaryIndexes"].remove(index)
    if not record["GlobalSecondaryIndexes"]:
        del record["GlobalSecondaryIndexes"]
    kept = {element["AttributeName"] for element in record["KeySchema"]}
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        for other in record.get(member) or ():
            kept.update(element["AttributeName"] for element in other["KeySchema"])
    record["AttributeDefinitions"] = [
        one for one in record["AttributeDefinitions"] if one["AttributeName"] in kept
    ]
    body = {"TableId": record["TableId"], "IndexId": schema.index_id(index)}
    emit(ctx, tx, "dynamodb.sweep", record["TableId"], body)
