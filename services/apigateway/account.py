"""The account's settings of API Gateway."""

from fogbank.services.apigateway.patch import patched, text
from fogbank.services.apigateway.records import Record, dump, load
from fogbank.services.apigateway.service import service
from fogbank.services.context import Context, Input, Output, World
from fogbank.storage.keys import pack
from fogbank.storage.kv import Reader, Writer

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
DEFAULTS: Record = {
    "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0},
    "features": ["UsagePlans"],
    "apiKeyVersion": "4",
}
FIELDS = {"cloudwatchRoleArn": text("cloudwatchRoleArn")}


def _key(world: World) -> bytes:
    return pack("apigateway", world.account, world.region, "account")


def _load(tx: Reader, world: World) -> Record:
    raw = tx.get(_key(world))
    return dict(DEFAULTS) if raw is None else load(raw)


@service.operation("GetAccount")
async def get_account(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetAccount.html"""
    return await ctx.store.read(lambda tx: _load(tx, ctx.world), brief=True)


@service.operation("UpdateAccount")
async def update_account(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateAccount.html"""

    def update(tx: Writer) -> Record:
        account = patched(_load(tx, ctx.world), request.get("patchOperations") or [], FIELDS)
        tx.put(_key(ctx.world), dump(account))
        return account

    return await ctx.store.write(update)
