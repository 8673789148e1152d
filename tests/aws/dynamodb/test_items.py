"""DynamoDB through boto3: what a user's program sees."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.dynamodb.refusals import refusal

Client = Callable[..., Any]


@pytest.fixture
def dynamodb(client: Client) -> Any:
    """A client with a table `orders` (customer, at) that has a GSI on `state`."""
    made = client("dynamodb")
    made.create_table(
        TableName="orders",
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "at", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
            {"AttributeName": "state", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_state",
                "KeySchema": [{"AttributeName": "state", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    made.get_waiter("table_exists").wait(TableName="orders")
    return made


def order(customer: str, at: int, **more: Any) -> dict[str, Any]:
    return {"customer": {"S": customer}, "at": {"N": str(at)}, **more}


def test_an_item_of_every_type_comes_back(dynamodb: Any) -> None:
    item = order(
        "ada",
        1,
        blob={"B": b"\x00\xff"},
        blobs={"BS": [b"a", b"b"]},
        yes={"BOOL": True},
        nothing={"NULL": True},
        deep={"M": {"list": {"L": [{"S": ""}, {"N": "1E+20"}]}}},
        words={"SS": ["x", "y"]},
        primes={"NS": ["3", "2.0"]},
    )
    dynamodb.put_item(TableName="orders", Item=item)
    got = dynamodb.get_item(TableName="orders", Key=order("ada", 1))["Item"]
    item["deep"]["M"]["list"]["L"][1] = {"N": "100000000000000000000"}
    item["primes"] = {"NS": ["2", "3"]}
    assert got == item


def test_an_absent_item_is_an_answer_without_an_item(dynamodb: Any) -> None:
    assert "Item" not in dynamodb.get_item(TableName="orders", Key=order("nobody", 1))


def test_a_failed_condition_shows_the_item_when_asked(dynamodb: Any) -> None:
    dynamodb.put_item(TableName="orders", Item=order("ada", 1, n={"N": "1"}))
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as caught:
        dynamodb.put_item(
            TableName="orders",
            Item=order("ada", 1),
            ConditionExpression="attribute_not_exists(customer)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Error"]["Message"] == "The conditional request failed"
    assert caught.value.response["Item"] == order("ada", 1, n={"N": "1"})


def test_an_update_returns_what_it_changed(dynamodb: Any) -> None:
    answer = dynamodb.update_item(
        TableName="orders",
        Key=order("ada", 1),
        UpdateExpression="SET #s = :s ADD hits :one",
        ExpressionAttributeNames={"#s": "state"},
        ExpressionAttributeValues={":s": {"S": "open"}, ":one": {"N": "1"}},
        ReturnValues="UPDATED_NEW",
    )
    assert answer["Attributes"] == {"state": {"S": "open"}, "hits": {"N": "1"}}


def test_a_query_pages_in_key_order_and_an_index_follows(dynamodb: Any) -> None:
    for at in (10, 9, 100, -1):
        dynamodb.put_item(TableName="orders", Item=order("ada", at, state={"S": "open"}))
    pages = dynamodb.get_paginator("query").paginate(
        TableName="orders",
        KeyConditionExpression="customer = :c AND #at > :zero",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues={":c": {"S": "ada"}, ":zero": {"N": "0"}},
        PaginationConfig={"PageSize": 2},
    )
    assert [item["at"]["N"] for page in pages for item in page["Items"]] == ["9", "10", "100"]
    found = dynamodb.query(
        TableName="orders",
        IndexName="by_state",
        KeyConditionExpression="#s = :s",
        ExpressionAttributeNames={"#s": "state"},
        ExpressionAttributeValues={":s": {"S": "open"}},
    )
    assert found["Count"] == 4


def test_a_large_table_is_scanned_in_pages_of_a_megabyte(dynamodb: Any) -> None:
    for at in range(8):
        item = order("ada", at, body={"S": "x" * 200_000})
        dynamodb.put_item(TableName="orders", Item=item)
    first = dynamodb.scan(TableName="orders", FilterExpression="attribute_not_exists(body)")
    assert (first["Count"], first["ScannedCount"]) == (0, 5)
    rest = dynamodb.scan(TableName="orders", ExclusiveStartKey=first["LastEvaluatedKey"])
    assert rest["ScannedCount"] == 3
    assert "LastEvaluatedKey" not in rest


def test_batches_write_and_read_many_items(dynamodb: Any) -> None:
    writes = [{"PutRequest": {"Item": order("eve", at)}} for at in range(25)]
    assert dynamodb.batch_write_item(RequestItems={"orders": writes})["UnprocessedItems"] == {}
    keys = [order("eve", at) for at in range(25)]
    answer = dynamodb.batch_get_item(RequestItems={"orders": {"Keys": keys}})
    assert len(answer["Responses"]["orders"]) == 25


def test_a_request_to_no_table_is_refused(dynamodb: Any) -> None:
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException) as caught:
        dynamodb.get_item(TableName="nothing", Key=order("a", 1))
    assert caught.value.response["Error"]["Message"] == "Requested resource not found"


def test_validation_speaks_awss_words(dynamodb: Any) -> None:
    with pytest.raises(ClientError) as caught:
        dynamodb.put_item(TableName="orders", Item={"customer": {"S": "a"}})
    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "One or more parameter values were invalid: Missing the key at in the item",
    }


def test_a_token_is_judged_before_what_is_to_be_returned(dynamodb: Any) -> None:
    put = {"Put": {"TableName": "none", "Item": {"id": {"S": "a"}}}}
    token = "x" * 37
    assert refusal(
        dynamodb.transact_write_items,
        TransactItems=[put],
        ClientRequestToken=token,
        ReturnConsumedCapacity="ALL",
    ) == (
        "ValidationException",
        f"2 validation errors detected: Value '{token}' at 'clientRequestToken' failed to satisfy "
        "constraint: Member must have length less than or equal to 36; Value 'ALL' at "
        "'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value "
        "set: [INDEXES, TOTAL, NONE]",
    )


def test_a_table_with_an_index_added_later_has_all_its_items(dynamodb: Any) -> None:
    for at in range(3):
        dynamodb.put_item(TableName="orders", Item=order("ada", at, kind={"S": "k"}))
    dynamodb.update_table(
        TableName="orders",
        AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by_kind",
                    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            }
        ],
    )
    found = dynamodb.query(
        TableName="orders",
        IndexName="by_kind",
        KeyConditionExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": "k"}},
    )
    assert found["Count"] == 3


def test_accounts_and_regions_are_separate(dynamodb: Any, client: Client) -> None:
    assert dynamodb.list_tables()["TableNames"] == ["orders"]
    assert client("dynamodb", region="eu-west-1").list_tables()["TableNames"] == []


def test_numbers_beyond_38_digits_are_refused(dynamodb: Any) -> None:
    with pytest.raises(ClientError, match="Attempting to store more than 38 significant digits"):
        dynamodb.put_item(TableName="orders", Item=order("a", 1, n={"N": "1" * 39}))
