"""No bytes, however malformed, make a codec raise anything but an error that AWS would answer."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fogbank.gateway import constraints, models
from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.models import OperationModel
from fogbank.gateway.protocols import codec_of
from fogbank.services.errors import AwsError
from tests.gateway.wire import json_request, request_of

SERVICES = sorted(models.SERVICES)
JSON_BITS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["S", "N", "B", "M", "L", "Key", "Item", "TableName", "a", "Tags"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Delete>&b;</Delete>'
EXTERNAL = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete>&x;</Delete>'


def answer(model: models.ServiceModel, request: HttpRequest, payload: bytes) -> HttpResponse | None:
    """The response of the error, or None where the request was read."""
    codec = codec_of(model)
    operation: OperationModel | None = None
    try:
        operation = codec.route(model, request, payload)
        parsed = codec.parse(operation, request, payload)
        constraints.validator(operation)(parsed)
    except AwsError as error:
        response = codec.error(model, operation, error, "request-1")
        assert 400 <= response.status < 500
        return response
    return None


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(SERVICES),
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "X"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30),
    st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30),
    st.binary(max_size=60),
)
def test_any_bytes_are_read_or_refused(
    service: str, method: str, path: str, query: str, payload: bytes
) -> None:
    answer(models.load(service), request_of(method, f"/{path}", query, payload), payload)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["dynamodb", "logs"]), st.integers(0, 200), JSON_BITS)
def test_any_json_is_read_or_refused(service: str, pick: int, document: Any) -> None:
    model = models.load(service)
    operation = list(model.operations)[pick % len(model.operations)]
    payload = json.dumps(document).encode("utf-8", "surrogatepass")
    answer(model, json_request(f"x.{operation}", payload), payload)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(["iam", "sts"]), st.integers(0, 200), st.binary(max_size=80))
@example("iam", 0, b"Tags.member.99999999999999999999.Key=a&Tags.member.x.Key=b&Tags..=c&=&&.=x")
def test_any_form_is_read_or_refused(service: str, pick: int, form: bytes) -> None:
    model = models.load(service)
    name = list(model.operations)[pick % len(model.operations)]
    payload = b"Action=%s&Version=%s&%s" % (name.encode(), model.api_version.encode(), form)
    answer(model, request_of(body=payload), payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"x"',
        b"1e999",
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'{"Key":' + b'{"M":{"a":' * 450 + b"1" + b"}}" * 450 + b"}",
        b'{"Key":' + b'{"L":[' * 450 + b"1" + b"]}" * 450 + b"}",
        b'{"Limit":' + b"9" * 400 + b"}",
        b'{"TableName":"a","TableName":1}',
        b'{"TableName":"\\ud800"}',
    ],
)
def test_json_that_no_operation_can_read_is_a_client_error(payload: bytes) -> None:
    for service, target in (("dynamodb", "x.GetItem"), ("logs", "x.PutLogEvents")):
        assert answer(models.load(service), json_request(target, payload), payload) is not None


@pytest.mark.parametrize(
    "payload",
    [
        BOMB,
        EXTERNAL,
        b"<Delete>" * 5000,
        b"<Delete><Object><Key>" + b"<a>" * 100 + b"</a>" * 100 + b"</Key></Object></Delete>",
        b"<Delete><Object/></Delete>",
        b"<Other/>",
        b"<Delete>\x00</Delete>",
        b'<?xml version="1.0" encoding="nonsense"?><Delete/>',
        b"\xff\xfe<\x00D\x00",
        b"not xml",
        b"",
    ],
)
def test_xml_that_is_unsafe_or_invalid_is_a_client_error(payload: bytes) -> None:
    request = request_of("POST", "/bucket", "delete", payload)
    response = answer(models.load("s3"), request, payload)
    assert response is not None
    assert response.status == 400


def test_a_deep_form_is_a_client_error() -> None:
    payload = b"Action=CreateRole&Version=2010-05-08&" + b"a." * 5000 + b"=1"
    response = answer(models.load("iam"), request_of(body=payload), payload)
    assert response is not None
    assert response.status == 404


def test_an_integer_that_is_none_is_a_client_error() -> None:
    payload = b"Action=AssumeRole&Version=2011-06-15&DurationSeconds=abc"
    assert answer(models.load("sts"), request_of(body=payload), payload) is not None
