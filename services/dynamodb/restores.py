"""Tables made from backups, and from what a table was at a moment."""

from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output, World
from fogbank.services.dynamodb import backup_records, change_log, copying, schema
from fogbank.services.dynamodb.backup_errors import (
    BackupInUseException,
    InvalidRestoreTimeException,
    PointInTimeRecoveryUnavailableException,
    TableAlreadyExistsException,
    TableInUseException,
)
from fogbank.services.dynamodb.backups import moment_ms, place_of, require_table, time_text
from fogbank.services.dynamodb.copying import Job, finishes, place
from fogbank.services.dynamodb.definitions import check_throughput
from fogbank.services.dynamodb.descriptions import describe
from fogbank.services.dynamodb.encryption import set_encryption
from fogbank.services.dynamodb.errors import (
    ResourceNotFoundException,
    ValidationException,
)
from fogbank.services.dynamodb.recovery import window_ms
from fogbank.services.dynamodb.restore_indexes import refused, take_indexes
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, BOOLEAN, STRING, check
from fogbank.services.dynamodb.tables import (
    GLOBAL_INDEX,
    LOCAL_INDEX,
    ON_DEMAND,
    SSE,
    THROUGHPUT,
    transition_ms,
)
from fogbank.services.dynamodb.vector_indexes import VECTOR_INDEX
from fogbank.services.dynamodb.vector_rules import check_vector_billing
from fogbank.storage.kv import Reader, Writer

# Until its items are there a restored table is CREATING; no clock gets this far.
NEVER_MS = 2**52
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableFromBackup.html
_OVERRIDES = {
    "TargetTableName!": STRING,
    "BillingModeOverride": STRING,
    "GlobalSecondaryIndexOverride": [GLOBAL_INDEX],
    "LocalSecondaryIndexOverride": [LOCAL_INDEX],
    "ProvisionedThroughputOverride": THROUGHPUT,
    "OnDemandThroughputOverride": ON_DEMAND,
    "SSESpecificationOverride": SSE,
    "VectorIndexOverride": [VECTOR_INDEX],
}
_BACKUP_SHAPE = {**_OVERRIDES, "BackupArn!": STRING}
_TIME_SHAPE = {
    **_OVERRIDES,
    "SourceTableArn": STRING,
    "SourceTableName": STRING,
    "UseLatestRestorableTime": BOOLEAN,
    "RestoreDateTime": ANY,
}


