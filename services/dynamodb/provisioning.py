"""Provisioned throughput: how it is changed, how often it may fall, and what is known of the past.

Four decreases a day (UTC) are allowed at once, then one an hour after the last.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""

from datetime import UTC, datetime
from typing import Any

from fogbank.services.dynamodb.account import TABLE_UNITS_MAX
from fogbank.services.dynamodb.errors import LimitExceededException, ValidationException

Holder = dict[str, Any]

READ, WRITE = "ReadCapacityUnits", "WriteCapacityUnits"
DAY_MS = 24 * 3600 * 1000
HOUR_MS = 3600 * 1000
DECREASES_AT_ONCE = 4
_GUIDE = (
    "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher "
    "limits."
)


def check_quota(units: dict[str, int], region: str, index: str | None = None) -> None:
    """No table and no index has more than the account's quota for one."""
    kind = "index" if index else "table"
    of = f" for index {index}" if index else ""
    for name in (READ, WRITE):
        if units[name] > TABLE_UNITS_MAX:
            raise LimitExceededException(
                f"The requested {name}{of}, {units[name]}, is above the per {kind} maximum for the "
                f"account in {region}. Per {kind} maximum: {TABLE_UNITS_MAX}. {_GUIDE}"
            )


def change(holder: Holder, units: dict[str, int], now_ms: int, index: str | None = None) -> None:
    """The table, or its index, has the capacity; of a first setting nothing is counted."""
    old = holder.get("ProvisionedThroughput")
    holder["ProvisionedThroughput"] = {name: units[name] for name in (READ, WRITE)}
    if not old:
        return
    pairs = [(old[name], units[name]) for name in (READ, WRITE)]
    if all(before == after for before, after in pairs):
        raise ValidationException(_unchanged(pairs, index))
    past = holder.setdefault("ThroughputPast", {})
    if any(after < before for before, after in pairs):
        count = decreases_today(holder, now_ms)
        if count >= DECREASES_AT_ONCE:
            _check_interval(past["DecreasedMs"], count, now_ms)
        past.update(DecreasedMs=now_ms, Decreases=count + 1)
    if any(after > before for before, after in pairs):
        past["IncreasedMs"] = now_ms


def _unchanged(pairs: list[tuple[int, int]], index: str | None) -> str:
    # Of an index AWS says the same; its last two sentences are inferred from the table's.
    whose = f"index {index}" if index else "the table"
    of = f"the index {index}" if index else "the table"
    said = " ".join(
        f"Current {name} provisioned for {whose}: {before}. Requested {name}: {after}."
        for name, (before, after) in zip((READ, WRITE), pairs, strict=True)
    )
    return (
        f"The provisioned throughput for {of} will not change. The requested value equals the "
        f"current value. {said} {_GUIDE}"
    )


def decreases_today(holder: Holder, now_ms: int) -> int:
    """The count begins anew at midnight UTC."""
    past = holder.get("ThroughputPast") or {}
    if past.get("DecreasedMs", -DAY_MS) // DAY_MS != now_ms // DAY_MS:
        return 0
    return int(past["Decreases"])


def _check_interval(last_ms: int, count: int, now_ms: int) -> None:
    midnight_ms = (now_ms // DAY_MS + 1) * DAY_MS
    next_ms = min(last_ms + HOUR_MS, midnight_ms)
    if now_ms >= next_ms:
        return
    raise LimitExceededException(
        "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given "
        "UTC day. After the first 4 decreases, each subsequent decrease in the same UTC day can be "
        f"performed at most once every 3600 seconds. Number of decreases today: {count}. Last "
        f"decrease at {_moment(last_ms)}. Next decrease can be made at {_moment(next_ms)}"
    )


def _moment(at_ms: int) -> str:
    """As the error tells it: Friday, October 9, 2026 at 1:21:34 AM Coordinated Universal Time."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return (
        f"{at:%A, %B} {at.day}, {at.year} at {at.hour % 12 or 12}:{at:%M:%S %p} "
        "Coordinated Universal Time"
    )


def described(holder: Holder, now_ms: int) -> dict[str, Any]:
    """ProvisionedThroughputDescription; on demand both capacities are 0."""
    units = holder.get("ProvisionedThroughput") or {}
    past = holder.get("ThroughputPast") or {}
    result: dict[str, Any] = {
        "NumberOfDecreasesToday": decreases_today(holder, now_ms),
        READ: units.get(READ, 0),
        WRITE: units.get(WRITE, 0),
    }
    for name, member in (
        ("LastIncreaseDateTime", "IncreasedMs"),
        ("LastDecreaseDateTime", "DecreasedMs"),
    ):
        if member in past:
            result[name] = past[member] / 1000
    return result
