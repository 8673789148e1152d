"""The same notebook on boto3's resource layer: Decimals, sets, conditions, paging and batches."""

from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary
from botocore.exceptions import ClientError


def main() -> None:
    dynamodb = boto3.resource("dynamodb")
    table = dynamodb.create_table(
        TableName="notes-resource",
        KeySchema=[
            {"AttributeName": "book", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "book", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    table.wait_until_exists()
    item = {
        "book": "fog",
        "number": 1,
        "price": Decimal("12.3400000000000000000000000000000001"),
        "raw": b"\x00\x01\xff",
        "tags": {"sea", "grey"},
        "nested": {"many": [1, "two", None, True, {"three": Decimal("3")}]},
    }
    table.put_item(Item=item)
    found = table.get_item(Key={"book": "fog", "number": 1})["Item"]
    assert found == {**item, "raw": Binary(b"\x00\x01\xff")}

    changed = table.update_item(
        Key={"book": "fog", "number": 1},
        UpdateExpression="SET nested.many[1] = :two, price = price + :one ADD tags :more",
        ExpressionAttributeValues={":two": 2, ":one": 1, ":more": {"wind"}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    assert changed["price"] == Decimal("13.3400000000000000000000000000000001")
    assert changed["tags"] == {"sea", "grey", "wind"} and changed["nested"]["many"][1] == 2
    try:
        table.put_item(Item=item, ConditionExpression=Attr("book").not_exists())
        raise AssertionError("the condition held")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"

    with table.batch_writer() as batch:
        for number in range(2, 103):
            batch.put_item(Item={"book": "fog", "number": number, "even": number % 2 == 0})
    numbers: list[int] = []
    start: dict[str, Any] = {}
    while True:
        page = table.query(
            KeyConditionExpression=Key("book").eq("fog") & Key("number").gte(50),
            FilterExpression=Attr("even").eq(True),
            Limit=10,
            **start,
        )
        numbers += [int(one["number"]) for one in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert numbers == list(range(50, 103, 2))
    assert table.scan(Select="COUNT")["Count"] == 102
    answer = dynamodb.batch_get_item(
        RequestItems={table.name: {"Keys": [{"book": "fog", "number": n} for n in (1, 2, 999)]}}
    )
    assert len(answer["Responses"][table.name]) == 2
    table.delete()
    table.wait_until_not_exists()
    print("done")


if __name__ == "__main__":
    main()
