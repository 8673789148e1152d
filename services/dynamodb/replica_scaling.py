"""Auto scaling settings of the members of a global table: kept and shown.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html

Nothing is scaled here: the members of a global table are on demand. Write capacity is one setting
of all members, read capacity one of each. AWS's texts for settings that do not hold were not seen.
"""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.descriptions import index_status
from fogbank.services.dynamodb.errors import ResourceNotFoundException, ValidationException, invalid
from fogbank.services.dynamodb.replica_groups import members
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, BOOLEAN, INTEGER, STRING, check
from fogbank.services.errors import AwsError
from fogbank.storage.kv import Reader, Writer

_SETTINGS = {
    "MinimumUnits": INTEGER,
    "MaximumUnits": INTEGER,
    "AutoScalingDisabled": BOOLEAN,
    "AutoScalingRoleArn": STRING,
    "ScalingPolicyUpdate": {
        "PolicyName": STRING,
        "TargetTrackingScalingPolicyConfiguration!": {
            "DisableScaleIn": BOOLEAN,
            "ScaleInCooldown": INTEGER,
            "ScaleOutCooldown": INTEGER,
            "TargetValue!": ANY,
        },
    },
}
_SHAPE = {
    "TableName!": STRING,
    "ProvisionedWriteCapacityAutoScalingUpdate": _SETTINGS,
    "GlobalSecondaryIndexUpdates": [
        {"IndexName": STRING, "ProvisionedWriteCapacityAutoScalingUpdate": _SETTINGS}
    ],
    "ReplicaUpdates": [
        {
            "RegionName!": STRING,
            "ReplicaProvisionedReadCapacityAutoScalingUpdate": _SETTINGS,
            "ReplicaGlobalSecondaryIndexUpdates": [
                {"IndexName": STRING, "ProvisionedReadCapacityAutoScalingUpdate": _SETTINGS}
            ],
        }
    ],
}
_TABLE_SHAPE = {"TableName!": STRING}
# What a dimension that Application Auto Scaling does not know reads as.
_NOT_SCALED = {"AutoScalingDisabled": True, "ScalingPolicies": []}
_ROLE = (
    "aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
)
# Settings by what they are of: "write" or "read" and a region, and an index or nothing.
Settings = dict[str, dict[str, Any]]


class NotGlobal(AwsError):
    """The table is in no global table."""

    code = "ResourceNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(f"Global table with name: '{name}' does not exist.")


