"""Reads of what cannot be set here yet; deploy tools ask for it all the same."""

from fogbank.services.context import Context, Input, Output
from fogbank.services.lambda_ import records
from fogbank.services.lambda_.names import Target, parse
from fogbank.services.lambda_.service import service


async def _record(ctx: Context, request: Input) -> tuple[Target, records.Record]:
    target = parse(ctx.world, request["FunctionName"])
    return target, await ctx.store.read(lambda tx: records.require(tx, target), brief=True)


@service.operation("GetFunctionConcurrency")
async def get_function_concurrency(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConcurrency.html

    Reservations cannot be made here yet, so there is none.
    """
    await _record(ctx, request)
    return {}


@service.operation("GetFunctionCodeSigningConfig")
async def get_function_code_signing_config(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionCodeSigningConfig.html

    Signing configurations cannot be made here, so no function has one.
    """
    target, _ = await _record(ctx, request)
    return {"FunctionName": target.name}
