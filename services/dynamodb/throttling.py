"""Provisioned throughput, simulated when the setting `dynamodb_throttle` is on.

Each table and each global index has a bucket for reads and one for writes. A bucket keeps what was
not used for five minutes; a request passes while there is anything left, and may leave a debt.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fogbank.services.context import Context
from fogbank.services.dynamodb.errors import (
    ProvisionedThroughputExceededException,
    ThrottlingException,
)
from fogbank.services.dynamodb.schema import Table

BURST_S = 300
_BUCKETS_MAX = 10_000
READ, WRITE = "Read", "Write"

_TABLE_TEXT = (
    "The level of configured provisioned throughput for the table was exceeded. Consider "
    "increasing your provisioning level with the UpdateTable API."
)
_INDEX_TEXT = (
    "The level of configured provisioned throughput for one or more global secondary indexes of "
    "the table was exceeded. Consider increasing your provisioning level for the "
    "under-provisioned global secondary indexes with the UpdateTable API"
)
_ON_DEMAND_TEXT = "Throughput exceeds the maximum OnDemandThroughput configured on table or index"

# The table's id, the index's name or "", and READ or WRITE.
Place = tuple[str, str, str]


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_ms: int


@dataclass(frozen=True, slots=True)
class _Rate:
    """What a second brings and how much is kept; `since_ms` is when the first second began."""

    units: int
    burst_s: int
    since_ms: int
    text: str

    def error(self) -> ProvisionedThroughputExceededException | ThrottlingException:
        if self.text == _ON_DEMAND_TEXT:
            return ThrottlingException(self.text)
        return ProvisionedThroughputExceededException(self.text)


class Throttle:
    """The buckets of a stack. They are charged on the event loop, looked at from anywhere."""

    def __init__(self) -> None:
        self._buckets: dict[Place, _Bucket] = {}

    def left(self, place: Place, rate: _Rate, now_ms: int) -> float:
        """The units that the bucket has at this moment."""
        most = float(rate.units * rate.burst_s)
        bucket = self._buckets.get(place)
        if bucket is None:
            # A table has not saved anything yet when it is new.
            age_s = 1 + max(0, now_ms - rate.since_ms) / 1000
            return min(most, rate.units * age_s)
        return min(most, bucket.tokens + rate.units * max(0, now_ms - bucket.at_ms) / 1000)

    def charge(self, place: Place, rate: _Rate, now_ms: int, units: float) -> None:
        left = self.left(place, rate, now_ms) - units
        self._buckets.pop(place, None)
        self._buckets[place] = _Bucket(left, now_ms)
        if len(self._buckets) > _BUCKETS_MAX:
            del self._buckets[next(iter(self._buckets))]


@dataclass(slots=True)
class Meter:
    """What one request spends. Nothing is charged before `settle`, so that it may run again."""

    throttle: Throttle
    now_ms: int
    spent: dict[Place, float] = field(default_factory=dict)
    rates: dict[Place, _Rate] = field(default_factory=dict)

    def begin(self) -> None:
        self.spent.clear()

    def admit(self, table: Table, kind: str, index: str = "") -> None:
        """The table, or its global index, has something left; raises AWS's error if not."""
        rate = _rate(table, kind, index)
        if rate is None:
            return
        place = (table.id, index, kind)
        if self.throttle.left(place, rate, self.now_ms) <= self.spent.get(place, 0.0):
            raise rate.error()

    def spend(self, table: Table, kind: str, units: float, index: str = "") -> None:
        rate = _rate(table, kind, index)
        if rate is not None and units:
            place = (table.id, index, kind)
            self.rates[place] = rate
            self.spent[place] = self.spent.get(place, 0.0) + units

    def write(self, table: Table, units: float, index_units: Mapping[str, float]) -> None:
        """A write that is done: its indexes had room, and all are spent from."""
        for name in index_units:
            if table.index(name).is_global:
                self.admit(table, WRITE, name)
        self.charge(table, units, index_units)

    def charge(self, table: Table, units: float, index_units: Mapping[str, float]) -> None:
        """A write is spent from its table, with local indexes, and from global indexes."""
        for name, some in index_units.items():
            if table.index(name).is_global:
                self.spend(table, WRITE, some, name)
            else:
                units += some
        self.spend(table, WRITE, units)

    def settle(self) -> None:
        for place, units in self.spent.items():
            self.throttle.charge(place, self.rates[place], self.now_ms, units)


def meter_of(ctx: Context) -> Meter | None:
    """The meter of a request; None when throughput is not simulated."""
    if not ctx.stack.options.get("dynamodb_throttle"):
        return None
    throttle = ctx.stack.caches.setdefault("dynamodb.throttle", Throttle())
    return Meter(throttle, ctx.clock.now_ms())


def _rate(table: Table, kind: str, index: str) -> _Rate | None:
    """What the table's, or its index's, settings allow; None when they allow everything."""
    holder: dict[str, Any] = table.record
    if index:
        indexes = table.record.get("GlobalSecondaryIndexes") or ()
        holder = next(one for one in indexes if one["IndexName"] == index)
    created_ms = table.record["CreatedMs"]
    if table.record.get("BillingMode") == "PAY_PER_REQUEST":
        most = (holder.get("OnDemandThroughput") or {}).get(f"Max{kind}RequestUnits", -1)
        return None if most < 0 else _Rate(most, 1, created_ms, _ON_DEMAND_TEXT)
    units = (holder.get("ProvisionedThroughput") or {}).get(f"{kind}CapacityUnits")
    if not units:
        return None
    return _Rate(units, BURST_S, created_ms, _INDEX_TEXT if index else _TABLE_TEXT)
