"""Log groups."""

import re
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output, World
from fogbank.services.log_lines import lines_of
from fogbank.services.logs import keys
from fogbank.services.logs.errors import (
    InvalidParameterException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
    refuse_null_elements,
)
from fogbank.services.logs.service import service
from fogbank.storage.keys import span, text_span, unpack
from fogbank.storage.kv import Reader, Writer

PAGE_DEFAULT = 50
NAME_LENGTH_MAX = 512
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)
_NAME_PATTERN = r"[\.\-_/#A-Za-z0-9]+"
_NAME = re.compile(_NAME_PATTERN)
_ARN = re.compile(r"arn:aws[a-z-]*:logs:([a-z0-9-]+):(\d{12}):log-group:([^:]+)(?::\*)?")

# {"createdMs": ..., "tags": {...}, "class": ..., "retentionDays": optional, "kmsKeyId": optional}
Group = dict[str, Any]


@service.operation("CreateLogGroup")
async def create_log_group(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html"""
    name = request["logGroupName"]
    check_name(name)
    group = new_group(ctx.clock.now_ms())
    group["tags"] = {key: value or "" for key, value in (request.get("tags") or {}).items()}
    group["class"] = request.get("logGroupClass") or "STANDARD"
    if request.get("kmsKeyId"):
        group["kmsKeyId"] = request["kmsKeyId"]

    def work(tx: Writer) -> None:
        if tx.get(keys.group_key(ctx.world, name)) is not None:
            raise ResourceAlreadyExistsException.group()
        save(tx, ctx.world, name, group)

    await ctx.store.write(work)
    return {}


def new_group(now_ms: int) -> Group:
    return {"createdMs": now_ms, "tags": {}, "class": "STANDARD"}


def check_name(name: str) -> None:
    if len(name) > NAME_LENGTH_MAX:
        raise InvalidParameterException(
            "Invalid LogGroup or LogStream, both must have length less than or equal to 512."
        )
    if not _NAME.fullmatch(name):
        raise InvalidParameterException.one(
            name,
            "logGroupName",
            f"Member must satisfy regular expression pattern: {_NAME_PATTERN}",
        )


@service.operation("DeleteLogGroup")
async def delete_log_group(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogGroup.html"""
    name = request["logGroupName"]
    # Lines still on their way would bring the group back.
    await lines_of(ctx.stack).flush()

    def work(tx: Writer) -> None:
        require(tx, ctx.world, name)
        tx.delete(keys.group_key(ctx.world, name))
        tx.delete_range(*keys.stream_span(ctx.world, name))
        tx.delete_range(*keys.event_span(ctx.world, name))

    await ctx.store.write(work)
    return {}


@service.operation("DescribeLogGroups")
async def describe_log_groups(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html"""
    prefix, pattern = request.get("logGroupNamePrefix"), request.get("logGroupNamePattern")
    if prefix and pattern:
        raise InvalidParameterException(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    limit = int(request.get("limit") or PAGE_DEFAULT)
    token = request.get("nextToken")
    identifiers = request.get("logGroupIdentifiers") or []
    refuse_null_elements(identifiers, "logGroupIdentifiers")
    wanted = {own_name(ctx.world, name) for name in identifiers}
    await lines_of(ctx.stack).flush()

    def work(tx: Reader) -> Output:
        found: list[dict[str, Any]] = []
        for name, group in _groups(tx, ctx.world, prefix or "", token):
            if (pattern and pattern.lower() not in name.lower()) or (wanted and name not in wanted):
                continue
            if len(found) == limit:
                return {"logGroups": found, "nextToken": found[-1]["logGroupName"]}
            found.append(_answer(ctx.world, name, group))
        return {"logGroups": found}

    return await ctx.store.read(work)


def _groups(tx: Reader, world: World, prefix: str, after: str | None) -> Any:
    """(name, group) in order of name."""
    head, _ = span("logs", world.account, world.region, "group")
    start, stop = text_span("logs", world.account, world.region, "group", begins=prefix)
    if after:
        start = max(start, keys.group_key(world, after) + b"\xff")
    for key, raw in tx.range(start, stop):
        yield str(unpack(key[len(head) :])[0]), orjson.loads(raw)


def _answer(world: World, name: str, group: Group) -> dict[str, Any]:
    arn = world.arn("logs", f"log-group:{name}")
    answer = {
        "logGroupName": name,
        "creationTime": group["createdMs"],
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "storedBytes": group.get("storedBytes", 0),
        "logGroupClass": group["class"],
        "logGroupArn": arn,
        "deletionProtectionEnabled": False,
    }
    if "retentionDays" in group:
        answer["retentionInDays"] = group["retentionDays"]
    if "kmsKeyId" in group:
        answer["kmsKeyId"] = group["kmsKeyId"]
    return answer


@service.operation("PutRetentionPolicy")
async def put_retention_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""
    days = request["retentionInDays"]
    if days not in RETENTION_DAYS:
        raise InvalidParameterException.one(
            days,
            "retentionInDays",
            f"Member must satisfy enum value set: [{', '.join(map(str, RETENTION_DAYS))}]",
        )
    return await _change(ctx, request["logGroupName"], retentionDays=days)


@service.operation("DeleteRetentionPolicy")
async def delete_retention_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteRetentionPolicy.html"""
    return await _change(ctx, request["logGroupName"], retentionDays=None)


async def _change(ctx: Context, name: str, **members: Any) -> Output:
    """The group with `members` set, or removed where they are None."""

    def work(tx: Writer) -> None:
        group = require(tx, ctx.world, name)
        for member, value in members.items():
            group[member] = value
            if value is None:
                del group[member]
        save(tx, ctx.world, name, group)

    await ctx.store.write(work)
    return {}


def require(tx: Reader, world: World, name: str) -> Group:
    raw = tx.get(keys.group_key(world, name))
    if raw is None:
        raise ResourceNotFoundException.group()
    group: Group = orjson.loads(raw)
    return group


def save(tx: Writer, world: World, name: str, group: Group) -> None:
    tx.put(keys.group_key(world, name), orjson.dumps(group))


def asked_name(world: World, request: Input) -> str:
    """The group that a reading request names, by `logGroupName` or by `logGroupIdentifier`."""
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if name and identifier:
        raise InvalidParameterException(
            "LogGroup name and LogGroup ARN are mutually exclusive parameters."
        )
    if not name and not identifier:
        raise InvalidParameterException(
            "At least one of LogGroup name or LogGroup ARN must be provided."
        )
    return name or own_name(world, identifier or "")


def own_name(world: World, identifier: str) -> str:
    """The name in an ARN of this account and region; a name is its own."""
    found = _ARN.fullmatch(identifier)
    if found is None:
        return identifier
    if (found[1], found[2]) != (world.region, world.account):
        raise ResourceNotFoundException.group()
    return found[3]
