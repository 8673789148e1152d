"""What requests consume, and how it is told."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC
from tests.services.dynamodb.test_throttling import units

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/music"
KEY = {"artist": {"S": "a"}, "song": {"S": "b"}}
BY_ARTIST = {
    "KeyConditionExpression": "artist = :a",
    "ExpressionAttributeValues": {":a": {"S": "a"}},
}
LOCAL: dict[str, Any] = {
    "IndexName": "by_year",
    "KeySchema": [
        {"AttributeName": "artist", "KeyType": "HASH"},
        {"AttributeName": "year", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}


async def indexed(count: int, size_bytes: int) -> Calls:
    """A table of which a local index keeps the keys alone."""
    calls = Calls()
    definitions = [*MUSIC["AttributeDefinitions"], {"AttributeName": "year", "AttributeType": "N"}]
    given = {**MUSIC, "AttributeDefinitions": definitions, "LocalSecondaryIndexes": [LOCAL]}
    await calls("CreateTable", **given)
    for number in range(count):
        item = {**KEY, "song": {"S": f"{number:04}"}, "year": {"N": str(number)}}
        item["text"] = {"S": "x" * size_bytes}
        await calls("PutItem", TableName="music", Item=item)
    return calls


@pytest.mark.parametrize(("consistent", "unit"), [(True, 1.0), (False, 0.5)])
async def test_each_item_that_a_local_index_fetches_is_charged_by_itself(
    consistent: bool, unit: float
) -> None:
    calls = await indexed(4, 200)
    answer = await calls(
        "Query",
        TableName="music",
        IndexName="by_year",
        Select="ALL_ATTRIBUTES",
        ConsistentRead=consistent,
        ReturnConsumedCapacity="INDEXES",
        **BY_ARTIST,
    )
    assert answer["ConsumedCapacity"] == {
        "TableName": "music",
        "CapacityUnits": 5 * unit,
        "Table": {"CapacityUnits": 4 * unit},
        "LocalSecondaryIndexes": {"by_year": {"CapacityUnits": unit}},
    }


async def test_a_page_with_fetched_items_ends_at_what_is_charged() -> None:
    calls = await indexed(260, 10)
    query = {"TableName": "music", "IndexName": "by_year", **BY_ARTIST}
    whole = await calls("Query", **query)
    assert (whole["Count"], "LastEvaluatedKey" in whole) == (260, False)
    pages = await calls("Query", Select="ALL_ATTRIBUTES", **query)
    # 1 MB is 256 times 4 KB; the entries together take two of them.
    assert pages["Count"] == 254
    rest = await calls(
        "Query", Select="ALL_ATTRIBUTES", ExclusiveStartKey=pages["LastEvaluatedKey"], **query
    )
    assert rest["Count"] == 6


@pytest.mark.parametrize("name", ["music", ARN])
async def test_the_table_is_told_as_it_was_named(name: str) -> None:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    told = {"ReturnConsumedCapacity": "TOTAL"}
    one = [
        await calls("PutItem", TableName=name, Item=KEY, **told),
        await calls("GetItem", TableName=name, Key=KEY, **told),
        await calls("Query", TableName=name, **BY_ARTIST, **told),
        await calls("Scan", TableName=name, **told),
        await calls("ExecuteStatement", Statement=f'SELECT * FROM "{name}"', **told),
    ]
    assert [answer["ConsumedCapacity"]["TableName"] for answer in one] == [name] * 5
    gets = [{"Get": {"TableName": name, "Key": KEY}}]
    many = [
        await calls("BatchGetItem", RequestItems={name: {"Keys": [KEY]}}, **told),
        await calls("BatchWriteItem", RequestItems={name: [{"PutRequest": {"Item": KEY}}]}, **told),
        await calls("TransactGetItems", TransactItems=gets, **told),
        await calls(
            "TransactWriteItems", TransactItems=[{"Put": {"TableName": name, "Item": KEY}}], **told
        ),
    ]
    assert [answer["ConsumedCapacity"][0]["TableName"] for answer in many] == [name] * 4


THROTTLED = "ProvisionedThroughputExceededException"
INSERT = "INSERT INTO music VALUE {'artist': 'a', 'song': ?}"
SELECT = "SELECT * FROM music WHERE artist = 'a' AND song = ?"


async def throttled() -> Calls:
    """A table of two units a second either way, and a clock that stands still."""
    calls = Calls(dynamodb_throttle=True)
    table = {**MUSIC, "BillingMode": "PROVISIONED", "ProvisionedThroughput": units(2, 2)}
    await calls("CreateTable", **table)
    return calls


def statement(text: str, song: str) -> dict[str, Any]:
    return {"Statement": text, "Parameters": [{"S": song}]}


@pytest.mark.parametrize(("text", "most"), [(INSERT, 2), (SELECT, 4)])
async def test_statements_spend_a_tables_throughput(text: str, most: int) -> None:
    calls = await throttled()
    for number in range(most):
        await calls("ExecuteStatement", **statement(text, str(number)))
    with pytest.raises(AwsError) as caught:
        await calls("ExecuteStatement", **statement(text, "late"))
    assert caught.value.code == THROTTLED
    calls.clock.advance(1)
    await calls("ExecuteStatement", **statement(text, "late"))


@pytest.mark.parametrize(("text", "most"), [(INSERT, 2), (SELECT, 4)])
async def test_a_batch_of_statements_does_what_there_is_throughput_for(
    text: str, most: int
) -> None:
    calls = await throttled()
    statements = [statement(text, str(number)) for number in range(most + 1)]
    answer = await calls("BatchExecuteStatement", Statements=statements)
    errors = [response.get("Error", {}).get("Code") for response in answer["Responses"]]
    assert errors == [*([None] * most), "ProvisionedThroughputExceeded"]


@pytest.mark.parametrize("text", [INSERT, SELECT])
async def test_a_transaction_of_statements_is_cancelled_for_want_of_throughput(text: str) -> None:
    calls = await throttled()
    await calls("ExecuteTransaction", TransactStatements=[statement(text, "1")])
    with pytest.raises(AwsError) as caught:
        await calls("ExecuteTransaction", TransactStatements=[statement(text, "2")])
    assert caught.value.code == "TransactionCanceledException"
    (reason,) = caught.value.fields["CancellationReasons"]
    assert reason["Code"] == "ProvisionedThroughputExceeded"


async def test_a_repeated_transaction_spends_reads() -> None:
    calls = await throttled()
    put = {"TransactItems": [{"Put": {"TableName": "music", "Item": KEY}}]}
    await calls("TransactWriteItems", **put, ClientRequestToken="token")
    await calls("TransactWriteItems", **put, ClientRequestToken="token")
    with pytest.raises(AwsError) as caught:
        await calls("GetItem", TableName="music", Key=KEY)
    assert caught.value.code == THROTTLED
