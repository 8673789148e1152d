"""Backups and restores over a store in memory: copies are of one moment, states follow AWS."""

from typing import Any

import pytest

from fogbank.services.dynamodb import copying
from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC

DAY_S = 24 * 3600


def item(song: str, **more: Any) -> dict[str, Any]:
    return {"artist": {"S": f"a{song}"}, "song": {"S": song}, **more}


async def music(calls: Calls, count: int = 3) -> None:
    await calls("CreateTable", **MUSIC)
    for number in range(count):
        await calls("PutItem", TableName="music", Item=item(str(number), n={"N": "1"}))


async def songs(calls: Calls, table: str) -> dict[str, str]:
    scanned = await calls("Scan", TableName=table)
    return {found["song"]["S"]: found["n"]["N"] for found in scanned["Items"]}


async def backup(calls: Calls, name: str = "first") -> str:
    made = await calls("CreateBackup", TableName="music", BackupName=name)
    assert made["BackupDetails"]["BackupStatus"] == "CREATING"
    arn: str = made["BackupDetails"]["BackupArn"]
    return arn


async def due(calls: Calls) -> None:
    """Deliver the events that are due, once."""
    waiting, calls.outbox.events = calls.outbox.events, []
    for event in waiting:
        if event.created_ms <= calls.clock.now_ms():
            await calls.catalog.consume(calls.ctx, event)
        else:
            calls.outbox.events.append(event)


async def test_a_backup_is_what_the_table_was() -> None:
    calls = Calls()
    await music(calls)
    arn = await backup(calls)
    await calls("DeleteItem", TableName="music", Key=item("0"))
    await calls("PutItem", TableName="music", Item=item("9", n={"N": "9"}))
    described = (await calls("DescribeBackup", BackupArn=arn))["BackupDescription"]
    assert described["BackupDetails"]["BackupStatus"] == "AVAILABLE"
    assert described["SourceTableDetails"]["ItemCount"] == 3
    assert described["SourceTableFeatureDetails"] == {}
    await calls("RestoreTableFromBackup", TargetTableName="again", BackupArn=arn)
    assert await songs(calls, "again") == {"0": "1", "1": "1", "2": "1"}
    restored = (await calls("DescribeTable", TableName="again"))["Table"]
    assert restored["TableStatus"] == "ACTIVE"
    assert "RestoreSummary" not in restored


async def test_a_backup_made_in_slices_is_of_the_moment_it_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copying, "SLICE_ITEMS", 2)
    calls = Calls()
    await music(calls, 20)
    arn = await backup(calls)
    assert [event.topic for event in calls.outbox.events] == ["dynamodb.copy"]
    for number in range(20):
        if number % 3 == 0:
            await calls("DeleteItem", TableName="music", Key=item(str(number)))
        elif number % 3 == 1:
            await calls("PutItem", TableName="music", Item=item(str(number), n={"N": "2"}))
            await calls("PutItem", TableName="music", Item=item(str(number), n={"N": "3"}))
        await calls("PutItem", TableName="music", Item=item(f"new{number}", n={"N": "4"}))
    with pytest.raises(AwsError, match="Backup is being created"):
        await calls("DeleteBackup", BackupArn=arn)
    await due(calls)
    described = (await calls("DescribeBackup", BackupArn=arn))["BackupDescription"]
    assert described["BackupDetails"]["BackupStatus"] == "AVAILABLE"
    assert described["SourceTableDetails"]["ItemCount"] == 20
    made = await calls("RestoreTableFromBackup", TargetTableName="again", BackupArn=arn)
    assert made["TableDescription"]["TableStatus"] == "CREATING"
    assert made["TableDescription"]["RestoreSummary"]["RestoreInProgress"] is True
    with pytest.raises(AwsError, match="Backup is being used to restore table"):
        await calls("DeleteBackup", BackupArn=arn)
    with pytest.raises(AwsError, match="Backup is being used to restore another table"):
        await calls("RestoreTableFromBackup", TargetTableName="third", BackupArn=arn)
    with pytest.raises(AwsError, match="is already being restored from backup"):
        await calls("RestoreTableFromBackup", TargetTableName="again", BackupArn=arn)
    with pytest.raises(AwsError) as caught:
        await calls("Scan", TableName="again")
    assert caught.value.code == "ResourceNotFoundException"
    await due(calls)
    assert await songs(calls, "again") == {str(number): "1" for number in range(20)}


