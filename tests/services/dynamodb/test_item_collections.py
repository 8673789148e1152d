"""Item collections of tables with local indexes: their sizes, and their limit."""

from typing import Any

import pytest

from fogbank.services.dynamodb import item_collections
from fogbank.services.errors import AwsError
from fogbank.storage.kv import Reader
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_backups import due
from tests.services.dynamodb.test_capacity import LOCAL
from tests.services.dynamodb.test_tables import MUSIC

KEY = {"artist": {"S": "a"}, "song": {"S": "b"}}
TABLE: dict[str, Any] = {
    **MUSIC,
    "AttributeDefinitions": [
        *MUSIC["AttributeDefinitions"],
        {"AttributeName": "year", "AttributeType": "N"},
    ],
    "LocalSecondaryIndexes": [LOCAL],
}
SIZED = {"TableName": "music", "ReturnItemCollectionMetrics": "SIZE"}


async def music(**more: Any) -> Calls:
    calls = Calls()
    await calls("CreateTable", **{**TABLE, **more})
    return calls


def item(song: str, size_bytes: int = 0, **more: Any) -> dict[str, Any]:
    text = {"text": {"S": "x" * size_bytes}} if size_bytes else {}
    return {"artist": {"S": "a"}, "song": {"S": song}, **text, **more}


async def counts(calls: Calls) -> list[int]:
    """The bytes of each collection, as they are kept."""

    def work(tx: Reader) -> list[int]:
        start = item_collections.collections_span(calls.ctx.world, "")[0][:-2]
        return [int(raw) for _, raw in tx.range(start, start + b"\xff")]

    return await calls.store.read(work)


async def test_a_collection_has_its_items_and_what_local_indexes_keep_of_them() -> None:
    calls = await music()
    await calls("PutItem", TableName="music", Item=item("b"))
    # artist + a + song + b
    assert await counts(calls) == [12]
    await calls("PutItem", TableName="music", Item=item("c", year={"N": "1970"}))
    # The item and its entry have year, and 1970 in three bytes.
    assert await counts(calls) == [12 + 2 * (12 + 4 + 3)]
    await calls("PutItem", TableName="music", Item=item("c", 5))
    assert await counts(calls) == [12 + 12 + 9]
    for song in ("b", "c"):
        await calls("DeleteItem", TableName="music", Key=item(song))
    assert await counts(calls) == []


async def test_writes_tell_the_size_of_their_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_collections, "GIGABYTE", 1000)
    calls = await music()
    told = {"ItemCollectionKey": {"artist": {"S": "a"}}, "SizeEstimateRangeGB": [0.0, 1.0]}
    assert (await calls("PutItem", Item=item("b"), **SIZED))["ItemCollectionMetrics"] == told
    told["SizeEstimateRangeGB"] = [2.0, 3.0]
    put = [{"PutRequest": {"Item": item("c", 2000)}}]
    batch = await calls(
        "BatchWriteItem", RequestItems={"music": put}, ReturnItemCollectionMetrics="SIZE"
    )
    assert batch["ItemCollectionMetrics"] == {"music": [told]}
    check = {"TableName": "music", "Key": KEY, "ConditionExpression": "attribute_exists(song)"}
    update = {"TableName": "music", "Key": item("d"), "UpdateExpression": "REMOVE nothing"}
    together = await calls(
        "TransactWriteItems",
        TransactItems=[{"ConditionCheck": check}, {"Update": update}],
        ReturnItemCollectionMetrics="SIZE",
    )
    assert together["ItemCollectionMetrics"] in ({"music": [told]}, {})
    deleted = await calls("DeleteItem", Key=item("c"), **SIZED)
    assert deleted["ItemCollectionMetrics"]["SizeEstimateRangeGB"] == [0.0, 1.0]


async def test_a_table_without_local_indexes_has_no_collections() -> None:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    assert await calls("PutItem", Item=item("b"), **SIZED) == {}
    assert await counts(calls) == []


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(item_collections, "COLLECTION_BYTES_MAX", 1000)
    return 1000


