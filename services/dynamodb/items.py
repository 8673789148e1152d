"""One item at a time: put and got."""

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema, stored, values
from fogbank.services.dynamodb.changes import change_item
from fogbank.services.dynamodb.keys import check_item, check_key, item_key
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, STRING, check
from fogbank.services.errors import NotImplementedYet
from fogbank.storage.kv import Reader, Writer


@service.operation("PutItem")
async def put_item(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html"""
    check(request, {"TableName!": STRING, "Item!": {None: ANY}})
    if request.get("ConditionExpression") is not None:
        raise NotImplementedYet("dynamodb", "PutItem with a ConditionExpression")
    item, size = values.item(request["Item"])
    raw = stored.seal(item, size)
    key = schema.table_key(ctx.world, schema.name_of(ctx.world, request["TableName"]))
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> None:
        table = schema.load(tx, key, now_ms)
        check_item(table, item)
        at = item_key(table, item)
        change_item(tx, table, at, tx.get(at), raw)

    await ctx.store.write(work)
    return {}


@service.operation("GetItem")
async def get_item(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html"""
    check(request, {"TableName!": STRING, "Key!": {None: ANY}})
    wanted, _ = values.item(request["Key"])
    key = schema.table_key(ctx.world, schema.name_of(ctx.world, request["TableName"]))
    now_ms = ctx.clock.now_ms()

    def work(tx: Reader) -> bytes | None:
        table = schema.load(tx, key, now_ms)
        check_key(table, wanted)
        return tx.get(item_key(table, wanted))

    raw = await ctx.store.read(work, brief=True)
    return {} if raw is None else {"__raw__": b'{"Item":' + stored.json_of(raw) + b"}"}
