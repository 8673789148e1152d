"""Errors as the services put them on the wire, and as botocore reads them."""

import json
import zlib
from typing import Any

import botocore.awsrequest
import botocore.parsers
import pytest

from fogbank.gateway import models
from fogbank.gateway.http import HttpResponse
from fogbank.gateway.protocols import codec_of
from fogbank.services.errors import AwsError, InternalFailure, UnknownOperation, ValidationException
from tests.gateway.wire import json_request, request_of


def error_class(name: str, status: int = 400) -> type[AwsError]:
    return type(name, (AwsError,), {"code": name, "status": status})


def rendered(service: str, operation: str | None, error: AwsError) -> HttpResponse:
    model = models.load(service)
    known = model.operations[operation] if operation else None
    return codec_of(model).error(model, known, error, "request-1")


def headers_of(response: HttpResponse) -> dict[str, str]:
    return {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}


def read_by_botocore(service: str, response: HttpResponse) -> dict[str, Any]:
    parser = botocore.parsers.create_parser(models.load(service).protocol)
    found: dict[str, Any] = parser.parse(
        {
            "status_code": response.status,
            "headers": botocore.awsrequest.HeadersDict(headers_of(response)),
            "body": response.body or b"",
        },
        None,
    )
    return found


@pytest.mark.parametrize(
    ("service", "code", "status", "wire_code"),
    [
        ("s3", "NoSuchKey", 404, "NoSuchKey"),
        ("dynamodb", "ResourceNotFoundException", 400, "ResourceNotFoundException"),
        ("dynamodb", "ValidationException", 400, "ValidationException"),
        ("logs", "ResourceAlreadyExistsException", 400, "ResourceAlreadyExistsException"),
        ("lambda", "ResourceNotFoundException", 404, "ResourceNotFoundException"),
        ("lambda", "ValidationException", 400, "ValidationException"),
        ("apigateway", "NotFoundException", 404, "NotFoundException"),
        ("iam", "NoSuchEntity", 404, "NoSuchEntity"),
        ("iam", "NoSuchEntityException", 404, "NoSuchEntity"),
        ("sts", "ValidationError", 400, "ValidationError"),
    ],
)
def test_botocore_reads_code_message_and_status(
    service: str, code: str, status: int, wire_code: str
) -> None:
    found = read_by_botocore(
        service, rendered(service, None, error_class(code, status)("It is <so> & no other way"))
    )
    assert found["Error"]["Code"] == wire_code
    assert found["Error"]["Message"] == "It is <so> & no other way"
    assert found["ResponseMetadata"]["HTTPStatusCode"] == status
    assert found["ResponseMetadata"]["RequestId"] == "request-1"


def test_s3_writes_code_message_fields_request_id_and_host_id_in_this_order() -> None:
    error = error_class("NoSuchKey", 404)("The specified key does not exist.", Key='a"<&\r')
    response = rendered("s3", "GetObject", error)
    assert response.body is not None
    assert isinstance(response.body, bytes)
    assert response.body.startswith(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>'
        b"<Message>The specified key does not exist.</Message><Key>a&quot;&lt;&amp;&#13;</Key>"
        b"<RequestId>request-1</RequestId><HostId>"
    )
    assert {"x-amz-request-id", "x-amz-id-2"} <= headers_of(response).keys()


@pytest.mark.parametrize(("operation", "status"), [("HeadObject", 404), ("GetObject", 304)])
def test_s3_answers_head_and_304_without_a_body(operation: str, status: int) -> None:
    response = rendered("s3", operation, error_class("X", status)("x", headers={"ETag": '"e"'}))
    assert response.body is None
    assert headers_of(response)["etag"] == '"e"'


def test_s3_calls_its_own_failure_an_internal_error() -> None:
    assert read_by_botocore("s3", rendered("s3", None, InternalFailure()))["Error"]["Code"] == (
        "InternalError"
    )


