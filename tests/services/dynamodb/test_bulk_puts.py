"""Bulk puts against the clock: their rate, and their end on request."""

import asyncio
import json
from typing import Any

import pytest

from fogbank.services.body import Body
from fogbank.services.dynamodb import bulk_puts
from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls

TABLE: dict[str, Any] = {
    "TableName": "books",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
ITEMS = 5000
RATE = 1024
DAY_S = 24 * 3600


async def begun(**more: Any) -> tuple[Calls, str]:
    """A bulk put of many items that has been accepted; its events wait."""
    calls = Calls()
    await calls.ctx.call("s3", "CreateBucket", {"Bucket": "bulk"})
    lines = [json.dumps({"Item": {"id": {"S": str(n)}}}) for n in range(ITEMS)]
    data = "\n".join(lines).encode()
    request = {"Bucket": "bulk", "Key": "in/1", "Body": Body.of(data), "ContentLength": len(data)}
    await calls.ctx.call("s3", "PutObject", request)
    await calls("CreateTable", **TABLE)
    return calls, await start(calls, **more)


async def start(calls: Calls, **more: Any) -> str:
    given = {"S3Bucket": "bulk", "S3KeyPrefix": "in/", "InputFormat": "DYNAMODB_JSON"}
    made = await calls(
        "StartBulkPutItems",
        TableName="books",
        InputS3Configuration=given,
        OutputS3Configuration={"S3Bucket": "bulk", "OutputType": ["ERROR"]},
        **more,
    )
    arn: str = made["BulkOperationDescription"]["BulkOperationArn"]
    return arn


async def described(calls: Calls, arn: str) -> dict[str, Any]:
    found = await calls("DescribeBulkOperation", BulkOperationArn=arn)
    description: dict[str, Any] = found["BulkOperationDescription"]
    return description


async def written(calls: Calls) -> int:
    count: int = (await calls("Scan", TableName="books", Select="COUNT"))["Count"]
    return count


async def until_it_waits(calls: Calls, arn: str) -> int:
    """How many items are written when nothing more happens without the clock."""
    seen = -1
    while (now := (await described(calls, arn))["ProcessedItemCount"]) != seen or not now:
        seen = now
        for _ in range(500):
            await asyncio.sleep(0)
    return seen


async def test_no_more_units_a_second_are_written_than_asked_for() -> None:
    calls, arn = await begun(MaxWriteRequestUnits=RATE)
    async with asyncio.TaskGroup() as group:
        group.create_task(calls.settle())
        first = await until_it_waits(calls, arn)
        assert first <= 2 * RATE
        calls.clock.advance(1)
        assert first < await until_it_waits(calls, arn) <= first + 2 * RATE
        for _ in range(10):
            calls.clock.advance(1)
            await until_it_waits(calls, arn)
    assert (await described(calls, arn))["BulkOperationStatus"] == "COMPLETED"
    assert await written(calls) == ITEMS


async def test_an_operation_that_is_cancelled_stops_and_keeps_what_it_wrote() -> None:
    calls, arn = await begun(MaxWriteRequestUnits=RATE)
    async with asyncio.TaskGroup() as group:
        group.create_task(calls.settle())
        before = await until_it_waits(calls, arn)
        for _ in range(2):
            answer = await calls("CancelBulkOperation", BulkOperationArn=arn)
            assert answer == {"BulkOperationArn": arn, "BulkOperationStatus": "CANCELLING"}
        calls.clock.advance(60)
    description = await described(calls, arn)
    assert description["BulkOperationStatus"] == "CANCELLED"
    assert {"EndTime", "FailureCode", "FailureMessage"} <= set(description)
    assert description["ProcessedItemCount"] == before == await written(calls)


async def test_an_operation_that_is_cancelled_before_it_begins_writes_nothing() -> None:
    calls, arn = await begun()
    await calls("CancelBulkOperation", BulkOperationArn=arn)
    await calls.settle()
    assert (await described(calls, arn))["BulkOperationStatus"] == "CANCELLED"
    assert await written(calls) == 0


async def test_a_report_among_the_objects_is_not_read_when_the_end_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls, arn = await begun()
    (event,) = [one for one in calls.outbox.events if one.topic == "dynamodb.bulk"]

    async def crash(*_: Any) -> None:
        raise OSError("the power fails")

    with monkeypatch.context() as patch:
        patch.setattr(bulk_puts, "write_reports", crash)
        with pytest.raises(OSError, match="power"):
            await calls.settle()
    data = b"no JSON"
    request = {"Bucket": "bulk", "Key": "in/2", "Body": Body.of(data), "ContentLength": len(data)}
    await calls.ctx.call("s3", "PutObject", request)
    await calls.catalog.consume(calls.ctx, event)
    description = await described(calls, arn)
    assert description["BulkOperationStatus"] == "COMPLETED"
    assert description["ProcessedItemCount"] == ITEMS


async def test_an_operation_whose_table_is_deleted_fails() -> None:
    calls, arn = await begun()
    await calls("DeleteTable", TableName="books")
    await calls.settle()
    description = await described(calls, arn)
    assert (description["BulkOperationStatus"], description["FailureCode"]) == (
        "FAILED",
        "ResourceNotFoundException",
    )


async def test_a_table_made_anew_is_not_written_to() -> None:
    calls, arn = await begun()
    await calls("DeleteTable", TableName="books")
    await calls("CreateTable", **TABLE)
    await calls.settle()
    assert (await described(calls, arn))["BulkOperationStatus"] == "FAILED"
    assert await written(calls) == 0


async def test_a_table_that_is_put_into_gets_no_replica() -> None:
    calls, _ = await begun()
    updates = [{"Create": {"RegionName": "eu-west-1"}}]
    with pytest.raises(AwsError) as caught:
        await calls("UpdateTable", TableName="books", ReplicaUpdates=updates)
    assert caught.value.code == "ResourceInUseException"


async def test_operations_of_more_than_ninety_days_ago_are_not_listed() -> None:
    calls, _ = await begun()
    await calls.settle()
    calls.clock.advance(89 * DAY_S)
    arn = await start(calls)
    assert len((await calls("ListBulkOperations"))["BulkOperationsSummaryList"]) == 2
    calls.clock.advance(2 * DAY_S)
    (left,) = (await calls("ListBulkOperations"))["BulkOperationsSummaryList"]
    assert left["BulkOperationArn"] == arn


async def test_a_client_token_is_forgotten_after_eight_hours() -> None:
    calls, arn = await begun(ClientToken="t")
    calls.clock.advance(8 * 3600)
    assert await start(calls, ClientToken="t") != arn
