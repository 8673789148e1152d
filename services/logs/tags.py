"""Tags of log groups, by name (the older operations) and by ARN."""

from fogbank.services.context import Context, Input, Output
from fogbank.services.logs import groups
from fogbank.services.logs.errors import TooManyTagsException
from fogbank.services.logs.service import service
from fogbank.storage.kv import Writer

TAGS_MAX = 50


@service.operation("TagResource")
async def tag_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html"""
    return await _tag(ctx, groups.own_name(ctx.world, request["resourceArn"]), request["tags"])


@service.operation("UntagResource")
async def untag_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_UntagResource.html"""
    return await _untag(ctx, groups.own_name(ctx.world, request["resourceArn"]), request["tagKeys"])


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsForResource.html"""
    return await _list(ctx, groups.own_name(ctx.world, request["resourceArn"]))


@service.operation("TagLogGroup")
async def tag_log_group(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagLogGroup.html"""
    return await _tag(ctx, request["logGroupName"], request["tags"])


@service.operation("UntagLogGroup")
async def untag_log_group(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_UntagLogGroup.html"""
    return await _untag(ctx, request["logGroupName"], request["tags"])


@service.operation("ListTagsLogGroup")
async def list_tags_log_group(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsLogGroup.html"""
    return await _list(ctx, request["logGroupName"])


async def _tag(ctx: Context, name: str, added: dict[str, str]) -> Output:
    def work(tx: Writer) -> None:
        group = groups.require(tx, ctx.world, name)
        group["tags"].update((key, value or "") for key, value in added.items())
        if len(group["tags"]) > TAGS_MAX:
            raise TooManyTagsException
        groups.save(tx, ctx.world, name, group)

    await ctx.store.write(work)
    return {}


async def _untag(ctx: Context, name: str, removed: list[str]) -> Output:
    def work(tx: Writer) -> None:
        group = groups.require(tx, ctx.world, name)
        for key in removed:
            group["tags"].pop(key, None)
        groups.save(tx, ctx.world, name, group)

    await ctx.store.write(work)
    return {}


async def _list(ctx: Context, name: str) -> Output:
    group = await ctx.store.read(lambda tx: groups.require(tx, ctx.world, name), brief=True)
    return {"tags": group["tags"]}
