"""Point-in-time recovery: described; it cannot be switched on yet."""

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.errors import ResourceNotFoundException, TableNotFoundException
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import STRING, check

_SHAPE = {"TableName!": STRING}


@service.operation("DescribeContinuousBackups")
async def describe_continuous_backups(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContinuousBackups.html"""
    check(request, _SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    now_ms = ctx.clock.now_ms()
    try:
        await ctx.store.read(
            lambda tx: schema.describe_load(tx, ctx.world, name, now_ms), brief=True
        )
    except ResourceNotFoundException:
        raise TableNotFoundException(name) from None
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
        }
    }
