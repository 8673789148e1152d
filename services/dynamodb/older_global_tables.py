"""Global tables of version 2017.11.29, of which AWS lets none be made any more.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GlobalTables.html
"""

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb.errors import ValidationException
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
_INVALID = "One or more parameter values were invalid"
_UNSUPPORTED = (
    f"{_INVALID}: DynamoDB global tables version 2017.11.29 is not supported. We recommend using "
    "DynamoDB global tables version 2019.11.21, instead of version 2017.11.29 (Legacy)."
)


def _missing_text(name: str) -> str:
    return f"Global table with name: '{name}' does not exist."


class GlobalTableNotFoundException(AwsError):
    code = "GlobalTableNotFoundException"


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
