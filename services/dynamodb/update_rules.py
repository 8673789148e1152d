"""What one UpdateTable may ask for at once: as good as always one thing."""

from typing import Any

from fogbank.services.context import Input
from fogbank.services.dynamodb import on_demand, throughput, warm
from fogbank.services.dynamodb.errors import LimitExceededException, ValidationException, invalid
from fogbank.services.dynamodb.vector_rules import check_vector_updates

# AWS names some members that no client knows.
_NOTHING = (
    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
    "GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, "
    "ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, "
    "OnDemandThroughput, WarmThroughput or TableClass is required"
)
# The first of these that is there is the one that AWS speaks of.
_ALONE = (
    ("SSESpecification", "Server-Side Encryption modification"),
    ("TableClass", "TableClass modification"),
    ("DeletionProtectionEnabled", "DeletionProtection modification"),
)
# Such changes take time, in which the table is UPDATING; of the others AWS answers ACTIVE.
_LASTING = ("BillingMode", "ProvisionedThroughput", "StreamSpecification", "TableClass")


def asked(request: Input, changes: tuple[str, ...]) -> Input:
    """The changes that the request really asks for; raises when they do not go together."""
    found: Input = {name: request[name] for name in changes if request.get(name) is not None}
    for name, module in (("OnDemandThroughput", on_demand), ("WarmThroughput", warm)):
        # Alone, an empty structure makes AWS fail with a 500; beside others it is passed over.
        if name in found and not module.given(found):
            del found[name]
    if not found or found == {"GlobalSecondaryIndexUpdates": []}:
        raise ValidationException(_NOTHING)
    _check_index_updates(found)
    check_vector_updates(found.get("VectorIndexUpdates"))
    _check_together(found)
    return found


def _check_index_updates(found: Input) -> None:
    updates = found.get("GlobalSecondaryIndexUpdates")
    if updates is None:
        return
    if not updates:
        raise invalid("List of GlobalSecondaryIndexUpdates is empty")
    names: set[str] = set()
    for one in updates:
        actions = [one[kind] for kind in ("Update", "Create", "Delete") if one.get(kind)]
        if not actions:
            raise invalid(
                "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete must not be null"
            )
        if len(actions) > 1:
            raise invalid(
                "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate "
                "object"
            )
        name = actions[0]["IndexName"]
        if name in names:
            raise invalid(
                "Only one global secondary index update per index is allowed simultaneously. "
                f"Index: {name}"
            )
        names.add(name)
        if one.get("Update"):
            throughput.check_index_update(one["Update"])


def _check_together(found: Input) -> None:
    online = _online(found)
    for name, change in _ALONE:
        if name in found and len(found) > 1:
            raise invalid(f"{change} must be the only operation in the request")
    if "WarmThroughput" in found and len(found) > 1:
        if any(one.get("Create") for one in online):
            raise invalid(
                "Create global secondary index cannot be specified when updating WarmThroughput"
            )
        raise invalid("WarmThroughput must be the only operation in the request")
    if "OnDemandThroughput" in found and set(found) - {"OnDemandThroughput", "BillingMode"}:
        raise invalid(
            "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request"
        )
    moves_units = "ProvisionedThroughput" in found or found.get("BillingMode") == "PROVISIONED"
    if "StreamSpecification" in found and moves_units:
        raise invalid("You cannot modify stream status while updating table IOPS")
    if online and "ProvisionedThroughput" in found:
        raise invalid("You cannot create or delete index while updating table IOPS")
    if online and "StreamSpecification" in found:
        raise invalid("You cannot create or delete index while changing stream status")
    if len(online) > 1:
        raise one_at_a_time()


def one_at_a_time() -> LimitExceededException:
    return LimitExceededException(
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously "
        "per table"
    )


def _online(found: Input) -> list[dict[str, Any]]:
    """The indexes that are made or taken away while the table is in use."""
    updates = [
        *(found.get("GlobalSecondaryIndexUpdates") or ()),
        *(found.get("VectorIndexUpdates") or ()),
    ]
    return [one for one in updates if one.get("Create") or one.get("Delete")]


def lasts(found: Input) -> bool:
    """Whether the table is UPDATING while the change is made."""
    return any(name in found for name in _LASTING) or bool(_online(found))
