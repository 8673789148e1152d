"""Point-in-time recovery: switched on and off, described, and its log kept to its period.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
"""

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import change_log, copying, schema
from fogbank.services.dynamodb.backup_records import DAY_MS
from fogbank.services.dynamodb.backups import require_table
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import BOOLEAN, INTEGER, STRING, check
from fogbank.services.events import emit
from fogbank.storage.kv import Writer
from fogbank.storage.outbox import Event, RetryLater

PERIOD_DAYS_MAX = 35
TRIM_PERIOD_MS = 3600 * 1000
TRIM_SLICE_ENTRIES = 1000
# The log's holder for as long as recovery is switched on.
_HOLDER = "recovery"

_NAME_SHAPE = {"TableName!": STRING}
_UPDATE_SHAPE = {
    "TableName!": STRING,
    "PointInTimeRecoverySpecification!": {
        "PointInTimeRecoveryEnabled!": BOOLEAN,
        "RecoveryPeriodInDays": INTEGER,
    },
}


def window_ms(record: Record, now_ms: int) -> tuple[int, int] | None:
    """The earliest and the latest moment that the table can be restored to, in whole seconds.

    AWS's latest is typically five minutes ago; here it is the present second, for the log has
    every change as soon as it is committed. None when recovery is off.
    """
    recovery = record.get("Recovery")
    if recovery is None:
        return None
    since_ms = max(recovery["SinceMs"], now_ms - recovery["PeriodDays"] * DAY_MS)
    earliest_ms = -(-since_ms // 1000) * 1000
    return earliest_ms, max(earliest_ms, now_ms // 1000 * 1000)


def _describe(record: Record, now_ms: int) -> Output:
    described: Output = {"PointInTimeRecoveryStatus": "DISABLED"}
    window = window_ms(record, now_ms)
    if window is not None:
        described = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": record["Recovery"]["PeriodDays"],
            "EarliestRestorableDateTime": window[0] // 1000,
            "LatestRestorableDateTime": window[1] // 1000,
        }
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": described,
        }
    }


@service.operation("DescribeContinuousBackups")
async def describe_continuous_backups(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContinuousBackups.html"""
    check(request, _NAME_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    now_ms = ctx.clock.now_ms()
    record = await ctx.store.read(lambda tx: require_table(tx, ctx, name, now_ms), brief=True)
    return _describe(record, now_ms)


@service.operation("UpdateContinuousBackups")
async def update_continuous_backups(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html"""
    check(request, _UPDATE_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    wanted = request["PointInTimeRecoverySpecification"]
    enabled, days = wanted["PointInTimeRecoveryEnabled"], wanted.get("RecoveryPeriodInDays")
    _check_period(enabled, days)
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> Record:
        record = require_table(tx, ctx, name, now_ms)
        current = record.get("Recovery")
        if enabled and current is None:
            _switch_on(ctx, tx, record, days or PERIOD_DAYS_MAX, now_ms)
        elif enabled and days is not None:
            record["Recovery"]["PeriodDays"] = days
            schema.save(tx, ctx.world, record)
        elif not enabled and current is not None:
            del record["Recovery"]
            copying.release_log(ctx, tx, record, _HOLDER)
        return record

    return _describe(await ctx.store.write(work), now_ms)


def _check_period(enabled: bool, days: int | None) -> None:
    if days is None:
        return
    if not 1 <= days <= PERIOD_DAYS_MAX:
        bound = "greater than or equal to 1" if days < 1 else "less than or equal to 35"
        raise ValidationException(
            f"1 validation error detected: Value '{days}' at "
            "'pointInTimeRecoverySpecification.recoveryPeriodInDays' failed to satisfy "
            f"constraint: Member must have value {bound}"
        )
    if not enabled:
        raise ValidationException(
            "Invalid Request: Cannot specify RecoveryPeriodInDays when disabling point-in-time "
            "recovery."
        )


def _switch_on(ctx: Context, tx: Writer, record: Record, days: int, now_ms: int) -> None:
    log = copying.hold_log(ctx, tx, record, _HOLDER)
    since_ms = change_log.newest_ms(tx, log, now_ms)
    change_log.begin_at(tx, log, since_ms)
    record["Recovery"] = {"SinceMs": since_ms, "PeriodDays": days}
    schema.save(tx, ctx.world, record)
    _emit_trim(ctx, tx, record, now_ms)


def _emit_trim(ctx: Context, tx: Writer, record: Record, now_ms: int) -> None:
    body = {"TableName": record["TableName"], "LogId": record["Log"]["Id"]}
    due_ms = now_ms + TRIM_PERIOD_MS
    emit(ctx, tx, "dynamodb.trimlog", record["TableId"], body, due_ms=due_ms)


@service.consumer("dynamodb.trimlog")
async def trim_log(ctx: Context, event: Event) -> None:
    """The log has nothing from before its period; it is trimmed again in an hour."""
    body = event.body["body"]
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> bool:
        raw = tx.get(schema.table_key(ctx.world, body["TableName"]))
        record = None if raw is None else orjson.loads(raw)
        if record is None or "Recovery" not in record or record["Log"]["Id"] != body["LogId"]:
            return False
        if copying.is_copied(tx, ctx.world, record["TableId"]):
            raise RetryLater(copying.BUSY_RETRY_S)
        log = change_log.log_of(ctx.world, record)
        assert log is not None
        horizon_ms = now_ms - record["Recovery"]["PeriodDays"] * DAY_MS
        if change_log.trim(tx, log, horizon_ms, TRIM_SLICE_ENTRIES):
            return True
        _emit_trim(ctx, tx, record, now_ms)
        return False

    while await ctx.store.write(work):
        continue
