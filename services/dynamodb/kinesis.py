"""Kinesis destinations of tables. There is no Kinesis here: no stream can be reached.

AWS accepts any stream and finds out afterwards; a stream that is not there, or not open, leaves a
destination in ENABLE_FAILED, which is what every one becomes here.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html
"""

from typing import Any

from fogbank.services.context import Context, Input, Output, World
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import STRING, check
from fogbank.services.dynamodb.tables import transition_ms
from fogbank.storage.kv import Writer

_FAILED = "User does not have a permission to use kinesis stream"
_BELONGS = "The kinesis Arn used to enable kinesis replication belongs to a stream which is not in "
_STATE = "Table is not in a valid state to enable Kinesis Streaming Destination: "
_PRECISION = {"ApproximateCreationDateTimePrecision": STRING}
_SHAPE = {
    "TableName!": STRING,
    "StreamArn!": STRING,
    "EnableKinesisStreamingConfiguration": _PRECISION,
    "UpdateKinesisStreamingConfiguration": _PRECISION,
}
_NAME_SHAPE = {"TableName!": STRING}


def _status(destination: dict[str, Any], now_ms: int) -> str:
    return "ENABLING" if now_ms < destination["SettledMs"] else "ENABLE_FAILED"


def _failure(world: World, arn: str) -> str:
    """Why the stream cannot be used, as AWS sees it where there is no such stream."""
    service_name, region, account = (arn.split(":") + [""] * 5)[2:5]
    if region != world.region:
        return _BELONGS + "the current region"
    if account != world.account or service_name == "firehose":
        return _BELONGS + "Active state"
    return _FAILED


@service.operation("EnableKinesisStreamingDestination")
async def enable_kinesis_streaming_destination(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_EnableKinesisStreamingDestination.html"""
    check(request, _SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    arn = request["StreamArn"]
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> None:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
        destinations = record.get("Destinations") or []
        if any(_status(one, now_ms) == "ENABLING" for one in destinations):
            raise ValidationException(
                _STATE + "EnableKinesisStreamingDestination must be DISABLED or ENABLE_FAILED to "
                "perform ENABLE operation."
            )
        others = [one for one in destinations if one["StreamArn"] != arn]
        made = {"StreamArn": arn, "SettledMs": now_ms + transition_ms(ctx)}
        record["Destinations"] = [made, *others]
        schema.save(tx, ctx.world, record)

    await ctx.store.write(work)
    return {
        "TableName": name,
        "StreamArn": arn,
        "DestinationStatus": "ENABLING",
        "EnableKinesisStreamingConfiguration": (
            request.get("EnableKinesisStreamingConfiguration") or {}
        ),
    }


@service.operation("DisableKinesisStreamingDestination")
async def disable_kinesis_streaming_destination(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DisableKinesisStreamingDestination.html"""
    check(request, _SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    if any((request.get("EnableKinesisStreamingConfiguration") or {}).values()):
        raise ValidationException(
            "Stream cannot be disabled using EnableKinesisStreamingConfiguration parameters"
        )
    now_ms = ctx.clock.now_ms()
    await ctx.store.read(lambda tx: schema.describe_load(tx, ctx.world, name, now_ms), brief=True)
    raise ValidationException(
        _STATE + "KinesisStreamingDestination must be ACTIVE to perform DISABLE operation."
    )


@service.operation("UpdateKinesisStreamingDestination")
async def update_kinesis_streaming_destination(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateKinesisStreamingDestination.html"""
    check(request, _SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    arn = request["StreamArn"]
    if not any((request.get("UpdateKinesisStreamingConfiguration") or {}).values()):
        raise ValidationException(
            "Streaming destination cannot be updated with given parameters: "
            "UpdateKinesisStreamingConfiguration cannot be null or contain only null values"
        )
    now_ms = ctx.clock.now_ms()
    record = await ctx.store.read(
        lambda tx: schema.describe_load(tx, ctx.world, name, now_ms), brief=True
    )
    if all(one["StreamArn"] != arn for one in record.get("Destinations") or ()):
        raise ValidationException(
            f"{_STATE}No streaming destination with streamArn: {arn} found for table with "
            f"tableName: {name}"
        )
    raise ValidationException(
        f"{_STATE}Kinesis streaming is not in ACTIVE state. Updates are only allowed in ACTIVE "
        f"state. TableName: {name}, kdsArn: {arn}"
    )


@service.operation("DescribeKinesisStreamingDestination")
async def describe_kinesis_streaming_destination(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeKinesisStreamingDestination.html"""
    check(request, _NAME_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    now_ms = ctx.clock.now_ms()
    record = await ctx.store.read(
        lambda tx: schema.describe_load(tx, ctx.world, name, now_ms), brief=True
    )
    described = []
    for one in record.get("Destinations") or ():
        shown = {"StreamArn": one["StreamArn"], "DestinationStatus": _status(one, now_ms)}
        if shown["DestinationStatus"] == "ENABLE_FAILED":
            shown["DestinationStatusDescription"] = _failure(ctx.world, one["StreamArn"])
        described.append(shown)
    return {"TableName": name, "KinesisDataStreamDestinations": described}
