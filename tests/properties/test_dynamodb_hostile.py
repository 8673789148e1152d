"""Hostile requests: every operation answers with an AwsError or a result, never with a bug."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.errors import AwsError, InternalFailure, NotImplementedYet
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["", "a", "music", "S", "ALL", "HASH", "#n", ":v", "1e999", "artist = :v"])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["S", "N", "B", "M", "L", "SS", "NS", "BOOL", "artist", "song", ":v"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
KEY = {"artist": {"S": "a"}, "song": {"S": "b"}}
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/music"
STREAM = f"{ARN}/stream/2023-11-14T22:13:20.000"
GOOD: dict[str, dict[str, Any]] = {
    "CreateTable": {
        **MUSIC,
        "TableName": "other",
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "SSESpecification": {"Enabled": True},
        "Tags": [{"Key": "a", "Value": "b"}],
    },
    "DescribeTable": {"TableName": "music"},
    "ListTables": {"Limit": 3, "ExclusiveStartTableName": "abc"},
    "UpdateTable": {
        "TableName": "music",
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "nothing"}}],
        "AttributeDefinitions": MUSIC["AttributeDefinitions"],
    },
    "PutItem": {
        "TableName": "music",
        "Item": {**KEY, "x": {"N": "1"}},
        "ConditionExpression": "#x <> :v",
        "ExpressionAttributeNames": {"#x": "x"},
        "ExpressionAttributeValues": {":v": {"N": "3"}},
        "ReturnValues": "ALL_OLD",
    },
    "GetItem": {"TableName": "music", "Key": KEY, "ProjectionExpression": "x"},
    "DeleteItem": {"TableName": "music", "Key": KEY, "ReturnConsumedCapacity": "INDEXES"},
    "UpdateItem": {
        "TableName": "music",
        "Key": KEY,
        "UpdateExpression": "SET a = :v ADD b :v",
        "ExpressionAttributeValues": {":v": {"N": "3"}},
        "ReturnValues": "UPDATED_NEW",
    },
    "Query": {
        "TableName": "music",
        "KeyConditionExpression": "artist = :v",
        "ExpressionAttributeValues": {":v": {"S": "a"}},
        "ExclusiveStartKey": KEY,
        "Limit": 1,
        "Select": "ALL_ATTRIBUTES",
    },
    "Scan": {
        "TableName": "music",
        "Segment": 0,
        "TotalSegments": 2,
        "FilterExpression": "x = :v",
        "ExpressionAttributeValues": {":v": {"S": "a"}},
    },
    "BatchGetItem": {"RequestItems": {"music": {"Keys": [KEY]}}},
    "BatchWriteItem": {"RequestItems": {"music": [{"PutRequest": {"Item": KEY}}]}},
    "TransactWriteItems": {
        "TransactItems": [
            {
                "Update": {
                    "TableName": "music",
                    "Key": KEY,
                    "UpdateExpression": "SET a = :v",
                    "ExpressionAttributeValues": {":v": {"N": "3"}},
                }
            },
        ],
        "ClientRequestToken": "t",
        "ReturnConsumedCapacity": "INDEXES",
    },
    "TransactGetItems": {"TransactItems": [{"Get": {"TableName": "music", "Key": KEY}}]},
    "TagResource": {"ResourceArn": ARN, "Tags": [{"Key": "a", "Value": "b"}]},
    "UntagResource": {"ResourceArn": ARN, "TagKeys": ["a"]},
    "ListTagsOfResource": {"ResourceArn": ARN},
    "PutResourcePolicy": {
        "ResourceArn": ARN,
        "Policy": '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", '
        '"Resource": "*"}}',
    },
    "GetResourcePolicy": {"ResourceArn": ARN},
    "DeleteResourcePolicy": {"ResourceArn": ARN, "ExpectedRevisionId": "1"},
    "DescribeTimeToLive": {"TableName": "music"},
    "UpdateTimeToLive": {
        "TableName": "music",
        "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "x"},
    },
    "DescribeContinuousBackups": {"TableName": "music"},
    "DescribeLimits": {},
    "DescribeEndpoints": {},
    "streams:ListStreams": {"TableName": "music", "Limit": 1},
    "streams:DescribeStream": {"StreamArn": STREAM, "ShardFilter": {"Type": "CHILD_SHARDS"}},
    "streams:GetShardIterator": {
        "StreamArn": STREAM,
        "ShardId": "shardId-00000001700000000000-00000000",
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "SequenceNumber": "100000000000000000001",
    },
    "streams:GetRecords": {"ShardIterator": f"{STREAM}|1|WzEsMSwxNzAwMDAwMDAwMDAwXQ=="},
    "legacy:UpdateItem": {
        "TableName": "music",
        "Key": KEY,
        "AttributeUpdates": {"x": {"Action": "ADD", "Value": {"N": "1"}}},
        "Expected": {"x": {"ComparisonOperator": "LT", "AttributeValueList": [{"N": "1"}]}},
    },
    "legacy:Query": {
        "TableName": "music",
        "KeyConditions": {
            "artist": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}
        },
        "QueryFilter": {"x": {"ComparisonOperator": "IN", "AttributeValueList": [{"N": "1"}]}},
        "AttributesToGet": ["x"],
    },
}


def _spoil(draw: Any, value: Any) -> Any:
    """`value` with something odd at some depth of it."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 0:
        return draw(JUNK)
    if isinstance(value, list):
        return [_spoil(draw, value[0]), *value[1:]]
    name = draw(st.sampled_from(sorted(value)))
    return {**value, name: _spoil(draw, value[name])}


@pytest.mark.parametrize("operation", GOOD)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_hostile_request_gets_an_awss_error(operation: str, data: st.DataObject) -> None:
    asyncio.run(_call(operation, _spoil(data.draw, GOOD[operation])))


async def _call(operation: str, request: Any) -> None:
    if isinstance(request, dict):
        await refused_at_most(_answer(operation, request))


async def refused_at_most(answering: Awaitable[object]) -> None:
    """It answers, or raises an error of AWS that says something."""
    try:
        await answering
    except AwsError as error:
        assert not isinstance(error, InternalFailure | NotImplementedYet)
        assert error.message


async def deliver_due(calls: Calls) -> None:
    """What a request that was accepted leaves to be done is done, and is no bug either."""
    for event in [one for one in calls.outbox.events if one.created_ms <= calls.clock.now_ms()]:
        await calls.catalog.consume(calls.ctx, event)


async def _answer(operation: str, request: dict[str, Any]) -> None:
    calls = Calls()
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    await calls("CreateTable", **MUSIC, StreamSpecification=stream)
    await calls("PutItem", TableName="music", Item=KEY)
    if operation.startswith("streams:"):
        calls.service = "dynamodbstreams"
    await calls(operation.split(":")[-1], **request)


@pytest.mark.parametrize("operation", sorted(GOOD))
async def test_the_request_that_is_spoiled_is_well_formed(operation: str) -> None:
    try:
        await _answer(operation, GOOD[operation])
    except AwsError as error:
        assert error.code in (
            *("ResourceNotFoundException", "ConditionalCheckFailedException"),
            "PolicyNotFoundException",
        )
