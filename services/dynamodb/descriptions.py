"""A table's record as CreateTable, UpdateTable, DeleteTable and DescribeTable show it."""

from typing import Any

from fogbank.services.context import Output
from fogbank.services.dynamodb.schema import Record, status_of

# What a new table takes at once: on demand by AWS's default, provisioned by its setting.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html
ON_DEMAND_WARM = {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000}


def describe(record: Record, now_ms: int, *, warm: bool = False) -> Output:
    """`warm` adds what only DescribeTable shows."""
    status = status_of(record, now_ms)
    result: Output = {
        name: record[name]
        for name in ("TableName", "KeySchema", "AttributeDefinitions", "TableArn", "TableId")
    }
    result["TableStatus"] = status
    result["CreationDateTime"] = record["CreatedMs"] / 1000
    result["ProvisionedThroughput"] = _throughput(record)
    result["TableSizeBytes"] = record.get("SizeBytes", 0)
    result["ItemCount"] = record.get("ItemCount", 0)
    result["DeletionProtectionEnabled"] = bool(record.get("DeletionProtectionEnabled"))
    on_demand = record.get("BillingMode") == "PAY_PER_REQUEST"
    if record.get("BillingMode") and (on_demand or record.get("WasOnDemandMs")):
        result["BillingModeSummary"] = {"BillingMode": record["BillingMode"]}
        if warm and record.get("WasOnDemandMs"):
            result["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] = (
                record["WasOnDemandMs"] / 1000
            )
    for member in ("StreamSpecification", "LatestStreamLabel", "LatestStreamArn", "SSEDescription"):
        if record.get(member):
            result[member] = record[member]
    if record.get("OnDemandThroughput"):
        result["OnDemandThroughput"] = record["OnDemandThroughput"]
    if record.get("Replicas"):
        result["GlobalTableVersion"] = "2019.11.21"
        result["GlobalTableSettingsReplicationMode"] = "ENABLED_WITH_OVERRIDES"
        result["Replicas"] = _replicas(record, now_ms)
    if status == "CREATING" and record.get("Restore"):
        result["RestoreSummary"] = {**record["Restore"], "RestoreInProgress": True}
    if record.get("TableClass"):
        result["TableClassSummary"] = {"TableClass": record["TableClass"]}
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if record.get(member):
            result[member] = [
                _index(record, index, now_ms, member == "GlobalSecondaryIndexes", warm)
                for index in record[member]
            ]
    if warm:
        result["WarmThroughput"] = _warm(record, record, "ACTIVE" if status == "ACTIVE" else status)
    return result


def _replicas(record: Record, now_ms: int) -> list[dict[str, Any]]:
    """The other members of a global table; what they inherit is not said."""
    described = []
    for region, replica in record["Replicas"].items():
        ready = now_ms >= replica["ActiveAtMs"]
        one: dict[str, Any] = {
            "RegionName": region,
            "ReplicaStatus": "ACTIVE" if ready else "CREATING",
            "GlobalTableSettingsReplicationMode": "ENABLED_WITH_OVERRIDES",
        }
        if ready:
            one["WarmThroughput"] = {**ON_DEMAND_WARM, "Status": "ACTIVE"}
        for member in ("ProvisionedThroughputOverride", "OnDemandThroughputOverride"):
            if replica.get(member):
                one[member] = replica[member]
        overridden = {
            index["IndexName"]: index for index in replica.get("GlobalSecondaryIndexes", ())
        }
        indexes = record.get("GlobalSecondaryIndexes") or ()
        if indexes:
            one["GlobalSecondaryIndexes"] = [
                overridden.get(index["IndexName"], {"IndexName": index["IndexName"]})
                for index in indexes
            ]
        if replica.get("TableClassOverride"):
            one["ReplicaTableClassSummary"] = {"TableClass": replica["TableClassOverride"]}
        described.append(one)
    return described


def _throughput(holder: dict[str, Any]) -> dict[str, Any]:
    given = holder.get("ProvisionedThroughput") or {}
    result = {
        "NumberOfDecreasesToday": given.get("NumberOfDecreasesToday", 0),
        "ReadCapacityUnits": given.get("ReadCapacityUnits", 0),
        "WriteCapacityUnits": given.get("WriteCapacityUnits", 0),
    }
    for name in ("LastIncreaseDateTime", "LastDecreaseDateTime"):
        if name in given:
            result[name] = given[name]
    return result


def _warm(record: Record, holder: dict[str, Any], status: str) -> dict[str, Any]:
    given: dict[str, int] = holder.get("WarmThroughput") or {}
    floor: dict[str, int]
    if record.get("BillingMode") == "PAY_PER_REQUEST":
        floor = ON_DEMAND_WARM
    else:
        provisioned = _throughput(holder)
        floor = {
            "ReadUnitsPerSecond": provisioned["ReadCapacityUnits"],
            "WriteUnitsPerSecond": provisioned["WriteCapacityUnits"],
        }
    units: dict[str, Any] = {name: max(low, given.get(name, 0)) for name, low in floor.items()}
    return {**units, "Status": status}


def _index(
    record: Record, index: dict[str, Any], now_ms: int, is_global: bool, warm: bool
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "IndexName": index["IndexName"],
        "KeySchema": index["KeySchema"],
        "Projection": index["Projection"],
        "IndexSizeBytes": index.get("SizeBytes", 0),
        "ItemCount": index.get("ItemCount", 0),
        "IndexArn": f"{record['TableArn']}/index/{index['IndexName']}",
    }
    if is_global:
        status = index_status(record, index, now_ms)
        result["IndexStatus"] = status
        if status == "CREATING" and index.get("backfilling"):
            result["Backfilling"] = True
        result["ProvisionedThroughput"] = _throughput(index)
        if index.get("OnDemandThroughput"):
            result["OnDemandThroughput"] = index["OnDemandThroughput"]
        if warm:
            result["WarmThroughput"] = _warm(record, index, "ACTIVE")
    return result


def index_status(record: Record, index: dict[str, Any], now_ms: int) -> str:
    if record.get("DeletedAtMs") is not None or index.get("deleting"):
        return "DELETING"
    active_at_ms = int(index.get("ActiveAtMs") or record["ActiveAtMs"])
    if index.get("backfilling") or now_ms < active_at_ms:
        return "UPDATING" if index.get("updating") else "CREATING"
    return "ACTIVE"
