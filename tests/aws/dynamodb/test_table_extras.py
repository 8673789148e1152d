"""Insights, Kinesis destinations and the older global tables through boto3."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.dynamodb.test_backups import KEYED

Client = Callable[..., Any]


def test_insights_are_switched_on_and_described(client: Client) -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(TableName="books", **KEYED)
    dynamodb.update_contributor_insights(TableName="books", ContributorInsightsAction="ENABLE")
    described = dynamodb.describe_contributor_insights(TableName="books")
    assert described["ContributorInsightsStatus"] == "ENABLED"
    assert len(described["ContributorInsightsRuleList"]) == 2
    assert described["LastUpdateDateTime"].year >= 2024
    (listed,) = dynamodb.list_contributor_insights()["ContributorInsightsSummaries"]
    assert listed["TableName"] == "books"


def test_a_destination_that_is_not_there_fails(client: Client, account: str) -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(TableName="books", **KEYED)
    arn = f"arn:aws:kinesis:us-east-1:{account}:stream/none"
    dynamodb.enable_kinesis_streaming_destination(TableName="books", StreamArn=arn)
    (one,) = dynamodb.describe_kinesis_streaming_destination(TableName="books")[
        "KinesisDataStreamDestinations"
    ]
    assert one["DestinationStatus"] == "ENABLE_FAILED"


def test_older_global_tables_are_not_found(client: Client) -> None:
    dynamodb = client("dynamodb")
    assert dynamodb.list_global_tables()["GlobalTables"] == []
    with pytest.raises(dynamodb.exceptions.GlobalTableNotFoundException):
        dynamodb.describe_global_table(GlobalTableName="books")
