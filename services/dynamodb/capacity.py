"""What a request consumes, by AWS's rules of units, and how that is said in the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fogbank.services.context import Input
from fogbank.services.dynamodb.schema import Table

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Told:
    """What a request wants to be told, and how it named the table.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html
    """

    mode: str
    given: str = ""

    def name(self, table: Table) -> str:
        return self.given if self.given.startswith("arn:") else table.name


def write_units(*sizes_bytes: int) -> float:
    """Of a write that takes an item from one size to another: the larger counts."""
    return float(max(1, -(-max(sizes_bytes, default=0) // WRITE_UNIT_BYTES)))


def read_units(size_bytes: int, *, consistent: bool) -> float:
    units = float(max(1, -(-size_bytes // READ_UNIT_BYTES)))
    return units if consistent else units / 2


def rounded(size_bytes: int) -> int:
    """The bytes that a read of so many is charged for."""
    return -(-size_bytes // READ_UNIT_BYTES) * READ_UNIT_BYTES


def wanted(request: Input, given: str | None = None) -> Told | None:
    """TOTAL or INDEXES, when the request asks for what it consumed.

    `given` is the table's name or ARN, of requests that name it elsewhere than others.
    """
    mode = request.get("ReturnConsumedCapacity")
    if mode not in ("TOTAL", "INDEXES"):
        return None
    return Told(mode, request.get("TableName") or "" if given is None else given)


def consumed(
    table: Table,
    told: Told,
    table_units: float,
    index_units: Mapping[str, float] | None = None,
    units_name: str | None = None,
) -> dict[str, Any]:
    """A ConsumedCapacity; `units_name` adds Read- or WriteCapacityUnits, as transactions do."""
    index_units = index_units or {}
    total = table_units + sum(index_units.values())
    result: dict[str, Any] = {"TableName": told.name(table), "CapacityUnits": total}
    if units_name:
        result[units_name] = total
    if told.mode == "INDEXES":
        result["Table"] = _units(table_units, units_name)
        kinds = {index.name: index.is_global for index in table.indexes}
        for member, is_global in (
            ("LocalSecondaryIndexes", False),
            ("GlobalSecondaryIndexes", True),
        ):
            some = {
                name: _units(units, units_name)
                for name, units in index_units.items()
                if kinds.get(name) == is_global
            }
            if some:
                result[member] = some
    return result


def _units(units: float, units_name: str | None) -> dict[str, float]:
    return {"CapacityUnits": units, **({units_name: units} if units_name else {})}
