"""Global indexes added and removed while the table is in use."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC

YEAR: dict[str, Any] = {
    "TableName": "music",
    "AttributeDefinitions": [{"AttributeName": "year", "AttributeType": "N"}],
    "GlobalSecondaryIndexUpdates": [
        {
            "Create": {
                "IndexName": "by_year",
                "KeySchema": [{"AttributeName": "year", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]},
            }
        }
    ],
}
DROP: dict[str, Any] = {
    "TableName": "music",
    "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by_year"}}],
}


def item(song: int, **more: Any) -> dict[str, Any]:
    return {"artist": {"S": "a"}, "song": {"S": f"{song:05d}"}, **more}


async def music(count: int) -> Calls:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    for song in range(count):
        more = {"year": {"N": "1970"}, "x": {"N": "1"}, "y": {"N": "2"}}
        await calls("PutItem", TableName="music", Item=item(song, **more))
    return calls


async def count_of(calls: Calls) -> int:
    answer = await calls(
        "Query",
        TableName="music",
        IndexName="by_year",
        KeyConditionExpression="#y = :y",
        ExpressionAttributeNames={"#y": "year"},
        ExpressionAttributeValues={":y": {"N": "1970"}},
        Select="COUNT",
    )
    count: int = answer["Count"]
    return count


async def status_of(calls: Calls) -> dict[str, Any]:
    described = await calls("DescribeTable", TableName="music")
    index: dict[str, Any] = described["Table"]["GlobalSecondaryIndexes"][0]
    return {name: index[name] for name in ("IndexStatus", "Backfilling") if name in index}


async def test_an_index_is_filled_in_slices_while_items_change() -> None:
    calls = await music(1200)
    await calls("UpdateTable", **YEAR)
    assert await status_of(calls) == {"IndexStatus": "CREATING", "Backfilling": True}
    with pytest.raises(AwsError, match="Cannot read from backfilling global secondary index"):
        await count_of(calls)
    await calls("DeleteItem", TableName="music", Key=item(1100))
    await calls("PutItem", TableName="music", Item=item(5000, year={"N": "1970"}))
    await calls.settle()
    assert await status_of(calls) == {"IndexStatus": "ACTIVE"}
    assert await count_of(calls) == 1200


async def test_an_index_holds_what_it_projects() -> None:
    calls = await music(1)
    await calls("UpdateTable", **YEAR)
    scanned = await calls("Scan", TableName="music", IndexName="by_year")
    assert scanned["Items"] == [item(0, year={"N": "1970"}, x={"N": "1"})]
    with pytest.raises(AwsError, match=r"Global secondary index by_year does not project \[y\]"):
        await calls(
            "Scan", TableName="music", IndexName="by_year", ProjectionExpression="artist, y"
        )


async def test_items_whose_value_cannot_be_a_key_are_not_in_a_new_index() -> None:
    calls = await music(1)
    await calls("PutItem", TableName="music", Item=item(7, year={"S": "then"}))
    await calls("UpdateTable", **YEAR)
    assert await count_of(calls) == 1
    await calls("DeleteItem", TableName="music", Key=item(7))
    with pytest.raises(AwsError, match="Type mismatch for Index Key year Expected: N Actual: S"):
        await calls("PutItem", TableName="music", Item=item(8, year={"S": "now"}))


async def test_a_removed_index_leaves_nothing_for_a_later_one_of_its_name() -> None:
    calls = await music(3)
    await calls("UpdateTable", **YEAR)
    await calls("UpdateTable", **DROP)
    described = await calls("DescribeTable", TableName="music")
    assert "GlobalSecondaryIndexes" not in described["Table"]
    assert len(described["Table"]["AttributeDefinitions"]) == 2
    for song in range(2):
        await calls("DeleteItem", TableName="music", Key=item(song))
    await calls("UpdateTable", **YEAR)
    assert await count_of(calls) == 1
    await calls.settle()
    assert await count_of(calls) == 1


async def test_one_index_changes_at_a_time() -> None:
    calls = await music(0)
    both = [*YEAR["GlobalSecondaryIndexUpdates"], {"Delete": {"IndexName": "another"}}]
    with pytest.raises(AwsError) as caught:
        await calls("UpdateTable", **{**YEAR, "GlobalSecondaryIndexUpdates": both})
    assert caught.value.code == "LimitExceededException"
    assert caught.value.message == (
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously "
        "per table"
    )


async def test_a_page_too_large_for_the_loop_is_read_whole() -> None:
    calls = await music(300)
    answer = await calls(
        "Query",
        TableName="music",
        KeyConditionExpression="artist = :a",
        ExpressionAttributeValues={":a": {"S": "a"}},
    )
    assert [found["song"]["S"] for found in answer["Items"]] == [f"{n:05d}" for n in range(300)]