@service.operation("RestoreTableFromBackup")
async def restore_table_from_backup(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableFromBackup.html"""
    check(request, _BACKUP_SHAPE)
    name = schema.name_of(ctx.world, request["TargetTableName"])
    arn = request["BackupArn"]
    world, _, _ = backup_records.parse(ctx, arn)
    _check_region(ctx, request, world)
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> Output:
        backup = backup_records.load(tx, ctx, arn, now_ms, world)
        record = _target(ctx, backup["Table"], name, request, now_ms)
        _check_free(tx, ctx, name, now_ms)
        if backup["Restores"] or backup["Status"] == "CREATING":
            raise BackupInUseException(f"Backup is being used to restore another table: {arn}")
        record["Restore"] = {
            "SourceBackupArn": arn,
            "SourceTableArn": backup["Table"]["TableArn"],
            "RestoreDateTime": backup["CreatedMs"] / 1000,
        }
        backup["Restores"] = 1
        backup_records.save(tx, world, backup)
        schema.save(tx, ctx.world, record)
        body = {"Table": record, "Backup": [world.region, arn]}
        target = place(ctx.world, "item", record["TableId"])
        copying.start(ctx, tx, "restore", place_of(ctx, backup, world.region), target, body=body)
        return _answer(record, now_ms)

    return {"TableDescription": await ctx.store.write(work)}


@service.operation("RestoreTableToPointInTime")
async def restore_table_to_point_in_time(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableToPointInTime.html

    AWS's order: the form of the request, the source, its recovery, the time, the target.
    """
    check(request, _TIME_SHAPE)
    target = schema.name_of(ctx.world, request["TargetTableName"])
    world, name = _source(ctx, request)
    wanted_ms = moment_ms(request.get("RestoreDateTime"))
    latest = bool(request.get("UseLatestRestorableTime"))
    if wanted_ms is not None and latest:
        raise refused(
            "Both RestoreDateTime and UseLatestRestorableTime cannot be set for point-in-time "
            "restore request. Please specify either RestoreDateTime time or "
            "UseLatestRestorableTime"
        )
    if wanted_ms is None and not latest:
        raise refused(
            "Either one of RestoreDateTime or UseLatestRestorableTime must be specified, but not "
            "both"
        )
    now_ms = ctx.clock.now_ms()
    source_ctx = Context(world, ctx.caller, ctx.request_id, ctx.span, ctx.stack)

    def work(tx: Writer) -> Output:
        source = require_table(tx, source_ctx, name, now_ms)
        at_ms = restorable_ms(source, wanted_ms, now_ms)
        record = _target(ctx, source, target, request, now_ms)
        _check_free(tx, ctx, target, now_ms)
        record["Restore"] = {
            "SourceTableArn": source["TableArn"],
            "RestoreDateTime": at_ms / 1000,
        }
        schema.save(tx, ctx.world, record)
        log = copying.hold_log(source_ctx, tx, source, record["TableId"])
        if wanted_ms is None:
            at_ms = change_log.newest_ms(tx, log, at_ms)
        copying.start(
            ctx,
            tx,
            "restore",
            place(world, "item", source["TableId"]),
            place(ctx.world, "item", record["TableId"]),
            log=log,
            at_ms=at_ms,
            body={"Table": record, "Source": [world.region, name, source["TableId"]]},
        )
        return _answer(record, now_ms)

    return {"TableDescription": await ctx.store.write(work)}


def restorable_ms(source: Record, wanted_ms: int | None, now_ms: int) -> int:
    """The moment to restore to: the one that is wanted, if the window has it, or the latest."""
    window = window_ms(source, now_ms)
    if window is None:
        raise PointInTimeRecoveryUnavailableException(source["TableName"])
    earliest_ms, latest_ms = window
    if wanted_ms is None:
        return max(earliest_ms, now_ms)
    if not earliest_ms <= wanted_ms <= max(latest_ms, now_ms):
        raise InvalidRestoreTimeException(
            time_text(wanted_ms), time_text(earliest_ms), time_text(latest_ms)
        )
    return wanted_ms


def _source(ctx: Context, request: Input) -> tuple[World, str]:
    """Where the source table is: in another region only when its ARN says so."""
    arn, name = request.get("SourceTableArn"), request.get("SourceTableName")
    if arn is not None and name is not None:
        raise refused("Must provide exactly one of: sourceTableArn, sourceTableName")
    if name is not None:
        return ctx.world, schema.name_of(ctx.world, name)
    if arn is None:
        raise ValidationException(
            "The parameter 'TableName' is required but was not present in the request"
        )
    parts = arn.split(":", 5)
    names = parts[5].split("/") if len(parts) == 6 else []
    if parts[0] != "arn" or len(names) != 2 or names[0] != "table" or parts[2] != "dynamodb":
        raise ValidationException(
            "One or more parameter values were invalid: sourceTableArn is not a valid ARN"
        )
    if parts[4] != ctx.world.account:
        raise ValidationException(
            "This action is only supported by accounts that match the resource owner\u2019s "
            "account."
        )
    world = World(parts[4], parts[3])
    _check_region(ctx, request, world)
    return world, schema.name_of(world, names[1])


def _check_region(ctx: Context, request: Input, world: World) -> None:
    if world.region != ctx.world.region and request.get("SSESpecificationOverride") is None:
        raise refused("sseSpecificationOverride must be provided for cross-region restores")


def _check_free(tx: Reader, ctx: Context, name: str, now_ms: int) -> None:
    try:
        present = schema.describe_load(tx, ctx.world, name, now_ms)
    except ResourceNotFoundException:
        return
    restore = present.get("Restore")
    if restore and schema.status_of(present, now_ms) == "CREATING":
        origin = restore.get("SourceBackupArn") or restore["SourceTableArn"]
        raise TableInUseException(f"Table: {name} is already being restored from backup: {origin}")
    raise TableAlreadyExistsException(name)


def _target(ctx: Context, source: Record, name: str, request: Input, now_ms: int) -> Record:
    """The record of the restored table.

    It has the source's keys, indexes, capacity and encryption; not its stream, TTL, recovery,
    tags, table class, policy or deletion protection.
    """
    record: Record = {
        "TableName": name,
        "TableId": ctx.ids.uuid(),
        "TableArn": schema.arn_of(ctx.world, name),
        "CreatedMs": now_ms,
        "ActiveAtMs": NEVER_MS,
        "Creating": True,
        "KeySchema": source["KeySchema"],
    }
    for member in ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "SSEDescription"):
        if source.get(member):
            record[member] = source[member]
    take_indexes(record, source, request)
    _override_billing(record, request)
    if record.get("VectorIndexes"):
        check_vector_billing(record["BillingMode"] == "PAY_PER_REQUEST")
    if request.get("SSESpecificationOverride") is not None:
        record.pop("SSEDescription", None)
        set_encryption(ctx, record, request["SSESpecificationOverride"])
    if record.get("BillingMode") == "PAY_PER_REQUEST":
        record["WasOnDemandMs"] = now_ms
    return record


