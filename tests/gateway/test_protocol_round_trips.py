"""botocore is the oracle: it writes what we parse, and reads what we write."""

import asyncio
import base64
from datetime import datetime
from functools import cache
from typing import Any

import botocore.awsrequest
import botocore.compat
import botocore.parsers
import botocore.serialize
import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.gateway import models
from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.models import OperationModel
from fogbank.gateway.protocols import codec_of, s3_departures
from fogbank.gateway.protocols.wire_form import WIRE_FORM_SERVICES
from fogbank.services.body import Body
from tests.gateway.samples import Sample, streams_events

SERVICES = sorted(models.SERVICES)


@cache
def oracle(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def operations(service: str) -> list[OperationModel]:
    left_out = s3_departures.NOT_ROUTED if service == "s3" else {}
    return [
        operation
        for name, operation in models.load(service).operations.items()
        if name not in left_out and not streams_events(operation)
    ]


def sent_by_botocore(
    operation: OperationModel, params: dict[str, Any]
) -> tuple[HttpRequest, bytes]:
    service = oracle(operation.service.name)
    serializer = botocore.serialize.create_serializer(operation.service.protocol, False)
    sent = serializer.serialize_to_request(params, service.operation_model(operation.name))
    path, _, query = sent["url_path"].partition("?")
    if sent["query_string"]:
        pairs = []
        for name, value in sent["query_string"].items():
            pairs += [(name, each) for each in (value if isinstance(value, list) else [value])]
        query = "&".join(filter(None, [query, botocore.compat.urlencode(pairs)]))
    body = sent["body"]
    if isinstance(body, dict):
        body = botocore.compat.urlencode(body)
    body = body.encode() if isinstance(body, str) else bytes(body)
    headers = [(name.encode(), str(value).encode()) for name, value in sent["headers"].items()]
    return HttpRequest(sent["method"], path, query, headers, Body.of(body)), body


def parsed(operation: OperationModel, params: dict[str, Any]) -> dict[str, Any]:
    request, body = sent_by_botocore(operation, params)
    codec = codec_of(operation.service)
    routed = codec.route(operation.service, request, body)
    assert routed.name == operation.name
    return codec.parse(routed, request, body)


def comparable(value: Any, *, wire: bool = False) -> Any:
    """Bodies read; in DynamoDB's wire form binary is base64 and time a number."""
    if isinstance(value, Body):
        return asyncio.run(value.read())
    if isinstance(value, dict):
        return {name: comparable(each, wire=wire) for name, each in value.items()}
    if isinstance(value, list):
        return [comparable(each, wire=wire) for each in value]
    if wire and isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if wire and isinstance(value, datetime):
        return int(value.timestamp())
    return value


def input_of(operation: OperationModel, seed: int) -> dict[str, Any]:
    params = Sample(seed).structure(operation.input) if operation.input else {}
    # botocore reads and writes this header as a date; S3 itself takes and gives any text.
    params.pop("Expires", None)
    return params


def check_request(operation: OperationModel, seed: int) -> None:
    params = input_of(operation, seed)
    wire = operation.service.name in WIRE_FORM_SERVICES
    found = comparable(parsed(operation, params))
    # For an absent payload botocore sends an empty document, or no byte of a streamed one.
    found = {
        name: value for name, value in found.items() if name in params or value not in ({}, b"")
    }
    assert found == comparable(params, wire=wire), operation.name


def read_by_botocore(operation: OperationModel, response: HttpResponse) -> dict[str, Any]:
    parser = botocore.parsers.create_parser(operation.service.protocol)
    shape = oracle(operation.service.name).operation_model(operation.name).output_shape
    found: dict[str, Any] = parser.parse(
        {
            "status_code": response.status,
            "headers": botocore.awsrequest.HeadersDict(
                {name.decode(): value.decode("latin-1") for name, value in response.headers}
            ),
            "body": response.body or b"",
        },
        shape,
    )
    return found


def check_response(operation: OperationModel, seed: int) -> None:
    output = Sample(seed).structure(operation.output) if operation.output else {}
    output.pop("Expires", None)
    output.pop("ContentRange", None)
    for name, value in output.items():
        # botocore takes a payload that it does not stream for text.
        if isinstance(value, bytes):
            output[name] = value.hex().encode()
    response = codec_of(operation.service).serialize(operation, output, "request-1")
    found = read_by_botocore(operation, response)
    found.pop("ResponseMetadata")
    for name, value in output.items():
        if isinstance(value, bytes) and isinstance(found.get(name), str):
            found[name] = found[name].encode()
    if operation.name == "GetBucketLocation":
        return  # Only a handler of boto3's reads this one; a test of its own does.
    if operation.method == "HEAD" or response.status == 204:
        assert not response.body
    output = without_absent(output)
    extra = {name: each for name, each in without_absent(found).items() if name not in output}
    assert without_absent(found) == {**output, **extra}, operation.name
    # The answer has these whether or not the handler names them: a status and a content type.
    assert extra.keys() <= {"StatusCode", "Status", "contentType", "ContentType"}, operation.name


def without_absent(output: dict[str, Any]) -> dict[str, Any]:
    """botocore adds an empty body to an answer that streams, and fills in some absent members."""
    return {
        name: value.encode()
        if name in ("Payload", "body", "Body") and isinstance(value, str)
        else value
        for name, value in output.items()
        if value not in ("", b"", None, {}) and name not in ("ExpiresString",)
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_request_that_botocore_writes_is_read_back(service: str) -> None:
    for operation in operations(service):
        check_request(operation, len(operation.name))


@pytest.mark.parametrize("service", SERVICES)
def test_every_answer_is_read_back_by_botocore(service: str) -> None:
    for operation in operations(service):
        check_response(operation, len(operation.name))


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SERVICES), st.integers(0, 10_000), st.integers(0, 2**32))
def test_requests_are_read_back_whatever_their_values(service: str, pick: int, seed: int) -> None:
    choice = operations(service)
    check_request(choice[pick % len(choice)], seed)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SERVICES), st.integers(0, 10_000), st.integers(0, 2**32))
def test_answers_are_read_back_whatever_their_values(service: str, pick: int, seed: int) -> None:
    choice = operations(service)
    check_response(choice[pick % len(choice)], seed)
