"""Log streams."""

from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output, World
from fogbank.services.log_lines import lines_of
from fogbank.services.logs import groups, keys
from fogbank.services.logs.errors import (
    InvalidParameterException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from fogbank.services.logs.service import service
from fogbank.storage.keys import unpack
from fogbank.storage.kv import Reader, Writer

PAGE_DEFAULT = 50
NAME_LENGTH_MAX = 512

# {"createdMs", "token", and once there were events: "firstMs", "lastMs", "ingestedMs"}
Stream = dict[str, Any]


@service.operation("CreateLogStream")
async def create_log_stream(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html"""
    group, name = request["logGroupName"], request["logStreamName"]
    if len(name) > NAME_LENGTH_MAX:
        raise InvalidParameterException(
            "Invalid LogGroup or LogStream, both must have length less than or equal to 512."
        )
    if ":" in name or "*" in name or not name:
        raise InvalidParameterException.one(
            name, "logStreamName", "Member must satisfy regular expression pattern: [^:*]*"
        )

    def work(tx: Writer) -> None:
        groups.require(tx, ctx.world, group)
        if tx.get(keys.stream_key(ctx.world, group, name)) is not None:
            raise ResourceAlreadyExistsException.stream()
        save(tx, ctx.world, group, name, new_stream(ctx.clock.now_ms()))

    await ctx.store.write(work)
    return {}


def new_stream(now_ms: int) -> Stream:
    return {"createdMs": now_ms, "token": 0}


@service.operation("DeleteLogStream")
async def delete_log_stream(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogStream.html"""
    group, name = request["logGroupName"], request["logStreamName"]
    await lines_of(ctx.stack).flush()

    def work(tx: Writer) -> None:
        groups.require(tx, ctx.world, group)
        require(tx, ctx.world, group, name)
        tx.delete(keys.stream_key(ctx.world, group, name))
        tx.delete_range(*keys.event_span(ctx.world, group, name))

    await ctx.store.write(work)
    return {}


@service.operation("DescribeLogStreams")
async def describe_log_streams(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html"""
    group = groups.asked_name(ctx.world, request)
    prefix = request.get("logStreamNamePrefix") or ""
    by_time = request.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
    limit = int(request.get("limit") or PAGE_DEFAULT)
    skipped = _position(request.get("nextToken"))
    await lines_of(ctx.stack).flush()

    def work(tx: Reader) -> list[tuple[str, Stream]]:
        groups.require(tx, ctx.world, group)
        return [
            (name, stream)
            for name, stream in all_of(tx, ctx.world, group)
            if name.startswith(prefix)
        ]

    found = await ctx.store.read(work)
    if by_time:
        found.sort(key=lambda pair: (pair[1].get("lastMs", 0), pair[0]))
    if request.get("descending"):
        found.reverse()
    page = found[skipped : skipped + limit]
    answer: Output = {"logStreams": [_answer(ctx.world, group, *pair) for pair in page]}
    if skipped + limit < len(found):
        answer["nextToken"] = f"s/{skipped + limit}"
    return answer


def _position(token: str | None) -> int:
    if not token:
        return 0
    kind, _, number = token.partition("/")
    if kind != "s" or not number.isdecimal() or not number.isascii():
        raise InvalidParameterException.token()
    return int(number)


def _answer(world: World, group: str, name: str, stream: Stream) -> dict[str, Any]:
    answer = {
        "logStreamName": name,
        "creationTime": stream["createdMs"],
        "arn": world.arn("logs", f"log-group:{group}:log-stream:{name}"),
        "storedBytes": 0,
    }
    if "lastMs" in stream:
        answer["firstEventTimestamp"] = stream["firstMs"]
        answer["lastEventTimestamp"] = stream["lastMs"]
        answer["lastIngestionTime"] = stream["ingestedMs"]
        answer["uploadSequenceToken"] = token_of(stream)
    return answer


def token_of(stream: Stream) -> str:
    """The sequence token: 56 digits, as AWS's are. No request has to carry it any more."""
    return f"{stream['token']:056d}"


def all_of(tx: Reader, world: World, group: str) -> list[tuple[str, Stream]]:
    """(name, stream) of a group, in order of name."""
    start, stop = keys.stream_span(world, group)
    return [
        (str(unpack(key[len(start) :])[0]), orjson.loads(raw)) for key, raw in tx.range(start, stop)
    ]


def find(tx: Reader, world: World, group: str, name: str) -> Stream | None:
    raw = tx.get(keys.stream_key(world, group, name))
    return None if raw is None else orjson.loads(raw)


def require(tx: Reader, world: World, group: str, name: str) -> Stream:
    stream = find(tx, world, group, name)
    if stream is None:
        raise ResourceNotFoundException.stream()
    return stream


def save(tx: Writer, world: World, group: str, name: str, stream: Stream) -> None:
    tx.put(keys.stream_key(world, group, name), orjson.dumps(stream))
