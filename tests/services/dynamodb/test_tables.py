"""Tables and their states, over a store in memory."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls

MUSIC: dict[str, Any] = {
    "TableName": "music",
    "KeySchema": [
        {"AttributeName": "artist", "KeyType": "HASH"},
        {"AttributeName": "song", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "artist", "AttributeType": "S"},
        {"AttributeName": "song", "AttributeType": "S"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}


async def test_an_item_comes_back_as_it_was_put() -> None:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    item = {"artist": {"S": "Can"}, "song": {"S": "Halleluhwah"}, "minutes": {"N": "18.50"}}
    await calls("PutItem", TableName="music", Item=item)
    got = await calls(
        "GetItem", TableName="music", Key={"artist": {"S": "Can"}, "song": {"S": "Halleluhwah"}}
    )
    assert got == {"Item": {**item, "minutes": {"N": "18.5"}}}


async def test_a_table_is_created_once() -> None:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    with pytest.raises(AwsError, match="Table already exists: music") as caught:
        await calls("CreateTable", **MUSIC)
    assert caught.value.code == "ResourceInUseException"


async def test_a_table_takes_data_only_when_it_is_active() -> None:
    calls = Calls(dynamodb_transition_ms=1000)
    created = await calls("CreateTable", **MUSIC)
    assert created["TableDescription"]["TableStatus"] == "CREATING"
    with pytest.raises(AwsError, match=r"^Requested resource not found$"):
        await calls("PutItem", TableName="music", Item={"artist": {"S": "a"}, "song": {"S": "b"}})
    calls.clock.advance(1)
    described = await calls("DescribeTable", TableName="music")
    assert described["Table"]["TableStatus"] == "ACTIVE"


async def test_a_deleted_table_is_gone_with_its_items() -> None:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    await calls("PutItem", TableName="music", Item={"artist": {"S": "a"}, "song": {"S": "b"}})
    deleted = await calls("DeleteTable", TableName="music")
    assert deleted["TableDescription"]["TableStatus"] == "DELETING"
    with pytest.raises(AwsError, match="Requested resource not found: Table: music not found"):
        await calls("DescribeTable", TableName="music")
    await calls.settle()
    assert list(calls.store._pairs) == []


async def test_tables_are_listed_in_pages() -> None:
    calls = Calls()
    for name in ("ccc", "aaa", "bbb"):
        await calls("CreateTable", **{**MUSIC, "TableName": name})
    page = await calls("ListTables", Limit=2)
    assert page == {"TableNames": ["aaa", "bbb"], "LastEvaluatedTableName": "bbb"}
    assert await calls("ListTables", ExclusiveStartTableName="bbb") == {"TableNames": ["ccc"]}
