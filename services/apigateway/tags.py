"""Tags of APIs and stages, by ARN."""

import re
from collections.abc import Callable

from fogbank.services.apigateway import records
from fogbank.services.apigateway.errors import NotFoundException
from fogbank.services.apigateway.records import Record, require_api
from fogbank.services.apigateway.service import service
from fogbank.services.apigateway.stages import require_stage
from fogbank.services.context import Context, Input, Output, World
from fogbank.storage.kv import Reader, Writer

_ARN = re.compile(r"arn:aws:apigateway:([^:]*)::/restapis/([^/]+)(?:/stages/([^/]+))?")


def _find(tx: Reader, world: World, arn: str) -> tuple[bytes, Record]:
    """The key and the record of what `arn` names."""
    found = _ARN.fullmatch(arn)
    if found is None or found[1] != world.region:
        raise NotFoundException.arn()
    api = require_api(tx, world, found[2])
    if found[3] is None:
        return records.api_key(world, found[2]), api
    stage = require_stage(tx, world, found[2], found[3])
    return records.part_key(world, found[2], "stage", found[3]), stage


async def _change(ctx: Context, arn: str, change: Callable[[dict[str, str]], None]) -> Output:
    def write(tx: Writer) -> None:
        key, record = _find(tx, ctx.world, arn)
        change(record.setdefault("tags", {}))
        tx.put(key, records.dump(record))

    await ctx.store.write(write)
    return {}


@service.operation("TagResource")
async def tag_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_TagResource.html"""
    added = request.get("tags") or {}
    return await _change(ctx, request["resourceArn"], lambda tags: tags.update(added))


@service.operation("UntagResource")
async def untag_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UntagResource.html"""

    def remove(tags: dict[str, str]) -> None:
        for key in request.get("tagKeys") or []:
            tags.pop(key, None)

    return await _change(ctx, request["resourceArn"], remove)


@service.operation("GetTags")
async def get_tags(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetTags.html"""
    _, record = await ctx.store.read(
        lambda tx: _find(tx, ctx.world, request["resourceArn"]), brief=True
    )
    return {"tags": record.get("tags") or {}}
