"""Hostile requests: every operation answers with an AwsError or a result, never with a bug."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.errors import AwsError, InternalFailure
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
        "DeletionProtectionEnabled": False,
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
    if not isinstance(request, dict):
        return
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    try:
        await calls(operation, **request)
    except AwsError as error:
        assert not isinstance(error, InternalFailure)
        assert error.message
