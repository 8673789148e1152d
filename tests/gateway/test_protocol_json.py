"""JSON values: their types, in each service's words, and what becomes of them."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from fogbank.gateway import models
from fogbank.gateway.protocols import aws_json, rest_json, timestamps
from fogbank.services.errors import AwsError
from tests.gateway.wire import json_request, request_of

DYNAMODB = models.load("dynamodb")


def refusal(service: str, operation: str, document: Any) -> str | None:
    model = models.load(service)
    payload = orjson.dumps(document)
    with pytest.raises(AwsError) as caught:
        aws_json.parse(model.operations[operation], json_request("x", payload), payload)
    assert caught.value.code == "SerializationException"
    return caught.value.message


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"TableName": 23}, "NUMBER_VALUE cannot be converted to String"),
        ({"TableName": 3.5}, "DECIMAL_VALUE cannot be converted to String"),
        ({"TableName": True}, "TRUE_VALUE cannot be converted to String"),
        ({"TableName": []}, "Unrecognized collection type class java.lang.String"),
        ({"TableName": {}}, "Start of structure or map found where not expected"),
        ({"ConsistentRead": "x"}, "Unexpected token received from parser"),
        ({"ConsistentRead": 1}, "NUMBER_VALUE cannot be converted to Boolean"),
        ({"Key": "x"}, "Unexpected field type"),
        (
            {"Key": []},
            "Unrecognized collection type java.util.Map<java.lang.String, "
            "com.amazonaws.dynamodb.v20120810.AttributeValue>",
        ),
        ({"Key": {"a": "x"}}, "Unexpected value type in payload"),
        (
            {"Key": {"a": []}},
            "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
        ),
        ({"Key": {"a": {"N": 1}}}, "NUMBER_VALUE cannot be converted to String"),
        (
            {"Key": {"a": {"B": 1}}},
            "only base-64-encoded strings are convertible to bytes",
        ),
        (
            {"Key": {"a": {"B": "23456"}}},
            "Base64 encoded length is expected a multiple of 4 bytes but found: 5",
        ),
        ({"Key": {"a": {"B": "=+/="}}}, "Invalid last non-pad Base64 character dectected"),
        ({"AttributesToGet": "x"}, "Unexpected field type"),
        ({"Key": {"a": {"L": ["x"]}}}, "Unexpected value type in payload"),
    ],
)
def test_dynamodb_words_wrong_types_in_its_own_way(document: Any, text: str) -> None:
    assert refusal("dynamodb", "GetItem", document) == text


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"logGroupName": 1}, "NUMBER_VALUE can not be converted to a String"),
        ({"limit": "x"}, "STRING_VALUE can not be converted to an Integer"),
        ({"logGroupName": []}, "Start of list found where not expected"),
        ({"logGroupName": {}}, "Start of structure or map found where not expected."),
        ({"logStreamNames": "x"}, "Expected list or null"),
    ],
)
def test_other_services_share_the_words_of_the_framework(document: Any, text: str) -> None:
    assert refusal("logs", "FilterLogEvents", document) == text


def test_dynamodb_items_stay_as_they_came() -> None:
    payload = b'{"TableName":"abc","Key":{"a":{"B":"AAE="}},"ProjectionExpression":null,"Odd":1}'
    found = aws_json.parse(DYNAMODB.operations["GetItem"], json_request("x", payload), payload)
    assert found == {"TableName": "abc", "Key": {"a": {"B": "AAE="}}, "Odd": 1}


def test_a_fraction_is_truncated_where_a_whole_number_is_wanted() -> None:
    payload = b'{"TableName":"abc","Limit":2.9}'
    found = aws_json.parse(DYNAMODB.operations["Scan"], json_request("x", payload), payload)
    assert found["Limit"] == 2


def test_a_finished_body_is_sent_as_it_is() -> None:
    response = aws_json.serialize(
        DYNAMODB.operations["GetItem"], {"__raw__": b'{"Item":{}}'}, "request-1"
    )
    assert response.body == b'{"Item":{}}'
    assert (b"content-type", b"application/x-amz-json-1.0") in response.headers


def test_a_lone_surrogate_is_escaped() -> None:
    output = {"logGroups": [{"logGroupName": "a\ud800"}]}
    operation = models.load("logs").operations["DescribeLogGroups"]
    body = aws_json.serialize(operation, output, "request-1").body
    assert body == b'{"logGroups":[{"logGroupName":"a\\ud800"}]}'


def test_null_is_absence_and_unknown_members_are_ignored() -> None:
    payload = b'{"FunctionName":"f","Description":null,"Nonsense":1,"Code":{"ZipFile":"YQ=="}}'
    found = rest_json.parse(
        models.load("lambda").operations["CreateFunction"],
        request_of("POST", "/2015-03-31/functions", body=payload),
        payload,
    )
    assert found == {"FunctionName": "f", "Code": {"ZipFile": b"a"}}


def test_the_path_wins_over_the_document() -> None:
    payload = b'{"FunctionName":"other","Description":"d"}'
    found = rest_json.parse(
        models.load("lambda").operations["UpdateFunctionConfiguration"],
        request_of("PUT", "/2015-03-31/functions/mine/configuration", body=payload),
        payload,
    )
    assert found == {"FunctionName": "mine", "Description": "d"}


def test_lambda_says_in_its_own_words_that_a_payload_is_no_json() -> None:
    with pytest.raises(AwsError) as caught:
        rest_json.parse(
            models.load("lambda").operations["CreateFunction"],
            request_of("POST", "/2015-03-31/functions", body=b"{"),
            b"{",
        )
    assert caught.value.code == "InvalidRequestContentException"


@pytest.mark.parametrize("path", ["/tags/arn%3Aa%2Fb", "/tags/arn:a/b"])
def test_the_slashes_of_an_arn_may_be_escaped_or_not(path: str) -> None:
    model = models.load("apigateway")
    request = request_of("GET", path)
    operation = rest_json.route(model, request, b"")
    assert rest_json.parse(operation, request, b"") == {"resourceArn": "arn:a/b"}


@pytest.mark.parametrize("value", [1767225600, 1767225600.0, datetime(2026, 1, 1, tzinfo=UTC)])
def test_moments_render_alike_from_numbers_and_datetimes(value: Any) -> None:
    assert timestamps.epoch_of(value) == 1767225600
    assert timestamps.render(value, timestamps.RFC822) == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert timestamps.render(value, timestamps.ISO8601) == "2026-01-01T00:00:00.000Z"


def test_epoch_seconds_keep_three_decimals() -> None:
    assert timestamps.epoch_of(1767225600.12345) == 1767225600.123


@pytest.mark.parametrize(
    "text",
    [
        "1767225600",
        "Thu, 01 Jan 2026 00:00:00 GMT",
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00+01:00",
        "2026-01-01T00:00:00.000Z",
    ],
)
def test_a_moment_is_read_in_any_form(text: str) -> None:
    assert timestamps.parse(text) == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "x", "999999999999999", "2026-13-01", "9999-99"])
def test_what_is_no_moment_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".|^$"):
        timestamps.parse(text)


def test_every_millisecond_of_a_second_is_rendered_as_it_is() -> None:
    for start in (0, 1_763_600_000, -1):
        shown = [timestamps.iso8601(start + millis / 1000) for millis in range(1000)]
        assert [text[-5:] for text in shown] == [f".{millis:03}Z"[-5:] for millis in range(1000)]
        assert len({text[:19] for text in shown}) == 1
