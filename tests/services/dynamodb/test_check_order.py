"""Which of several faults is told, and by whom: at once, as a reason, or with the others."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls

EMPTY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
    "contain an empty {} value. Key: {}"
)
MISMATCH = "The provided key element does not match the schema"


def table(name: str, kind: str, indexed: str) -> dict[str, Any]:
    """`id` is of `kind`, and an index has a key `label` of the type `indexed`."""
    index = {
        "IndexName": "by-label",
        "KeySchema": [{"AttributeName": "label", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [
            {"AttributeName": "id", "AttributeType": kind},
            {"AttributeName": "label", "AttributeType": indexed},
        ],
        "GlobalSecondaryIndexes": [index],
        "BillingMode": "PAY_PER_REQUEST",
    }


async def made() -> Calls:
    calls = Calls()
    await calls("CreateTable", **table("texts", "S", "S"))
    await calls("CreateTable", **table("bytes", "B", "B"))
    return calls


async def refusal(calls: Calls, operation: str, **request: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        await calls(operation, **request)
    return caught.value


def actions(name: str, value: dict[str, Any]) -> list[dict[str, Any]]:
    """One action of each kind on the key that `value` is."""
    key = {"TableName": name, "Key": {"id": value}}
    update = {"UpdateExpression": "SET a = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}}
    return [
        {"Put": {"TableName": name, "Item": {"id": value}}},
        {"Update": {**key, **update}},
        {"Delete": key},
        {"ConditionCheck": {**key, "ConditionExpression": "attribute_not_exists(id)"}},
    ]


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [("texts", {"S": ""}, "string"), ("bytes", {"B": ""}, "binary")],
)
async def test_an_empty_key_refuses_a_transaction_as_a_whole(
    name: str, value: dict[str, Any], word: str
) -> None:
    calls = await made()
    for action in actions(name, value):
        error = await refusal(calls, "TransactWriteItems", TransactItems=[action])
        assert (error.code, error.message) == ("ValidationException", EMPTY.format(word, "id"))


async def test_an_empty_key_comes_before_what_cancels_an_earlier_action() -> None:
    calls = await made()
    cancelled = {
        "ConditionCheck": {
            "TableName": "texts",
            "Key": {"id": {"S": "absent"}},
            "ConditionExpression": "attribute_exists(id)",
        }
    }
    items = [cancelled, actions("texts", {"S": ""})[0]]
    error = await refusal(calls, "TransactWriteItems", TransactItems=items)
    assert error.message == EMPTY.format("string", "id")


async def test_a_key_of_another_type_cancels_a_transaction() -> None:
    calls = await made()
    for action in actions("texts", {"N": "5"})[1:]:
        error = await refusal(calls, "TransactWriteItems", TransactItems=[action])
        assert error.code == "TransactionCanceledException"
        assert error.fields["CancellationReasons"][0]["Message"] == MISMATCH


async def test_an_empty_key_of_an_index_refuses_a_transaction_as_a_whole() -> None:
    calls = await made()
    key = {"id": {"S": "1"}}
    put = {"Put": {"TableName": "texts", "Item": {**key, "label": {"S": ""}}}}
    update = {
        "Update": {
            "TableName": "texts",
            "Key": key,
            "UpdateExpression": "SET label = :v",
            "ExpressionAttributeValues": {":v": {"S": ""}},
        }
    }
    for action, told in ((put, "IndexName: by-label"), (update, "The update expression attempted")):
        error = await refusal(calls, "TransactWriteItems", TransactItems=[action])
        assert error.code == "ValidationException"
        assert told in str(error.message)


@pytest.mark.parametrize(
    "item", [{"id": {"N": "5"}}, {"id": {"L": [{"S": "x"}]}}, {"label": {"S": "x"}}]
)
async def test_a_batch_tells_of_any_key_that_it_does_not_match(item: dict[str, Any]) -> None:
    calls = await made()
    for write in ({"PutRequest": {"Item": item}}, {"DeleteRequest": {"Key": item}}):
        error = await refusal(calls, "BatchWriteItem", RequestItems={"texts": [write]})
        assert error.message == MISMATCH


async def test_a_batch_tells_more_of_keys_of_indexes() -> None:
    item = {"id": {"S": "1"}, "label": {"N": "5"}}
    error = await refusal(
        await made(), "BatchWriteItem", RequestItems={"texts": [{"PutRequest": {"Item": item}}]}
    )
    assert error.message == (
        "One or more parameter values were invalid: Type mismatch for Index Key label Expected: S "
        "Actual: N IndexName: by-label"
    )


async def test_the_tables_of_a_batch_are_projected_in_one_way() -> None:
    calls = await made()
    error = await refusal(
        calls,
        "BatchGetItem",
        RequestItems={
            "texts": {"Keys": [{"id": {"S": "1"}}], "ProjectionExpression": "id"},
            "bytes": {"Keys": [{"id": {"B": "AA=="}}], "AttributesToGet": ["id"]},
        },
    )
    assert "Can not use both expression and non-expression parameters" in str(error.message)


async def test_a_transaction_tells_no_item_where_its_projection_finds_nothing() -> None:
    calls = await made()
    key = {"id": {"S": "1"}}
    await calls("PutItem", TableName="texts", Item={**key, "a": {"S": "x"}})
    get = {"TableName": "texts", "Key": key, "ProjectionExpression": "absent"}
    got = await calls("TransactGetItems", TransactItems=[{"Get": get}])
    assert got["Responses"] == [{}]
    assert await calls("GetItem", **get) == {"Item": {}}


UNDEFINED = (
    "Invalid KeyConditionExpression: An expression attribute value used in expression is not "
    "defined; attribute value: :absent"
)
WRONG_TYPE = (
    "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or "
    "function: begins_with, operand type: N"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id = :absent AND begins_with(label, :n)", UNDEFINED),
        ("begins_with(label, :n) AND id = :absent", WRONG_TYPE),
        ("id = :n AND begins_with(label, :n) AND label = :absent", WRONG_TYPE),
    ],
)
async def test_key_conditions_are_judged_one_after_the_other(text: str, told: str) -> None:
    error = await refusal(
        await made(),
        "Query",
        TableName="texts",
        KeyConditionExpression=text,
        ExpressionAttributeValues={":n": {"N": "1"}},
    )
    assert error.message == told


async def test_a_query_counts_that_it_lacks_a_projection_and_a_scan_does_not() -> None:
    calls = await made()
    told = (
        "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
        "SPECIFIC_ATTRIBUTES"
    )
    request = {"TableName": "texts", "Select": "SPECIFIC_ATTRIBUTES"}
    error = await refusal(calls, "Scan", **request)
    assert error.message == told
    key = {"KeyConditionExpression": "id = :v", "ExpressionAttributeValues": {":v": {"S": "1"}}}
    error = await refusal(calls, "Query", **request, **key)
    assert error.message == f"1 validation error detected: {told}"


async def test_the_size_of_a_long_update_is_not_told() -> None:
    error = await refusal(
        await made(),
        "UpdateItem",
        TableName="texts",
        Key={"id": {"S": "1"}},
        UpdateExpression="SET " + ", ".join(f"a{number} = :v" for number in range(500)),
        ExpressionAttributeValues={":v": {"S": "x"}},
    )
    assert error.message == (
        "Invalid UpdateExpression: Expression size has exceeded the maximum allowed size;"
    )