def _override_billing(record: Record, request: Input) -> None:
    mode = request.get("BillingModeOverride")
    throughput = request.get("ProvisionedThroughputOverride")
    effective = mode or record.get("BillingMode") or "PROVISIONED"
    if effective == "PAY_PER_REQUEST":
        if throughput is not None:
            raise refused(
                "Cannot override ProvisionedThroughput if BillingMode is overridden to "
                "PAY_PER_REQUEST"
                if mode
                else "Cannot override ProvisionedThroughput unless BillingMode is PROVISIONED"
            )
        record.pop("ProvisionedThroughput", None)
        for index in record.get("GlobalSecondaryIndexes") or ():
            index.pop("ProvisionedThroughput", None)
    elif throughput is not None:
        check_throughput(throughput)
        record["ProvisionedThroughput"] = throughput
    elif not record.get("ProvisionedThroughput"):
        raise refused(
            "Must override ProvisionedThroughput if BillingMode is overridden to PROVISIONED"
        )
    if effective == "PROVISIONED":
        for index in record.get("GlobalSecondaryIndexes") or ():
            if not index.get("ProvisionedThroughput"):
                raise refused(f"Must specify provisioned throughput for index {index['IndexName']}")
        record.pop("OnDemandThroughput", None)
    record["BillingMode"] = effective
    maxima = request.get("OnDemandThroughputOverride")
    if maxima:
        _check_maxima(maxima, effective)
        record["OnDemandThroughput"] = maxima


def _check_maxima(maxima: dict[str, Any], mode: str) -> None:
    for name in ("MaxReadRequestUnits", "MaxWriteRequestUnits"):
        if name not in maxima:
            continue
        if mode != "PAY_PER_REQUEST":
            raise refused(
                f"Cannot override {name} for OnDemandThroughput unless BillingModeOverride is "
                "PAY_PER_REQUEST"
            )
        if maxima[name] < 1:
            raise refused(f"Requested {name} for OnDemandThroughput is outside of valid range")


def _answer(record: Record, now_ms: int) -> Output:
    """The table as its restore begins, whatever the copy has done meanwhile."""
    return describe({**record, "ActiveAtMs": NEVER_MS}, now_ms)


@finishes("restore")
def _finish_restore(ctx: Context, tx: Writer, job: Job) -> None:
    wanted = job["Body"]["Table"]
    key = schema.table_key(ctx.world, wanted["TableName"])
    raw = tx.get(key)
    record = None if raw is None else orjson.loads(raw)
    if record is not None and record["TableId"] == wanted["TableId"]:
        record["ActiveAtMs"] = ctx.clock.now_ms() + transition_ms(ctx)
        schema.save(tx, ctx.world, record)
    if "Backup" in job["Body"]:
        region, arn = job["Body"]["Backup"]
        _, table, backup_id = backup_records.parse(ctx, arn)
        world = World(ctx.world.account, region)
        place_key = backup_records.backup_key(world, backup_id, table)
        raw = tx.get(place_key)
        if raw is not None:
            tx.put(place_key, orjson.dumps({**orjson.loads(raw), "Restores": 0}))
        return
    region, name, table_id = job["Body"]["Source"]
    world = World(ctx.world.account, region)
    source_ctx = Context(world, ctx.caller, ctx.request_id, ctx.span, ctx.stack)
    source = {"TableName": name, "TableId": table_id}
    copying.release_log_of(source_ctx, tx, source, wanted["TableId"])
