"""XML documents to and from a handler's values, compiled once per shape."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
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
_TO_ESCAPE = re.compile("[" + "".join([re.escape(chr(code)) for code in _ESCAPES]) + "]")
Read = Callable[["Node"], Any]
Write = Callable[[Any, str, list[str]], None]
# Appends the elements of a value to a list of text.
Append = Callable[[Any, list[str]], None]
# A member, its tags and how its text is made where it is a scalar, else what appends it.
_Element = tuple[str, str, str, Callable[[Any], str] | None, Append | None]


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
    return text.translate(_ESCAPES) if _TO_ESCAPE.search(text) else text


def _text_of_any(value: Any) -> str:
    if type(value) is int:
        return str(value)
    text = value if type(value) is str else str(value)
    return text.translate(_ESCAPES) if _TO_ESCAPE.search(text) else text


# The values of an enumeration are few.
_text_of_name = lru_cache(maxsize=1024)(_text_of_any)


def writer(shape: Shape) -> Write:
    """A function that appends the element of a value, under a given name, to a list of text."""
    writers = _Writers()
    done: dict[str, Append] = {}

    def write(value: Any, name: str, out: list[str]) -> None:
        if name not in done:
            # A shape has one name, but for the few that are a root here and a member there.
            done[name] = writers.of(shape, None, name)
        done[name](value, out)

    return write


class _Writers:
    """Compiles, for a shape under a name, what appends its elements: tags are made once."""

    def __init__(self) -> None:
        self._done: dict[tuple[str, str | None, str], Append] = {}

    def of(self, shape: Shape, form: str | None, name: str) -> Append:
        key = (shape.name, form, name)
        if key not in self._done:
            self._done[key] = lambda value, out: self._done[key](value, out)
            self._done[key] = self._compile(shape, form, name)
        return self._done[key]

    def _member(self, member: Member, name: str) -> Append:
        return self.of(member.shape, member.timestamp_format, name)

    def _compile(self, shape: Shape, form: str | None, name: str) -> Append:
        if shape.type == "structure":
            return self._structure(shape, name)
        if shape.type == "list":
            assert shape.member is not None
            return _list_writer(name, self._member(shape.member, shape.member.wire))
        if shape.type == "map":
            assert shape.key is not None and shape.value is not None
            element = self._member(shape.value, shape.value.wire)
            return _map_writer(name, shape.key.wire, element)
        start, end, text_of = f"<{name}>", f"</{name}>", _text_of(shape, form)
        return lambda value, out: out.append(start + text_of(value) + end)

    def _structure(self, shape: Shape, name: str) -> Append:
        attributes = [member for member in shape.members.values() if member.xml_attribute]
        elements: list[_Element] = []
        for member in shape.members.values():
            if member.location is not None or member.xml_attribute:
                continue
            inner = member.shape
            if inner.type == "list" and member.flattened:
                assert inner.member is not None
                named = inner.member.wire != "member"
                wire = inner.member.wire if named else member.wire
                each = self._member(inner.member, wire)
                elements.append((member.name, "", "", None, _repeated(each)))
            elif inner.type in ("structure", "list", "map"):
                append = self._member(member, member.wire)
                elements.append((member.name, "", "", None, append))
            else:
                text_of = _text_of(inner, member.timestamp_format)
                start, end = f"<{member.wire}>", f"</{member.wire}>"
                elements.append((member.name, start, end, text_of, None))
        opening, closing = f"<{name}>", f"</{name}>"

        def write(value: Any, out: list[str]) -> None:
            if attributes:
                out.append(f"<{name}{_attributes(attributes, value)}>")
            else:
                out.append(opening)
            # The text of scalars is added here: a call for each would double the time of a listing.
            for member, start, end, text_of, append in elements:
                each = value.get(member)
                if each is None:
                    continue
                if text_of is not None:
                    out.append(start + text_of(each) + end)
                elif append is not None:
                    append(each, out)
            out.append(closing)

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


def _repeated(element: Append) -> Append:
    """The elements of a flattened list."""

    def write(value: Any, out: list[str]) -> None:
        for each in value:
            element(each, out)

    return write


def _list_writer(name: str, element: Append) -> Append:
    def write(value: Any, out: list[str]) -> None:
        out.append(f"<{name}>")
        for each in value:
            element(each, out)
        out.append(f"</{name}>")

    return write


def _map_writer(name: str, key: str, element: Append) -> Append:
    def write(value: Any, out: list[str]) -> None:
        out.append(f"<{name}>")
        for entry, each in value.items():
            out.append(f"<entry><{key}>{escape(str(entry))}</{key}>")
            element(each, out)
            out.append("</entry>")
        out.append(f"</{name}>")

    return write


def _text_of(shape: Shape, form: str | None) -> Callable[[Any], str]:
    """A function from a scalar of this shape to its text."""
    if shape.type == "string":
        return _text_of_name if shape.enum else _text_of_any
    if shape.type == "boolean":
        return lambda value: "true" if value else "false"
    if shape.type == "timestamp":
        wanted = form or timestamps.ISO8601
        return (
            timestamps.iso8601
            if wanted == timestamps.ISO8601
            else (lambda value: timestamps.render(value, wanted))
        )
    if shape.type == "blob":
        return lambda value: escape(value) if isinstance(value, str) else _base64(value)
    return _text_of_any


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
