"""Streams and TTL through boto3."""

import time
from collections.abc import Callable
from typing import Any

Client = Callable[..., Any]


def test_a_change_is_read_from_the_stream(client: Client) -> None:
    dynamodb, streams = client("dynamodb"), client("dynamodbstreams")
    made = dynamodb.create_table(
        TableName="events",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    arn = made["TableDescription"]["LatestStreamArn"]
    assert [one["StreamArn"] for one in streams.list_streams(TableName="events")["Streams"]] == [
        arn
    ]
    dynamodb.put_item(TableName="events", Item={"id": {"S": "Fred"}, "b": {"B": b"\x90"}})
    records = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records += streams.get_records(ShardIterator=iterator)["Records"]
    assert len(records) == 1
    assert records[0]["eventName"] == "INSERT"
    assert records[0]["dynamodb"]["NewImage"] == {"id": {"S": "Fred"}, "b": {"B": b"\x90"}}
    assert records[0]["dynamodb"]["ApproximateCreationDateTime"].year >= 2024


def _sessions(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName="sessions",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.update_time_to_live(
        TableName="sessions", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )


def test_an_expired_item_is_deleted(client: Client) -> None:
    dynamodb = client("dynamodb")
    _sessions(dynamodb)
    past = str(int(time.time()) - 10)
    dynamodb.put_item(TableName="sessions", Item={"id": {"S": "a"}, "ttl": {"N": past}})
    deadline = time.monotonic() + 10
    while dynamodb.scan(TableName="sessions")["Count"]:
        assert time.monotonic() < deadline, "the item is still there"


def test_an_item_expires_though_one_of_a_later_time_was_there_before(client: Client) -> None:
    dynamodb = client("dynamodb")
    _sessions(dynamodb)
    for name, in_s in (("tomorrow", 86_400), ("past", -10)):
        item = {"id": {"S": name}, "ttl": {"N": str(int(time.time()) + in_s)}}
        dynamodb.put_item(TableName="sessions", Item=item)
    deadline = time.monotonic() + 10
    while dynamodb.scan(TableName="sessions")["Count"] > 1:
        assert time.monotonic() < deadline, "the item is still there"
    assert dynamodb.scan(TableName="sessions")["Items"][0]["id"] == {"S": "tomorrow"}
