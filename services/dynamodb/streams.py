"""DynamoDB Streams: the service that reads what tables wrote.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import md5
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb.errors import (
    ExpiredIteratorException,
    ResourceNotFoundException,
    TrimmedDataAccessException,
    ValidationException,
)
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.shapes import ANY, INTEGER, STRING, check
from fogbank.services.dynamodb.stream_records import (
    RETENTION_MS,
    SHARDS,
    last_sequence,
    read_shard,
    sequence_of,
    sequence_text,
    shard_id,
    stream_key,
    streams_span,
)
from fogbank.services.dynamodb.values import unexpected
from fogbank.services.registry import Service
from fogbank.storage.keys import after, unpack
from fogbank.storage.kv import Reader

service = Service("dynamodbstreams")

ITERATOR_LIFE_MS = 15 * 60 * 1000
RECORDS_MAX = 1000
RECORDS_BYTES_MAX = 1024 * 1024
SHARDS_PAGE_MAX = 100
STREAMS_PAGE_MAX = 100
# No number given out is larger.
SEQUENCE_MAX = 2**62

_DESCRIBE_SHAPE = {
    "StreamArn!": STRING,
    "Limit": INTEGER,
    "ExclusiveStartShardId": STRING,
    "ShardFilter": {"Type": STRING, "ShardId": STRING},
}
_ITERATOR_SHAPE = {
    "StreamArn!": STRING,
    "ShardId!": STRING,
    "ShardIteratorType!": STRING,
    "SequenceNumber": STRING,
    "Timestamp": ANY,
}
_ITERATOR_TYPES = frozenset(
    ("TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP")
)
_RECORDS_SHAPE = {"ShardIterator!": STRING, "Limit": INTEGER}
_LIST_SHAPE = {"TableName": STRING, "Limit": INTEGER, "ExclusiveStartStreamArn": STRING}


def _place(ctx: Context, arn: str) -> bytes:
    """The store's key of the stream of an ARN."""
    parts = arn.split(":", 5)
    names = parts[5].split("/") if len(parts) == 6 else []
    if len(names) != 4 or names[0] != "table" or names[2] != "stream" or parts[2] != "dynamodb":
        raise ValidationException(f"Invalid StreamArn: {arn}")
    if (parts[3], parts[4]) != (ctx.world.region, ctx.world.account):
        raise ResourceNotFoundException(f"Stream: {arn} not found")
    return stream_key(ctx.world, names[1], names[3])


def _load(tx: Reader, ctx: Context, arn: str) -> Record:
    raw = tx.get(_place(ctx, arn))
    if raw is None:
        raise ResourceNotFoundException(f"Stream: {arn} not found")
    stream: Record = orjson.loads(raw)
    return stream


