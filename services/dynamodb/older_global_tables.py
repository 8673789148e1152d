"""Global tables of version 2017.11.29, of which AWS lets none be made any more.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GlobalTables.html
"""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.descriptions import index_status
from fogbank.services.dynamodb.errors import ResourceNotFoundException, ValidationException
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, INTEGER, STRING, check
from fogbank.services.errors import AwsError

_NAME_SHAPE = {"GlobalTableName!": STRING}
_LIST_SHAPE = {
    "ExclusiveStartGlobalTableName": STRING,
    "Limit": INTEGER,
    "RegionName": STRING,
}
_CREATE_SHAPE = {**_NAME_SHAPE, "ReplicationGroup!": ANY}
_UPDATE_SHAPE = {**_NAME_SHAPE, "ReplicaUpdates!": [{"Create": ANY, "Delete": ANY}]}
_TABLE_SHAPE = {"TableName!": STRING}
_INVALID = "One or more parameter values were invalid"
_UNSUPPORTED = (
    f"{_INVALID}: DynamoDB global tables version 2017.11.29 is not supported. We recommend using "
    "DynamoDB global tables version 2019.11.21, instead of version 2017.11.29 (Legacy)."
)
# What a dimension that Application Auto Scaling does not know reads as.
_NOT_SCALED = {"AutoScalingDisabled": True, "ScalingPolicies": []}


def _missing_text(name: str) -> str:
    return f"Global table with name: '{name}' does not exist."


class GlobalTableNotFoundException(AwsError):
    code = "GlobalTableNotFoundException"


class NotGlobal(AwsError):
    """The table is in no global table."""

    code = "ResourceNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(_missing_text(name))


@service.operation("CreateGlobalTable")
async def create_global_table(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateGlobalTable.html"""
    check(request, _CREATE_SHAPE)
    raise ValidationException(_UNSUPPORTED)


@service.operation("UpdateGlobalTable")
async def update_global_table(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateGlobalTable.html"""
    check(request, _UPDATE_SHAPE)
    if not request["ReplicaUpdates"]:
        raise ValidationException(_INVALID)
    if any(update.get("Create") is not None for update in request["ReplicaUpdates"]):
        raise ValidationException(_UNSUPPORTED)
    raise GlobalTableNotFoundException(_missing_text(request["GlobalTableName"]))


@service.operation("DescribeGlobalTable")
async def describe_global_table(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeGlobalTable.html"""
    check(request, _NAME_SHAPE)
    text = _missing_text(request["GlobalTableName"])
    raise GlobalTableNotFoundException(f"Global table not found: {text}")


@service.operation("DescribeGlobalTableSettings")
async def describe_global_table_settings(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeGlobalTableSettings.html"""
    check(request, _NAME_SHAPE)
    raise GlobalTableNotFoundException(_missing_text(request["GlobalTableName"]))


@service.operation("UpdateGlobalTableSettings")
async def update_global_table_settings(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateGlobalTableSettings.html"""
    check(request, _NAME_SHAPE)
    raise GlobalTableNotFoundException(_missing_text(request["GlobalTableName"]))


@service.operation("ListGlobalTables")
async def list_global_tables(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListGlobalTables.html"""
    check(request, _LIST_SHAPE)
    return {"GlobalTables": []}


@service.operation("DescribeTableReplicaAutoScaling")
async def describe_table_replica_auto_scaling(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTableReplicaAutoScaling.html

    Of a global table of the present version. Nothing is scaled here, and so it says.
    """
    check(request, _TABLE_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    now_ms = ctx.clock.now_ms()
    try:
        record = await ctx.store.read(
            lambda tx: schema.describe_load(tx, ctx.world, name, now_ms), brief=True
        )
    except ResourceNotFoundException:
        raise NotGlobal(name) from None
    if not record.get("Replicas"):
        raise NotGlobal(name)
    states = {
        region: "ACTIVE" if now_ms >= replica["ActiveAtMs"] else "CREATING"
        for region, replica in record["Replicas"].items()
    }
    return {
        "TableAutoScalingDescription": {
            "TableName": name,
            "TableStatus": schema.status_of(record, now_ms),
            "Replicas": [
                _replica(record, region, state, now_ms)
                for region, state in {**states, ctx.world.region: "ACTIVE"}.items()
            ],
        }
    }


def _replica(record: Record, region: str, state: str, now_ms: int) -> dict[str, Any]:
    indexes = [
        {
            "IndexName": index["IndexName"],
            "IndexStatus": index_status(record, index, now_ms),
            "ProvisionedReadCapacityAutoScalingSettings": _NOT_SCALED,
            "ProvisionedWriteCapacityAutoScalingSettings": _NOT_SCALED,
        }
        for index in record.get("GlobalSecondaryIndexes") or ()
    ]
    return {
        "RegionName": region,
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        "ReplicaProvisionedReadCapacityAutoScalingSettings": _NOT_SCALED,
        "ReplicaProvisionedWriteCapacityAutoScalingSettings": _NOT_SCALED,
        "ReplicaStatus": state,
    }
