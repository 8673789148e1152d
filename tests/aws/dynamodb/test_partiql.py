"""PartiQL through boto3: what a user's program sees."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]


@pytest.fixture
def dynamodb(client: Client) -> Any:
    """A client with a table `tracks` (album, track) that has a GSI on `mood`."""
    made = client("dynamodb")
    made.create_table(
        TableName="tracks",
        KeySchema=[
            {"AttributeName": "album", "KeyType": "HASH"},
            {"AttributeName": "track", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "album", "AttributeType": "S"},
            {"AttributeName": "track", "AttributeType": "N"},
            {"AttributeName": "mood", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-mood",
                "KeySchema": [{"AttributeName": "mood", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    made.get_waiter("table_exists").wait(TableName="tracks")
    for track in range(1, 6):
        made.execute_statement(
            Statement="INSERT INTO tracks VALUE {'album': 'a', 'track': ?, 'mood': ?, 'raw': ?}",
            Parameters=[
                {"N": str(track)},
                {"S": "calm" if track % 2 else "wild"},
                {"B": b"\x00\xff"},
            ],
        )
    return made


def test_a_select_gives_what_put_item_would_have_stored(dynamodb: Any) -> None:
    answer = dynamodb.execute_statement(
        Statement="SELECT * FROM tracks WHERE album = ? AND track = ?",
        Parameters=[{"S": "a"}, {"N": "2.0"}],
    )
    assert answer["Items"] == [
        {"album": {"S": "a"}, "track": {"N": "2"}, "mood": {"S": "wild"}, "raw": {"B": b"\x00\xff"}}
    ]


def test_a_select_reads_an_index(dynamodb: Any) -> None:
    answer = dynamodb.execute_statement(
        Statement='SELECT track FROM "tracks"."by-mood" WHERE mood = \'wild\'',
        ReturnConsumedCapacity="INDEXES",
    )
    assert answer["Items"] == [{"track": {"N": "2"}}, {"track": {"N": "4"}}]
    capacity = answer["ConsumedCapacity"]
    assert capacity["GlobalSecondaryIndexes"] == {"by-mood": {"CapacityUnits": 0.5}}


def test_pages_follow_each_other(dynamodb: Any) -> None:
    request = {"Statement": "SELECT track FROM tracks WHERE album = 'a' ORDER BY track DESC"}
    first = dynamodb.execute_statement(**request, Limit=3)
    second = dynamodb.execute_statement(**request, Limit=3, NextToken=first["NextToken"])
    tracks = [item["track"]["N"] for item in first["Items"] + second["Items"]]
    assert tracks == ["5", "4", "3", "2", "1"]
    assert "NextToken" not in second


def test_a_failed_condition_shows_the_item(dynamodb: Any) -> None:
    with pytest.raises(ClientError) as caught:
        dynamodb.execute_statement(
            Statement="UPDATE tracks SET mood = 'sad' WHERE album='a' AND track=1 AND mood='wild'",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert caught.value.response["Item"]["mood"] == {"S": "calm"}


def test_an_update_returns_what_it_changed(dynamodb: Any) -> None:
    answer = dynamodb.execute_statement(
        Statement="UPDATE tracks SET plays = 1 REMOVE raw WHERE album = 'a' AND track = 1 "
        "RETURNING ALL NEW *"
    )
    assert answer["Items"] == [
        {"album": {"S": "a"}, "track": {"N": "1"}, "mood": {"S": "calm"}, "plays": {"N": "1"}}
    ]


def test_a_write_takes_capacity_in_the_index_too(dynamodb: Any) -> None:
    answer = dynamodb.execute_statement(
        Statement="DELETE FROM tracks WHERE album = 'a' AND track = 1",
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["ConsumedCapacity"] == {"TableName": "tracks", "CapacityUnits": 2.0}


def test_an_inserted_key_is_taken(dynamodb: Any) -> None:
    with pytest.raises(dynamodb.exceptions.DuplicateItemException) as caught:
        dynamodb.execute_statement(Statement="INSERT INTO tracks VALUE {'album':'a','track':1}")
    assert caught.value.response["Error"]["Message"] == "Duplicate primary key exists in table"


def test_a_statement_of_an_unknown_table_finds_no_resource(dynamodb: Any) -> None:
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.execute_statement(Statement="SELECT * FROM nothing")


def test_no_parameters_are_not_an_empty_list(client: Client) -> None:
    unchecked = client("dynamodb", parameter_validation=False)
    with pytest.raises(ClientError) as caught:
        unchecked.execute_statement(Statement="SELECT * FROM tracks", Parameters=[])
    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "1 validation error detected: Value '[]' at 'parameters' failed to satisfy "
        "constraint: Member must have length greater than or equal to 1",
    }


def test_a_statement_has_at_most_8192_characters(dynamodb: Any) -> None:
    with pytest.raises(ClientError) as caught:
        dynamodb.execute_statement(Statement="SELECT * FROM tracks" + " " * 8192)
    message = caught.value.response["Error"]["Message"]
    assert message.endswith("Member must have length less than or equal to 8192")


def test_a_batch_answers_for_each_statement(dynamodb: Any) -> None:
    answer = dynamodb.batch_execute_statement(
        Statements=[
            {"Statement": "DELETE FROM tracks WHERE album = 'a' AND track = 1"},
            {
                "Statement": "UPDATE tracks SET x=1 WHERE album='a' AND track=? AND mood='none'",
                "Parameters": [{"N": "2"}],
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            },
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    first, second = answer["Responses"]
    assert first == {"TableName": "tracks"}
    assert second["Error"]["Code"] == "ConditionalCheckFailed"
    assert second["Error"]["Item"]["track"] == {"N": "2"}


def test_a_transaction_is_all_or_nothing(dynamodb: Any) -> None:
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.execute_transaction(
            TransactStatements=[
                {"Statement": "INSERT INTO tracks VALUE {'album': 'b', 'track': 1}"},
                {
                    "Statement": "EXISTS(SELECT * FROM tracks WHERE album = 'b' AND track = 7 "
                    "AND title IS NOT MISSING)"
                },
            ]
        )
    reasons = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    missing = dynamodb.execute_statement(Statement="SELECT * FROM tracks WHERE album = 'b'")
    assert missing["Items"] == []


def test_a_transaction_reads_items(dynamodb: Any) -> None:
    statement = "SELECT track FROM tracks WHERE album = 'a' AND track = ?"
    answer = dynamodb.execute_transaction(
        TransactStatements=[
            {"Statement": statement, "Parameters": [{"N": track}]} for track in ("1", "9")
        ]
    )
    assert answer["Responses"] == [{"Item": {"track": {"N": "1"}}}, {}]
