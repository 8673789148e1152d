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


def test_an_expired_item_is_deleted(client: Client) -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="sessions",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.update_time_to_live(
        TableName="sessions", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )
    past = str(int(time.time()) - 10)
    dynamodb.put_item(TableName="sessions", Item={"id": {"S": "a"}, "ttl": {"N": past}})
    deadline = time.monotonic() + 10
    while dynamodb.scan(TableName="sessions")["Count"]:
        assert time.monotonic() < deadline, "the item is still there"
