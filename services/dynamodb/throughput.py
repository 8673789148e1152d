"""Throughput in all its kinds as CreateTable and UpdateTable take it: provisioned, on demand, warm.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-mode.html
"""

from typing import Any

from fogbank.services.context import Input
from fogbank.services.dynamodb import on_demand, provisioning, warm
from fogbank.services.dynamodb.definitions import check_throughput
from fogbank.services.dynamodb.errors import invalid
from fogbank.services.dynamodb.schema import Record

Holder = dict[str, Any]

PROVISIONED, PAY_PER_REQUEST = "PROVISIONED", "PAY_PER_REQUEST"


def check_new(request: Input, region: str) -> None:
    """What CreateTable asks of throughput beside what goes with the billing mode."""
    is_on_demand = request.get("BillingMode") == PAY_PER_REQUEST
    holders = [(None, request)]
    holders += [(one["IndexName"], one) for one in request.get("GlobalSecondaryIndexes") or ()]
    for index, holder in holders:
        on_demand.check_new(holder, index, on_demand=is_on_demand)
        warm.check_new(holder, index, on_demand=is_on_demand)
    for index, holder in holders:
        check_quotas(holder, region, index)


def check_index_units(record: Record, index: Holder) -> None:
    """A global index that is added has capacity if, and only if, its table has."""
    name, units = index["IndexName"], index.get("ProvisionedThroughput")
    if record.get("BillingMode") == PAY_PER_REQUEST:
        if units is not None:
            raise invalid(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: "
                f"{name} when BillingMode is PAY_PER_REQUEST"
            )
    elif units is None:
        raise invalid(
            f"Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: {name}"
        )


def check_new_index(record: Record, index: Holder, region: str) -> None:
    """The same as of a new table's index, for one that is added."""
    name = index["IndexName"]
    is_on_demand = record.get("BillingMode") == PAY_PER_REQUEST
    on_demand.check_new(index, name, on_demand=is_on_demand)
    warm.check_new(index, name, on_demand=is_on_demand)
    check_quotas(index, region, name)


def check_quotas(holder: Holder, region: str, index: str | None = None) -> None:
    if holder.get("ProvisionedThroughput") is not None:
        provisioning.check_quota(holder["ProvisionedThroughput"], region, index)
    on_demand.check_quota(holder, region, index)
    warm.check_quota(holder, region, index)


def keep_new(holder: Holder) -> None:
    """Of structures without members nothing is kept."""
    for name, module in (("OnDemandThroughput", on_demand), ("WarmThroughput", warm)):
        units = module.given(holder)
        if units:
            holder[name] = units
        else:
            holder.pop(name, None)


def change_billing(record: Record, request: Input, now_ms: int) -> None:
    """The table is billed as the request says, with the capacity that it gives."""
    mode, units = request.get("BillingMode"), request.get("ProvisionedThroughput")
    if mode is None and units is None:
        return
    was_on_demand = record.get("BillingMode") == PAY_PER_REQUEST
    if (mode == PAY_PER_REQUEST) if mode else was_on_demand:
        if units is not None:
            raise invalid(
                "ProvisionedThroughput cannot be specified when BillingMode is PAY_PER_REQUEST"
                if mode
                else "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
                "BillingMode is PAY_PER_REQUEST"
            )
        if not was_on_demand:
            _go_on_demand(record, now_ms)
        return
    if units is None:
        raise invalid("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
    check_throughput(units)
    if was_on_demand:
        _go_provisioned(record, request)
    warm.remember(record, record)
    provisioning.change(record, units, now_ms)
    if mode is not None:
        record["BillingMode"] = mode


def _go_on_demand(record: Record, now_ms: int) -> None:
    record["BillingMode"] = PAY_PER_REQUEST
    record["WasOnDemandMs"] = now_ms
    for holder in (record, *(record.get("GlobalSecondaryIndexes") or ())):
        warm.remember(record, holder)
        holder.pop("ProvisionedThroughput", None)


def _go_provisioned(record: Record, request: Input) -> None:
    """Each index gets its capacity in the same request; limits on demand are forgotten."""
    updates = request.get("GlobalSecondaryIndexUpdates") or ()
    given = {
        one["Update"]["IndexName"]
        for one in updates
        if (one.get("Update") or {}).get("ProvisionedThroughput") is not None
    }
    for index in record.get("GlobalSecondaryIndexes") or ():
        if index["IndexName"] not in given:
            raise invalid(
                f"ProvisionedThroughput must be specified for index: {index['IndexName']}"
            )
    for holder in (record, *(record.get("GlobalSecondaryIndexes") or ())):
        warm.remember(record, holder)
        holder.pop("OnDemandThroughput", None)
    record["BillingMode"] = PROVISIONED


def change_index(record: Record, index: Holder, wanted: Holder, times: tuple[int, int]) -> None:
    """An index that exists has the throughput that its Update gives it."""
    name = index["IndexName"]
    units = wanted.get("ProvisionedThroughput")
    limits, warmth = on_demand.given(wanted), warm.given(wanted)
    is_on_demand = record.get("BillingMode") == PAY_PER_REQUEST
    if is_on_demand and (units is not None or not (limits or warmth)):
        raise invalid(
            f"The only Updates for index: {name} when TableThroughputMode is PAY_PER_REQUEST can "
            "be to OnDemandThroughput, WarmThroughput"
        )
    if units is not None:
        check_throughput(units, name)
        warm.remember(record, index)
        provisioning.change(index, units, times[0], name)
    if limits:
        on_demand.change(index, limits, on_demand=is_on_demand)
    if warmth:
        warm.change(record, index, warmth, times)


def check_index_update(update: Holder) -> None:
    """What is wrong with an index's Update whether or not there is such an index."""
    if update.get("WarmThroughput") is not None and not warm.given(update):
        raise invalid(
            "WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond "
            f"specified for index: {update['IndexName']}"
        )
