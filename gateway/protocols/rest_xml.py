"""The rest-xml family: S3.

https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html; what S3 does otherwise stands in
`s3_departures`.
"""

from dataclasses import dataclass
from typing import Any

from fogbank.gateway.http import Headers, HttpRequest, HttpResponse
from fogbank.gateway.models import OperationModel, ServiceModel, Shape
from fogbank.gateway.protocols import http_bindings, s3_departures, xml_values
from fogbank.gateway.protocols.faults import (
    InvalidURI,
    MalformedXML,
    MethodNotAllowed,
    MissingRequestBodyError,
)
from fogbank.gateway.protocols.xml_values import InvalidXml, escape
from fogbank.services.errors import AwsError

_COPY_SOURCE = b"x-amz-copy-source"
# Query parameters that name no sub-resource although a path of the model has them.
_NO_SUBRESOURCE = frozenset({"list-type", "select-type", "x-id"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """An operation of one method and resource, and what its request has that others have not."""

    operation: OperationModel
    constants: dict[str, str]
    required: frozenset[str]
    copies: bool
    only_one: bool


@dataclass(frozen=True, slots=True)
class Routes:
    """Candidates by method and resource, the most particular first."""

    candidates: dict[tuple[str, str], list[Candidate]]
    plain: dict[tuple[str, str], OperationModel]
    subresources: dict[str, frozenset[str]]


def route(model: ServiceModel, request: HttpRequest, payload: bytes | None) -> OperationModel:
    routes: Routes | None = model.compiled.get("routes")
    if routes is None:
        routes = model.compiled["routes"] = _routes_of(model)
    resource = s3_departures.resource_of(request.path)
    copies = request.header(_COPY_SOURCE) is not None
    if not request.query and not copies:
        plain = routes.plain.get((request.method, resource))
        if plain is not None:
            return plain
    query = dict(_pairs(request)) if request.query else {}
    for candidate in routes.candidates.get((request.method, resource), ()):
        if candidate.copies and not copies:
            continue
        # `?uploads` and `?uploads=` are one; a sub-resource's value does not matter otherwise.
        constants = candidate.constants.items()
        if not all(name in query and each in ("", query[name]) for name, each in constants):
            continue
        if not candidate.only_one and not candidate.required <= query.keys():
            continue
        # `DELETE /bucket?acl` must not delete the bucket: no operation has that sub-resource.
        if candidate.constants or not query.keys() & routes.subresources[resource]:
            return candidate.operation
    raise MethodNotAllowed(request.method, resource)


def _pairs(request: HttpRequest) -> list[tuple[str, str]]:
    try:
        return http_bindings.query_pairs(request.query)
    except UnicodeDecodeError:
        raise InvalidURI(f"{request.path}?{request.query}") from None


def _routes_of(model: ServiceModel) -> Routes:
    operations = [
        operation
        for name, operation in model.operations.items()
        if name not in s3_departures.NOT_ROUTED
    ]
    groups: dict[tuple[str, str], list[OperationModel]] = {}
    subresources: dict[str, set[str]] = {"SERVICE": set(), "BUCKET": set(), "OBJECT": set()}
    for operation in operations:
        resource = s3_departures.resource_of(operation.path)
        groups.setdefault((operation.method, resource), []).append(operation)
        subresources[resource].update(operation.constants.keys() - _NO_SUBRESOURCE)
    candidates = {group: _candidates(members) for group, members in groups.items()}
    plain = {
        group: each.operation
        for group, members in candidates.items()
        for each in members
        if not each.constants and not each.copies and (each.only_one or not each.required)
    }
    return Routes(candidates, plain, {name: frozenset(each) for name, each in subresources.items()})


def _candidates(operations: list[OperationModel]) -> list[Candidate]:
    found = []
    for operation in operations:
        constants = {k: v for k, v in operation.constants.items() if k != "x-id"}
        rivals = [
            each
            for each in operations
            if {k: v for k, v in each.constants.items() if k != "x-id"} == constants
        ]
        shape = operation.input
        assert shape is not None
        required = [shape.members[name] for name in shape.required]
        queries = frozenset(each.wire for each in required if each.location == "querystring")
        copies = any(each.wire.encode() == _COPY_SOURCE for each in required)
        found.append(Candidate(operation, constants, queries, copies, len(rivals) == 1))
    found.sort(key=lambda each: (-len(each.constants), -len(each.required), not each.copies))
    return found


def parse(operation: OperationModel, request: HttpRequest, payload: Any) -> dict[str, Any]:
    shape = operation.input
    assert shape is not None
    bindings = operation.compiled.get("bindings")
    if bindings is None:
        bindings = http_bindings.bindings_of(operation, s3_departures.complain)
        s3_departures.ignore_bad_dates(bindings)
        operation.compiled["bindings"] = bindings
    result: dict[str, Any] = {}
    s3_departures.take_bucket_and_key(request, result)
    if request.query:
        pairs = _pairs(request)
        bindings.take_query(pairs, result)
        s3_departures.take_hoisted_headers(bindings, pairs, result)
    bindings.take_headers(request, result)
    if shape.payload is not None:
        _take_payload(operation, shape, request, payload, result)
    elif payload and any(member.location is None for member in shape.members.values()):
        result.update(_read(operation, shape, operation.input_root or shape.name, payload))
    return result


def _take_payload(
    operation: OperationModel,
    shape: Shape,
    request: HttpRequest,
    payload: Any,
    into: dict[str, Any],
) -> None:
    assert shape.payload is not None
    member = shape.members[shape.payload]
    if member.streaming:
        into[member.name] = request.body
    elif not payload:
        if member.name in shape.required:
            raise MissingRequestBodyError
    elif member.shape.type == "structure":
        into[member.name] = _read(operation, member.shape, member.wire, payload)
    elif member.shape.type == "blob":
        into[member.name] = payload
    else:
        try:
            into[member.name] = payload.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedXML from None


def _read(operation: OperationModel, shape: Shape, root: str, payload: bytes) -> Any:
    read = operation.compiled.get("parse")
    if read is None:
        # S3 validates its documents against a schema; what that requires, the shapes require.
        read = operation.compiled["parse"] = xml_values.reader(shape, strict=True)
    try:
        document = xml_values.document_of(payload)
        if document.name not in (root, shape.name):
            raise InvalidXml(f"the root is {document.name}")
        return read(document)
    except InvalidXml as error:
        raise s3_departures.malformed(root) from error


def serialize(
    operation: OperationModel, output: dict[str, Any] | None, request_id: str
) -> HttpResponse:
    output = output or {}
    shape = operation.output
    status = http_bindings.status_of(operation, output)
    status = s3_departures.status_of(operation, status, output)
    headers = _headers(request_id)
    if shape is None:
        return HttpResponse(status, headers)
    headers.extend(http_bindings.output_headers(operation, output))
    if operation.method == "HEAD" or status == 204:
        return HttpResponse(status, headers)
    body = _body(operation, shape, output)
    if isinstance(body, bytes) and body and not _streams(shape):
        headers.append((b"Content-Type", _content_type(shape)))
    return HttpResponse(status, headers, body)


def _headers(request_id: str) -> Headers:
    return [
        (b"x-amz-id-2", s3_departures.host_id(request_id).encode()),
        (b"x-amz-request-id", request_id.encode()),
    ]


def _streams(shape: Shape) -> bool:
    return shape.payload is not None and shape.members[shape.payload].shape.type == "blob"


def _content_type(shape: Shape) -> bytes:
    # The one text payload is a bucket's policy, which is JSON.
    if shape.payload is not None and shape.members[shape.payload].shape.type == "string":
        return b"application/json"
    return b"application/xml"


def _body(operation: OperationModel, shape: Shape, output: dict[str, Any]) -> Any:
    if operation.name == "GetBucketLocation":
        return s3_departures.location_document(output)
    if shape.payload is not None:
        member = shape.members[shape.payload]
        value, inner, root = output.get(member.name), member.shape, member.wire
        if value is None or inner.type == "blob" or inner.eventstream:
            return value
        if inner.type == "string":
            return str(value).encode()
    else:
        value, inner, root = output, shape, s3_departures.root_of(operation)
        if all(member.location is not None for member in shape.members.values()):
            return None
    write = operation.compiled.get("serialize")
    if write is None:
        write = operation.compiled["serialize"] = xml_values.writer(inner)
    out: list[str] = []
    write(value, root, out)
    # The root carries the namespace; its start tag is the first piece.
    out[0] = out[0].replace(f"<{root}", f'<{root} xmlns="{s3_departures.NAMESPACE}"', 1)
    return (xml_values.DECLARATION + "".join(out)).encode("utf-8", "replace")


def error(
    model: ServiceModel, operation: OperationModel | None, error: AwsError, request_id: str
) -> HttpResponse:
    headers = _headers(request_id)
    headers.extend(
        (name.encode(), http_bindings.header_bytes(value)) for name, value in error.headers.items()
    )
    if error.status in (204, 304) or (operation is not None and operation.method == "HEAD"):
        return HttpResponse(error.status, headers)
    out = [xml_values.DECLARATION]
    out.append(f"<Error><Code>{escape(s3_departures.error_code(model, error))}</Code>")
    if error.message is not None:
        out.append(f"<Message>{escape(error.message)}</Message>")
    for name, value in error.fields.items():
        if value is not None:
            out.append(f"<{name}>{escape(str(value))}</{name}>")
    out.append(f"<RequestId>{escape(request_id)}</RequestId>")
    out.append(f"<HostId>{s3_departures.host_id(request_id)}</HostId></Error>")
    headers.append((b"Content-Type", b"application/xml"))
    return HttpResponse(error.status, headers, "".join(out).encode("utf-8", "replace"))
