"""Vector indexes of tables that are backed up and restored."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls

INDEX: dict[str, Any] = {
    "IndexName": "near",
    "VectorAttribute": {"AttributeName": "embedding"},
    "SearchSchema": [{"AttributeName": "brand", "SearchSchemaElementType": "INLINE_FILTER"}],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a", "b"]},
    "Dimensions": 1,
    "DistanceFunction": "EUCLIDEAN",
}
PLAIN: dict[str, Any] = {
    **{name: member for name, member in INDEX.items() if name != "SearchSchema"},
    "IndexName": "plain",
    "Projection": {"ProjectionType": "ALL"},
}
STRINGS = [{"AttributeName": name, "AttributeType": "S"} for name in ("brand", "id")]


async def products(**options: Any) -> Calls:
    """A table of one item with two vector indexes, which has recovery."""
    calls = Calls(**options)
    await calls(
        "CreateTable",
        TableName="products",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=STRINGS,
        BillingMode="PAY_PER_REQUEST",
        VectorIndexes=[INDEX, PLAIN],
    )
    calls.clock.advance(60)
    await calls(
        "UpdateContinuousBackups",
        TableName="products",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    item = {"id": {"S": "1"}, "embedding": {"L": [{"N": "5"}]}}
    await calls("PutItem", TableName="products", Item=item)
    return calls


async def backed_up(calls: Calls) -> str:
    made = await calls("CreateBackup", TableName="products", BackupName="first")
    arn: str = made["BackupDetails"]["BackupArn"]
    return arn


async def restored(calls: Calls, operation: str, **more: Any) -> dict[str, Any]:
    """The table "again", once it is there."""
    if operation == "RestoreTableFromBackup":
        more["BackupArn"] = await backed_up(calls)
    else:
        more |= {"SourceTableName": "products", "UseLatestRestorableTime": True}
    await calls(operation, TargetTableName="again", **more)
    table: dict[str, Any] = (await calls("DescribeTable", TableName="again"))["Table"]
    return table


def definitions(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {name: index[name] for name in INDEX if name in index}
        for index in table.get("VectorIndexes") or ()
    ]


both = pytest.mark.parametrize("operation", ["RestoreTableFromBackup", "RestoreTableToPointInTime"])


async def test_a_backup_tells_the_vector_indexes_of_its_table() -> None:
    calls = await products()
    described = await calls("DescribeBackup", BackupArn=await backed_up(calls))
    features = described["BackupDescription"]["SourceTableFeatureDetails"]
    assert features == {"VectorIndexes": [INDEX, PLAIN]}


@both
async def test_a_restored_table_has_all_vector_indexes(operation: str) -> None:
    calls = await products()
    table = await restored(calls, operation)
    assert definitions(table) == [INDEX, PLAIN]
    assert table["AttributeDefinitions"] == STRINGS
    assert {index["IndexStatus"] for index in table["VectorIndexes"]} == {"ACTIVE"}
    found = await calls(
        "SearchVectors",
        TableName="again",
        IndexName="plain",
        SearchVector=[{"N": "3"}],
        TopK=1,
    )
    assert found["SearchResults"] == [{"Item": {"id": {"S": "1"}}, "Score": 2.0}]


@both
async def test_a_restore_leaves_out_what_is_not_wanted(operation: str) -> None:
    renamed = {**PLAIN, "IndexName": "other"}
    table = await restored(await products(), operation, VectorIndexOverride=[renamed])
    assert definitions(table) == [renamed]
    assert table["AttributeDefinitions"] == STRINGS[1:]


@both
async def test_a_restore_may_have_no_vector_index_and_then_be_provisioned(operation: str) -> None:
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    more = {"BillingModeOverride": "PROVISIONED", "ProvisionedThroughputOverride": units}
    calls = await products()
    with pytest.raises(AwsError, match="Vector indexes are only supported for PAY_PER_REQUEST"):
        await restored(calls, operation, **more)
    table = await restored(calls, operation, VectorIndexOverride=[], **more)
    assert "VectorIndexes" not in table


@both
@pytest.mark.parametrize(
    "change",
    [
        {"Dimensions": 2},
        {"DistanceFunction": "COSINE"},
        {"VectorAttribute": {"AttributeName": "other"}},
        {"SearchSchema": []},
        {"Projection": {"ProjectionType": "ALL"}},
    ],
)
async def test_an_index_that_the_source_does_not_have_is_refused(
    operation: str, change: dict[str, Any]
) -> None:
    with pytest.raises(AwsError, match="Index near does not match a vector index") as caught:
        await restored(await products(), operation, VectorIndexOverride=[{**INDEX, **change}])
    assert caught.value.code == "ValidationException"


@both
async def test_a_name_cannot_be_given_to_two_indexes(operation: str) -> None:
    twice = [PLAIN, {**INDEX, "IndexName": "plain"}]
    with pytest.raises(AwsError, match="Duplicate index name: plain"):
        await restored(await products(), operation, VectorIndexOverride=twice)


async def test_an_index_that_is_being_removed_is_not_backed_up() -> None:
    calls = await products(dynamodb_transition_ms=10_000)
    await calls(
        "UpdateTable",
        TableName="products",
        VectorIndexUpdates=[{"Delete": {"IndexName": "plain"}}],
    )
    described = await calls("DescribeBackup", BackupArn=await backed_up(calls))
    features = described["BackupDescription"]["SourceTableFeatureDetails"]
    assert features == {"VectorIndexes": [INDEX]}
