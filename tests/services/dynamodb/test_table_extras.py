"""Contributor Insights, Kinesis destinations and the older global tables, in AWS's words."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_backups import INDEXED, music
from tests.services.dynamodb.test_replicas import EUROPE, HERE, group

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/none"


async def insights(calls: Calls, action: str, **more: Any) -> dict[str, Any]:
    return await calls("UpdateContributorInsights", ContributorInsightsAction=action, **more)


async def test_a_table_without_insights_says_only_that() -> None:
    calls = Calls()
    await music(calls)
    described = await calls("DescribeContributorInsights", TableName="music")
    assert described == {"TableName": "music", "ContributorInsightsStatus": "DISABLED"}
    disabled = await insights(calls, "DISABLE", TableName="music")
    assert disabled["ContributorInsightsStatus"] == "DISABLED"
    listed = await calls("ListContributorInsights", TableName="music")
    assert listed == {"ContributorInsightsSummaries": []}


async def test_insights_name_a_rule_for_each_kind_of_key() -> None:
    calls = Calls()
    await music(calls)
    answer = await insights(calls, "ENABLE", TableName="music")
    assert answer == {
        "TableName": "music",
        "ContributorInsightsStatus": "ENABLING",
        "ContributorInsightsMode": "ACCESSED_AND_THROTTLED_KEYS",
    }
    described = await calls("DescribeContributorInsights", TableName="music")
    assert described["ContributorInsightsStatus"] == "ENABLED"
    assert described["ContributorInsightsRuleList"] == [
        f"DynamoDBContributorInsights-{kind}-music-{calls.clock.now_ms()}"
        for kind in ("PKC", "SKC", "PKT", "SKT")
    ]
    again = await insights(calls, "ENABLE", TableName="music")
    assert again["ContributorInsightsStatus"] == "ENABLED"
    await insights(calls, "ENABLE", TableName="music", ContributorInsightsMode="THROTTLED_KEYS")
    described = await calls("DescribeContributorInsights", TableName="music")
    assert len(described["ContributorInsightsRuleList"]) == 2
    await insights(calls, "DISABLE", TableName="music")
    described = await calls("DescribeContributorInsights", TableName="music")
    assert described["ContributorInsightsStatus"] == "DISABLED"
    assert "ContributorInsightsRuleList" not in described


async def test_insights_are_listed_in_pages_the_table_first() -> None:
    calls = Calls()
    await calls("CreateTable", **INDEXED)
    await insights(calls, "ENABLE", TableName="indexed", IndexName="kinds")
    await insights(calls, "ENABLE", TableName="indexed")
    page = await calls("ListContributorInsights", MaxResults=1)
    assert "IndexName" not in page["ContributorInsightsSummaries"][0]
    rest = await calls("ListContributorInsights", NextToken=page["NextToken"])
    assert [one["IndexName"] for one in rest["ContributorInsightsSummaries"]] == ["kinds"]
    assert "NextToken" not in rest
    with pytest.raises(AwsError, match="Index: none not found for table: indexed"):
        await insights(calls, "ENABLE", TableName="indexed", IndexName="none")
    with pytest.raises(AwsError, match="nextToken is invalid"):
        await calls("ListContributorInsights", NextToken="zz")


async def test_a_kinesis_destination_fails_for_there_is_no_kinesis() -> None:
    calls = Calls()
    await music(calls)
    answer = await calls("EnableKinesisStreamingDestination", TableName="music", StreamArn=STREAM)
    assert answer == {
        "TableName": "music",
        "StreamArn": STREAM,
        "DestinationStatus": "ENABLING",
        "EnableKinesisStreamingConfiguration": {},
    }
    described = await calls("DescribeKinesisStreamingDestination", TableName="music")
    assert described["KinesisDataStreamDestinations"] == [
        {
            "StreamArn": STREAM,
            "DestinationStatus": "ENABLE_FAILED",
            "DestinationStatusDescription": "User does not have a permission to use kinesis stream",
        }
    ]


@pytest.mark.parametrize(
    ("operation", "request_", "text"),
    [
        ("Disable", {}, "KinesisStreamingDestination must be ACTIVE to perform DISABLE operation."),
        ("Update", {}, "UpdateKinesisStreamingConfiguration cannot be null"),
        (
            "Update",
            {
                "UpdateKinesisStreamingConfiguration": {
                    "ApproximateCreationDateTimePrecision": "MICROSECOND"
                }
            },
            f"No streaming destination with streamArn: {STREAM} found for table with tableName",
        ),
        ("Enable", {"TableName": "absent"}, "Requested resource not found: Table: absent not"),
    ],
)
async def test_kinesis_requests_are_refused_as_at_aws(
    operation: str, request_: dict[str, Any], text: str
) -> None:
    calls = Calls()
    await music(calls)
    request = {"TableName": "music", "StreamArn": STREAM, **request_}
    with pytest.raises(AwsError, match=text):
        await calls(f"{operation}KinesisStreamingDestination", **request)


@pytest.mark.parametrize(
    ("operation", "request_", "code", "text"),
    [
        ("DescribeGlobalTable", {}, "GlobalTableNotFoundException", "Global table not found: Glob"),
        ("DescribeGlobalTableSettings", {}, "GlobalTableNotFoundException", "Global table with"),
        ("CreateGlobalTable", {"ReplicationGroup": []}, "ValidationException", "2017.11.29 is not"),
        ("UpdateGlobalTable", {"ReplicaUpdates": []}, "ValidationException", "One or more param"),
        (
            "UpdateGlobalTable",
            {"ReplicaUpdates": [{"Delete": {"RegionName": EUROPE}}]},
            "GlobalTableNotFoundException",
            "Global table with name: 'music' does not exist.",
        ),
    ],
)
async def test_the_older_global_tables_are_gone(
    operation: str, request_: dict[str, Any], code: str, text: str
) -> None:
    calls = Calls()
    with pytest.raises(AwsError, match=text) as caught:
        await calls(operation, GlobalTableName="music", **request_)
    assert caught.value.code == code
    assert await calls("ListGlobalTables") == {"GlobalTables": []}


async def test_replicas_are_not_scaled() -> None:
    calls = Calls()
    with pytest.raises(AwsError, match="Global table with name: 'music'") as caught:
        await calls("DescribeTableReplicaAutoScaling", TableName="music")
    assert caught.value.code == "ResourceNotFoundException"
    await group(calls, EUROPE)
    described = await calls("DescribeTableReplicaAutoScaling", TableName="music")
    replicas = described["TableAutoScalingDescription"]["Replicas"]
    assert {one["RegionName"] for one in replicas} == {HERE, EUROPE}
    settings = replicas[0]["ReplicaProvisionedWriteCapacityAutoScalingSettings"]
    assert settings == {"AutoScalingDisabled": True, "ScalingPolicies": []}