@service.operation("ListStreams")
async def list_streams(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ListStreams.html"""
    check(request, _LIST_SHAPE)
    limit = min(max(1, request.get("Limit") or STREAMS_PAGE_MAX), STREAMS_PAGE_MAX)
    table = request.get("TableName")
    start, stop = streams_span(ctx.world, *([] if table is None else [table]))
    if request.get("ExclusiveStartStreamArn") is not None:
        start = max(start, after(_place(ctx, request["ExclusiveStartStreamArn"])))

    def work(tx: Reader) -> list[Record]:
        found: list[Record] = []
        for _, raw in tx.range(start, stop) if start < stop else ():
            found.append(orjson.loads(raw))
            if len(found) > limit:
                break
        return found

    found = await ctx.store.read(work)
    answer: Output = {
        "Streams": [
            {name: stream[name] for name in ("StreamArn", "TableName", "StreamLabel")}
            for stream in found[:limit]
        ]
    }
    if len(found) > limit:
        answer["LastEvaluatedStreamArn"] = found[limit - 1]["StreamArn"]
    return answer


@service.operation("DescribeStream")
async def describe_stream(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html"""
    check(request, _DESCRIBE_SHAPE)
    limit = min(max(1, request.get("Limit") or SHARDS_PAGE_MAX), SHARDS_PAGE_MAX)

    def work(tx: Reader) -> tuple[Record, list[int]]:
        stream = _load(tx, ctx, request["StreamArn"])
        ends = [last_sequence(tx, ctx.world, stream, shard) for shard in range(SHARDS)]
        return stream, ends

    stream, ends = await ctx.store.read(work)
    closed = "ClosedMs" in stream
    shards: list[dict[str, Any]] = []
    for shard, end in enumerate(ends):
        bounds = {"StartingSequenceNumber": sequence_text(1)}
        if closed:
            bounds["EndingSequenceNumber"] = sequence_text(max(1, end))
        shards.append({"ShardId": shard_id(stream, shard), "SequenceNumberRange": bounds})
    # Shards here neither split nor merge: none has children.
    if (request.get("ShardFilter") or {}).get("Type") == "CHILD_SHARDS":
        shards = []
    first = request.get("ExclusiveStartShardId")
    if first is not None:
        shards = [shard for shard in shards if shard["ShardId"] > first]
    description: dict[str, Any] = {
        name: stream[name]
        for name in ("StreamArn", "StreamLabel", "StreamViewType", "TableName", "KeySchema")
    }
    description["StreamStatus"] = "DISABLED" if closed else "ENABLED"
    description["CreationRequestDateTime"] = stream["CreatedMs"] / 1000
    description["Shards"] = shards[:limit]
    if len(shards) > limit:
        description["LastEvaluatedShardId"] = shards[limit - 1]["ShardId"]
    return {"StreamDescription": description}


@service.operation("GetShardIterator")
async def get_shard_iterator(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html"""
    check(request, _ITERATOR_SHAPE)
    kind = request["ShardIteratorType"]
    if kind not in _ITERATOR_TYPES:
        raise ValidationException(
            f"1 validation error detected: Value '{kind}' at 'shardIteratorType' failed to "
            "satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, "
            "LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]"
        )
    number = _number(request)
    at_ms = _time_ms(ctx, request)

    def work(tx: Reader) -> tuple[int, int]:
        stream = _load(tx, ctx, request["StreamArn"])
        shard = _shard(stream, request["ShardId"])
        if kind == "LATEST":
            return shard, last_sequence(tx, ctx.world, stream, shard) + 1
        if at_ms is not None:
            return shard, _first_at(tx, ctx, stream, shard, at_ms)
        if number is None:
            return shard, 0
        _check_trimmed(tx, ctx, stream, shard, number)
        return shard, number + (kind == "AFTER_SEQUENCE_NUMBER")

    shard, start = await ctx.store.read(work)
    return {"ShardIterator": _iterator(ctx, request["StreamArn"], shard, start)}


def _number(request: Input) -> int | None:
    kind, given = request["ShardIteratorType"], request.get("SequenceNumber")
    numbered = kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
    if numbered != (given is not None):
        verb = "must be" if numbered else "cannot be"
        raise ValidationException(f"SequenceNumber {verb} specified for ShardIteratorType {kind}")
    if given is None:
        return None
    number = sequence_of(given)
    if number is None or number > SEQUENCE_MAX:
        raise ValidationException(f"Invalid SequenceNumber: {given}")
    return number


def _time_ms(ctx: Context, request: Input) -> int | None:
    kind, given = request["ShardIteratorType"], request.get("Timestamp")
    if (kind == "AT_TIMESTAMP") != (given is not None):
        verb = "must be" if given is None else "cannot be"
        raise ValidationException(f"Timestamp {verb} specified for ShardIteratorType {kind}")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise unexpected(given)
    if not 0 <= given * 1000 <= ctx.clock.now_ms():
        raise ValidationException(f"Invalid Timestamp: {given} lies in the future")
    return int(given * 1000)


def _check_trimmed(tx: Reader, ctx: Context, stream: Record, shard: int, number: int) -> None:
    """The record of that number, in this shard or in another, is not of more than a day ago.

    The number with which shards begin does for their trim horizon.
    """
    horizon_ms = ctx.clock.now_ms() - RETENTION_MS
    if number <= 1 or stream["CreatedMs"] > horizon_ms:
        return
    for key, raw in tx.range(*read_shard(tx, ctx.world, stream, shard, 0)):
        if orjson.loads(raw)["at_ms"] > horizon_ms:
            if number < int(str(unpack(key)[-1])):
                break
            return
    raise TrimmedDataAccessException


def _first_at(tx: Reader, ctx: Context, stream: Record, shard: int, at_ms: int) -> int:
    """The sequence number of the first record at or after the time."""
    following = 0
    for key, raw in tx.range(*read_shard(tx, ctx.world, stream, shard, 0)):
        sequence = int(str(unpack(key)[-1]))
        if orjson.loads(raw)["at_ms"] >= at_ms:
            return sequence
        following = sequence + 1
    return following


def _shard(stream: Record, wanted: str) -> int:
    for shard in range(SHARDS):
        if shard_id(stream, shard) == wanted:
            return shard
    raise ResourceNotFoundException("Shard does not exist")


def _iterator(ctx: Context, arn: str, shard: int, start: int) -> str:
    content = orjson.dumps([shard, start, ctx.clock.now_ms()])
    return f"{arn}|1|{b64encode(content).decode()}"


def _opened(iterator: str) -> tuple[str, int, int, int]:
    try:
        arn, _, content = iterator.split("|")
        shard, start, issued_ms = orjson.loads(b64decode(content, validate=True))
        if not (0 <= int(shard) < SHARDS and 0 <= int(start) < 2**63):
            raise ValueError("out of range")
        return arn, int(shard), int(start), int(issued_ms)
    except (ValueError, TypeError, Base64Error):
        raise ValidationException("Invalid ShardIterator") from None


@service.operation("GetRecords")
async def get_records(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html"""
    check(request, _RECORDS_SHAPE)
    arn, shard, start, issued_ms = _opened(request["ShardIterator"])
    limit = request.get("Limit") or RECORDS_MAX
    if not 1 <= limit <= RECORDS_MAX:
        raise ValidationException(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            f"constraint: Member must have value less than or equal to {RECORDS_MAX}"
        )
    now_ms = ctx.clock.now_ms()
    if now_ms > issued_ms + ITERATOR_LIFE_MS:
        raise ExpiredIteratorException

    horizon_ms = now_ms - RETENTION_MS

    def work(tx: Reader) -> tuple[Record, list[tuple[int, dict[str, Any]]], bool]:
        stream = _load(tx, ctx, arn)
        found: list[tuple[int, dict[str, Any]]] = []
        total = 0
        for key, raw in tx.range(*read_shard(tx, ctx.world, stream, shard, start)):
            body = orjson.loads(raw)
            if body["at_ms"] <= horizon_ms:
                # From the trim horizon one reads on; elsewhere a record is missed that was there.
                if start > 1:
                    raise TrimmedDataAccessException
                continue
            if total + len(raw) > RECORDS_BYTES_MAX and found:
                return stream, found, False
            found.append((int(str(unpack(key)[-1])), body))
            total += len(raw)
            if len(found) >= limit:
                return stream, found, False
        return stream, found, "ClosedMs" in stream

    stream, found, ended = await ctx.store.read(work)
    records = [_record(ctx, stream, sequence, body) for sequence, body in found]
    following = found[-1][0] + 1 if found else start
    answer: Output = {"Records": records}
    if not ended:
        answer["NextShardIterator"] = _iterator(ctx, arn, shard, following)
    return answer


def _record(ctx: Context, stream: Record, sequence: int, body: dict[str, Any]) -> dict[str, Any]:
    change: dict[str, Any] = {
        # Streams tell the time of a change in whole seconds.
        "ApproximateCreationDateTime": body["at_ms"] // 1000,
        "Keys": body["keys"],
    }
    for name, member in (("NewImage", "new"), ("OldImage", "old")):
        if member in body:
            change[name] = body[member]
    change["SequenceNumber"] = sequence_text(sequence)
    change["SizeBytes"] = body["size"]
    change["StreamViewType"] = stream["StreamViewType"]
    digest = md5(f"{stream['StreamArn']} {sequence}".encode(), usedforsecurity=False)
    record: dict[str, Any] = {
        "eventID": digest.hexdigest(),
        "eventName": body["name"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": ctx.world.region,
        "dynamodb": change,
    }
    if body.get("expired"):
        record["userIdentity"] = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    return record
