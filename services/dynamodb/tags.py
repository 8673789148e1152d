"""Tags of tables."""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.definitions import merged_tags
from fogbank.services.dynamodb.errors import (
    AccessDeniedException,
    ResourceNotFoundException,
    ValidationException,
)
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import STRING, check
from fogbank.services.dynamodb.tables import TAGS
from fogbank.storage.kv import Reader, Writer

_LIST_SHAPE = {"ResourceArn!": STRING, "NextToken": STRING}
_TAG_SHAPE = {"ResourceArn!": STRING, "Tags!": TAGS}
_UNTAG_SHAPE = {"ResourceArn!": STRING, "TagKeys!": [STRING]}


def table_name(ctx: Context, arn: str) -> str:
    """The name of the table whose ARN this is, in the caller's account and region."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "dynamodb" or not parts[5].startswith("table/"):
        raise ValidationException(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    if (parts[3], parts[4]) != (ctx.world.region, ctx.world.account):
        raise AccessDeniedException(ctx.caller.arn, arn)
    return parts[5].removeprefix("table/").split("/")[0]


def _load(tx: Reader, ctx: Context, arn: str) -> Record:
    name = table_name(ctx, arn)
    try:
        return schema.describe_load(tx, ctx.world, name, ctx.clock.now_ms())
    except ResourceNotFoundException:
        raise ResourceNotFoundException(f"ResourcArn: {arn} not found") from None


@service.operation("TagResource")
async def tag_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html"""
    check(request, _TAG_SHAPE)

    def work(tx: Writer) -> None:
        record = _load(tx, ctx, request["ResourceArn"])
        record["Tags"] = merged_tags(request["Tags"], record.get("Tags") or [])
        schema.save(tx, ctx.world, record)

    await ctx.store.write(work)
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UntagResource.html"""
    check(request, _UNTAG_SHAPE)

    def work(tx: Writer) -> None:
        record = _load(tx, ctx, request["ResourceArn"])
        left = [tag for tag in record.get("Tags") or [] if tag["Key"] not in request["TagKeys"]]
        record["Tags"] = left
        schema.save(tx, ctx.world, record)

    await ctx.store.write(work)
    return {}


@service.operation("ListTagsOfResource")
async def list_tags_of_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTagsOfResource.html"""
    check(request, _LIST_SHAPE)
    tags: list[dict[str, Any]] = await ctx.store.read(
        lambda tx: _load(tx, ctx, request["ResourceArn"]).get("Tags") or [], brief=True
    )
    return {"Tags": tags}
