"""AWS's words for key conditions that are too many."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC


async def refusal(**request: Any) -> str:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    with pytest.raises(AwsError) as caught:
        await calls("Query", TableName="music", **request)
    assert caught.value.code == "ValidationException"
    return str(caught.value.message)


VALUES = {":a": {"S": "a"}, ":b": {"S": "b"}, ":c": {"S": "c"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "artist = :a AND song > :b AND song < :c",
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one "
            "condition per key",
        ),
        (
            "artist = :a AND song > :b AND extra = :c",
            "The number of query conditions (3) exceeds the number of key attributes defined in "
            "the schema (2)",
        ),
    ],
)
async def test_conditions_are_at_most_one_per_key(text: str, expected: str) -> None:
    given = {"KeyConditionExpression": text, "ExpressionAttributeValues": VALUES}
    assert await refusal(**given) == expected


async def test_older_conditions_have_an_older_text() -> None:
    conditions = {
        name: {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}
        for name in ("artist", "song", "extra")
    }
    assert await refusal(KeyConditions=conditions) == "Conditions can be of length 1 or 2 only"


@pytest.mark.parametrize(
    ("text", "wrong", "last"),
    [
        ("h = :v AND a = :v AND c = :v", "b", "c"),
        ("h = :v AND a = :v AND b > :v AND c = :v", "b", "c"),
        ("h = :v AND c > :v", "a, b", "c"),
        ("b = :v AND h = :v", "a", "b"),
    ],
)
async def test_sort_keys_before_the_last_one_named_are_equal_to_something(
    text: str, wrong: str, last: str
) -> None:
    calls = Calls()
    keys = [{"AttributeName": "h", "KeyType": "HASH"}]
    keys += [{"AttributeName": name, "KeyType": "RANGE"} for name in "abc"]
    await calls(
        "CreateTable",
        TableName="sorted",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("id", "h", "a", "b", "c")
        ],
        GlobalSecondaryIndexes=[
            {"IndexName": "many", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(AwsError) as caught:
        await calls(
            "Query",
            TableName="sorted",
            IndexName="many",
            KeyConditionExpression=text,
            ExpressionAttributeValues={":v": {"S": "x"}},
        )
    assert caught.value.message == (
        f"RANGE key attributes {wrong} must have equality conditions specified in the query "
        f"because a condition is present on key attribute {last}"
    )
