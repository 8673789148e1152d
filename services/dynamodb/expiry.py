"""The index of times: when each item of a table with TTL expires, kept with the item's change."""

from decimal import Decimal

from fogbank.services.context import Context
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.schema import Record, Table
from fogbank.services.dynamodb.values import Item
from fogbank.services.events import emit
from fogbank.storage.keys import after, pack
from fogbank.storage.kv import Writer

# Times of more than five years ago are taken for mistakes: such items stay.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
PAST_S_MAX = 5 * 365 * 24 * 3600
_TIME_S_MAX = 2**53


def switch(ctx: Context, tx: Writer, record: Record, attribute: str | None) -> None:
    """Items of the table expire by `attribute`, or not at all; the caller saves the record."""
    live = record.get("TimeToLive")
    if live is not None and attribute is None:
        del record["TimeToLive"]
        body = {"TableId": record["TableId"], "TimesId": live["Id"]}
        emit(ctx, tx, "dynamodb.sweep", record["TableId"], body)
    elif live is None and attribute is not None:
        record["TimeToLive"] = {"AttributeName": attribute, "Id": ctx.ids.hex(4)}
        time_present(ctx, tx, record)


def time_present(ctx: Context, tx: Writer, record: Record) -> None:
    """The items that are there will be in the index of times."""
    body = {"TableName": record["TableName"], "TableId": record["TableId"]}
    emit(ctx, tx, "dynamodb.time", record["TableId"], body)


def times_prefix(table: Table) -> bytes:
    assert table.ttl_prefix is not None
    return table.ttl_prefix


def times_marker(table: Table) -> bytes:
    """Under this key is the earliest time that an event waits for."""
    return times_prefix(table) + pack(b"")


def times_range(table: Table) -> tuple[bytes, bytes]:
    """Every entry of the index, the earliest first."""
    return after(times_marker(table)), after(times_prefix(table))


def expiry_of(table: Table, item: Item, now_ms: int) -> int | None:
    """The second at which the item expires; None when it does not."""
    value = item.get(table.ttl_name or "")
    if value is None or "N" not in value:
        return None
    number = Decimal(value["N"])
    if not now_ms // 1000 - PAST_S_MAX <= number < _TIME_S_MAX:
        return None
    return int(number)


def note_expiry(
    tx: Writer, table: Table, moment: Moment, key: bytes, old: Item | None, new: Item | None
) -> None:
    """The index has the time of `new` for the item under `key`, and no longer that of `old`."""
    before = None if old is None else expiry_of(table, old, moment.now_ms)
    expires_s = None if new is None else expiry_of(table, new, moment.now_ms)
    if before == expires_s:
        return
    if before is not None:
        tx.delete(times_prefix(table) + pack(before, key))
    if expires_s is not None:
        tx.put(times_prefix(table) + pack(expires_s, key), b"")
        waited_for = tx.get(times_marker(table))
        if waited_for is None or expires_s < int(waited_for):
            wake_at(tx, table, moment, expires_s)


def wake_at(tx: Writer, table: Table, moment: Moment, expires_s: int) -> None:
    """An event expires the table's items at that second.

    Events of one key wait for each other: a time has a key of its own, so that it is not held up
    by a later one that was there before.
    """
    tx.put(times_marker(table), b"%d" % expires_s)
    body = {"TableName": table.name, "TableId": table.id, "ExpiresS": expires_s}
    key = f"{table.id}@{expires_s}"
    emit(moment.ctx, tx, "dynamodb.expire", key, body, due_ms=expires_s * 1000)
