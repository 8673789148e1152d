"""Log groups and streams."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]


@pytest.fixture
def logs(client: Client) -> Any:
    return client("logs")


def names(answer: Any) -> list[str]:
    return [group["logGroupName"] for group in answer["logGroups"]]


def test_a_group_is_described_with_its_arns(logs: Any, account: str) -> None:
    logs.create_log_group(logGroupName="/a/b")
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/a")["logGroups"]
    del group["creationTime"]
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:/a/b"
    assert group == {
        "arn": f"{arn}:*",
        "deletionProtectionEnabled": False,
        "logGroupArn": arn,
        "logGroupClass": "STANDARD",
        "logGroupName": "/a/b",
        "metricFilterCount": 0,
        "storedBytes": 0,
    }


def test_groups_of_another_region_are_not_seen(logs: Any, client: Client) -> None:
    logs.create_log_group(logGroupName="here")
    assert client("logs", region="eu-west-1").describe_log_groups()["logGroups"] == []


def test_a_second_group_of_the_name_is_refused(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    with pytest.raises(ClientError) as caught:
        logs.create_log_group(logGroupName="g")
    assert caught.value.response["Error"] == {
        "Code": "ResourceAlreadyExistsException",
        "Message": "The specified log group already exists",
    }
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_groups_are_found_by_prefix_and_by_pattern(logs: Any) -> None:
    for name in ("/app/one", "/app/two", "/other/One"):
        logs.create_log_group(logGroupName=name)
    assert names(logs.describe_log_groups(logGroupNamePrefix="/app/")) == ["/app/one", "/app/two"]
    assert names(logs.describe_log_groups(logGroupNamePattern="one")) == ["/app/one", "/other/One"]


def test_groups_come_in_pages(logs: Any) -> None:
    for number in range(5):
        logs.create_log_group(logGroupName=f"g{number}")
    pages = logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 2})
    assert [names(page) for page in pages] == [["g0", "g1"], ["g2", "g3"], ["g4"]]


def test_a_deleted_group_takes_its_events_with_it(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    logs.delete_log_group(logGroupName="g")
    with pytest.raises(ClientError, match="The specified log group does not exist"):
        logs.describe_log_streams(logGroupName="g")
    logs.create_log_group(logGroupName="g")
    assert logs.describe_log_streams(logGroupName="g")["logStreams"] == []


def test_retention_is_kept_and_taken_away(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    logs.put_retention_policy(logGroupName="g", retentionInDays=7)
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 7
    logs.delete_retention_policy(logGroupName="g")
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]


def test_retention_has_fixed_steps(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    with pytest.raises(ClientError) as caught:
        logs.put_retention_policy(logGroupName="g", retentionInDays=8)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_tags_by_arn_and_by_name_are_the_same(logs: Any, account: str) -> None:
    logs.create_log_group(logGroupName="g", tags={"env": "test"})
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:g"
    logs.tag_resource(resourceArn=arn, tags={"a": "1"})
    logs.untag_log_group(logGroupName="g", tags=["env"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "1"}
    assert logs.list_tags_log_group(logGroupName="g")["tags"] == {"a": "1"}


def test_streams_are_ordered_by_name_or_by_their_last_event(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    now_ms = logs.describe_log_groups()["logGroups"][0]["creationTime"]
    for name, at_ms in (("a", now_ms), ("b", now_ms + 2), ("c", now_ms + 1)):
        logs.create_log_stream(logGroupName="g", logStreamName=name)
        event = {"timestamp": at_ms, "message": "x"}
        logs.put_log_events(logGroupName="g", logStreamName=name, logEvents=[event])

    def ordered(**options: Any) -> list[str]:
        found = logs.describe_log_streams(logGroupName="g", **options)["logStreams"]
        return [stream["logStreamName"] for stream in found]

    assert ordered() == ["a", "b", "c"]
    assert ordered(orderBy="LastEventTime", descending=True) == ["b", "c", "a"]
    assert ordered(logStreamNamePrefix="b") == ["b"]


def test_a_stream_needs_its_group(logs: Any) -> None:
    with pytest.raises(ClientError, match="The specified log group does not exist"):
        logs.create_log_stream(logGroupName="none", logStreamName="s")
