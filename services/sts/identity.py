"""Who is calling."""

from fogbank.services.context import Context, Input, Output
from fogbank.services.sts.service import service


@service.operation("GetCallerIdentity")
async def get_caller_identity(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""
    return {
        "UserId": ctx.caller.user_id,
        "Account": ctx.world.account,
        "Arn": ctx.caller.arn,
    }
