"""What AWS says of settings of tables that do not fit: TTL, insights, Kinesis, capacities."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.dynamodb.refusals import refusal
from tests.aws.dynamodb.test_backups import KEYED

Client = Callable[..., Any]

NOT_NULL = "failed to satisfy constraint: Member must not be null"
AT_LEAST_1 = "failed to satisfy constraint: Member must have value greater than or equal to 1"


@pytest.fixture
def dynamodb(client: Client) -> Any:
    made = client("dynamodb", parameter_validation=False)
    made.create_table(TableName="books", **KEYED)
    return made


def errors(*texts: str) -> str:
    plural = "s" if len(texts) > 1 else ""
    return f"{len(texts)} validation error{plural} detected: {'; '.join(texts)}"


def test_what_a_ttl_lacks_is_told_name_first(dynamodb: Any) -> None:
    _, text = refusal(dynamodb.update_time_to_live, TableName="books", TimeToLiveSpecification={})
    assert text == errors(
        f"Value null at 'timeToLiveSpecification.attributeName' {NOT_NULL}",
        f"Value null at 'timeToLiveSpecification.enabled' {NOT_NULL}",
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, ("null", NOT_NULL)),
        ({"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}, ("'0'", AT_LEAST_1)),
    ],
)
def test_what_is_wrong_with_capacities_is_told_writes_first(
    dynamodb: Any, given: dict[str, int], said: tuple[str, str]
) -> None:
    value, rule = said
    _, text = refusal(dynamodb.update_table, TableName="books", ProvisionedThroughput=given)
    assert text == errors(
        f"Value {value} at 'provisionedThroughput.writeCapacityUnits' {rule}",
        f"Value {value} at 'provisionedThroughput.readCapacityUnits' {rule}",
    )


def test_a_ttl_may_be_on_the_key(dynamodb: Any) -> None:
    live = {"Enabled": True, "AttributeName": "id"}
    dynamodb.update_time_to_live(TableName="books", TimeToLiveSpecification=live)
    described = dynamodb.describe_time_to_live(TableName="books")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "id"}


@pytest.mark.parametrize("wrong", ["", "ab", "x" * 256])
def test_insights_have_a_sentence_for_an_indexs_name(dynamodb: Any, wrong: str) -> None:
    refused = refusal(dynamodb.describe_contributor_insights, TableName="books", IndexName=wrong)
    assert refused == (
        "ValidationException",
        "IndexName must be at least 3 characters long and at most 255 characters long",
    )


def test_the_modes_of_insights_are_told_in_aws_order(dynamodb: Any) -> None:
    _, text = refusal(
        dynamodb.update_contributor_insights,
        TableName="books",
        ContributorInsightsAction="ENABLE",
        ContributorInsightsMode="",
    )
    assert text.endswith("enum value set: [THROTTLED_KEYS, ACCESSED_AND_THROTTLED_KEYS]")


def test_the_views_of_streams_are_told_in_aws_order(dynamodb: Any) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": ""}
    _, text = refusal(dynamodb.update_table, TableName="books", StreamSpecification=stream)
    assert text == errors(
        "Value '' at 'streamSpecification.streamViewType' failed to satisfy constraint: Member "
        "must satisfy enum value set: [OLD_IMAGE, KEYS_ONLY, NEW_AND_OLD_IMAGES, NEW_IMAGE]"
    )


@pytest.mark.parametrize(
    ("region", "why"),
    [
        ("us-east-1", "User does not have a permission to use kinesis stream"),
        (
            "eu-west-1",
            "The kinesis Arn used to enable kinesis replication belongs to a stream which is not "
            "in the current region",
        ),
    ],
)
def test_a_destination_tells_why_it_failed(
    dynamodb: Any, account: str, region: str, why: str
) -> None:
    arn = f"arn:aws:kinesis:{region}:{account}:stream/none"
    dynamodb.enable_kinesis_streaming_destination(TableName="books", StreamArn=arn)
    told = dynamodb.describe_kinesis_streaming_destination(TableName="books")
    (one,) = told["KinesisDataStreamDestinations"]
    assert (one["DestinationStatus"], one["DestinationStatusDescription"]) == ("ENABLE_FAILED", why)


def test_a_destination_is_not_disabled_with_a_configuration(dynamodb: Any, account: str) -> None:
    _, text = refusal(
        dynamodb.disable_kinesis_streaming_destination,
        TableName="books",
        StreamArn=f"arn:aws:kinesis:us-east-1:{account}:stream/none",
        EnableKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MILLISECOND"},
    )
    assert text == "Stream cannot be disabled using EnableKinesisStreamingConfiguration parameters"


def test_a_destination_that_is_not_active_is_not_updated(dynamodb: Any, account: str) -> None:
    arn = f"arn:aws:kinesis:us-east-1:{account}:stream/none"
    dynamodb.enable_kinesis_streaming_destination(TableName="books", StreamArn=arn)
    _, text = refusal(
        dynamodb.update_kinesis_streaming_destination,
        TableName="books",
        StreamArn=arn,
        UpdateKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"},
    )
    assert text.endswith(
        f"Updates are only allowed in ACTIVE state. TableName: books, kdsArn: {arn}"
    )