async def test_a_table_that_is_deleted_while_it_is_copied_is_copied_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copying, "SLICE_ITEMS", 2)
    calls = Calls()
    await music(calls, 20)
    arn = await backup(calls)
    await calls("DeleteTable", TableName="music")
    sweeps = [event for event in calls.outbox.events if event.topic == "dynamodb.sweep"]
    for event in sweeps:
        with pytest.raises(Exception, match="retry"):
            await calls.catalog.consume(calls.ctx, event)
    await due(calls)
    for event in sweeps:
        await calls.catalog.consume(calls.ctx, event)
    await calls("RestoreTableFromBackup", TargetTableName="again", BackupArn=arn)
    await due(calls)
    assert len(await songs(calls, "again")) == 20


async def test_nothing_of_the_log_is_left_after_a_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "SLICE_ITEMS", 2)
    calls = Calls()
    await music(calls, 20)
    before = calls.store._keys.copy()
    arn = await backup(calls)
    await calls("PutItem", TableName="music", Item=item("1", n={"N": "2"}))
    await due(calls)
    await calls("DeleteBackup", BackupArn=arn)
    await due(calls)
    await due(calls)
    assert calls.store._keys == before


async def test_a_deleted_backup_is_gone() -> None:
    calls = Calls()
    await music(calls)
    arn = await backup(calls)
    deleted = await calls("DeleteBackup", BackupArn=arn)
    assert deleted["BackupDescription"]["BackupDetails"]["BackupStatus"] == "DELETED"
    for operation in ("DescribeBackup", "DeleteBackup"):
        with pytest.raises(AwsError, match=f"Backup not found: {arn}"):
            await calls(operation, BackupArn=arn)
    assert (await calls("ListBackups"))["BackupSummaries"] == []


async def test_backups_are_listed_in_order_and_in_pages() -> None:
    calls = Calls()
    await music(calls)
    arns = []
    for _ in range(3):
        arns.append(await backup(calls, "same"))
        calls.clock.advance(1)
    page = await calls("ListBackups", TableName="music", Limit=2)
    assert [one["BackupArn"] for one in page["BackupSummaries"]] == arns[:2]
    rest = await calls("ListBackups", ExclusiveStartBackupArn=page["LastEvaluatedBackupArn"])
    assert [one["BackupArn"] for one in rest["BackupSummaries"]] == arns[2:]
    assert "LastEvaluatedBackupArn" not in await calls("ListBackups", Limit=3)
    assert (await calls("ListBackups", TableName="other"))["BackupSummaries"] == []


async def test_the_range_of_times_has_its_lower_bound_and_not_its_upper() -> None:
    calls = Calls()
    await music(calls)
    await backup(calls)
    at_s = calls.clock.now_ms() / 1000

    async def count(lower_s: float, upper_s: float) -> int:
        found = await calls("ListBackups", TimeRangeLowerBound=lower_s, TimeRangeUpperBound=upper_s)
        return len(found["BackupSummaries"])

    assert await count(at_s, at_s + 1) == 1
    assert await count(at_s - 1, at_s) == 0
    with pytest.raises(AwsError, match="lower bound must be less than or equal to upper bound"):
        await count(at_s + 1, at_s)


