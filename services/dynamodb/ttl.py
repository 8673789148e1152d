"""Time to live: items are deleted when their time has come, found by an index of times.

One event per table waits for its earliest time; nothing polls.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
"""

from functools import partial
from typing import Any

from fogbank.services.context import Context, Input, Output, World
from fogbank.services.dynamodb import schema, stored
from fogbank.services.dynamodb.changes import change_item
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.expiry import (
    expiry_of,
    note_expiry,
    switch,
    times_marker,
    times_range,
    wake_at,
)
from fogbank.services.dynamodb.moments import Moment, moment_of
from fogbank.services.dynamodb.replica_groups import members
from fogbank.services.dynamodb.schema import Record, Table
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import BOOLEAN, STRING, check
from fogbank.storage.keys import after, unpack
from fogbank.storage.kv import Reader, Writer
from fogbank.storage.outbox import Event

SLICE_ITEMS = 200
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
CHANGE_MS = 3600 * 1000
_DESCRIBE_SHAPE = {"TableName!": STRING}
_UPDATE_SHAPE = {
    "TableName!": STRING,
    "TimeToLiveSpecification!": {"Enabled!": BOOLEAN, "AttributeName!": STRING},
}


@service.operation("DescribeTimeToLive")
async def describe_time_to_live(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html"""
    check(request, _DESCRIBE_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    now_ms = ctx.clock.now_ms()

    def work(tx: Reader) -> Record:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
        status = schema.status_of(record, now_ms)
        if status in ("CREATING", "DELETING"):
            raise ValidationException(
                f"Cannot describe time to live while table is in {status} state: Current table "
                f"state is {status}"
            )
        return record

    record = await ctx.store.read(work, brief=True)
    # AWS is done at once too: nobody has seen ENABLING or DISABLING of late.
    live = record.get("TimeToLive")
    description = {"TimeToLiveStatus": "ENABLED" if live else "DISABLED"}
    if live:
        description["AttributeName"] = live["AttributeName"]
    return {"TimeToLiveDescription": description}


@service.operation("UpdateTimeToLive")
async def update_time_to_live(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html"""
    check(request, _UPDATE_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    wanted = request["TimeToLiveSpecification"]
    attribute = wanted["AttributeName"]
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> None:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
        if schema.status_of(record, now_ms) != "UPDATING":
            schema.require_active(record, now_ms)
        live = record.get("TimeToLive")
        if live and live["AttributeName"] != attribute:
            raise ValidationException(
                "TimeToLive is active on a different AttributeName: current AttributeName is "
                f"{live['AttributeName']}"
            )
        if bool(live) == wanted["Enabled"]:
            state = "enabled" if live else "disabled"
            raise ValidationException(f"TimeToLive is already {state}")
        if now_ms < record.get("TimeToLiveChangedMs", -CHANGE_MS) + CHANGE_MS:
            raise ValidationException(
                "Time to live has been modified multiple times within a fixed interval"
            )
        record["TimeToLiveChangedMs"] = now_ms
        # A global table's items expire alike in every region.
        for where, member in ((ctx, record), *members(tx, ctx, record)):
            switch(where, tx, member, attribute if wanted["Enabled"] else None)
            schema.save(tx, where.world, member)

    await ctx.store.write(work)
    return {"TimeToLiveSpecification": wanted}


@service.consumer("dynamodb.time")
async def time_items(ctx: Context, event: Event) -> None:
    """Every item that was there before TTL was enabled is in the index of times."""
    body = event.body["body"]
    start: bytes | None = b""

    def work(tx: Writer) -> bytes | None:
        table = _table(tx, ctx.world, body)
        if table is None or table.ttl_name is None:
            return None
        assert start is not None
        moment = moment_of(ctx)
        first, stop = schema.items_span(ctx.world, table.id)
        for count, (key, raw) in enumerate(tx.range(max(first, start), stop), 1):
            note_expiry(tx, table, moment, key, None, stored.open_(raw))
            if count >= SLICE_ITEMS:
                return after(key)
        return None

    while start is not None:
        start = await ctx.store.write(work)


def _table(tx: Reader, world: World, body: dict[str, Any]) -> Table | None:
    """The table that an event is about, if it is still the same."""
    raw = tx.get(schema.table_key(world, body["TableName"]))
    table = None if raw is None else schema.compiled(raw)
    return table if table is not None and table.id == body["TableId"] else None


@service.consumer("dynamodb.expire")
async def expire(ctx: Context, event: Event) -> None:
    """Items of the table whose time has come are deleted, and the next time is waited for."""
    while await ctx.store.write(partial(_expire, ctx=ctx, body=event.body["body"])):
        continue


def _expire(tx: Writer, ctx: Context, body: dict[str, Any]) -> bool:
    """One slice; True while there may be more that is due."""
    table = _table(tx, ctx.world, body)
    if table is None or table.ttl_name is None:
        return False
    waited_for = body.get("ExpiresS")
    if waited_for is not None and tx.get(times_marker(table)) != b"%d" % waited_for:
        # Another time was found to come first since: its event sees to all that follow it.
        return False
    moment = Moment(ctx, ctx.clock.now_ms(), expired=True)
    for count, (entry, _) in enumerate(tx.range(*times_range(table)), 1):
        expires_s, key = unpack(entry)[-2:]
        assert isinstance(expires_s, int) and isinstance(key, bytes)
        if expires_s * 1000 > moment.now_ms:
            wake_at(tx, table, moment, expires_s)
            return False
        raw = tx.get(key)
        item = None if raw is None else stored.open_(raw)
        # Its time may have been changed since: the item itself says.
        if item is not None and expiry_of(table, item, moment.now_ms) == expires_s:
            change_item(tx, table, key, raw, None, moment)
        tx.delete(entry)
        if count >= SLICE_ITEMS:
            return True
    tx.delete(times_marker(table))
    return False
