"""Tags of functions."""

import re
from collections.abc import Callable

from fogbank.services.context import Context, Input, Output
from fogbank.services.errors import NotImplementedYet, ValidationException
from fogbank.services.lambda_ import records
from fogbank.services.lambda_.errors import InvalidParameterValueException
from fogbank.services.lambda_.names import Target, parse
from fogbank.services.lambda_.service import service
from fogbank.storage.kv import Writer

TAGS_MAX = 50

_PATTERN = (
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)"
    r"|code-signing-config:csc-[a-z0-9]{17}"
    r"|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}"
    r"-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)"
)
_RESOURCE = re.compile(_PATTERN)


@service.operation("TagResource")
async def tag_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_TagResource.html"""
    target = _target(ctx, request)
    added: dict[str, str] = request.get("Tags") or {}
    if not added:
        raise InvalidParameterValueException(
            "An error occurred and the request cannot be processed."
        )

    def add(tags: dict[str, str]) -> None:
        tags.update((key, value or "") for key, value in added.items())
        if len(tags) > TAGS_MAX:
            raise InvalidParameterValueException(
                f"Number of tags exceeds resource tag limit of {TAGS_MAX}."
            )

    return await _change(ctx, target, add)


@service.operation("UntagResource")
async def untag_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_UntagResource.html"""
    target = _target(ctx, request)
    keys = request.get("TagKeys")
    if not keys:
        raise ValidationException(
            "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: "
            "Member must not be null"
        )

    def remove(tags: dict[str, str]) -> None:
        for key in keys:
            tags.pop(key, None)

    return await _change(ctx, target, remove)


async def _change(ctx: Context, target: Target, change: Callable[[dict[str, str]], None]) -> Output:
    def work(tx: Writer) -> None:
        record = records.require(tx, target)
        change(record["tags"])
        records.touch(record, ctx)
        records.save(tx, ctx.world, record)

    await ctx.store.write(work)
    return {}


@service.operation("ListTags")
async def list_tags(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_ListTags.html"""
    target = _target(ctx, request)
    record = await ctx.store.read(lambda tx: records.require(tx, target), brief=True)
    return {"Tags": record["tags"]}


def _target(ctx: Context, request: Input) -> Target:
    arn = request["Resource"]
    if not _RESOURCE.fullmatch(arn):
        raise ValidationException(
            f"1 validation error detected: Value '{arn}' at 'resource' failed to satisfy "
            f"constraint: Member must satisfy regular expression pattern: {_PATTERN}"
        )
    kind = arn.split(":")[5]
    if kind != "function":
        raise NotImplementedYet("lambda", f"tags of a {kind}")
    target = parse(ctx.world, arn)
    if target.qualifier is not None:
        raise InvalidParameterValueException(
            "Tags on function aliases and versions are not supported. "
            "Please specify a function ARN."
        )
    return target
