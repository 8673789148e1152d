"""The members of the rest families that travel outside the payload: path, query, headers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from fogbank.gateway.http import Headers, HttpRequest
from fogbank.gateway.models import Member, OperationModel, Shape
from fogbank.gateway.protocols import timestamps
from fogbank.services.errors import AwsError

# Says in a service's words that the text of a member cannot be read.
Complaint = Callable[[Member, str], AwsError]
FromText = Callable[[str], Any]

_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")
_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_REAL = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)
_UNSAFE: dict[int, None] = {code: None for code in (*range(32), 127) if code != 9}


def unquoted(text: str) -> str:
    """Percent-decoded; raises UnicodeDecodeError where that is not UTF-8."""
    if "%" not in text and text.isascii():
        return text
    return unquote_to_bytes(text.encode("latin-1", "replace")).decode("utf-8")


def query_pairs(query: str) -> list[tuple[str, str]]:
    """The decoded parameters of a query string, in order; a bare name has an empty value."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquoted(name.replace("+", " ")), unquoted(value.replace("+", " "))))
    return pairs


def labels_of(path: str) -> list[str]:
    """The names of the labels in a path of a model: `/{Bucket}/{Key+}` has two."""
    return [found[1] for found in _LABEL.finditer(path)]


def from_text(member: Member, shape: Shape, complain: Complaint) -> FromText:
    """A function from the text of a header or a query parameter to a handler's value."""

    def checked(pattern: re.Pattern[str], kind: type) -> FromText:
        def convert(text: str) -> Any:
            if not pattern.fullmatch(text.strip()):
                raise complain(member, text)
            return kind(text)

        return convert

    def boolean(text: str) -> bool:
        if text.lower() not in ("true", "false"):
            raise complain(member, text)
        return text.lower() == "true"

    def moment(text: str) -> Any:
        try:
            return timestamps.parse(text)
        except ValueError:
            raise complain(member, text) from None

    if shape.type in ("integer", "long"):
        return checked(_WHOLE, int)
    if shape.type in ("float", "double"):
        return checked(_REAL, float)
    if shape.type == "boolean":
        return boolean
    if shape.type == "timestamp":
        return moment
    if shape.type == "list":
        assert shape.member is not None
        element = from_text(member, shape.member.shape, complain)
        return lambda text: [element(part.strip()) for part in text.split(",")]
    return lambda text: text


@dataclass(frozen=True, slots=True)
class Bindings:
    """Where the members of an operation's input are found, outside the payload."""

    labels: dict[str, tuple[str, FromText]]
    queries: dict[str, tuple[str, FromText, bool]]
    query_map: tuple[str, bool] | None
    headers: list[tuple[bytes, str, FromText]]
    prefixes: list[tuple[bytes, str]]
    constants: frozenset[str]

    def take_query(self, pairs: list[tuple[str, str]], into: dict[str, Any]) -> None:
        for name, text in pairs:
            bound = self.queries.get(name)
            if bound is not None:
                member, convert, many = bound
                if many:
                    into.setdefault(member, []).append(convert(text))
                elif member not in into:
                    into[member] = convert(text)
            elif self.query_map is not None and name not in self.constants:
                member, many = self.query_map
                entries = into.setdefault(member, {})
                if many:
                    entries.setdefault(name, []).append(text)
                else:
                    entries.setdefault(name, text)

    def take_headers(self, request: HttpRequest, into: dict[str, Any]) -> None:
        for name, member, convert in self.headers:
            text = request.header(name)
            if text is not None:
                value = convert(text)
                if value is not None:
                    into[member] = value
        for prefix, member in self.prefixes:
            found: dict[str, str] = {}
            for key, value in request.headers:
                lower = key.lower()
                if lower.startswith(prefix):
                    # Several headers of one name are one value, as HTTP says.
                    rest, text = lower[len(prefix) :].decode("latin-1"), value.decode("latin-1")
                    found[rest] = f"{found[rest]},{text}" if rest in found else text
            if found:
                into[member] = found


def bindings_of(operation: OperationModel, complain: Complaint) -> Bindings:
    labels: dict[str, tuple[str, FromText]] = {}
    queries: dict[str, tuple[str, FromText, bool]] = {}
    query_map: tuple[str, bool] | None = None
    headers: list[tuple[bytes, str, FromText]] = []
    prefixes: list[tuple[bytes, str]] = []
    shape = operation.input
    for member in shape.members.values() if shape else ():
        if member.location is None:
            continue
        inner = member.shape
        if member.location == "uri":
            labels[member.wire] = (member.name, from_text(member, inner, complain))
        elif member.location == "headers":
            prefixes.append((member.wire.lower().encode(), member.name))
        elif member.location == "header":
            convert = from_text(member, inner, complain)
            headers.append((member.wire.lower().encode(), member.name, convert))
        elif member.location == "querystring" and inner.type == "map":
            assert inner.value is not None
            query_map = (member.name, inner.value.shape.type == "list")
        elif member.location == "querystring":
            many = inner.type == "list"
            if many:
                assert inner.member is not None
                inner = inner.member.shape
            queries[member.wire] = (member.name, from_text(member, inner, complain), many)
    return Bindings(labels, queries, query_map, headers, prefixes, frozenset(operation.constants))


def header_bytes(text: str) -> bytes:
    """A header's value without what could end the header and begin another."""
    clean = text if text.isprintable() else text.translate(_UNSAFE)
    try:
        return clean.encode("latin-1")
    except UnicodeEncodeError:
        return clean.encode("utf-8", "replace")


def header_text(member: Member, shape: Shape, value: Any) -> str:
    if shape.type == "timestamp":
        return timestamps.render(value, member.timestamp_format or timestamps.RFC822)
    if shape.type == "list":
        return ",".join(str(each) for each in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def output_headers(operation: OperationModel, output: dict[str, Any]) -> Headers:
    """The headers that carry members of `output`, in its order; an empty text gets none."""
    bound: dict[str, tuple[bytes, Member, Shape]] | None = operation.compiled.get("headers")
    if bound is None:
        bound = operation.compiled["headers"] = _bound_headers(operation)
    headers: Headers = []
    for name, value in output.items():
        found = bound.get(name)
        if found is None or value is None:
            continue
        wire, member, shape = found
        if member.location == "header":
            text = value if type(value) is str else header_text(member, shape, value)
            if text:
                headers.append((wire, header_bytes(text)))
        else:
            headers.extend(
                (wire + header_bytes(key), header_bytes(str(text))) for key, text in value.items()
            )
    return headers


def _bound_headers(operation: OperationModel) -> dict[str, tuple[bytes, Member, Shape]]:
    shape = operation.output
    return {
        member.name: (member.wire.encode(), member, member.shape)
        for member in (shape.members.values() if shape else ())
        if member.location in ("header", "headers")
    }


def status_of(operation: OperationModel, output: dict[str, Any]) -> int:
    """The status that a member of the output gives, else that of the model."""
    name = operation.compiled.get("status_member", "")
    if name == "":
        members = operation.output.members.values() if operation.output else ()
        names = [member.name for member in members if member.location == "statusCode"]
        name = operation.compiled["status_member"] = names[0] if names else None
    given = output.get(name) if name is not None else None
    return operation.status if given is None else int(given)
