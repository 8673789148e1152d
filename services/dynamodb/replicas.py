"""UpdateTable's ReplicaUpdates: the members of a global table, version 2019.11.21.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables.tutorial.html
"""

from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import copying, schema
from fogbank.services.dynamodb.backup_records import keep_deleted
from fogbank.services.dynamodb.bulk_operations import is_under_way
from fogbank.services.dynamodb.copying import Job, finishes, place
from fogbank.services.dynamodb.descriptions import describe
from fogbank.services.dynamodb.encryption import set_encryption
from fogbank.services.dynamodb.errors import (
    ResourceInUseException,
    ResourceNotFoundException,
    ValidationException,
    invalid,
)
from fogbank.services.dynamodb.expiry import switch, time_present
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.replica_groups import at, begin_trim, leave, members
from fogbank.services.dynamodb.replica_scaling import forget_reads
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.shapes import INTEGER, STRING
from fogbank.services.dynamodb.stream_records import close_stream, open_stream
from fogbank.services.dynamodb.tables import set_stream, transition_ms
from fogbank.services.dynamodb.vector_indexes import definition, present
from fogbank.services.events import emit
from fogbank.storage.kv import Reader, Writer

NEVER_MS = 2**52
# https://docs.aws.amazon.com/general/latest/gr/ddb.html
REGIONS = (
    *("ap-south-2", "ap-south-1", "eu-south-1", "eu-south-2", "me-central-1", "il-central-1"),
    *("ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "us-west-1", "us-west-2"),
    *("af-south-1", "eu-north-1", "eu-west-3", "eu-west-2", "eu-west-1", "ap-northeast-3"),
    *("ap-northeast-2", "ap-northeast-1", "me-south-1", "sa-east-1", "ap-east-1", "ap-east-2"),
    *("ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5"),
    *("ap-southeast-7", "mx-central-1", "us-east-1", "us-east-2"),
)
_STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
_OVERRIDES = (
    *("ProvisionedThroughputOverride", "OnDemandThroughputOverride", "GlobalSecondaryIndexes"),
    "TableClassOverride",
)
# What a replica takes over from the table that it is made from.
_SHARED = (
    *("TableName", "KeySchema", "AttributeDefinitions", "LocalSecondaryIndexes", "BillingMode"),
    *("GlobalSecondaryIndexes", "OnDemandThroughput", "WarmThroughput", "TableClass"),
    *("VectorIndexes", "AutoScaling"),
)


_REPLICA = {
    "RegionName!": STRING,
    "KMSMasterKeyId": STRING,
    "ProvisionedThroughputOverride": {"ReadCapacityUnits": INTEGER},
    "OnDemandThroughputOverride": {"MaxReadRequestUnits": INTEGER},
    "GlobalSecondaryIndexes": [
        {
            "IndexName!": STRING,
            "ProvisionedThroughputOverride": {"ReadCapacityUnits": INTEGER},
            "OnDemandThroughputOverride": {"MaxReadRequestUnits": INTEGER},
        }
    ],
    "TableClassOverride": STRING,
}
REPLICA_UPDATES = [
    {
        "Create": _REPLICA,
        "Update": _REPLICA,
        "Delete": {"RegionName!": STRING},
        "Disassociate": {"RegionName!": STRING},
    }
]


async def update_replicas(ctx: Context, name: str, request: Input) -> Output:
    """The answer of an UpdateTable that changes the replicas, which must be all that it does."""
    if set(request) - {"TableName", "ReplicaUpdates"}:
        raise invalid("Replica modification must be the only operation in the request")
    verb, action = _action(ctx, request["ReplicaUpdates"])
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> Record:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
        _ACTIONS[verb](ctx, tx, record, action, now_ms)
        return record

    answer = describe(await ctx.store.write(work), now_ms)
    return {"TableDescription": {**answer, "TableStatus": "UPDATING"}}


def _action(ctx: Context, updates: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """What is to be done, and with which replica: one action a request."""
    found: list[tuple[str, dict[str, Any]]] = []
    for update in updates:
        some = [(verb, update[verb]) for verb in _ACTIONS if update.get(verb) is not None]
        if len(some) > 1:
            raise ValidationException(
                "Update table operation with more than one type of replica actions not allowed."
            )
        if update.get("Disassociate") is not None:
            raise invalid("Fogbank does not disassociate replicas")
        if not some or (some[0][0] == "Update" and set(some[0][1]) <= {"RegionName"}):
            raise ValidationException(
                "There are no actions specified in the Replica Update Action of the request."
            )
        if some[0] not in found:
            found.append(some[0])
    if not found:
        raise ValidationException(
            "There are no actions specified in the Replica Update Action of the request."
        )
    if len(found) > 1:
        raise ValidationException(
            "Update table operation with more than one create or delete replica actions not allowed"
        )
    verb, action = found[0]
    region = action["RegionName"]
    if region not in REGIONS:
        raise ValidationException(
            f"Region {region} is not supported. The latest version of global tables are only "
            f"supported in the following regions: [{', '.join(REGIONS)}]"
        )
    if region == ctx.world.region and verb != "Update":
        raise ValidationException(
            "Cannot add or delete the local region through ReplicaUpdates. Use CreateTable, "
            "DeleteTable, or UpdateTable as required."
        )
    return verb, action


def _require_settled(record: Record, now_ms: int) -> None:
    settling = [
        one for one in (record.get("Replicas") or {}).values() if now_ms < one["ActiveAtMs"]
    ]
    if settling or schema.status_of(record, now_ms) != "ACTIVE":
        raise ResourceInUseException("The resource which you are attempting to change is in use.")


def _create(ctx: Context, tx: Writer, record: Record, action: dict[str, Any], now_ms: int) -> None:
    name, region = record["TableName"], action["RegionName"]
    there = at(ctx, region)
    if region in (record.get("Replicas") or {}) or _exists(tx, there, name, now_ms):
        raise ValidationException(
            f"Failed to create a the new replica of table with name: \u2018{name}\u2019 because "
            "one or more replicas already existed as tables."
        )
    _require_settled(record, now_ms)
    if is_under_way(tx, ctx.world, record["TableId"]):
        raise ResourceInUseException("The resource which you are attempting to change is in use.")
    # Without Application Auto Scaling no provisioned table meets AWS's condition.
    if record.get("BillingMode") != "PAY_PER_REQUEST":
        raise ValidationException(
            "Table write capacity should either be Pay-Per-Request or AutoScaled."
        )
    if not record.get("StreamSpecification"):
        set_stream(record, _STREAM, now_ms)
        open_stream(tx, Moment(ctx, now_ms), record)
    group = [(ctx, record), *members(tx, ctx, record)]
    for _, member in group:
        forget_reads(member, region)
    replica = _replica_record(there, record, action, now_ms)
    begun = {"TableId": replica["TableId"], "ActiveAtMs": NEVER_MS}
    overrides = {member: action[member] for member in _OVERRIDES if action.get(member)}
    if not record.get("Replicas"):
        begin_trim(ctx, tx, record)
    for where, member in group:
        member.setdefault("Replicas", {})[region] = {**begun, **overrides}
        schema.save(tx, where.world, member)
    replica["Replicas"] = {
        where.world.region: {"TableId": member["TableId"], "ActiveAtMs": now_ms}
        for where, member in group
    }
    replica["SourcedFrom"] = {"Region": ctx.world.region, "AtMs": now_ms}
    schema.save(tx, there.world, replica)
    open_stream(tx, Moment(there, now_ms), replica)
    begin_trim(there, tx, replica)
    copying.start(
        ctx,
        tx,
        "replica",
        place(ctx.world, "item", record["TableId"]),
        place(there.world, "item", replica["TableId"]),
        body={"Table": replica, "Region": region},
        phase="merge",
    )


def _exists(tx: Reader, there: Context, name: str, now_ms: int) -> bool:
    try:
        schema.describe_load(tx, there.world, name, now_ms)
    except ResourceNotFoundException:
        return False
    return True


def _replica_record(there: Context, record: Record, action: dict[str, Any], now_ms: int) -> Record:
    replica: Record = {member: record[member] for member in _SHARED if member in record}
    # Made from the table's record: nothing of its indexes' progress or counts goes along.
    kept = ("IndexName", "KeySchema", "Projection", "OnDemandThroughput", "WarmThroughput")
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if member in replica:
            replica[member] = [
                {part: index[part] for part in kept if part in index} for index in replica[member]
            ]
    if "VectorIndexes" in replica:
        replica["VectorIndexes"] = [definition(index) for index in present(record, now_ms)]
    replica |= {
        "TableId": there.ids.uuid(),
        "TableArn": schema.arn_of(there.world, record["TableName"]),
        "CreatedMs": now_ms,
        "ActiveAtMs": NEVER_MS,
        "Creating": True,
        "WasOnDemandMs": now_ms,
    }
    if action.get("TableClassOverride"):
        replica["TableClass"] = action["TableClassOverride"]
    if record.get("SSEDescription"):
        wanted: dict[str, Any] = {"Enabled": True, "SSEType": "KMS"}
        if action.get("KMSMasterKeyId"):
            wanted["KMSMasterKeyId"] = action["KMSMasterKeyId"]
        set_encryption(there, replica, wanted)
    set_stream(replica, record["StreamSpecification"], now_ms)
    return replica


@finishes("replica")
def _finish_replica(ctx: Context, tx: Writer, job: Job) -> None:
    """The replica is ACTIVE, and every member knows."""
    region, made = job["Body"]["Region"], job["Body"]["Table"]
    there = at(ctx, region)
    active_at_ms = ctx.clock.now_ms() + transition_ms(ctx)
    raw = tx.get(schema.table_key(there.world, made["TableName"]))
    replica = None if raw is None else orjson.loads(raw)
    if replica is None or replica["TableId"] != made["TableId"]:
        return
    replica["ActiveAtMs"] = active_at_ms
    _follow_expiry(there, tx, replica)
    schema.save(tx, there.world, replica)
    for where, member in members(tx, there, replica):
        if region in (member.get("Replicas") or {}):
            member["Replicas"][region]["ActiveAtMs"] = active_at_ms
            schema.save(tx, where.world, member)


def _follow_expiry(there: Context, tx: Writer, replica: Record) -> None:
    """The replica's items expire as those of the table that it was made from."""
    if replica.get("TimeToLive"):
        # Switched on while items were copied: those that came later are not timed yet.
        time_present(there, tx, replica)
        return
    for where, member in members(tx, there, replica):
        if where.world.region == replica["SourcedFrom"]["Region"] and member.get("TimeToLive"):
            switch(there, tx, replica, member["TimeToLive"]["AttributeName"])


def _update(ctx: Context, tx: Writer, record: Record, action: dict[str, Any], now_ms: int) -> None:
    region = action["RegionName"]
    replica = _require_member(record, region)
    _require_settled(record, now_ms)
    if action.get("KMSMasterKeyId"):
        raise invalid("KMSMasterKeyId must be specified for each replica.")
    if action.get("ProvisionedThroughputOverride"):
        raise ValidationException(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode "
            "is PAY_PER_REQUEST"
        )
    overrides = {member: action[member] for member in _OVERRIDES if action.get(member)}
    replica.update(overrides)
    schema.save(tx, ctx.world, record)
    for where, member in members(tx, ctx, record):
        if where.world.region == region and "TableClassOverride" in overrides:
            member["TableClass"] = overrides["TableClassOverride"]
            schema.save(tx, where.world, member)


def _require_member(record: Record, region: str) -> dict[str, Any]:
    replica: dict[str, Any] | None = (record.get("Replicas") or {}).get(region)
    if replica is None:
        raise ValidationException(
            "Update global table operation failed because one or more replicas were not part of "
            f"the global table. Please retry the request without these replicas: [{region}]."
        )
    return replica


def _delete(ctx: Context, tx: Writer, record: Record, action: dict[str, Any], now_ms: int) -> None:
    region = action["RegionName"]
    _require_member(record, region)
    _require_settled(record, now_ms)
    for where, member in members(tx, ctx, record):
        if where.world.region == region:
            if member.get("DeletionProtectionEnabled"):
                raise ValidationException(
                    f"Cannot delete table {member['TableName']} in region {region} because it has "
                    "deletion protection enabled. Disable deletion protection first."
                )
            leave(where, tx, member, now_ms)
            _drop(where, tx, member, now_ms)
    raw = tx.get(schema.table_key(ctx.world, record["TableName"]))
    assert raw is not None
    record.clear()
    record.update(orjson.loads(raw))


def _drop(ctx: Context, tx: Writer, record: Record, now_ms: int) -> None:
    """The replica's table is gone from its region."""
    name = record["TableName"]
    if record.get("StreamSpecification"):
        close_stream(tx, Moment(ctx, now_ms), name, record["LatestStreamLabel"])
    tx.delete(schema.table_key(ctx.world, name))
    body: dict[str, Any] = {"TableName": name, "TableId": record["TableId"]}
    if keep_deleted(ctx, tx, record, now_ms):
        body["KeepsItems"] = True
    emit(ctx, tx, "dynamodb.sweep", record["TableId"], body)


_ACTIONS = {"Create": _create, "Update": _update, "Delete": _delete}
