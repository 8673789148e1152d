"""Backups, recovery and restores through boto3."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.stack import RunningStack, new_root

Client = Callable[..., Any]

KEYED: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
DEADLINE_S = 20


def fill(dynamodb: Any, table: str, count: int, size_bytes: int = 10) -> None:
    for start in range(0, count, 25):
        puts = [
            {"PutRequest": {"Item": {"id": {"S": str(number)}, "v": {"S": "x" * size_bytes}}}}
            for number in range(start, min(start + 25, count))
        ]
        dynamodb.batch_write_item(RequestItems={table: puts})


def wait_for(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not look():
        assert time.monotonic() < deadline, what


def status(dynamodb: Any, table: str) -> str:
    found: str = dynamodb.describe_table(TableName=table)["Table"]["TableStatus"]
    return found


def count(dynamodb: Any, table: str) -> int:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, Select="COUNT")
    return sum(page["Count"] for page in pages)


def test_a_backup_is_made_listed_restored_and_deleted(client: Client) -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(TableName="books", **KEYED)
    fill(dynamodb, "books", 3)
    made = dynamodb.create_backup(TableName="books", BackupName="one")["BackupDetails"]
    listed = dynamodb.list_backups(TableName="books")["BackupSummaries"]
    assert [one["BackupArn"] for one in listed] == [made["BackupArn"]]
    assert listed[0]["BackupCreationDateTime"] == made["BackupCreationDateTime"]
    description = dynamodb.describe_backup(BackupArn=made["BackupArn"])["BackupDescription"]
    assert description["BackupDetails"]["BackupStatus"] == "AVAILABLE"
    dynamodb.delete_table(TableName="books")
    dynamodb.restore_table_from_backup(TargetTableName="again", BackupArn=made["BackupArn"])
    dynamodb.get_waiter("table_exists").wait(TableName="again")
    assert count(dynamodb, "again") == 3
    dynamodb.delete_backup(BackupArn=made["BackupArn"])
    with pytest.raises(dynamodb.exceptions.BackupNotFoundException):
        dynamodb.describe_backup(BackupArn=made["BackupArn"])


def test_a_table_is_restored_to_a_second_of_its_window(client: Client) -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(TableName="books", **KEYED)
    fill(dynamodb, "books", 3)
    spec = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}
    answer = dynamodb.update_continuous_backups(
        TableName="books", PointInTimeRecoverySpecification=spec
    )
    window = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    earliest = window["EarliestRestorableDateTime"]
    wait_for(lambda: time.time() > earliest.timestamp() + 0.1, "the second passes")
    dynamodb.delete_item(TableName="books", Key={"id": {"S": "0"}})
    dynamodb.restore_table_to_point_in_time(
        SourceTableName="books", TargetTableName="before", RestoreDateTime=earliest
    )
    dynamodb.restore_table_to_point_in_time(
        SourceTableName="books", TargetTableName="now", UseLatestRestorableTime=True
    )
    assert (count(dynamodb, "before"), count(dynamodb, "now")) == (3, 2)
    with pytest.raises(dynamodb.exceptions.InvalidRestoreTimeException):
        dynamodb.restore_table_to_point_in_time(
            SourceTableName="books", TargetTableName="long-ago", RestoreDateTime=1
        )


def test_a_copy_goes_on_after_the_server_was_killed() -> None:
    running = RunningStack(new_root()).start()
    try:
        dynamodb = running.client("dynamodb")
        dynamodb.create_table(TableName="books", **KEYED)
        fill(dynamodb, "books", 3000, 200)
        arn = dynamodb.create_backup(TableName="books", BackupName="one")["BackupDetails"][
            "BackupArn"
        ]
        fill(dynamodb, "books", 50, 300)
        running.kill()
        running.start()
        dynamodb = running.client("dynamodb")

        def made() -> bool:
            found = dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]
            return bool(found["BackupDetails"]["BackupStatus"] == "AVAILABLE")

        wait_for(made, "the backup is made")
        dynamodb.restore_table_from_backup(TargetTableName="again", BackupArn=arn)
        wait_for(lambda: status(dynamodb, "again") == "ACTIVE", "the table is restored")
        pages = dynamodb.get_paginator("scan").paginate(TableName="again")
        sizes = [len(item["v"]["S"]) for page in pages for item in page["Items"]]
        assert sizes == [200] * 3000
    except ClientError as error:
        raise AssertionError(running.log()) from error
    finally:
        running.stop()
