"""UpdateTable: capacity, billing, streams, and global indexes added and removed online."""

from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import on_demand, schema, throughput, warm
from fogbank.services.dynamodb.changes import put_entry
from fogbank.services.dynamodb.definitions import (
    GLOBAL_INDEXES_MAX,
    check_attributes,
    check_global,
)
from fogbank.services.dynamodb.encryption import change_encryption, check_encryption
from fogbank.services.dynamodb.errors import (
    LimitExceededException,
    ResourceNotFoundException,
    ValidationException,
    invalid,
)
from fogbank.services.dynamodb.index_attributes import (
    define,
    forget_unused,
    index_names,
    types_with,
)
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.replica_groups import SHARED, check_settings, members
from fogbank.services.dynamodb.replicas import REPLICA_UPDATES, update_replicas
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import BOOLEAN, STRING, check
from fogbank.services.dynamodb.stream_records import close_stream, open_stream
from fogbank.services.dynamodb.stream_settings import check_stream
from fogbank.services.dynamodb.table_class import change_class
from fogbank.services.dynamodb.tables import (
    ATTRIBUTES,
    GLOBAL_INDEX,
    ON_DEMAND,
    SSE,
    STREAM,
    THROUGHPUT,
    WARM,
    set_stream,
    transition_ms,
)
from fogbank.services.dynamodb.update_answers import answered
from fogbank.services.dynamodb.update_rules import asked, lasts
from fogbank.services.dynamodb.vector_indexes import VECTOR_UPDATES, change_vectors
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
    "VectorIndexUpdates": VECTOR_UPDATES,
}
_CHANGES = tuple(name for name in _SHAPE if name not in ("TableName!", "AttributeDefinitions"))


@service.operation("UpdateTable")
async def update_table(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html"""
    check(request, _SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    found = asked(request, _CHANGES)
    check_encryption(found.get("SSESpecification"))
    check_stream(found.get("StreamSpecification"), creating=False)
    if "ReplicaUpdates" in found:
        return await update_replicas(ctx, name, request)
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> Output:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
        before = schema.describe_load(tx, ctx.world, name, now_ms)
        schema.require_active(record, now_ms)
        check_settings(record, request)
        throughput.change_billing(record, found, now_ms)
        _change_stream(tx, Moment(ctx, now_ms), record, found)
        if "DeletionProtectionEnabled" in found:
            record["DeletionProtectionEnabled"] = found["DeletionProtectionEnabled"]
        told = _change_shared(ctx, tx, record, request, found)
        # All but streams and protection is one setting of a global table.
        for where, member in members(tx, ctx, record) if set(found) & SHARED else ():
            schema.require_active(member, now_ms)
            throughput.change_billing(member, found, now_ms)
            _change_shared(where, tx, member, request, found)
        return answered(before, record, {**found, **told}, now_ms)

    return {"TableDescription": await ctx.store.write(work)}


def _change_shared(
    ctx: Context, tx: Writer, record: Record, request: Input, found: Input
) -> Output:
    """What the members of a global table share, but billing, is changed, and the record saved.

    Returns the limits on demand as the answer tells them.
    """
    now_ms = ctx.clock.now_ms()
    times = (now_ms, now_ms + transition_ms(ctx))
    throughput.check_quotas(found, ctx.world.region)
    change_vectors(record, request, times)
    _change_indexes(ctx, tx, record, request, times)
    change_encryption(ctx, record, found.get("SSESpecification"), now_ms)
    change_class(record, found.get("TableClass"), now_ms)
    told: Output = {}
    if "OnDemandThroughput" in found:
        is_on_demand = record.get("BillingMode") == "PAY_PER_REQUEST"
        limits = on_demand.given(found)
        told["OnDemandThroughput"] = on_demand.change(record, limits, on_demand=is_on_demand)
    if "WarmThroughput" in found:
        warm.change(record, record, warm.given(found), times)
    if lasts(found):
        record["Creating"] = False
        record["ActiveAtMs"] = times[1]
    schema.save(tx, ctx.world, record)
    return told


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


def _change_indexes(
    ctx: Context, tx: Writer, record: Record, request: Input, times: tuple[int, int]
) -> None:
    region = ctx.world.region
    for one in request.get("GlobalSecondaryIndexUpdates") or ():
        if one.get("Create"):
            _create_index(ctx, tx, record, request, one["Create"], times)
        elif one.get("Delete"):
            _delete_index(ctx, tx, record, one["Delete"]["IndexName"])
        else:
            wanted = one["Update"]
            index = _find(record, wanted["IndexName"], "update")
            throughput.check_quotas(wanted, region, wanted["IndexName"])
            throughput.change_index(record, index, wanted, times)


def _find(record: Record, name: str, verb: str) -> dict[str, Any]:
    """The global index of that name, which is to be updated or deleted."""
    for index in record.get("GlobalSecondaryIndexes") or ():
        if index["IndexName"] == name:
            found: dict[str, Any] = index
            return found
    if any(index["IndexName"] == name for index in record.get("LocalSecondaryIndexes") or ()):
        raise ValidationException(
            f"Cannot {verb} an index that is not a GlobalSecondaryIndex: {name}"
        )
    raise ResourceNotFoundException(f"Index {name} for table {record['TableName']}")


def _create_index(
    ctx: Context,
    tx: Writer,
    record: Record,
    request: Input,
    wanted: dict[str, Any],
    times: tuple[int, int],
) -> None:
    name = wanted["IndexName"]
    if name in index_names(record):
        raise ValidationException("Attempting to create an index which already exists")
    if len(record.get("GlobalSecondaryIndexes") or ()) >= GLOBAL_INDEXES_MAX:
        raise LimitExceededException(
            "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit "
            f"of {GLOBAL_INDEXES_MAX}"
        )
    _define(record, request, wanted)
    throughput.check_new_index(record, wanted, ctx.world.region)
    index = {
        **wanted,
        "Id": f"{name}@{ctx.ids.hex(4)}",
        "backfilling": True,
        "ActiveAtMs": times[1],
    }
    throughput.keep_new(index)
    record.setdefault("GlobalSecondaryIndexes", []).append(index)
    if _backfill(ctx, tx, record, name, b"") is None:
        index.pop("backfilling")
        return
    body = {"TableName": record["TableName"], "TableId": record["TableId"], "IndexName": name}
    emit(ctx, tx, "dynamodb.backfill", record["TableId"], body)


def _define(record: Record, request: Input, wanted: dict[str, Any]) -> None:
    """The attributes of the new index's key are defined; other definitions are passed over."""
    given = request.get("AttributeDefinitions")
    if not given:
        raise invalid(f"AttributeDefinitions is not specified for index: {wanted['IndexName']}")
    check_attributes(given)
    keys = {element["AttributeName"] for element in wanted["KeySchema"]}
    types = types_with(record, given, keys)
    throughput.check_index_units(record, wanted)
    check_global(wanted, list(types), record.get("BillingMode") == "PAY_PER_REQUEST")
    define(record, types)


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
            _find(record, body["IndexName"], "update").pop("backfilling", None)
            schema.save(tx, ctx.world, record)
        return following

    while start is not None:
        start = await ctx.store.write(work)


def _delete_index(ctx: Context, tx: Writer, record: Record, name: str) -> None:
    index = _find(record, name, "delete")
    record["GlobalSecondaryIndexes"].remove(index)
    if not record["GlobalSecondaryIndexes"]:
        del record["GlobalSecondaryIndexes"]
    forget_unused(record)
    body = {"TableId": record["TableId"], "IndexId": schema.index_id(index)}
    emit(ctx, tx, "dynamodb.sweep", record["TableId"], body)
