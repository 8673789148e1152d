"""The description that UpdateTable answers: in part what will be, in part what still is."""

from typing import Any

from fogbank.services.context import Input, Output
from fogbank.services.dynamodb import encryption, provisioning, table_class, warm
from fogbank.services.dynamodb.descriptions import describe, describe_index
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.update_rules import lasts
from fogbank.services.dynamodb.vector_indexes import begun


def answered(before: Record, record: Record, found: Input, now_ms: int) -> Output:
    """`found` are the changes that were asked for, limits on demand as they are told."""
    answer = describe(record, now_ms)
    if lasts(found):
        answer["TableStatus"] = "UPDATING"
    switched = before.get("BillingMode") != record.get("BillingMode")
    if "ProvisionedThroughput" in found and not switched:
        answer["ProvisionedThroughput"].update(_units(before, now_ms))
    if found.get("OnDemandThroughput"):
        answer["OnDemandThroughput"] = found["OnDemandThroughput"]
    if "WarmThroughput" in found:
        known = warm.described(before, before, now_ms)
        answer["WarmThroughput"] = {**known, "Status": "UPDATING"}
    if "SSESpecification" in found:
        old = before.get("SSEDescription") or {}
        if old or encryption.enables(found["SSESpecification"]):
            answer["SSEDescription"] = {**old, "Status": "UPDATING"}
    if "TableClass" in found:
        answer.pop("TableClassSummary", None)
        answer.update(table_class.described(before))
    for one in found.get("GlobalSecondaryIndexUpdates") or ():
        _tell_index(answer, before, one, now_ms, switched=switched)
    if found.get("VectorIndexUpdates"):
        answer["VectorIndexes"] = begun(record, found, now_ms)
    return answer


def _units(holder: Record, now_ms: int) -> dict[str, Any]:
    """Capacities and their count as they were; the times of their changes are new already."""
    known = provisioning.described(holder, now_ms)
    return {name: units for name, units in known.items() if not name.startswith("Last")}


def _tell_index(
    answer: Output, before: Record, one: dict[str, Any], now_ms: int, *, switched: bool
) -> None:
    """A new index is there, a deleted one still is, an updated one has not changed yet."""
    old = {index["IndexName"]: index for index in before.get("GlobalSecondaryIndexes") or ()}
    if one.get("Delete"):
        index = describe_index(before, old[one["Delete"]["IndexName"]], now_ms)
        index["IndexStatus"] = "DELETING"
        answer.setdefault("GlobalSecondaryIndexes", []).append(index)
        return
    change = one.get("Create") or one["Update"]
    shown = next(
        index
        for index in answer["GlobalSecondaryIndexes"]
        if index["IndexName"] == change["IndexName"]
    )
    if one.get("Create"):
        shown.update(IndexStatus="CREATING", Backfilling=False)
        return
    index = old[change["IndexName"]]
    if change.get("ProvisionedThroughput") or change.get("OnDemandThroughput"):
        shown["IndexStatus"] = "UPDATING"
    if change.get("ProvisionedThroughput") and not switched:
        shown["ProvisionedThroughput"].update(_units(index, now_ms))
    if change.get("WarmThroughput"):
        known = warm.described(before, index, now_ms)
        shown["WarmThroughput"] = {**known, "Status": "UPDATING"}
