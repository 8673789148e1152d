"""On-demand backups: made, described, listed and deleted.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/backuprestore_HowItWorks.html
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import backup_records, change_log, copying, schema
from fogbank.services.dynamodb.backup_errors import BackupInUseException
from fogbank.services.dynamodb.backup_records import Backup, backup_key
from fogbank.services.dynamodb.copying import Job, finishes, place, prefix_of
from fogbank.services.dynamodb.errors import (
    ResourceNotFoundException,
    TableNotFoundException,
    ValidationException,
)
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, INTEGER, STRING, check
from fogbank.services.dynamodb.tables import clear
from fogbank.services.dynamodb.values import unexpected
from fogbank.services.events import emit
from fogbank.storage.keys import after
from fogbank.storage.kv import Reader, Writer
from fogbank.storage.outbox import Event, RetryLater

BACKUPS_PAGE_MAX = 100
# Times have years of four digits.
SECONDS_MAX = 253_402_300_799
_YEAR_ONE_S = 62_135_596_800

_CREATE_SHAPE = {"TableName!": STRING, "BackupName!": STRING}
_ARN_SHAPE = {"BackupArn!": STRING}
_LIST_SHAPE = {
    "TableName": STRING,
    "Limit": INTEGER,
    "TimeRangeLowerBound": ANY,
    "TimeRangeUpperBound": ANY,
    "ExclusiveStartBackupArn": STRING,
    "BackupType": STRING,
}


def require_table(tx: Reader, ctx: Context, name: str, now_ms: int) -> Record:
    """The table's record; one that is being created is not found, as at AWS."""
    try:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
    except ResourceNotFoundException:
        raise TableNotFoundException(name) from None
    if schema.status_of(record, now_ms) == "CREATING":
        raise TableNotFoundException(name)
    return record