def test_dynamodb_names_the_namespace_of_its_errors_and_their_checksum() -> None:
    response = rendered(
        "dynamodb",
        "PutItem",
        error_class("ConditionalCheckFailedException")(
            "The conditional request failed", Item={"a": {"B": "AAE="}}
        ),
    )
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == {
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed",
        "Item": {"a": {"B": "AAE="}},
    }
    assert headers_of(response)["x-amz-crc32"] == str(zlib.crc32(response.body))
    invalid = rendered("dynamodb", "PutItem", ValidationException("no"))
    assert isinstance(invalid.body, bytes)
    assert json.loads(invalid.body)["__type"] == "com.amazon.coral.validate#ValidationException"


def test_lambda_spells_message_as_the_shape_of_the_error_does() -> None:
    missing = rendered("lambda", None, error_class("ResourceNotFoundException", 404)("gone"))
    assert missing.body == b'{"Message":"gone","Type":"User"}'
    invalid = rendered("lambda", None, error_class("InvalidParameterValueException")("bad"))
    assert invalid.body == b'{"Type":"User","message":"bad"}'
    unmodelled = rendered("lambda", None, ValidationException("bad"))
    assert unmodelled.body == b'{"message":"bad"}'
    busy = rendered(
        "lambda", None, error_class("TooManyRequestsException", 429)("Rate Exceeded.", Reason="R")
    )
    assert busy.body == b'{"Reason":"R","Type":"User","message":"Rate Exceeded."}'
    assert headers_of(busy)["x-amzn-errortype"] == "TooManyRequestsException"


def test_apigateway_puts_the_delay_of_a_throttled_request_in_a_header() -> None:
    error = error_class("TooManyRequestsException", 429)("slow down", retryAfterSeconds="3")
    response = rendered("apigateway", None, error)
    assert response.body == b'{"message":"slow down"}'
    assert headers_of(response)["retry-after"] == "3"


def test_query_errors_say_whose_fault_it_was() -> None:
    found = read_by_botocore("iam", rendered("iam", None, InternalFailure()))
    assert found["Error"]["Type"] == "Receiver"


def test_a_service_that_came_from_query_repeats_code_and_fault_in_a_header() -> None:
    response = rendered("sqs", None, error_class("OverLimit", 403)("too many"))
    assert headers_of(response)["x-amzn-query-error"] == "OverLimit;Sender"


@pytest.mark.parametrize(
    ("service", "request_", "code", "status"),
    [
        (
            "dynamodb",
            json_request("DynamoDB_20120810.Nope", b"{}"),
            "UnknownOperationException",
            400,
        ),
        ("dynamodb", request_of(), "UnknownOperationException", 400),
        ("iam", request_of(body=b"Action=Nope&Version=2010-05-08"), "InvalidAction", 400),
        ("iam", request_of(body=b"Action=GetRole"), "InvalidAction", 400),
        ("sts", request_of(), "MissingAction", 400),
        ("lambda", request_of("GET", "/2015-03-31/nothing"), "AccessDeniedException", 403),
        ("s3", request_of("POST", "/bucket"), "MethodNotAllowed", 405),
        ("s3", request_of("DELETE", "/bucket", "acl"), "MethodNotAllowed", 405),
    ],
)
def test_unknown_operations_are_refused_as_each_family_does(
    service: str, request_: Any, code: str, status: int
) -> None:
    model = models.load(service)
    body = b"Action=Nope&Version=2010-05-08" if code == "InvalidAction" else b""
    with pytest.raises(UnknownOperation) as caught:
        codec_of(model).route(model, request_, body)
    response = codec_of(model).error(model, None, caught.value, "request-1")
    assert (caught.value.code, response.status) == (code, status)


def test_a_header_cannot_carry_a_line_break() -> None:
    error = error_class("X")("x", headers={"Location": "a\r\nSet-Cookie: b"})
    assert headers_of(rendered("s3", None, error))["location"] == "aSet-Cookie: b"
