"""The rest-json family: Lambda and API Gateway.

https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

from typing import Any, ClassVar

import orjson

from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.models import Member, OperationModel, ServiceModel, Shape
from fogbank.gateway.protocols import http_bindings, json_values
from fogbank.gateway.protocols.faults import (
    BadRequestException,
    InvalidRequestContentException,
    SerializationException,
)
from fogbank.services.errors import AwsError, UnknownOperation

_CONTENT_TYPE = (b"Content-Type", b"application/json")
# Labels that hold an ARN: some clients leave its slashes as they are.
_ARN_LABELS = frozenset({"resource_arn", "ARN", "Resource"})


class UnknownPath(UnknownOperation):
    """What the front of these services answers, before it knows who would have to authorize."""

    code = "AccessDeniedException"
    status: ClassVar[int] = 403

    def __init__(self) -> None:
        super().__init__("Unable to determine service/operation name to be authorized")


class Routes:
    """A tree of path segments; literals go before labels, and it backtracks."""

    __slots__ = ("label", "literals", "operations")

    def __init__(self) -> None:
        self.literals: dict[str, Routes] = {}
        self.label: Routes | None = None
        self.operations: dict[str, list[OperationModel]] = {}

    def add(self, segments: list[str], operation: OperationModel) -> None:
        node = self
        for segment in segments:
            if segment.startswith("{"):
                node.label = node.label or Routes()
                node = node.label
            else:
                node = node.literals.setdefault(segment, Routes())
        found = node.operations.setdefault(operation.method, [])
        found.append(operation)
        # The more a path asks of the query, the earlier it is tried.
        found.sort(key=lambda each: -len(each.constants))

    def find(
        self, segments: list[str], at: int, method: str, query: dict[str, str]
    ) -> OperationModel | None:
        if at == len(segments):
            for operation in self.operations.get(method, ()):
                wanted = operation.constants.items()
                if all(query.get(name) == value for name, value in wanted):
                    return operation
            return None
        literal = self.literals.get(segments[at])
        if literal is not None:
            found = literal.find(segments, at + 1, method, query)
            if found is not None:
                return found
        if self.label is not None and segments[at]:
            found = self.label.find(segments, at + 1, method, query)
            if found is None:
                found = self._rest_is_an_arn(method, query)
            return found
        return None

    def _rest_is_an_arn(self, method: str, query: dict[str, str]) -> OperationModel | None:
        assert self.label is not None
        found = self.label.find([], 0, method, query)
        if found is not None and http_bindings.labels_of(found.path)[-1] in _ARN_LABELS:
            return found
        return None


def route(model: ServiceModel, request: HttpRequest, payload: bytes | None) -> OperationModel:
    routes = model.compiled.get("routes")
    if routes is None:
        routes = Routes()
        for operation in model.operations.values():
            routes.add(_segments(operation.path), operation)
        model.compiled["routes"] = routes
    query = dict(_pairs(request)) if request.query else {}
    found: OperationModel | None = None
    segments = _segments(request.path)
    # A path far longer than any model's can only be meant to exhaust the search.
    if len(segments) <= 64:
        found = routes.find(segments, 0, request.method, query)
    if found is None:
        raise UnknownPath
    return found


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/")


def _pairs(request: HttpRequest) -> list[tuple[str, str]]:
    try:
        return http_bindings.query_pairs(request.query)
    except UnicodeDecodeError:
        raise BadRequestException("The query string is not UTF-8") from None


def _complain(member: Member, text: str) -> AwsError:
    return json_values.coral_complaint(text, member.shape)


def parse(operation: OperationModel, request: HttpRequest, payload: Any) -> dict[str, Any]:
    shape = operation.input
    if shape is None:
        return {}
    bindings = operation.compiled.get("bindings")
    if bindings is None:
        bindings = http_bindings.bindings_of(operation, _complain)
        operation.compiled["bindings"] = bindings
    result: dict[str, Any] = {}
    _take_labels(operation, bindings, request, result)
    if request.query:
        bindings.take_query(_pairs(request), result)
    bindings.take_headers(request, result)
    _take_payload(operation, shape, request, payload, result)
    return result


def _take_labels(
    operation: OperationModel,
    bindings: http_bindings.Bindings,
    request: HttpRequest,
    into: dict[str, Any],
) -> None:
    template, segments = _segments(operation.path), _segments(request.path)
    if len(segments) > len(template):
        last = len(template) - 1
        segments = [*segments[:last], "/".join(segments[last:])]
    for pattern, segment in zip(template, segments, strict=True):
        if pattern.startswith("{"):
            name, convert = bindings.labels[pattern.strip("{}+")]
            try:
                into[name] = convert(http_bindings.unquoted(segment))
            except UnicodeDecodeError:
                raise BadRequestException("The path is not UTF-8") from None


def _take_payload(
    operation: OperationModel,
    shape: Shape,
    request: HttpRequest,
    payload: Any,
    into: dict[str, Any],
) -> None:
    if shape.payload is not None:
        member = shape.members[shape.payload]
        if member.streaming:
            into[member.name] = request.body
            return
        if member.shape.type in ("blob", "string"):
            if payload:
                into[member.name] = payload if member.shape.type == "blob" else _text(payload)
            return
    if not payload:
        return
    convert = operation.compiled.get("parse")
    if convert is None:
        inner = shape.members[shape.payload].shape if shape.payload else shape
        convert = operation.compiled["parse"] = json_values.decoder(inner)
    document = _document(operation.service, payload)
    try:
        found = convert(document)
    except RecursionError as error:
        raise SerializationException("The document is nested too deeply") from error
    if shape.payload is not None:
        into[shape.payload] = found
    else:
        # A member of the path or the query is never taken from the document.
        into.update(found)


def _document(model: ServiceModel, payload: bytes) -> Any:
    try:
        document = orjson.loads(payload)
    except ValueError as error:
        if model.name == "lambda":
            raise InvalidRequestContentException(str(error)) from error
        raise SerializationException from error
    return {} if document is None else document


def _text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SerializationException("The payload is not UTF-8") from error


def serialize(
    operation: OperationModel, output: dict[str, Any] | None, request_id: str
) -> HttpResponse:
    output = output or {}
    shape = operation.output
    status = http_bindings.status_of(operation, output)
    headers = [(b"x-amzn-RequestId", request_id.encode())]
    if shape is None:
        return HttpResponse(status, headers)
    headers.extend(http_bindings.output_headers(operation, output))
    body = _body(operation, shape, output)
    if status == 204 or body is None:
        return HttpResponse(status, headers)
    if not any(name.lower() == b"content-type" for name, _ in headers):
        headers.append(_CONTENT_TYPE)
    return HttpResponse(status, headers, body)


def _body(operation: OperationModel, shape: Shape, output: dict[str, Any]) -> Any:
    if shape.payload is not None:
        payload = output.get(shape.payload)
        inner = shape.members[shape.payload].shape
        if payload is None or inner.type == "blob" or inner.eventstream:
            return payload
        if inner.type == "string":
            return str(payload).encode()
    else:
        payload, inner = output, shape
    encode = operation.compiled.get("serialize")
    if encode is None:
        encode = operation.compiled["serialize"] = json_values.encoder(inner)
    return json_values.dumps(encode(payload))


def error(
    model: ServiceModel, operation: OperationModel | None, error: AwsError, request_id: str
) -> HttpResponse:
    """The members of the error's shape say which of `message` and `Message` its document has."""
    shape = model.error_shape(error.code)
    members = shape.members if shape else {}
    headers = [
        (b"x-amzn-RequestId", request_id.encode()),
        (b"x-amzn-ErrorType", error.code.encode()),
        _CONTENT_TYPE,
    ]
    document: dict[str, Any] = {}
    for name, value in error.fields.items():
        member = members.get(name)
        if value is None:
            continue
        if member is not None and member.location == "header":
            headers.append((member.wire.encode(), http_bindings.header_bytes(str(value))))
        else:
            document[member.wire if member else name] = value
    if "Type" in members and "Type" not in document:
        document["Type"] = "User" if error.status < 500 else "Service"
    if error.message is not None:
        document["Message" if "Message" in members else "message"] = error.message
    headers.extend(
        (name.encode(), http_bindings.header_bytes(value)) for name, value in error.headers.items()
    )
    # AWS sorts the members by their names.
    body = json_values.dumps(dict(sorted(document.items())))
    return HttpResponse(error.status, headers, body)