async def test_a_collection_grows_to_its_limit_and_may_always_shrink(limit: int) -> None:
    calls = await music()
    await calls("PutItem", TableName="music", Item=item("b", limit - 16))
    assert await counts(calls) == [limit]
    for operation, request in (
        ("PutItem", {"Item": item("c")}),
        ("UpdateItem", {"Key": KEY, "UpdateExpression": "SET year_ = artist"}),
        ("ExecuteStatement", {"Statement": "INSERT INTO music VALUE {'artist':'a','song':'c'}"}),
    ):
        with pytest.raises(AwsError) as caught:
            await calls(operation, TableName="music", **request)
        assert caught.value.code == "ItemCollectionSizeLimitExceededException"
    await calls("PutItem", TableName="music", Item=item("b", limit - 17))
    await calls("PutItem", TableName="music", Item={**item("c"), "artist": {"S": "z"}})


async def test_what_another_replica_has_taken_is_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = await music()
    calls.clock.advance(60_000)
    create = {"Create": {"RegionName": "eu-west-1"}}
    await calls("UpdateTable", TableName="music", ReplicaUpdates=[create])
    await due(calls)
    await calls("PutItem", TableName="music", Item=item("b", 2000))
    monkeypatch.setattr(item_collections, "COLLECTION_BYTES_MAX", 1000)
    await due(calls)
    calls.region("eu-west-1")
    assert (await calls("Scan", TableName="music"))["Count"] == 1
    with pytest.raises(AwsError) as caught:
        await calls("PutItem", TableName="music", Item=item("c"))
    assert caught.value.code == "ItemCollectionSizeLimitExceededException"


async def test_what_is_refused_leaves_nothing_in_a_batch(limit: int) -> None:
    calls = await music()
    await calls("PutItem", TableName="music", Item=item("b", limit - 16))
    insert = {"Statement": "INSERT INTO music VALUE {'artist':'a','song':'c'}"}
    answer = await calls("BatchExecuteStatement", Statements=[insert])
    assert answer["Responses"][0]["Error"]["Code"] == "ItemCollectionSizeLimitExceeded"
    assert (await calls("Scan", TableName="music"))["Count"] == 1
    with pytest.raises(AwsError) as caught:
        put = {"Put": {"TableName": "music", "Item": item("c")}}
        await calls("TransactWriteItems", TransactItems=[put])
    assert caught.value.fields["CancellationReasons"] == [
        {"Code": "ItemCollectionSizeLimitExceeded", "Message": "Collection size exceeded."}
    ]


async def test_the_collections_of_a_restored_table_are_counted() -> None:
    calls = await music()
    for song in ("b", "c"):
        await calls("PutItem", TableName="music", Item=item(song, year={"N": "1970"}))
    (before,) = await counts(calls)
    made = await calls("CreateBackup", TableName="music", BackupName="all")
    await calls.settle()
    arn = made["BackupDetails"]["BackupArn"]
    await calls("RestoreTableFromBackup", TargetTableName="again", BackupArn=arn)
    await calls.settle()
    await calls("DeleteTable", TableName="music")
    await calls.settle()
    assert await counts(calls) == []
    await calls("DeleteItem", TableName="again", Key=item("none"))
    await calls("PutItem", TableName="again", Item=item("d"))
    assert await counts(calls) == [before + 12]


@pytest.mark.parametrize(
    ("kind", "values"), [("N", ["1", "-2.5"]), ("B", ["AA==", "AP8A"]), ("S", ["a\x00b", "a"])]
)
async def test_partition_keys_of_every_type_have_their_collections(
    kind: str, values: list[str]
) -> None:
    types = {"artist": kind, "song": "S", "year": "N"}
    given = [{"AttributeName": name, "AttributeType": each} for name, each in types.items()]
    calls = await music(AttributeDefinitions=given)
    for value in values:
        for song in ("b", "c"):
            artist = {"artist": {kind: value}}
            await calls("PutItem", TableName="music", Item={**item(song, 9), **artist})
    kept = await counts(calls)
    assert len(kept) == len(values)

    def forget(tx: Any) -> None:
        start = item_collections.collections_span(calls.ctx.world, "")[0][:-2]
        tx.delete_range(start, start + b"\xff")

    await calls.store.write(forget)
    for value in values:
        artist = {"artist": {kind: value}}
        await calls("DeleteItem", TableName="music", Key={"song": {"S": "c"}, **artist})
        await calls("PutItem", TableName="music", Item={**item("c", 9), **artist})
    assert await counts(calls) == kept
