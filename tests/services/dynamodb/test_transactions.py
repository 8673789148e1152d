"""Transactions: all or nothing, with a reason for each action."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC


def key(song: str) -> dict[str, Any]:
    return {"artist": {"S": "a"}, "song": {"S": song}}


def put(song: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": "music", "Item": key(song), **more}}


async def music() -> Calls:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    return calls


async def test_a_transaction_does_all_of_its_actions() -> None:
    calls = await music()
    await calls("TransactWriteItems", TransactItems=[put("x"), put("y")])
    got = await calls(
        "TransactGetItems",
        TransactItems=[
            {"Get": {"TableName": "music", "Key": key(song)}} for song in ("x", "y", "z")
        ],
    )
    assert got == {"Responses": [{"Item": key("x")}, {"Item": key("y")}, {}]}


async def test_a_failed_condition_undoes_all_and_gives_each_reason() -> None:
    calls = await music()
    await calls("PutItem", TableName="music", Item=key("x"))
    absent = {"ConditionExpression": "attribute_not_exists(artist)"}
    with pytest.raises(AwsError) as caught:
        await calls(
            "TransactWriteItems",
            TransactItems=[
                put("x", **absent, ReturnValuesOnConditionCheckFailure="ALL_OLD"),
                put("y", **absent),
            ],
        )
    assert caught.value.code == "TransactionCanceledException"
    assert caught.value.message == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[ConditionalCheckFailed, None]"
    )
    assert caught.value.fields["CancellationReasons"] == [
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": key("x"),
        },
        {"Code": "None"},
    ]
    assert await calls("GetItem", TableName="music", Key=key("y")) == {}


async def test_one_item_takes_part_once() -> None:
    calls = await music()
    with pytest.raises(AwsError, match="cannot include multiple operations on one item"):
        await calls("TransactWriteItems", TransactItems=[put("x"), put("x")])


async def test_a_repetition_is_charged_as_a_read_of_its_items() -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""
    calls = await music()
    request: dict[str, Any] = {
        "TransactItems": [put("x"), put("y")],
        "ClientRequestToken": "t",
        "ReturnConsumedCapacity": "TOTAL",
    }
    units = [(await calls("TransactWriteItems", **request))["ConsumedCapacity"] for _ in range(2)]
    assert units == [
        [{"TableName": "music", "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}],
        [{"TableName": "music", "CapacityUnits": 4.0, "ReadCapacityUnits": 4.0}],
    ]


async def test_a_token_makes_a_repetition_do_nothing_for_ten_minutes() -> None:
    calls = await music()
    add = {
        "Update": {
            "TableName": "music",
            "Key": key("x"),
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    for _ in range(2):
        await calls("TransactWriteItems", TransactItems=[add], ClientRequestToken="t")
    got = await calls("GetItem", TableName="music", Key=key("x"))
    assert got["Item"]["n"] == {"N": "1"}
    with pytest.raises(AwsError) as caught:
        await calls("TransactWriteItems", TransactItems=[put("y")], ClientRequestToken="t")
    assert caught.value.code == "IdempotentParameterMismatchException"
    calls.clock.advance(601)
    await calls("TransactWriteItems", TransactItems=[add], ClientRequestToken="t")
    got = await calls("GetItem", TableName="music", Key=key("x"))
    assert got["Item"]["n"] == {"N": "2"}


async def test_a_transaction_costs_twice() -> None:
    calls = await music()
    answer = await calls(
        "TransactWriteItems", TransactItems=[put("x"), put("y")], ReturnConsumedCapacity="TOTAL"
    )
    assert answer["ConsumedCapacity"] == [
        {"TableName": "music", "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}
    ]


def heavy(song: str) -> dict[str, Any]:
    return {"Put": {"TableName": "music", "Item": {**key(song), "text": {"S": "x" * 400_000}}}}


async def test_the_items_of_a_transaction_have_four_megabytes() -> None:
    calls = await music()
    await calls("TransactWriteItems", TransactItems=[heavy(f"s{n}") for n in range(10)])
    with pytest.raises(AwsError, match="exceeds the maximum of 4 MB") as caught:
        await calls("TransactWriteItems", TransactItems=[heavy(f"t{n}") for n in range(11)])
    assert caught.value.code == "ValidationException"
    got = await calls("GetItem", TableName="music", Key=key("t0"))
    assert got == {}


async def test_an_update_counts_with_the_item_that_it_makes() -> None:
    calls = await music()
    for number in range(11):
        await calls("PutItem", **heavy(f"s{number}")["Put"])
    updates = [
        {
            "Update": {
                "TableName": "music",
                "Key": key(f"s{number}"),
                "UpdateExpression": "SET heard = :yes",
                "ExpressionAttributeValues": {":yes": {"BOOL": True}},
            }
        }
        for number in range(11)
    ]
    await calls("TransactWriteItems", TransactItems=updates[:10])
    with pytest.raises(AwsError, match="exceeds the maximum of 4 MB"):
        await calls("TransactWriteItems", TransactItems=updates)


async def test_a_transaction_reads_four_megabytes_at_most() -> None:
    calls = await music()
    for number in range(11):
        await calls("PutItem", **heavy(f"s{number}")["Put"])
    gets = [{"Get": {"TableName": "music", "Key": key(f"s{number}")}} for number in range(11)]
    await calls("TransactGetItems", TransactItems=gets[:10])
    with pytest.raises(AwsError, match="exceeds the maximum of 4 MB"):
        await calls("TransactGetItems", TransactItems=gets)
