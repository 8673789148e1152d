"""What a function may answer, and what the client then gets."""

from typing import Any

import orjson
import pytest

from fogbank.services.apigateway.media import BinaryTypes
from fogbank.services.apigateway.proxy_response import Headers, Malformed, read

NONE = BinaryTypes(frozenset())


def parsed(
    answer: Any, binary: BinaryTypes = NONE, accept: str | None = None
) -> tuple[int, Headers, bytes]:
    return read(orjson.dumps(answer), binary, accept)


def values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


def test_an_empty_object_is_an_empty_200() -> None:
    assert parsed({}) == (200, [(b"Content-Type", b"application/json")], b"")


@pytest.mark.parametrize("status", [201, "201", 201.0])
def test_a_status_may_be_a_number_or_a_numeric_text(status: Any) -> None:
    assert parsed({"statusCode": status})[0] == 201


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "text",
        1,
        {"statusCode": "abc"},
        {"statusCode": True},
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": "²00"},
        {"statusCode": 200, "extra": 1},
        {"body": {"a": 1}},
        {"body": [1]},
        {"headers": []},
        {"headers": {"a": []}},
        {"multiValueHeaders": {"a": "b"}},
        {"isBase64Encoded": "perhaps"},
    ],
)
def test_any_other_shape_is_malformed(answer: Any) -> None:
    with pytest.raises(Malformed):
        parsed(answer)


def test_what_is_no_json_is_malformed() -> None:
    with pytest.raises(Malformed):
        read(b"{", NONE, None)


def test_a_boolean_header_prints_as_json_has_it() -> None:
    assert values(parsed({"headers": {"X-Flag": True}})[1], b"X-Flag") == [b"true"]


def test_header_names_keep_the_functions_case() -> None:
    assert (b"x-CaSe", b"1") in parsed({"headers": {"x-CaSe": 1}})[1]


def test_a_null_header_is_left_out() -> None:
    assert values(parsed({"headers": {"X-Nothing": None}})[1], b"X-Nothing") == []


def test_lists_come_first_and_a_value_that_they_hold_is_not_repeated() -> None:
    answer = {"multiValueHeaders": {"Set-Cookie": ["a", "b"]}, "headers": {"set-cookie": "b"}}
    assert values(parsed(answer)[1], b"Set-Cookie") == [b"a", b"b"]


def test_a_single_value_is_added_to_the_list_of_the_same_name() -> None:
    answer = {"multiValueHeaders": {"X-A": ["1"]}, "headers": {"x-a": "2"}}
    assert values(parsed(answer)[1], b"X-A") == [b"1", b"2"]


@pytest.mark.parametrize("name", ["Date", "Server", "Content-Length", "WWW-Authenticate", "Host"])
def test_headers_of_the_hop_to_the_client_are_remapped(name: str) -> None:
    headers = parsed({"headers": {name: "x"}})[1]
    assert values(headers, f"x-amzn-Remapped-{name}".encode()) == [b"x"]
    assert values(headers, name.encode()) == []


def test_a_transfer_encoding_is_dropped() -> None:
    headers = parsed({"headers": {"Transfer-Encoding": "chunked"}})[1]
    assert headers == [(b"Content-Type", b"application/json")]


def test_the_functions_content_type_wins_over_json() -> None:
    headers = parsed({"headers": {"content-type": "text/html"}})[1]
    assert headers == [(b"content-type", b"text/html")]


def test_base64_stays_text_where_the_api_has_no_binary_types() -> None:
    assert parsed({"body": "aGk=", "isBase64Encoded": True}, NONE, "*/*")[2] == b"aGk="


def test_base64_is_decoded_where_accept_names_a_binary_type() -> None:
    binary = BinaryTypes(frozenset({"image/png"}))
    answer = {"body": "aGk=", "isBase64Encoded": True}
    assert parsed(answer, binary, "image/png, */*")[2] == b"hi"
    assert parsed(answer, binary, "text/html, image/png")[2] == b"aGk="


def test_everything_is_binary_where_the_api_says_so() -> None:
    binary = BinaryTypes(frozenset({"*/*"}))
    assert parsed({"body": "aGk=", "isBase64Encoded": True}, binary)[2] == b"hi"


def test_a_body_that_is_no_base64_is_malformed_when_it_is_decoded() -> None:
    with pytest.raises(Malformed):
        parsed({"body": "#", "isBase64Encoded": True}, BinaryTypes(frozenset({"*/*"})))


def test_a_number_stands_for_its_text_in_a_body() -> None:
    assert parsed({"body": 7})[2] == b"7"
