"""A table with a GSI and an LSI against a plain Python model: all three always agree."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.dynamodb.errors import TransactionCanceledException
from tests.services.dynamodb.calls import Calls

TABLE: dict[str, Any] = {
    "TableName": "things",
    "KeySchema": [
        {"AttributeName": "p", "KeyType": "HASH"},
        {"AttributeName": "r", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "p", "AttributeType": "S"},
        {"AttributeName": "r", "AttributeType": "N"},
        {"AttributeName": "g", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "in_p",
            "KeySchema": [
                {"AttributeName": "p", "KeyType": "HASH"},
                {"AttributeName": "g", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}
PARTITIONS = st.sampled_from(["a", "b", "a\0", "é"])
SORTS = st.sampled_from(["0", "1", "-1", "10", "2.5", "-1E-130", "9.99E125"])
GROUPS = st.sampled_from([None, "x", "y"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), PARTITIONS, SORTS, GROUPS),
        st.tuples(st.just("update"), PARTITIONS, SORTS, GROUPS),
        st.tuples(st.just("delete"), PARTITIONS, SORTS, st.none()),
        st.tuples(st.just("transact"), PARTITIONS, SORTS, GROUPS),
        st.tuples(st.just("cancel"), PARTITIONS, SORTS, GROUPS),
    ),
    max_size=25,
)
Model = dict[tuple[str, float], dict[str, Any]]


@settings(deadline=None, max_examples=60)
@given(STEPS, st.integers(1, 4))
def test_a_table_and_its_indexes_agree_with_a_model(
    steps: list[tuple[str, str, str, str | None]], limit: int
) -> None:
    asyncio.run(_run(steps, limit))


async def _run(steps: list[tuple[str, str, str, str | None]], limit: int) -> None:
    calls = Calls()
    made = await calls("CreateTable", **TABLE)
    model: Model = {}
    for count, (action, partition, sort, group) in enumerate(steps):
        await _step(calls, model, count, (action, partition, sort, group))
    scanned = await _all(calls, "Scan", Limit=limit)
    assert sorted(map(repr, scanned)) == sorted(repr(item) for item in model.values())
    segments = [
        item
        for segment in range(3)
        for item in await _all(calls, "Scan", Segment=segment, TotalSegments=3, Limit=limit)
    ]
    assert segments == scanned
    for partition in ("a", "b", "a\0", "é"):
        mine = [model[key] for key in sorted(model) if key[0] == partition]
        for forward in (True, False):
            found = await _all(
                calls,
                "Query",
                KeyConditionExpression="p = :p",
                ExpressionAttributeValues={":p": {"S": partition}},
                ScanIndexForward=forward,
                Limit=limit,
            )
            assert found == (mine if forward else mine[::-1])
    await _check_indexes(calls, model, limit)
    replayed = await _replay(calls, made["TableDescription"]["LatestStreamArn"], limit)
    assert sorted(map(repr, replayed)) == sorted(repr(item) for item in model.values())


async def _step(
    calls: Calls, model: Model, count: int, step: tuple[str, str, str, str | None]
) -> None:
    action, partition, sort, group = step
    key = {"p": {"S": partition}, "r": {"N": sort}}
    at = (partition, float(sort))
    if action == "delete":
        await calls("DeleteItem", TableName="things", Key=key)
        model.pop(at, None)
        return
    if action in ("transact", "cancel"):
        await _transact(calls, key, count, group, cancelled=action == "cancel")
        if action == "cancel":
            return
    elif action == "put":
        item = {**key, "v": {"N": str(count)}, **({"g": {"S": group}} if group else {})}
        await calls("PutItem", TableName="things", Item=item)
    else:
        await calls(
            "UpdateItem",
            TableName="things",
            Key=key,
            UpdateExpression="SET v = :v, g = :g" if group else "SET v = :v REMOVE g",
            ExpressionAttributeValues={
                ":v": {"N": str(count)},
                **({":g": {"S": group}} if group else {}),
            },
        )
    stored = (await calls("GetItem", TableName="things", Key=key))["Item"]
    assert stored.get("g") == ({"S": group} if group else None)
    assert stored["v"] == {"N": str(count)}
    assert float(stored["r"]["N"]) == float(sort)
    model[at] = stored


async def _transact(
    calls: Calls, key: dict[str, Any], count: int, group: str | None, *, cancelled: bool
) -> None:
    """A put in a transaction, which a condition on another item cancels when it is to be."""
    item = {**key, "v": {"N": str(count)}, **({"g": {"S": group}} if group else {})}
    guard = "attribute_exists(p)" if cancelled else "attribute_not_exists(p)"
    absent = {"p": {"S": "nobody"}, "r": {"N": "7"}}
    check = {"TableName": "things", "Key": absent, "ConditionExpression": guard}
    actions = [{"Put": {"TableName": "things", "Item": item}}, {"ConditionCheck": check}]
    try:
        await calls("TransactWriteItems", TransactItems=actions)
    except TransactionCanceledException:
        assert cancelled
    else:
        assert not cancelled


async def _replay(calls: Calls, arn: str, limit: int) -> list[dict[str, Any]]:
    """The items that the stream's records make, applied to nothing, each to the image before."""
    items: dict[str, dict[str, Any]] = {}

    async def read(operation: str, **request: Any) -> dict[str, Any]:
        return await calls.ctx.call("dynamodbstreams", operation, request)

    described = await read("DescribeStream", StreamArn=arn)
    for shard in described["StreamDescription"]["Shards"]:
        page = await read(
            "GetShardIterator",
            StreamArn=arn,
            ShardId=shard["ShardId"],
            ShardIteratorType="TRIM_HORIZON",
        )
        iterator = page["ShardIterator"]
        while (page := await read("GetRecords", ShardIterator=iterator, Limit=limit))["Records"]:
            iterator = page["NextShardIterator"]
            for record in page["Records"]:
                change = record["dynamodb"]
                key = repr(change["Keys"])
                assert items.pop(key, None) == change.get("OldImage")
                assert change.get("NewImage") != change.get("OldImage")
                if "NewImage" in change:
                    items[key] = change["NewImage"]
    return list(items.values())


async def _check_indexes(calls: Calls, model: Model, limit: int) -> None:
    for group in ("x", "y"):
        members = [item for item in model.values() if item.get("g") == {"S": group}]
        found = await _all(
            calls,
            "Query",
            IndexName="by_g",
            KeyConditionExpression="g = :g",
            ExpressionAttributeValues={":g": {"S": group}},
            Limit=limit,
        )
        expected = [{name: item[name] for name in ("g", "p", "r")} for item in members]
        assert sorted(map(repr, found)) == sorted(map(repr, expected))
    local = await _all(calls, "Scan", IndexName="in_p", Limit=limit)
    assert sorted(map(repr, local)) == sorted(repr(item) for item in model.values() if "g" in item)


async def _all(calls: Calls, operation: str, **request: Any) -> list[dict[str, Any]]:
    """Every item, page by page."""
    items: list[dict[str, Any]] = []
    while True:
        page = await calls(operation, TableName="things", **request)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
