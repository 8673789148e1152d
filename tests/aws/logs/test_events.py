"""Events put into a stream, read back in order, and searched."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]

DAY_MS = 86_400_000


@pytest.fixture
def logs(client: Client) -> Any:
    logs = client("logs")
    logs.create_log_group(logGroupName="g")
    for name in ("s", "t"):
        logs.create_log_stream(logGroupName="g", logStreamName=name)
    return logs


@pytest.fixture
def now_ms() -> int:
    return int(time.time() * 1000)


def put(logs: Any, stream: str, *events: tuple[int, str]) -> Any:
    listed = [{"timestamp": at_ms, "message": message} for at_ms, message in events]
    return logs.put_log_events(logGroupName="g", logStreamName=stream, logEvents=listed)


def messages(answer: Any) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_events_of_one_millisecond_keep_their_order(logs: Any, now_ms: int) -> None:
    put(logs, "s", (now_ms, "b"), (now_ms, "a"))
    put(logs, "s", (now_ms, "c"))
    answer = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)
    assert messages(answer) == ["b", "a", "c"]
    assert {"timestamp", "message", "ingestionTime"} == set(answer["events"][0])


def test_the_newest_page_comes_first_unless_the_head_is_asked_for(logs: Any, now_ms: int) -> None:
    put(logs, "s", *((now_ms + number, str(number)) for number in range(5)))
    newest = logs.get_log_events(logGroupName="g", logStreamName="s", limit=2)
    assert messages(newest) == ["3", "4"]
    before = logs.get_log_events(
        logGroupName="g", logStreamName="s", limit=2, nextToken=newest["nextBackwardToken"]
    )
    assert messages(before) == ["1", "2"]
    again = logs.get_log_events(
        logGroupName="g", logStreamName="s", limit=9, nextToken=before["nextForwardToken"]
    )
    assert messages(again) == ["3", "4"]


def test_at_the_end_the_forward_token_stays_the_same(logs: Any, now_ms: int) -> None:
    put(logs, "s", (now_ms, "a"))
    first = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)
    token = first["nextForwardToken"]
    second = logs.get_log_events(logGroupName="g", logStreamName="s", nextToken=token)
    assert (messages(second), second["nextForwardToken"]) == ([], token)
    put(logs, "s", (now_ms + 1, "b"))
    third = logs.get_log_events(logGroupName="g", logStreamName="s", nextToken=token)
    assert messages(third) == ["b"]


def test_a_strange_token_is_refused(logs: Any) -> None:
    for operation, names in (
        ("get_log_events", {"logGroupName": "g", "logStreamName": "s"}),
        ("filter_log_events", {"logGroupName": "g"}),
    ):
        with pytest.raises(ClientError) as caught:
            getattr(logs, operation)(**names, nextToken="what")
        assert caught.value.response["Error"] == {
            "Code": "InvalidParameterException",
            "Message": "The specified nextToken is invalid.",
        }


def test_a_limit_above_ten_thousand_is_refused(logs: Any) -> None:
    with pytest.raises(ClientError) as caught:
        logs.filter_log_events(logGroupName="g", limit=10_001)
    assert caught.value.response["Error"] == {
        "Code": "InvalidParameterException",
        "Message": "1 validation error detected: Value '10001' at 'limit' failed to satisfy "
        "constraint: Member must have value less than or equal to 10000",
    }


def test_events_must_be_in_order_of_time(logs: Any, now_ms: int) -> None:
    with pytest.raises(ClientError) as caught:
        put(logs, "s", (now_ms, "a"), (now_ms - 1, "b"))
    assert caught.value.response["Error"]["Message"] == (
        "Log events in a single PutLogEvents request must be in chronological order."
    )


def test_events_that_are_too_old_or_too_new_are_told(logs: Any, now_ms: int) -> None:
    old = put(logs, "s", (now_ms - 15 * DAY_MS, "old"))
    assert old["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    new = put(logs, "s", (now_ms, "ok"), (now_ms + 3 * 3_600_000, "new"))
    assert new["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert messages(logs.get_log_events(logGroupName="g", logStreamName="s")) == ["ok"]


def test_events_need_their_group_and_stream(logs: Any, now_ms: int) -> None:
    for group, stream, text in (
        ("none", "s", "The specified log group does not exist."),
        ("g", "none", "The specified log stream does not exist."),
    ):
        with pytest.raises(ClientError) as caught:
            logs.put_log_events(
                logGroupName=group,
                logStreamName=stream,
                logEvents=[{"timestamp": now_ms, "message": "x"}],
            )
        error = caught.value.response["Error"]
        assert error == {"Code": "ResourceNotFoundException", "Message": text}


def test_a_search_goes_across_streams_in_order_of_time(logs: Any, now_ms: int) -> None:
    put(logs, "s", (now_ms, "1"), (now_ms + 2, "3"))
    put(logs, "t", (now_ms + 1, "2"))
    answer = logs.filter_log_events(logGroupName="g")
    assert messages(answer) == ["1", "2", "3"]
    first = answer["events"][0]
    assert {"logStreamName", "timestamp", "message", "ingestionTime", "eventId"} == set(first)
    ids = [event["eventId"] for event in answer["events"]]
    assert all(len(one) == 56 and one.isdecimal() for one in ids) and sorted(set(ids)) == ids


def test_a_search_is_narrowed_by_stream_and_time(logs: Any, now_ms: int) -> None:
    put(logs, "s", (now_ms, "1"), (now_ms + 2, "3"))
    put(logs, "t", (now_ms + 1, "2"))

    def found(**options: Any) -> list[str]:
        return messages(logs.filter_log_events(logGroupName="g", **options))

    assert found(logStreamNames=["t"]) == ["2"]
    assert found(logStreamNamePrefix="s") == ["1", "3"]
    assert found(startTime=now_ms + 1, endTime=now_ms + 1) == ["2"]


def test_a_search_comes_in_pages(logs: Any, now_ms: int) -> None:
    put(logs, "s", *((now_ms, f"yes {number}") for number in range(5)))
    pages = list(
        logs.get_paginator("filter_log_events").paginate(
            logGroupName="g", filterPattern="yes", PaginationConfig={"PageSize": 2}
        )
    )
    assert [message for page in pages for message in messages(page)] == [
        f"yes {number}" for number in range(5)
    ]
    assert len(pages) == 3


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ERROR", ["ERROR one", "ERROR two"]),
        ("ERROR two", ["ERROR two"]),
        ('"R t"', ["ERROR two"]),
        ("ERROR -one", ["ERROR two"]),
        ("?one ?level", ["ERROR one", '{"level": "warn", "code": 5}']),
        ('{ $.level = "warn" }', ['{"level": "warn", "code": 5}']),
        ('{ $.level = "w*" && $.code >= 5 }', ['{"level": "warn", "code": 5}']),
        ("{ $.code < 5 }", []),
        ("[level = ERROR, word = t*]", ["ERROR two"]),
        ("", ["ERROR one", "ERROR two", '{"level": "warn", "code": 5}']),
    ],
)
def test_a_search_takes_patterns(logs: Any, now_ms: int, pattern: str, expected: list[str]) -> None:
    put(
        logs,
        "s",
        *((now_ms, text) for text in ("ERROR one", "ERROR two", '{"level": "warn", "code": 5}')),
    )
    assert messages(logs.filter_log_events(logGroupName="g", filterPattern=pattern)) == expected