@service.operation("DescribeTableReplicaAutoScaling")
async def describe_table_replica_auto_scaling(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTableReplicaAutoScaling.html

    Of a global table of the present version.
    """
    check(request, _TABLE_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    now_ms = ctx.clock.now_ms()
    record = await ctx.store.read(lambda tx: _load(tx, ctx, name, now_ms), brief=True)
    return {"TableAutoScalingDescription": _description(ctx, record, now_ms)}


@service.operation("UpdateTableReplicaAutoScaling")
async def update_table_replica_auto_scaling(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTableReplicaAutoScaling.html"""
    check(request, _SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    updates = _updates(request)
    if not updates:
        raise invalid(
            "At least one of ProvisionedWriteCapacityAutoScalingUpdate, "
            "GlobalSecondaryIndexUpdates or ReplicaUpdates is required"
        )
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> Record:
        record = _load(tx, ctx, name, now_ms)
        _check_places(ctx, record, updates)
        settings: Settings = dict(record.get("AutoScaling") or {})
        for kind, region, index, update in updates:
            place = _place(kind, region, index)
            settings[place] = _changed(ctx, settings.get(place), update, (name, kind, index))
        for where, member in [(ctx, record), *members(tx, ctx, record)]:
            member["AutoScaling"] = settings
            schema.save(tx, where.world, member)
        return record

    record = await ctx.store.write(work)
    return {"TableAutoScalingDescription": _description(ctx, record, now_ms)}


def _load(tx: Reader, ctx: Context, name: str, now_ms: int) -> Record:
    try:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
    except ResourceNotFoundException:
        raise NotGlobal(name) from None
    if not record.get("Replicas"):
        raise NotGlobal(name)
    return record


# Of a setting: "Write" or "Read", its region, its index, and what becomes of it.
Update = tuple[str, str, str, dict[str, Any]]


def _updates(request: Input) -> list[Update]:
    """All the settings that the request changes."""
    found: list[tuple[str, str, str, dict[str, Any] | None]] = [
        ("Write", "", "", request.get("ProvisionedWriteCapacityAutoScalingUpdate"))
    ]
    for one in request.get("GlobalSecondaryIndexUpdates") or ():
        update = one.get("ProvisionedWriteCapacityAutoScalingUpdate")
        found.append(("Write", "", _index_name(one), update))
    for replica in request.get("ReplicaUpdates") or ():
        region = replica["RegionName"]
        update = replica.get("ReplicaProvisionedReadCapacityAutoScalingUpdate")
        found.append(("Read", region, "", update))
        for one in replica.get("ReplicaGlobalSecondaryIndexUpdates") or ():
            update = one.get("ProvisionedReadCapacityAutoScalingUpdate")
            found.append(("Read", region, _index_name(one), update))
    return [(kind, region, name, given) for kind, region, name, given in found if given is not None]


def _index_name(update: dict[str, Any]) -> str:
    name = update.get("IndexName")
    if not name:
        raise invalid("IndexName is required to change the auto scaling of an index")
    return str(name)


def _place(kind: str, region: str, index: str) -> str:
    return f"{kind} {region} {index}"


def forget_reads(record: Record, region: str) -> None:
    """No setting is left of an earlier member in that region; nor any, of an earlier group."""
    settings: Settings = record.pop("AutoScaling", {}) if record.get("Replicas") else {}
    prefix = _place("Read", region, "")
    kept = {place: one for place, one in settings.items() if not place.startswith(prefix)}
    record.pop("AutoScaling", None)
    if kept:
        record["AutoScaling"] = kept


def _check_places(ctx: Context, record: Record, updates: list[Update]) -> None:
    """Regions are members of the table, indexes are its own."""
    regions = {ctx.world.region, *record["Replicas"]}
    wrong = sorted({region for _, region, _, _ in updates if region and region not in regions})
    if wrong:
        raise ValidationException(
            "Update global table operation failed because one or more replicas were not part of "
            f"the global table. Please retry the request without these replicas: [{wrong[0]}]."
        )
    names = {index["IndexName"] for index in record.get("GlobalSecondaryIndexes") or ()}
    for _, _, index, _ in updates:
        if index and index not in names:
            raise ResourceNotFoundException(f"Index {index} for table {record['TableName']}")


def _changed(
    ctx: Context, old: dict[str, Any] | None, update: dict[str, Any], of: tuple[str, str, str]
) -> dict[str, Any]:
    """The settings after an update: what it does not name stays."""
    if update.get("AutoScalingDisabled"):
        return _NOT_SCALED
    known = {} if old is None or old["AutoScalingDisabled"] else old
    given = {name: one for name, one in update.items() if one is not None}
    least, most = ({**known, **given}.get(name) for name in ("MinimumUnits", "MaximumUnits"))
    if least is None or most is None:
        raise invalid("MinimumUnits and MaximumUnits must both be specified for auto scaling")
    if least > most:
        raise invalid("MinimumUnits of auto scaling cannot be more than MaximumUnits")
    role = given.get("AutoScalingRoleArn") or known.get("AutoScalingRoleArn")
    policies = known.get("ScalingPolicies") or []
    if "ScalingPolicyUpdate" in given:
        policies = [_policy(given["ScalingPolicyUpdate"], of)]
    return {
        "MinimumUnits": least,
        "MaximumUnits": most,
        "AutoScalingDisabled": False,
        "AutoScalingRoleArn": role or f"arn:aws:iam::{ctx.world.account}:role/{_ROLE}",
        "ScalingPolicies": policies,
    }


def _policy(update: dict[str, Any], of: tuple[str, str, str]) -> dict[str, Any]:
    table, kind, index = of
    resource = f"table/{table}/index/{index}" if index else f"table/{table}"
    given = update["TargetTrackingScalingPolicyConfiguration"]
    target = given["TargetValue"]
    if isinstance(target, bool) or not isinstance(target, int | float):
        raise invalid("TargetValue of a scaling policy must be a number")
    return {
        "PolicyName": update.get("PolicyName") or f"DynamoDB{kind}CapacityUtilization:{resource}",
        "TargetTrackingScalingPolicyConfiguration": {
            **{name: one for name, one in given.items() if one is not None},
            "DisableScaleIn": bool(given.get("DisableScaleIn")),
        },
    }


def _description(ctx: Context, record: Record, now_ms: int) -> Output:
    states = {
        region: "ACTIVE" if now_ms >= replica["ActiveAtMs"] else "CREATING"
        for region, replica in record["Replicas"].items()
    }
    return {
        "TableName": record["TableName"],
        "TableStatus": schema.status_of(record, now_ms),
        "Replicas": [
            _replica(record, region, state, now_ms)
            for region, state in {**states, ctx.world.region: "ACTIVE"}.items()
        ],
    }


def _replica(record: Record, region: str, state: str, now_ms: int) -> dict[str, Any]:
    settings: Settings = record.get("AutoScaling") or {}

    def of(kind: str, index: str = "") -> dict[str, Any]:
        place = _place(kind, region if kind == "Read" else "", index)
        return settings.get(place, _NOT_SCALED)

    indexes = [
        {
            "IndexName": index["IndexName"],
            "IndexStatus": index_status(record, index, now_ms),
            "ProvisionedReadCapacityAutoScalingSettings": of("Read", index["IndexName"]),
            "ProvisionedWriteCapacityAutoScalingSettings": of("Write", index["IndexName"]),
        }
        for index in record.get("GlobalSecondaryIndexes") or ()
    ]
    return {
        "RegionName": region,
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        "ReplicaProvisionedReadCapacityAutoScalingSettings": of("Read"),
        "ReplicaProvisionedWriteCapacityAutoScalingSettings": of("Write"),
        "ReplicaStatus": state,
    }
