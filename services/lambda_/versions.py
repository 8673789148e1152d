"""Published versions: none can be made here yet, so a function has only $LATEST."""

from fogbank.services.context import Context, Input, Output
from fogbank.services.lambda_ import records
from fogbank.services.lambda_.functions import listed
from fogbank.services.lambda_.names import LATEST, parse
from fogbank.services.lambda_.service import service


@service.operation("ListVersionsByFunction")
async def list_versions_by_function(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_ListVersionsByFunction.html"""
    target = parse(ctx.world, request["FunctionName"])
    record = await ctx.store.read(lambda tx: records.require(tx, target), brief=True)
    latest = listed(record, ctx.clock.now_ms())
    return {"Versions": [{**latest, "FunctionArn": f"{target.arn}:{LATEST}"}]}
