"""Tags of tables."""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.errors import (
    ResourceNotFoundException,
    ValidationException,
)
from fogbank.services.dynamodb.resource_arns import resource_of
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import STRING, check
from fogbank.services.dynamodb.tables import TAGS
from fogbank.services.dynamodb.tag_rules import check_keys, checked_tags, merged
from fogbank.storage.kv import Reader, Writer

_LIST_SHAPE = {"ResourceArn!": STRING, "NextToken": STRING}
_TAG_SHAPE = {"ResourceArn!": STRING, "Tags!": TAGS}
_UNTAG_SHAPE = {"ResourceArn!": STRING, "TagKeys!": [STRING]}


def _table_name(ctx: Context, arn: str, operation: str) -> str:
    """The name of the table whose ARN this is, in the caller's account and region."""
    resource = resource_of(arn)
    schema.refuse_foreign(ctx, arn, operation)
    if resource.region != ctx.world.region:
        raise ValidationException(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    return resource.table


def _absent(arn: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(f"ResourceArn: {arn} not found")


def _load(tx: Reader, ctx: Context, arn: str, operation: str) -> Record:
    name = _table_name(ctx, arn, operation)
    try:
        return schema.describe_load(tx, ctx.world, name, ctx.clock.now_ms())
    except ResourceNotFoundException:
        raise _absent(arn) from None


@service.operation("TagResource")
async def tag_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html"""
    check(request, _TAG_SHAPE)
    arn = request["ResourceArn"]
    _table_name(ctx, arn, "TagResource")
    if not request["Tags"]:
        raise ValidationException("Atleast one Tag needs to be provided as Input.")
    tags = checked_tags(request["Tags"])

    def work(tx: Writer) -> None:
        record = _load(tx, ctx, arn, "TagResource")
        record["Tags"] = merged(tags, record.get("Tags") or [])
        schema.save(tx, ctx.world, record)

    await ctx.store.write(work)
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UntagResource.html"""
    check(request, _UNTAG_SHAPE)
    arn = request["ResourceArn"]
    _table_name(ctx, arn, "UntagResource")
    if not request["TagKeys"]:
        raise ValidationException("Atleast one Tag Key needs to be provided as Input.")
    check_keys(request["TagKeys"])

    def work(tx: Writer) -> None:
        record = _load(tx, ctx, arn, "UntagResource")
        left = [tag for tag in record.get("Tags") or [] if tag["Key"] not in request["TagKeys"]]
        record["Tags"] = left
        schema.save(tx, ctx.world, record)

    await ctx.store.write(work)
    return {}


@service.operation("ListTagsOfResource")
async def list_tags_of_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTagsOfResource.html"""
    check(request, _LIST_SHAPE)
    arn = request["ResourceArn"]

    def work(tx: Reader) -> list[dict[str, Any]]:
        return _load(tx, ctx, arn, "ListTagsOfResource").get("Tags") or []

    return {"Tags": await ctx.store.read(work, brief=True)}