async def test_deleting_a_table_with_recovery_leaves_a_system_backup() -> None:
    calls = Calls()
    await music(calls)
    await calls(
        "UpdateContinuousBackups",
        TableName="music",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    await calls("DeleteTable", TableName="music")
    await due(calls)
    assert (await calls("ListBackups"))["BackupSummaries"] == []
    (found,) = (await calls("ListBackups", BackupType="SYSTEM"))["BackupSummaries"]
    assert found["BackupName"] == "music$DeletedTableBackup"
    assert found["BackupArn"].endswith("-00000000")
    assert found["BackupExpiryDateTime"] - found["BackupCreationDateTime"] == 35 * DAY_S
    with pytest.raises(AwsError, match="not allowed to delete the system backup"):
        await calls("DeleteBackup", BackupArn=found["BackupArn"])
    await calls("RestoreTableFromBackup", TargetTableName="music", BackupArn=found["BackupArn"])
    assert await songs(calls, "music") == {"0": "1", "1": "1", "2": "1"}
    calls.clock.advance(35 * DAY_S)
    await due(calls)
    await due(calls)
    assert (await calls("ListBackups", BackupType="ALL"))["BackupSummaries"] == []
    assert len(await songs(calls, "music")) == 3


INDEXED: dict[str, Any] = {
    "TableName": "indexed",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "kind", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "kinds",
            "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    "Tags": [{"Key": "a", "Value": "b"}],
    "SSESpecification": {"Enabled": True, "SSEType": "KMS"},
}


async def indexed(calls: Calls) -> str:
    await calls("CreateTable", **INDEXED)
    for number in range(5):
        made = {"id": {"S": str(number)}, "kind": {"S": "even" if number % 2 == 0 else "odd"}}
        await calls("PutItem", TableName="indexed", Item=made)
    made = await calls("CreateBackup", TableName="indexed", BackupName="one")
    arn: str = made["BackupDetails"]["BackupArn"]
    return arn


async def test_indexes_and_encryption_are_restored_and_streams_and_tags_are_not() -> None:
    calls = Calls()
    arn = await indexed(calls)
    features = (await calls("DescribeBackup", BackupArn=arn))["BackupDescription"][
        "SourceTableFeatureDetails"
    ]
    assert set(features) == {"GlobalSecondaryIndexes", "StreamDescription", "SSEDescription"}
    await calls("RestoreTableFromBackup", TargetTableName="again", BackupArn=arn)
    found = await calls(
        "Query",
        TableName="again",
        IndexName="kinds",
        KeyConditionExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": "even"}},
    )
    assert found["Count"] == 3
    table = (await calls("DescribeTable", TableName="again"))["Table"]
    assert "StreamSpecification" not in table
    assert table["SSEDescription"]["SSEType"] == "KMS"
    assert (await calls("ListTagsOfResource", ResourceArn=table["TableArn"]))["Tags"] == []


async def test_an_empty_override_leaves_the_indexes_out() -> None:
    calls = Calls()
    arn = await indexed(calls)
    await calls(
        "RestoreTableFromBackup",
        TargetTableName="again",
        BackupArn=arn,
        GlobalSecondaryIndexOverride=[],
    )
    table = (await calls("DescribeTable", TableName="again"))["Table"]
    assert "GlobalSecondaryIndexes" not in table
    assert [one["AttributeName"] for one in table["AttributeDefinitions"]] == ["id"]


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (
            {"ProvisionedThroughputOverride": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            "Cannot override ProvisionedThroughput unless BillingMode is PROVISIONED",
        ),
        (
            {"BillingModeOverride": "PROVISIONED"},
            "Must override ProvisionedThroughput if BillingMode is overridden to PROVISIONED",
        ),
        (
            {"OnDemandThroughputOverride": {"MaxReadRequestUnits": 0}},
            "Requested MaxReadRequestUnits for OnDemandThroughput is outside of valid range",
        ),
        (
            {
                "GlobalSecondaryIndexOverride": [
                    {
                        "IndexName": "new",
                        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ]
            },
            "Index new does not match a secondary index that existed",
        ),
    ],
)
async def test_overrides_that_do_not_fit_are_refused(overrides: dict[str, Any], text: str) -> None:
    calls = Calls()
    arn = await indexed(calls)
    with pytest.raises(AwsError, match=f"Invalid Request: {text}"):
        await calls("RestoreTableFromBackup", TargetTableName="again", BackupArn=arn, **overrides)
    with pytest.raises(AwsError, match="not found"):
        await calls("DescribeTable", TableName="again")


async def test_arns_that_name_no_backup_are_refused_in_awss_words() -> None:
    calls = Calls()
    await music(calls)
    table = "arn:aws:dynamodb:us-east-1:000000000000:table/music"
    for arn, code, text in (
        (table, "ValidationException", "Invalid Backup ARN"),
        ("x" * 48, "ValidationException", "Invalid Backup ARN"),
        (f"{table}/backup/1-2", "BackupNotFoundException", f"Backup not found: {table}/backup/1-2"),
        (f"{table}/backup/1".replace("0" * 12, "1" * 12), "AccessDeniedException", "Access is"),
    ):
        with pytest.raises(AwsError, match=text) as caught:
            await calls("DescribeBackup", BackupArn=arn)
        assert caught.value.code == code
    with pytest.raises(AwsError, match="Table not found: absent"):
        await calls("CreateBackup", TableName="absent", BackupName="one")
