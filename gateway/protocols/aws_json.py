"""The aws-json family, 1.0 and 1.1: DynamoDB, CloudWatch Logs and others.

The operation stands in `x-amz-target`, everything else in a JSON document.
https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

import zlib
from typing import Any

import orjson

from fogbank.gateway.http import Headers, HttpRequest, HttpResponse
from fogbank.gateway.models import OperationModel, ServiceModel
from fogbank.gateway.protocols import json_values, wire_form
from fogbank.gateway.protocols.faults import SerializationException, UnknownTarget
from fogbank.services.errors import AwsError

# Where the error documents of a service name the namespace of their code, and which.
_ERROR_NAMESPACES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#",
    "dynamodbstreams": "com.amazonaws.dynamodb.v20120810#",
}
# Codes that AWS's framework raises and not the service: they have a namespace of their own.
_FRAMEWORK_CODES = {
    "ValidationException": "com.amazon.coral.validate#",
    "SerializationException": "com.amazon.coral.service#",
    "UnknownOperationException": "com.amazon.coral.service#",
    "MissingAuthenticationTokenException": "com.amazon.coral.service#",
    "IncompleteSignatureException": "com.amazon.coral.service#",
    "InvalidSignatureException": "com.amazon.coral.service#",
    "UnrecognizedClientException": "com.amazon.coral.service#",
    "AccessDeniedException": "com.amazon.coral.service#",
    "InternalFailure": "com.amazon.coral.service#",
    "ThrottlingException": "com.amazon.coral.availability#",
}
# The framework writes the message of these with a capital letter; DynamoDB's clients see both.
_CAPITAL_MESSAGE = frozenset(
    {
        "SerializationException",
        "AccessDeniedException",
        "InvalidSignatureException",
        "IncompleteSignatureException",
        # DynamoDB's models give these three a Message, all others a message.
        "TransactionCanceledException",
        "TransactionInProgressException",
        "IdempotentParameterMismatchException",
    }
)


def route(model: ServiceModel, request: HttpRequest, payload: bytes | None) -> OperationModel:
    target = request.header(b"x-amz-target")
    if target is not None:
        operation = model.operations.get(target.rpartition(".")[2])
        if operation is not None:
            return operation
    raise UnknownTarget


def parse(operation: OperationModel, request: HttpRequest, payload: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(payload) if payload else {}
    except ValueError as error:
        raise SerializationException from error
    if type(document) is not dict:
        raise SerializationException(
            "Start of list found where not expected" if isinstance(document, list) else None
        )
    convert = operation.compiled.get("parse")
    if convert is None:
        convert = operation.compiled["parse"] = _compile(operation)
    try:
        converted: dict[str, Any] = convert(document)
    except RecursionError as error:
        raise SerializationException("The document is nested too deeply") from error
    return converted


def _compile(operation: OperationModel) -> json_values.Convert:
    shape = operation.input
    if shape is None:
        return lambda document: {}
    if operation.service.name not in wire_form.WIRE_FORM_SERVICES:
        return json_values.decoder(shape)
    check = wire_form.checker(shape)

    def as_it_came(document: dict[str, Any]) -> dict[str, Any]:
        check(document)
        if None in document.values():
            return {name: value for name, value in document.items() if value is not None}
        return document

    return as_it_came


def serialize(
    operation: OperationModel, output: dict[str, Any] | None, request_id: str
) -> HttpResponse:
    if output is not None and "__raw__" in output:
        body = output["__raw__"]
    else:
        encode = operation.compiled.get("serialize")
        if encode is None:
            encode = operation.compiled["serialize"] = _encoder(operation)
        body = encode(output or {})
    return HttpResponse(200, _headers(operation.service, body, request_id), body)


def _encoder(operation: OperationModel) -> json_values.Convert:
    shape = operation.output
    if shape is None:
        # Without an output shape AWS's answer has no body; DynamoDB has no such operation in use.
        return lambda output: b""
    if operation.service.name in wire_form.WIRE_FORM_SERVICES:
        return json_values.dumps
    convert = json_values.encoder(shape)
    return lambda output: json_values.dumps(convert(output))


def _headers(model: ServiceModel, body: bytes, request_id: str) -> Headers:
    content_type = model.compiled.get("content_type")
    if content_type is None:
        content_type = (b"content-type", b"application/x-amz-json-" + model.json_version.encode())
        model.compiled["content_type"] = content_type
    headers = [(b"x-amzn-requestid", request_id.encode()), content_type]
    if model.name == "dynamodb":
        # Its SDKs verify this; no other service sends it.
        headers.append((b"x-amz-crc32", b"%d" % zlib.crc32(body)))
    return headers


def error(
    model: ServiceModel, operation: OperationModel | None, error: AwsError, request_id: str
) -> HttpResponse:
    code = error.code
    namespace = _ERROR_NAMESPACES.get(model.name, "")
    if namespace:
        namespace = _FRAMEWORK_CODES.get(code, namespace)
    document: dict[str, Any] = {"__type": namespace + code}
    if error.message is not None:
        document["Message" if code in _CAPITAL_MESSAGE else "message"] = error.message
    document.update({name: value for name, value in error.fields.items() if value is not None})
    body = json_values.dumps(document)
    headers = _headers(model, body, request_id)
    if model.query_compatible:
        # Clients that came from the query protocol look for the old code and its fault here.
        headers.append((b"x-amzn-query-error", _query_error(model, error).encode()))
    headers.extend(
        (name.encode(), value.encode("latin-1")) for name, value in error.headers.items()
    )
    return HttpResponse(error.status, headers, body)


def _query_error(model: ServiceModel, error: AwsError) -> str:
    shape = model.error_shape(error.code)
    facts = (shape.error if shape else None) or {}
    fault = "Receiver" if error.status >= 500 else "Sender"
    return f"{facts.get('code', error.code)};{fault}"
