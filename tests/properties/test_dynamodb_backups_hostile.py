"""Hostile requests for backups, recovery, exports, imports and replicas: never a bug of ours."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.test_dynamodb_hostile import ARN, KEY, _spoil, deliver_due, refused_at_most
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC

NOW_S = 1_700_000_000
KEYED = {
    "TableName": "imported",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
TARGET = {
    "TargetTableName": "again",
    "BillingModeOverride": "PAY_PER_REQUEST",
    "OnDemandThroughputOverride": {"MaxReadRequestUnits": 5},
    "SSESpecificationOverride": {"Enabled": True},
    "LocalSecondaryIndexOverride": [],
}
DESTINATION = {"TableName": "music", "StreamArn": f"{ARN}/stream"}
GOOD: dict[str, dict[str, Any]] = {
    "CreateBackup": {"TableName": "music", "BackupName": "one"},
    "DescribeBackup": {"BackupArn": f"{ARN}/backup/1"},
    "DeleteBackup": {"BackupArn": f"{ARN}/backup/1"},
    "ListBackups": {
        "TableName": "music",
        "Limit": 3,
        "TimeRangeLowerBound": NOW_S,
        "TimeRangeUpperBound": NOW_S + 1,
        "ExclusiveStartBackupArn": f"{ARN}/backup/1",
        "BackupType": "ALL",
    },
    "RestoreTableFromBackup": {**TARGET, "BackupArn": "made"},
    "RestoreTableToPointInTime": {
        **TARGET,
        "SourceTableName": "music",
        "RestoreDateTime": NOW_S,
    },
    "UpdateContinuousBackups": {
        "TableName": "music",
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": True,
            "RecoveryPeriodInDays": 3,
        },
    },
    "ExportTableToPointInTime": {
        "TableArn": ARN,
        "ExportTime": NOW_S,
        "S3Bucket": "exports",
        "ClientToken": "t",
        "S3Prefix": "p",
    },
    "DescribeExport": {"ExportArn": f"{ARN}/export/1"},
    "ListExports": {"TableArn": ARN, "MaxResults": 2},
    "ImportTable": {
        "S3BucketSource": {"S3Bucket": "exports", "S3KeyPrefix": "in"},
        "InputFormat": "CSV",
        "InputFormatOptions": {"Csv": {"Delimiter": ";", "HeaderList": ["id"]}},
        "TableCreationParameters": KEYED,
    },
    "DescribeImport": {"ImportArn": f"{ARN}/import/1"},
    "ListImports": {"TableArn": ARN, "PageSize": 2},
    "UpdateTable": {
        "TableName": "music",
        "ReplicaUpdates": [
            {"Create": {"RegionName": "eu-west-1", "TableClassOverride": "STANDARD"}}
        ],
    },
    "UpdateContributorInsights": {
        "TableName": "music",
        "ContributorInsightsAction": "ENABLE",
        "ContributorInsightsMode": "THROTTLED_KEYS",
    },
    "ListContributorInsights": {"TableName": "music", "MaxResults": 1},
    "EnableKinesisStreamingDestination": DESTINATION,
    "UpdateKinesisStreamingDestination": {
        **DESTINATION,
        "UpdateKinesisStreamingConfiguration": {
            "ApproximateCreationDateTimePrecision": "MICROSECOND"
        },
    },
    "UpdateGlobalTable": {"GlobalTableName": "music", "ReplicaUpdates": [{"Delete": {}}]},
}


@pytest.mark.parametrize("operation", GOOD)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_a_hostile_request_gets_an_awss_error(operation: str, data: st.DataObject) -> None:
    asyncio.run(_call(operation, _spoil(data.draw, GOOD[operation])))


async def _call(operation: str, request: Any) -> None:
    if not isinstance(request, dict):
        return
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    await calls("PutItem", TableName="music", Item=KEY)
    spec = {"PointInTimeRecoveryEnabled": True}
    await calls("UpdateContinuousBackups", TableName="music", PointInTimeRecoverySpecification=spec)
    made = await calls("CreateBackup", TableName="music", BackupName="one")
    if request.get("BackupArn") == "made":
        request = {**request, "BackupArn": made["BackupDetails"]["BackupArn"]}
    await refused_at_most(calls(operation, **request))
    await deliver_due(calls)
