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


async def test_a_table_in_transition_cannot_be_changed() -> None:
    calls = Calls(dynamodb_transition_ms=1000)
    await calls("CreateTable", **MUSIC)
    with pytest.raises(AwsError, match="Table is being created: music") as caught:
        await calls("DeleteTable", TableName="music")
    assert caught.value.code == "ResourceInUseException"
    calls.clock.advance(1)
    updated = await calls("UpdateTable", TableName="music", TableClass="STANDARD")
    assert updated["TableDescription"]["TableStatus"] == "UPDATING"
    await calls("PutItem", TableName="music", Item={"artist": {"S": "a"}, "song": {"S": "b"}})
    calls.clock.advance(1)
    await calls("DeleteTable", TableName="music")
    described = await calls("DescribeTable", TableName="music")
    assert described["Table"]["TableStatus"] == "DELETING"
    calls.clock.advance(1)
    with pytest.raises(AwsError, match="Table: music not found"):
        await calls("DescribeTable", TableName="music")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
            "PAY_PER_REQUEST",
        ),
        (
            {"BillingMode": "PROVISIONED"},
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
            "PROVISIONED",
        ),
        (
            {
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"} for name in ("artist", "year")
                ]
            },
            "Some index key attributes are not defined in AttributeDefinitions. "
            "Keys: [artist, song], AttributeDefinitions: [artist, year]",
        ),
        (
            {"KeySchema": MUSIC["KeySchema"][:1]},
            "Number of attributes in KeySchema does not exactly match number of attributes "
            "defined in AttributeDefinitions",
        ),
        ({"GlobalSecondaryIndexes": []}, "List of GlobalSecondaryIndexes is empty"),
        (
            {
                "LocalSecondaryIndexes": [
                    {
                        "IndexName": "local",
                        "KeySchema": MUSIC["KeySchema"][:1],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ]
            },
            "Index KeySchema does not have a range key for index: local",
        ),
    ],
)
async def test_a_definition_that_does_not_hold_together_is_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(AwsError) as caught:
        await Calls()("CreateTable", **{**MUSIC, **change})
    assert caught.value.message == f"One or more parameter values were invalid: {message}"


def elements(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in pairs]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            elements(("artist", "HASH"), ("song", "RANGE"), ("year", "RANGE")),
            "1 validation error detected: Value '[KeySchemaElement(attributeName=artist, "
            "keyType=HASH), KeySchemaElement(attributeName=song, keyType=RANGE), "
            "KeySchemaElement(attributeName=year, keyType=RANGE)]' at 'keySchema' failed to "
            "satisfy constraint: Member must have length less than or equal to 2",
        ),
        (
            elements(("artist", "HASH"), ("artist", "RANGE")),
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        (
            elements(("artist", "RANGE"), ("song", "HASH")),
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            elements(("artist", "HASH"), ("song", "HASH")),
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
        ),
    ],
)
async def test_a_key_is_one_hash_and_at_most_one_range(
    schema: list[dict[str, str]], message: str
) -> None:
    with pytest.raises(AwsError) as caught:
        await Calls()("CreateTable", **{**MUSIC, "KeySchema": schema})
    assert caught.value.message == message


async def test_a_key_with_more_attributes_than_are_defined_is_told_before_its_form() -> None:
    change = {
        "KeySchema": elements(("artist", "HASH"), ("artist", "HASH")),
        "AttributeDefinitions": MUSIC["AttributeDefinitions"][:1],
    }
    with pytest.raises(AwsError) as caught:
        await Calls()("CreateTable", **{**MUSIC, **change})
    text = "Invalid KeySchema: Some index key attribute have no definition"
    assert caught.value.message == text


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


@pytest.mark.parametrize("state", ["CREATING", "DELETING"])
async def test_the_ttl_of_a_table_that_is_made_or_deleted_is_not_described(state: str) -> None:
    calls = Calls(dynamodb_transition_ms=1000)
    await calls("CreateTable", **MUSIC)
    if state == "DELETING":
        calls.clock.advance(1)
        await calls("DeleteTable", TableName="music")
    with pytest.raises(AwsError) as caught:
        await calls("DescribeTimeToLive", TableName="music")
    assert caught.value.message == (
        f"Cannot describe time to live while table is in {state} state: Current table state is "
        f"{state}"
    )


async def test_a_table_that_is_updated_is_not_deleted_but_its_ttl_may_change() -> None:
    calls = Calls(dynamodb_transition_ms=1000)
    await calls("CreateTable", **MUSIC)
    calls.clock.advance(1)
    await calls("UpdateTable", TableName="music", TableClass="STANDARD_INFREQUENT_ACCESS")
    live = {"Enabled": True, "AttributeName": "ends"}
    await calls("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=live)
    with pytest.raises(AwsError) as caught:
        await calls("DeleteTable", TableName="music")
    assert caught.value.message == (
        "Attempt to change a resource which is still in use: Table: music is in the process of "
        "being updated."
    )
