"""XML documents to and from a handler's values, compiled once per shape."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from fogbank.gateway.models import Member, Shape
from fogbank.gateway.protocols import timestamps

DEPTH_MAX = 64
ELEMENTS_MAX = 200_000
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_ESCAPES = {
    **{code: f"&#x{code:x};" for code in range(32) if code not in (9, 10, 13)},
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
    ord("\r"): "&#13;",
}
Read = Callable[["Node"], Any]
Write = Callable[[Any, str, list[str]], None]


class InvalidXml(ValueError):
    """The document is not well-formed, not safe, or not what the shape says."""


@dataclass(slots=True)
class Node:
    """An element; names are without prefix, `text` is all of its own character data."""

    name: str
    attributes: dict[str, str]
    children: list["Node"] = field(default_factory=list)
    text: str = ""


def document_of(data: bytes) -> Node:
    """The root of an XML document; raises InvalidXml.

    A document type declaration is refused, and with it every entity that it could define: no
    AWS request has one, and entity bombs and external entities need one.
    """
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        # A LookupError is an encoding that Python does not know.
        raise InvalidXml(str(error)) from error
    assert builder.root is not None
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._pieces: list[list[str]] = []
        self._elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= DEPTH_MAX or self._elements > ELEMENTS_MAX:
            raise InvalidXml("the document is too deep or has too many elements")
        node = Node(_local(name), {_local(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)
        self._pieces.append([])

    def end(self, name: str) -> None:
        self._open.pop().text = "".join(self._pieces.pop())

    def text(self, data: str) -> None:
        self._pieces[-1].append(data)

    def refuse(self, *declaration: object) -> None:
        raise InvalidXml("a document type declaration is not accepted")


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def reader(shape: Shape, *, strict: bool = False) -> Read:
    """A function from an element to a handler's value; `strict` wants required members there."""
    return _Readers(strict).of(shape)


class _Readers:
    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._done: dict[str, Read] = {}

    def of(self, shape: Shape) -> Read:
        name = shape.name
        if name not in self._done:
            self._done[name] = lambda node: self._done[name](node)
            self._done[name] = self._compile(shape)
        return self._done[name]

    def _compile(self, shape: Shape) -> Read:
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            assert shape.member is not None
            element = self.of(shape.member.shape)
            return lambda node: [element(child) for child in node.children]
        if shape.type == "map":
            return lambda node: dict(self._entry(shape, child) for child in node.children)
        return lambda node: scalar_of(node.text, shape)

    def _entry(self, shape: Shape, node: Node) -> tuple[str, Any]:
        assert shape.key is not None and shape.value is not None
        found = {child.name: child for child in node.children}
        key, value = found.get(shape.key.wire), found.get(shape.value.wire)
        if key is None or value is None:
            raise InvalidXml("an entry of a map has no key or no value")
        return key.text, self.of(shape.value.shape)(value)

    def _structure(self, shape: Shape) -> Read:
        attributes: dict[str, tuple[Member, Shape]] = {}
        elements: dict[str, tuple[str, Read, bool]] = {}
        for member in shape.members.values():
            if member.location is not None:
                continue
            inner = member.shape
            if member.xml_attribute:
                attributes[_local(member.wire)] = (member, inner)
            elif inner.type == "list" and member.flattened:
                assert inner.member is not None
                wire = inner.member.wire if inner.member.wire != "member" else member.wire
                elements[wire] = (member.name, self.of(inner.member.shape), True)
                # Both spellings are in use: the list's name wins where it was given.
                elements[member.wire] = (member.name, self.of(inner.member.shape), True)
            else:
                elements[member.wire] = (member.name, self.of(inner), False)
        required = frozenset(shape.required) if self._strict else frozenset()

        def read(node: Node) -> Any:
            result: dict[str, Any] = {}
            for child in node.children:
                bound = elements.get(child.name)
                if bound is not None:
                    name, convert, many = bound
                    if many:
                        result.setdefault(name, []).append(convert(child))
                    else:
                        result[name] = convert(child)
            for name, (member, inner) in attributes.items():
                if name in node.attributes:
                    result[member.name] = scalar_of(node.attributes[name], inner)
            if not required <= result.keys():
                raise InvalidXml(f"{shape.name} lacks {sorted(required - result.keys())}")
            return result

        return read


