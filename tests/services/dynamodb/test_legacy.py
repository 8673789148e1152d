"""The parameters of before expressions."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC

KEY = {"artist": {"S": "a"}, "song": {"S": "1"}}


async def music() -> Calls:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    for song in "1234":
        item = {**KEY, "song": {"S": song}, "n": {"N": song}, "tags": {"SS": ["x", song]}}
        await calls("PutItem", TableName="music", Item=item)
    return calls


async def test_key_conditions_and_a_query_filter_choose_items() -> None:
    calls = await music()
    found = await calls(
        "Query",
        TableName="music",
        KeyConditions={
            "artist": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]},
            "song": {
                "ComparisonOperator": "BETWEEN",
                "AttributeValueList": [{"S": "2"}, {"S": "4"}],
            },
        },
        QueryFilter={"n": {"ComparisonOperator": "NE", "AttributeValueList": [{"N": "3"}]}},
        AttributesToGet=["song"],
    )
    assert found["Items"] == [{"song": {"S": "2"}}, {"song": {"S": "4"}}]
    assert found["ScannedCount"] == 3


async def test_scan_filters_can_be_joined_by_or() -> None:
    calls = await music()
    found = await calls(
        "Scan",
        TableName="music",
        ScanFilter={
            "tags": {"ComparisonOperator": "CONTAINS", "AttributeValueList": [{"S": "1"}]},
            "n": {"ComparisonOperator": "IN", "AttributeValueList": [{"N": "4"}, {"N": "9"}]},
        },
        ConditionalOperator="OR",
    )
    assert sorted(item["song"]["S"] for item in found["Items"]) == ["1", "4"]


async def test_attribute_updates_put_add_and_delete() -> None:
    calls = await music()
    answer = await calls(
        "UpdateItem",
        TableName="music",
        Key=KEY,
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "10"}},
            "tags": {"Action": "DELETE", "Value": {"SS": ["x"]}},
            "fresh": {"Value": {"S": "y"}},
            "nothing": {"Action": "DELETE"},
        },
        ReturnValues="ALL_NEW",
    )
    assert answer["Attributes"] == {
        **KEY,
        "n": {"N": "11"},
        "tags": {"SS": ["1"]},
        "fresh": {"S": "y"},
    }


@pytest.mark.parametrize(
    "expected",
    [
        {"n": {"Exists": False}},
        {"n": {"Value": {"N": "7"}}},
        {"n": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "1"}]}},
        {"gone": {"ComparisonOperator": "NOT_NULL"}},
        {"gone": {"ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": [{"S": "x"}]}},
    ],
)
async def test_an_expectation_that_is_not_met_fails(expected: dict[str, Any]) -> None:
    calls = await music()
    with pytest.raises(AwsError, match="The conditional request failed"):
        await calls("DeleteItem", TableName="music", Key=KEY, Expected=expected)


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (
            {"n": {"Exists": True}},
            "Value must be provided when Exists is true for Attribute: n",
        ),
        (
            {"n": {"Exists": False, "Value": {"N": "1"}}},
            "Value cannot be used when Exists is false for Attribute: n",
        ),
        (
            {"n": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "1"}]}},
            "Invalid number of argument(s) for the BETWEEN ComparisonOperator",
        ),
        (
            {"n": {"ComparisonOperator": "LT", "AttributeValueList": [{"SS": ["a"]}]}},
            "ComparisonOperator LT is not valid for SS AttributeValue type",
        ),
    ],
)
async def test_a_wrong_expectation_is_refused(expected: dict[str, Any], message: str) -> None:
    calls = await music()
    with pytest.raises(AwsError) as caught:
        await calls("PutItem", TableName="music", Item=KEY, Expected=expected)
    invalid = f"One or more parameter values were invalid: {message}"
    assert caught.value.message == f"1 validation error detected: {invalid}"


async def test_both_kinds_of_parameters_together_are_refused() -> None:
    calls = await music()
    with pytest.raises(AwsError) as caught:
        await calls(
            "PutItem",
            TableName="music",
            Item=KEY,
            Expected={"n": {"Exists": False}},
            ConditionExpression="attribute_exists(n)",
        )
    assert caught.value.message == (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"
    )
