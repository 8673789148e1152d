"""Warm throughput: what a table, or a global index, takes at once. It never falls.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html
"""

from typing import Any

from fogbank.services.dynamodb.account import TABLE_UNITS_MAX
from fogbank.services.dynamodb.definitions import units_in
from fogbank.services.dynamodb.errors import LimitExceededException, invalid

Holder = dict[str, Any]
Units = dict[str, int]

# What a new table on demand takes; a provisioned one takes the most that it was ever given.
ON_DEMAND_WARM: Units = {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000}
_CAPACITIES = {
    "ReadUnitsPerSecond": "ReadCapacityUnits",
    "WriteUnitsPerSecond": "WriteCapacityUnits",
}
_INITIAL = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
    "on-demand-capacity-mode.html#on-demand-capacity-mode-initial"
)


def label(index: str | None) -> str:
    return f"index {index}" if index else "table"


def given(holder: Holder) -> Units:
    return units_in(holder, "WarmThroughput")


def effective(record: Holder, holder: Holder) -> Units:
    """Of the table, or of an index of it, once every change is through."""
    known = given(holder)
    floor = ON_DEMAND_WARM
    if record.get("BillingMode") != "PAY_PER_REQUEST":
        provisioned = holder.get("ProvisionedThroughput") or {}
        floor = {name: provisioned.get(unit, 0) for name, unit in _CAPACITIES.items()}
    return {name: max(low, known.get(name, 0)) for name, low in floor.items()}


def check_new(holder: Holder, index: str | None, *, on_demand: bool) -> None:
    """What a new table or index is to take is no less than what it takes anyhow."""
    for name, units in given(holder).items():
        asked = f"Requested {name} for WarmThroughput for {label(index)} is lower than"
        if on_demand and units < ON_DEMAND_WARM[name]:
            raise invalid(f"{asked} initial throughput for OnDemand. See: {_INITIAL}")
        capacity = _CAPACITIES[name]
        if not on_demand and units < holder["ProvisionedThroughput"][capacity]:
            raise invalid(f"{asked} {capacity} of ProvisionedThroughput")


def check_quota(holder: Holder, region: str, index: str | None = None) -> None:
    for name, units in given(holder).items():
        if units > TABLE_UNITS_MAX:
            raise LimitExceededException(
                f"Subscriber limit exceeded: Requested {name} for WarmThroughput for "
                f"{label(index)} exceeds TableMax{_CAPACITIES[name]} of the account in region "
                f"{region}"
            )


def remember(record: Holder, holder: Holder) -> None:
    """What is warm now stays so, whatever becomes of the capacity."""
    holder["WarmThroughput"] = effective(record, holder)


def change(record: Holder, holder: Holder, wanted: Units, times: tuple[int, int]) -> None:
    """The table or index will take `wanted`, once the time of a transition has passed.

    `times` are now and the end of the transition. A member that is not named stays.
    """
    now_ms, settled_ms = times
    current = effective(record, holder)
    for name, units in wanted.items():
        if units < current[name]:
            raise invalid(
                f"Requested {name} for WarmThroughput for {label(holder.get('IndexName'))} is "
                "lower than current WarmThroughput, decreasing WarmThroughput is not supported"
            )
    before = described(record, holder, now_ms)
    holder["WarmThroughput"] = {**current, **wanted}
    holder["WarmChange"] = {
        "SettledMs": settled_ms,
        "Before": {name: before[name] for name in ON_DEMAND_WARM},
    }


def described(record: Holder, holder: Holder, now_ms: int) -> dict[str, Any]:
    """The description once a table is made; while a change is under way, as it was before."""
    pending = holder.get("WarmChange")
    if pending is not None and now_ms < pending["SettledMs"]:
        return {**pending["Before"], "Status": "UPDATING"}
    return {**effective(record, holder), "Status": "ACTIVE"}