def scalar_of(text: str, shape: Shape) -> Any:
    """The value of an element's or a form field's text; raises InvalidXml."""
    try:
        if shape.type in ("integer", "long"):
            if not _WHOLE.fullmatch(text.strip()):
                raise ValueError(text)
            return int(text)
        if shape.type in ("float", "double"):
            return float(text)
        if shape.type == "boolean":
            return {"true": True, "false": False}[text.strip().lower()]
        if shape.type == "timestamp":
            return timestamps.parse(text)
        if shape.type == "blob":
            return base64.b64decode(text, validate=True)
    except (ValueError, KeyError, binascii.Error) as error:
        raise InvalidXml(f"{text!r:.100} is not of type {shape.type}") from error
    return text


def escape(text: str) -> str:
    return text.translate(_ESCAPES)


def writer(shape: Shape) -> Write:
    """A function that appends the element of a value, under a given name, to a list of text."""
    return _Writers().of(shape, None)


class _Writers:
    def __init__(self) -> None:
        self._done: dict[tuple[str, str | None], Write] = {}

    def of(self, shape: Shape, form: str | None) -> Write:
        key = (shape.name, form)
        if key not in self._done:
            self._done[key] = lambda value, name, out: self._done[key](value, name, out)
            self._done[key] = self._compile(shape, form)
        return self._done[key]

    def _member(self, member: Member) -> Write:
        return self.of(member.shape, member.timestamp_format)

    def _compile(self, shape: Shape, form: str | None) -> Write:
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            assert shape.member is not None
            return _list_writer(shape.member.wire, self._member(shape.member))
        if shape.type == "map":
            assert shape.key is not None and shape.value is not None
            return _map_writer(shape.key.wire, shape.value.wire, self._member(shape.value))

        def write(value: Any, name: str, out: list[str]) -> None:
            out.append(f"<{name}>{scalar_text(value, shape, form)}</{name}>")

        return write

    def _structure(self, shape: Shape) -> Write:
        attributes: list[Member] = []
        elements: list[tuple[str, str, Write, bool]] = []
        for member in shape.members.values():
            if member.location is not None:
                continue
            inner = member.shape
            if member.xml_attribute:
                attributes.append(member)
            elif inner.type == "list" and member.flattened:
                assert inner.member is not None
                named = inner.member.wire != "member"
                wire = inner.member.wire if named else member.wire
                elements.append((member.name, wire, self._member(inner.member), True))
            else:
                elements.append((member.name, member.wire, self._member(member), False))

        def write(value: Any, name: str, out: list[str]) -> None:
            out.append(f"<{name}{_attributes(attributes, value)}>")
            for member, wire, of_member, many in elements:
                each = value.get(member)
                if each is None:
                    continue
                if many:
                    for element in each:
                        of_member(element, wire, out)
                else:
                    of_member(each, wire, out)
            out.append(f"</{name}>")

        return write


def _attributes(members: list[Member], value: dict[str, Any]) -> str:
    text = ""
    for member in members:
        each = value.get(member.name)
        if each is not None:
            prefix = member.wire.partition(":")[0]
            text += ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"' * (prefix == "xsi")
            text += f' {member.wire}="{escape(str(each))}"'
    return text


def _list_writer(wire: str, element: Write) -> Write:
    def write(value: Any, name: str, out: list[str]) -> None:
        out.append(f"<{name}>")
        for each in value:
            element(each, wire, out)
        out.append(f"</{name}>")

    return write


def _map_writer(key: str, wire: str, element: Write) -> Write:
    def write(value: Any, name: str, out: list[str]) -> None:
        out.append(f"<{name}>")
        for entry, each in value.items():
            out.append(f"<entry><{key}>{escape(str(entry))}</{key}>")
            element(each, wire, out)
            out.append("</entry>")
        out.append(f"</{name}>")

    return write


def scalar_text(value: Any, shape: Shape, form: str | None) -> str:
    if shape.type == "string":
        return escape(str(value))
    if shape.type == "boolean":
        return "true" if value else "false"
    if shape.type == "timestamp":
        return timestamps.render(value, form or timestamps.ISO8601)
    if shape.type == "blob" and not isinstance(value, str):
        return base64.b64encode(value).decode("ascii")
    return escape(str(value))
