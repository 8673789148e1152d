"""Reads of what cannot be set here yet, which deploy tools ask for all the same."""

from fogbank.services.context import Context, Input, Output
from fogbank.services.lambda_ import records
from fogbank.services.lambda_.errors import ResourceNotFoundException
from fogbank.services.lambda_.names import LATEST, Target, parse
from fogbank.services.lambda_.service import service


async def _target(ctx: Context, request: Input) -> Target:
    """The function, which must be there."""
    target = parse(ctx.world, request["FunctionName"])
    await ctx.store.read(lambda tx: records.require(tx, target), brief=True)
    return target


@service.operation("GetFunctionConcurrency")
async def get_function_concurrency(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConcurrency.html"""
    await _target(ctx, request)
    return {}


@service.operation("GetFunctionCodeSigningConfig")
async def get_function_code_signing_config(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionCodeSigningConfig.html"""
    return {"FunctionName": (await _target(ctx, request)).name}


@service.operation("GetFunctionRecursionConfig")
async def get_function_recursion_config(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionRecursionConfig.html"""
    await _target(ctx, request)
    return {"RecursiveLoop": "Terminate"}


@service.operation("ListAliases")
async def list_aliases(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_ListAliases.html"""
    await _target(ctx, request)
    return {"Aliases": []}


@service.operation("GetFunctionEventInvokeConfig")
async def get_function_event_invoke_config(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionEventInvokeConfig.html

    AWS says the same of a function that is not there.
    """
    target = parse(ctx.world, request["FunctionName"], request.get("Qualifier"))
    raise ResourceNotFoundException(
        f"The function {target.arn}:{target.qualifier or LATEST} doesn't have an EventInvokeConfig"
    )


@service.operation("GetFunctionUrlConfig")
async def get_function_url_config(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionUrlConfig.html"""
    parse(ctx.world, request["FunctionName"], request.get("Qualifier"))
    raise ResourceNotFoundException("The resource you requested does not exist.")