@service.operation("CreateBackup")
async def create_backup(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateBackup.html

    The copy is of the moment of this transaction. Names need not be unique.
    """
    check(request, _CREATE_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    now_ms = ctx.clock.now_ms()
    backup_id = backup_records.new_id(ctx, now_ms)

    def work(tx: Writer) -> Backup:
        record = require_table(tx, ctx, name, now_ms)
        backup = backup_records.new_backup(record, backup_id, request["BackupName"], "USER", now_ms)
        backup_records.save(tx, ctx.world, backup)
        log = copying.hold_log(ctx, tx, record, backup_id)
        copying.start(
            ctx,
            tx,
            "backup",
            place(ctx.world, "item", record["TableId"]),
            place(ctx.world, "backup-item", backup_id),
            log=log,
            at_ms=change_log.newest_ms(tx, log, now_ms),
            body={"Backup": backup_key(ctx.world, backup_id, name).hex()},
        )
        return backup

    return {"BackupDetails": backup_records.details(await ctx.store.write(work))}


@finishes("backup")
def _finish_backup(ctx: Context, tx: Writer, job: Job) -> None:
    key = bytes.fromhex(job["Body"]["Backup"])
    raw = tx.get(key)
    assert raw is not None, "a backup is not deleted while it is made"
    backup = orjson.loads(raw)
    backup |= {
        "Status": "AVAILABLE",
        "SizeBytes": job["SizeBytes"],
        "ItemCount": job["Items"],
    }
    tx.put(key, orjson.dumps(backup))
    copying.release_log_of(ctx, tx, backup["Table"], backup["Id"])


@service.operation("DescribeBackup")
async def describe_backup(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeBackup.html"""
    check(request, _ARN_SHAPE)
    now_ms = ctx.clock.now_ms()
    backup = await ctx.store.read(
        lambda tx: backup_records.load(tx, ctx, request["BackupArn"], now_ms), brief=True
    )
    return {"BackupDescription": backup_records.description(backup)}


@service.operation("DeleteBackup")
async def delete_backup(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteBackup.html"""
    check(request, _ARN_SHAPE)
    arn = request["BackupArn"]
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> Backup:
        backup = backup_records.load(tx, ctx, arn, now_ms)
        if backup["Type"] == "SYSTEM":
            expiry = time_text(backup["ExpiresMs"])
            raise ValidationException(
                "Invalid Request: User is not allowed to delete the system backup with arn "
                f"{backup['Arn']}. It will automatically expire on {expiry}"
            )
        if backup["Status"] == "CREATING":
            raise BackupInUseException(f"Backup is being created: {arn}")
        if backup["Restores"]:
            raise BackupInUseException(f"Backup is being used to restore table: {arn}")
        _forget(ctx, tx, backup)
        return backup

    backup = await ctx.store.write(work)
    return {"BackupDescription": backup_records.description({**backup, "Status": "DELETED"})}


def _forget(ctx: Context, tx: Writer, backup: Backup) -> None:
    tx.delete(backup_key(ctx.world, backup["Id"], backup["Table"]["TableName"]))
    where = place_of(ctx, backup)
    emit(ctx, tx, "dynamodb.sweepbackup", backup["Id"], {"Place": where})


def place_of(ctx: Context, backup: Backup, region: str | None = None) -> list[str]:
    """Where the items of the backup lie: a SYSTEM backup has those of its table."""
    kind, name = (
        ("item", backup["Table"]["TableId"])
        if backup.get("OfTable")
        else ("backup-item", backup["Id"])
    )
    return [ctx.world.account, region or ctx.world.region, kind, name]


@service.consumer("dynamodb.sweepbackup")
async def sweep_backup(ctx: Context, event: Event) -> None:
    """Nothing is left of the items of a deleted backup."""
    prefix = prefix_of(event.body["body"]["Place"])
    while await ctx.store.write(partial(clear, start=prefix, stop=prefix + b"\xff")):
        continue


@service.consumer("dynamodb.expirebackup")
async def expire_backup(ctx: Context, event: Event) -> None:
    """A SYSTEM backup whose time has come is gone, once no restore reads it."""
    _, table, backup_id = backup_records.parse(ctx, event.body["body"]["Arn"])

    def work(tx: Writer) -> bool:
        raw = tx.get(backup_key(ctx.world, backup_id, table))
        backup = None if raw is None else orjson.loads(raw)
        if backup is not None and not backup["Restores"]:
            _forget(ctx, tx, backup)
        return backup is not None and backup["Restores"] > 0

    if await ctx.store.write(work):
        raise RetryLater(copying.BUSY_RETRY_S)


def time_text(at_ms: int) -> str:
    """A time as AWS prints it in messages."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=max(at_ms // 1000, -_YEAR_ONE_S))
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@service.operation("ListBackups")
async def list_backups(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListBackups.html

    In order of creation. A table that does not exist has the backups that outlived it.
    """
    check(request, _LIST_SHAPE)
    limit = request.get("Limit") or BACKUPS_PAGE_MAX
    if not 0 < limit <= BACKUPS_PAGE_MAX:
        raise ValidationException(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            f"constraint: Member must have value less than or equal to {BACKUPS_PAGE_MAX}"
        )
    table = request.get("TableName")
    if table is not None:
        table = schema.name_of(ctx.world, table)
    kind = request.get("BackupType") or "USER"
    lower_ms, upper_ms = (
        moment_ms(request.get(f"TimeRange{bound}Bound")) for bound in ("Lower", "Upper")
    )
    if lower_ms is not None and upper_ms is not None and lower_ms > upper_ms:
        raise ValidationException(
            "One or more parameter values were invalid: Time range lower bound must be less than "
            "or equal to upper bound"
        )
    start, stop = backup_records.backups_span(ctx.world)
    first = request.get("ExclusiveStartBackupArn")
    if first is not None:
        world, of_table, backup_id = backup_records.parse(ctx, first)
        if world != ctx.world:
            raise ValidationException(
                "Invalid Request: The supplied ExclusiveStartBackupArn does not match the region"
            )
        start = max(start, after(backup_key(ctx.world, backup_id, of_table)))
    now_ms = ctx.clock.now_ms()

    def wanted(backup: Backup) -> bool:
        return (
            kind in ("ALL", backup["Type"])
            and table in (None, backup["Table"]["TableName"])
            and (lower_ms is None or backup["CreatedMs"] >= lower_ms)
            and (upper_ms is None or backup["CreatedMs"] < upper_ms)
            and now_ms < backup.get("ExpiresMs", now_ms + 1)
        )

    def work(tx: Reader) -> list[Backup]:
        found: list[Backup] = []
        for _, raw in tx.range(start, stop) if start < stop else ():
            backup = orjson.loads(raw)
            if wanted(backup):
                found.append(backup)
                if len(found) > limit:
                    break
        return found

    found = await ctx.store.read(work)
    answer: Output = {"BackupSummaries": [backup_records.summary(one) for one in found[:limit]]}
    if len(found) > limit:
        answer["LastEvaluatedBackupArn"] = found[limit - 1]["Arn"]
    return answer


def moment_ms(given: Any) -> int | None:
    """A timestamp of a request in milliseconds."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise unexpected(given)
    if not -SECONDS_MAX <= given <= SECONDS_MAX:
        raise unexpected(given)
    return round(given * 1000)
