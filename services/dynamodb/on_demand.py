"""The limits that one may set on the throughput of a table, or a global index, on demand.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode-max-throughput.html
"""

from typing import Any

from fogbank.services.dynamodb.account import TABLE_UNITS_MAX
from fogbank.services.dynamodb.definitions import units_in
from fogbank.services.dynamodb.errors import LimitExceededException, invalid

Holder = dict[str, Any]
Units = dict[str, int]

# As a maximum it takes the limit away; at the creation of a table there is none to take.
UNLIMITED = -1


def label(index: str | None) -> str:
    # AWS has a space before the colon.
    return f"index : {index}" if index else "table"


def given(holder: Holder) -> Units:
    return units_in(holder, "OnDemandThroughput")


def check_new(holder: Holder, index: str | None, *, on_demand: bool) -> None:
    for name, units in given(holder).items():
        if not on_demand:
            of = f" for index: {index}" if index else ""
            raise invalid(
                f"{name} for OnDemandThroughput{of} cannot be specified when table BillingMode is "
                "PROVISIONED."
            )
        _check_range(name, units, index, least=1)


def _check_range(name: str, units: int, index: str | None, *, least: int) -> None:
    if units == 0 or units < least:
        raise invalid(
            f"Requested {name} for OnDemandThroughput for {label(index)} is outside of valid range"
        )


def check_quota(holder: Holder, region: str, index: str | None = None) -> None:
    for name, units in given(holder).items():
        kind = "Read" if "Read" in name else "Write"
        if units > TABLE_UNITS_MAX:
            raise LimitExceededException(
                f"Subscriber limit exceeded: Requested {name} for OnDemandThroughput for "
                f"{label(index)} exceeds TableMax{kind}CapacityUnits of the account in region "
                f"{region}"
            )


def change(holder: Holder, wanted: Units, *, on_demand: bool) -> Units:
    """The table, or its index, has the limits; returns them with what was taken away, as told."""
    index = holder.get("IndexName")
    for name, units in wanted.items():
        if not on_demand:
            of = f" for {label(index)}" if index else ""
            raise invalid(
                f"{name} for OnDemandThroughput{of} cannot be specified when the table BillingMode "
                "is PROVISIONED"
            )
        _check_range(name, units, index, least=UNLIMITED)
    told = {**given(holder), **wanted}
    kept = {name: units for name, units in told.items() if units != UNLIMITED}
    if kept:
        holder["OnDemandThroughput"] = kept
    else:
        holder.pop("OnDemandThroughput", None)
    return told
