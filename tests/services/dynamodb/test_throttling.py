"""Provisioned throughput, simulated on a clock that only the tests move."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC

THROTTLED = "ProvisionedThroughputExceededException"


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


def item(song: str, **more: Any) -> dict[str, Any]:
    return {"artist": {"S": "Can"}, "song": {"S": song}, **more}


async def music(read: int = 2, write: int = 2, *, on: bool = True, **more: Any) -> Calls:
    calls = Calls(dynamodb_throttle=on)
    table = {**MUSIC, "BillingMode": "PROVISIONED", "ProvisionedThroughput": units(read, write)}
    await calls("CreateTable", **{**table, **more})
    return calls


async def put(calls: Calls, count: int, **more: Any) -> int:
    """How many of `count` writes were let through."""
    done = 0
    for number in range(count):
        try:
            await calls("PutItem", TableName="music", Item=item(f"song {number}", **more))
        except AwsError as error:
            assert error.code == THROTTLED
        else:
            done += 1
    return done


async def test_nothing_is_throttled_unless_it_is_asked_for() -> None:
    calls = await music(1, 1, on=False)
    assert await put(calls, 50) == 50


async def test_a_second_has_as_many_writes_as_units() -> None:
    calls = await music(write=2)
    assert await put(calls, 5) == 2
    calls.clock.advance(1)
    assert await put(calls, 5) == 2


async def test_the_refusal_says_what_aws_says() -> None:
    calls = await music(write=1)
    await put(calls, 1)
    with pytest.raises(AwsError) as caught:
        await calls("PutItem", TableName="music", Item=item("late"))
    assert caught.value.message == (
        "The level of configured provisioned throughput for the table was exceeded. Consider "
        "increasing your provisioning level with the UpdateTable API."
    )
    assert await calls("GetItem", TableName="music", Key=item("late")) == {}


async def test_five_minutes_of_unused_throughput_are_kept() -> None:
    calls = await music(write=1)
    calls.clock.advance(3600)
    assert await put(calls, 400) == 300
    calls.clock.advance(10)
    assert await put(calls, 20) == 10


async def test_a_large_write_leaves_a_debt() -> None:
    calls = await music(write=1)
    assert await put(calls, 2, text={"S": "x" * 9_000}) == 1
    calls.clock.advance(8)
    assert await put(calls, 1) == 0
    calls.clock.advance(1)
    assert await put(calls, 1) == 1


async def test_reads_and_writes_have_buckets_of_their_own() -> None:
    calls = await music(read=1, write=1)
    await put(calls, 3)
    key = item("song 0")
    for _ in range(2):
        await calls("GetItem", TableName="music", Key=key)
    with pytest.raises(AwsError) as caught:
        await calls("GetItem", TableName="music", Key=key)
    assert caught.value.code == THROTTLED


async def test_a_query_is_refused_when_nothing_is_left() -> None:
    calls = await music(read=1, write=100)
    await put(calls, 10, text={"S": "x" * 4_000})
    query = {
        "TableName": "music",
        "KeyConditionExpression": "artist = :a",
        "ExpressionAttributeValues": {":a": {"S": "Can"}},
    }
    assert (await calls("Query", **query))["Count"] == 10
    with pytest.raises(AwsError) as caught:
        await calls("Query", **query)
    assert caught.value.code == THROTTLED
    calls.clock.advance(10)
    await calls("Query", **query)


async def test_an_index_without_throughput_stops_the_tables_writes() -> None:
    index = {
        "IndexName": "by year",
        "KeySchema": [{"AttributeName": "year", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
        "ProvisionedThroughput": units(1, 1),
    }
    year = {"AttributeName": "year", "AttributeType": "N"}
    calls = await music(
        write=10,
        GlobalSecondaryIndexes=[{**index, "IndexName": "by-year"}],
        AttributeDefinitions=[*MUSIC["AttributeDefinitions"], year],
    )
    assert await put(calls, 5, year={"N": "1971"}) == 1
    with pytest.raises(AwsError, match="one or more global secondary indexes"):
        await calls("PutItem", TableName="music", Item=item("next", year={"N": "1971"}))
    await calls("PutItem", TableName="music", Item=item("without a year"))


async def test_a_batch_hands_back_what_there_is_no_throughput_for() -> None:
    calls = await music(write=3)
    puts = [{"PutRequest": {"Item": item(f"song {number}")}} for number in range(5)]
    written = await calls("BatchWriteItem", RequestItems={"music": puts})
    assert written["UnprocessedItems"] == {"music": puts[3:]}
    with pytest.raises(AwsError) as caught:
        await calls("BatchWriteItem", RequestItems=written["UnprocessedItems"])
    assert caught.value.code == THROTTLED
    calls.clock.advance(1)
    written = await calls("BatchWriteItem", RequestItems=written["UnprocessedItems"])
    assert written["UnprocessedItems"] == {}
    assert (await calls("Scan", TableName="music"))["Count"] == 5


async def test_a_batch_reads_as_far_as_throughput_goes() -> None:
    calls = await music(read=1, write=10)
    await put(calls, 5)
    keys = [item(f"song {number}") for number in range(5)]
    got = await calls("BatchGetItem", RequestItems={"music": {"Keys": keys}})
    assert len(got["Responses"]["music"]) == 2
    assert got["UnprocessedKeys"] == {"music": {"Keys": keys[2:]}}
    with pytest.raises(AwsError) as caught:
        await calls("BatchGetItem", RequestItems=got["UnprocessedKeys"])
    assert caught.value.code == THROTTLED


async def test_a_transaction_is_cancelled_for_want_of_throughput() -> None:
    calls = await music(write=2)
    puts = [{"Put": {"TableName": "music", "Item": item(f"song {n}")}} for n in range(2)]
    with pytest.raises(AwsError) as caught:
        await calls("TransactWriteItems", TransactItems=puts)
    assert caught.value.code == "TransactionCanceledException"
    reasons = caught.value.fields["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ProvisionedThroughputExceeded"]
    await calls("TransactWriteItems", TransactItems=puts[:1])


async def test_a_maximum_on_demand_is_kept_to() -> None:
    calls = Calls(dynamodb_throttle=True)
    limits = {"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 1}
    await calls("CreateTable", **MUSIC, OnDemandThroughput=limits)
    calls.clock.advance(60)
    await calls("PutItem", TableName="music", Item=item("one"))
    with pytest.raises(AwsError, match="maximum OnDemandThroughput configured") as caught:
        await calls("PutItem", TableName="music", Item=item("two"))
    assert caught.value.code == "ThrottlingException"
