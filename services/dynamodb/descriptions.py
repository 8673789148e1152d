"""A table's record as CreateTable, UpdateTable, DeleteTable and DescribeTable show it."""

from typing import Any

from fogbank.services.context import Output
from fogbank.services.dynamodb import provisioning, table_class, warm
from fogbank.services.dynamodb.schema import Record, status_of
from fogbank.services.dynamodb.vector_indexes import describe_vectors
from fogbank.services.dynamodb.warm import ON_DEMAND_WARM


def describe(record: Record, now_ms: int, *, whole: bool = False) -> Output:
    """`whole` adds what only DescribeTable shows."""
    status = status_of(record, now_ms)
    result: Output = {
        name: record[name] for name in ("TableName", "KeySchema", "TableArn", "TableId")
    }
    result["AttributeDefinitions"] = sorted(
        record["AttributeDefinitions"], key=lambda one: str(one["AttributeName"])
    )
    result["TableStatus"] = status
    result["CreationDateTime"] = record["CreatedMs"] / 1000
    result["ProvisionedThroughput"] = provisioning.described(record, now_ms)
    result["TableSizeBytes"] = record.get("SizeBytes", 0)
    result["ItemCount"] = record.get("ItemCount", 0)
    result["DeletionProtectionEnabled"] = bool(record.get("DeletionProtectionEnabled"))
    on_demand = record.get("BillingMode") == "PAY_PER_REQUEST"
    if record.get("BillingMode") and (on_demand or record.get("WasOnDemandMs")):
        result["BillingModeSummary"] = {"BillingMode": record["BillingMode"]}
        if whole and record.get("WasOnDemandMs"):
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
    result.update(table_class.described(record))
    vectors = describe_vectors(record, now_ms)
    if vectors:
        result["VectorIndexes"] = vectors
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if record.get(member):
            result[member] = [
                describe_index(record, index, now_ms, whole=whole)
                if member == "GlobalSecondaryIndexes"
                else _local_index(record, index)
                for index in record[member]
            ]
    if whole:
        result["WarmThroughput"] = warm.described(record, record, now_ms)
        if status == "CREATING":
            asked = bool(record.get("WarmThroughput"))
            result["WarmThroughput"]["Status"] = "UPDATING" if asked else status
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


def _local_index(record: Record, index: dict[str, Any]) -> dict[str, Any]:
    projection = dict(index["Projection"])
    if projection.get("NonKeyAttributes"):
        projection["NonKeyAttributes"] = sorted(projection["NonKeyAttributes"])
    return {
        "IndexName": index["IndexName"],
        "KeySchema": index["KeySchema"],
        "Projection": projection,
        "IndexSizeBytes": index.get("SizeBytes", 0),
        "ItemCount": index.get("ItemCount", 0),
        "IndexArn": f"{record['TableArn']}/index/{index['IndexName']}",
    }


def describe_index(
    record: Record, index: dict[str, Any], now_ms: int, *, whole: bool = False
) -> dict[str, Any]:
    """A global index; `whole` as for its table."""
    result = _local_index(record, index)
    status = index_status(record, index, now_ms)
    result["IndexStatus"] = status
    if status == "CREATING" and index.get("backfilling"):
        result["Backfilling"] = True
    result["ProvisionedThroughput"] = provisioning.described(index, now_ms)
    if index.get("OnDemandThroughput"):
        result["OnDemandThroughput"] = index["OnDemandThroughput"]
    if whole:
        result["WarmThroughput"] = warm.described(record, index, now_ms)
        if status == "CREATING" and index.get("WarmThroughput"):
            result["WarmThroughput"]["Status"] = "UPDATING"
    return result


def index_status(record: Record, index: dict[str, Any], now_ms: int) -> str:
    if record.get("DeletedAtMs") is not None or index.get("deleting"):
        return "DELETING"
    active_at_ms = int(index.get("ActiveAtMs") or record["ActiveAtMs"])
    if index.get("backfilling") or now_ms < active_at_ms:
        return "UPDATING" if index.get("updating") else "CREATING"
    return "ACTIVE"
