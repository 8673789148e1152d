"""The query family: IAM, STS and others. Forms come in, XML goes out.

https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from collections.abc import Callable
from typing import Any

from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.models import OperationModel, ServiceModel, Shape
from fogbank.gateway.protocols import http_bindings, xml_values
from fogbank.gateway.protocols.faults import (
    InvalidAction,
    MalformedInput,
    MalformedQueryString,
    MissingAction,
)
from fogbank.gateway.protocols.xml_values import InvalidXml, escape
from fogbank.services.errors import AwsError

FIELDS_MAX = 10_000
DEPTH_MAX = 32
# A field's own text stands under the empty name of its branch, its dotted parts beside it.
Branch = dict[str, Any]
Read = Callable[[Branch], Any]


def route(model: ServiceModel, request: HttpRequest, payload: bytes | None) -> OperationModel:
    fields = dict(_fields(request, payload or b""))
    action = fields.get("Action")
    if not action:
        raise MissingAction
    version = fields.get("Version", "NO_VERSION_SPECIFIED")
    operation = model.operations.get(action)
    if operation is None or version != model.api_version:
        raise InvalidAction(action, version)
    return operation


def _fields(request: HttpRequest, payload: bytes) -> list[tuple[str, str]]:
    try:
        pairs = http_bindings.query_pairs(request.query)
        pairs += http_bindings.query_pairs(payload.decode("latin-1"))
    except UnicodeDecodeError:
        raise MalformedQueryString("The query string is not UTF-8") from None
    if len(pairs) > FIELDS_MAX:
        raise MalformedQueryString(f"The request has more than {FIELDS_MAX} parameters")
    return pairs


def parse(operation: OperationModel, request: HttpRequest, payload: bytes) -> dict[str, Any]:
    shape = operation.input
    if shape is None:
        return {}
    read = operation.compiled.get("parse")
    if read is None:
        read = operation.compiled["parse"] = _Readers().of(shape)
    tree: Branch = {}
    for name, value in _fields(request, payload or b""):
        parts = name.split(".")
        if len(parts) > DEPTH_MAX:
            raise MalformedQueryString("A parameter's name has too many parts")
        branch = tree
        for part in parts:
            branch = branch.setdefault(part, {}) if part else branch
        branch[""] = value
    found: dict[str, Any] = read(tree)
    return found


class _Readers:
    """Readers of a form's tree, compiled once per shape."""

    def __init__(self) -> None:
        self._done: dict[tuple[str, bool], Read] = {}

    def of(self, shape: Shape, flattened: bool = False) -> Read:
        key = (shape.name, flattened)
        if key not in self._done:
            self._done[key] = lambda branch: self._done[key](branch)
            self._done[key] = self._compile(shape, flattened)
        return self._done[key]

    def _compile(self, shape: Shape, flattened: bool) -> Read:
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            assert shape.member is not None
            element = self.of(shape.member.shape)
            wire = None if flattened else shape.member.wire
            return lambda branch: [element(each) for each in _numbered(branch, wire)]
        if shape.type == "map":
            return self._map(shape, flattened)
        return lambda branch: _scalar(branch, shape)

    def _structure(self, shape: Shape) -> Read:
        members = [
            (member.wire, member.name, self.of(member.shape, member.flattened))
            for member in shape.members.values()
        ]

        def read(branch: Branch) -> Any:
            return {name: of(branch[wire]) for wire, name, of in members if wire in branch}

        return read

    def _map(self, shape: Shape, flattened: bool) -> Read:
        assert shape.key is not None and shape.value is not None
        key, wire = shape.key.wire, shape.value.wire
        element = self.of(shape.value.shape)
        entry = None if flattened else "entry"

        def read(branch: Branch) -> Any:
            return {
                each[key].get("", ""): element(each[wire])
                for each in _numbered(branch, entry)
                if key in each and wire in each
            }

        return read


def _numbered(branch: Branch, wire: str | None) -> list[Branch]:
    """The elements of a list, in the order of their numbers; a bare name is an empty list."""
    if wire is not None:
        branch = branch.get(wire, {})
    numbers = [name for name in branch if name.isascii() and name.isdigit() and len(name) < 10]
    return [branch[name] for name in sorted(numbers, key=int)]


def _scalar(branch: Branch, shape: Shape) -> Any:
    text = branch.get("", "")
    try:
        return xml_values.scalar_of(text, shape)
    except InvalidXml:
        raise MalformedInput(f"Invalid value for type {shape.name}: {text[:100]}") from None


def serialize(
    operation: OperationModel, output: dict[str, Any] | None, request_id: str
) -> HttpResponse:
    model = operation.service
    out = [f'<{operation.name}Response xmlns="{model.xml_namespace}">']
    shape = operation.output
    if shape is not None:
        write = operation.compiled.get("serialize")
        if write is None:
            write = operation.compiled["serialize"] = xml_values.writer(shape)
        write(output or {}, operation.result_wrapper or f"{operation.name}Result", out)
    out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>")
    out.append(f"</{operation.name}Response>")
    return _response(200, out, request_id)


def error(
    model: ServiceModel, operation: OperationModel | None, error: AwsError, request_id: str
) -> HttpResponse:
    shape = model.error_shape(error.code)
    # A shape's name and the code on the wire differ here: NoSuchEntityException is NoSuchEntity.
    code = ((shape.error if shape else None) or {}).get("code", error.code)
    fault = "Receiver" if error.status >= 500 else "Sender"
    out = [f'<ErrorResponse xmlns="{model.xml_namespace}"><Error><Type>{fault}</Type>']
    out.append(f"<Code>{escape(code)}</Code><Message>{escape(error.message or '')}</Message>")
    for name, value in error.fields.items():
        if value is not None:
            out.append(f"<{name}>{escape(str(value))}</{name}>")
    out.append(f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>")
    response = _response(error.status, out, request_id)
    response.headers.extend(
        (name.encode(), http_bindings.header_bytes(value)) for name, value in error.headers.items()
    )
    return response


def _response(status: int, out: list[str], request_id: str) -> HttpResponse:
    headers = [(b"x-amzn-RequestId", request_id.encode()), (b"Content-Type", b"text/xml")]
    return HttpResponse(status, headers, "".join(out).encode("utf-8", "replace"))
