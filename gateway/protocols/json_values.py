"""JSON values to and from a handler's values, compiled once per shape."""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

import orjson

from fogbank.gateway.models import Member, Shape
from fogbank.gateway.protocols import timestamps
from fogbank.gateway.protocols.faults import SerializationException

Convert = Callable[[Any], Any]
# Says in AWS's words that a JSON value does not fit a shape.
Complaint = Callable[[Any, Shape], SerializationException]

_KINDS = {
    "string": "String",
    "character": "String",
    "boolean": "Boolean",
    "integer": "Integer",
    "long": "Long",
    "float": "Float",
    "double": "Double",
    "timestamp": "Date",
    "blob": "ByteBuffer",
}
_WHOLE = frozenset({"integer", "long"})
_NUMBERS = frozenset({"integer", "long", "float", "double"})
# What a datetime can hold without overflow is far less; this bounds int() of a float.
_LONG_MAX = 2.0**63


def token_of(value: Any) -> str:
    """The name of a scalar's JSON token, as Jackson calls it."""
    if value is True:
        return "TRUE_VALUE"
    if value is False:
        return "FALSE_VALUE"
    return "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"


def coral_complaint(value: Any, shape: Shape) -> SerializationException:
    """The texts of the services built on AWS's common framework (Lambda, Logs, API Gateway)."""
    if isinstance(value, list):
        return SerializationException("Start of list found where not expected")
    if isinstance(value, dict):
        return SerializationException("Start of structure or map found where not expected.")
    if shape.type == "list":
        return SerializationException("Expected list or null")
    if shape.type in ("structure", "map"):
        return SerializationException("Expected null")
    kind = _KINDS[shape.type]
    article = "an" if kind == "Integer" else "a"
    return SerializationException(f"{token_of(value)} can not be converted to {article} {kind}")


def decoder(shape: Shape, complain: Complaint = coral_complaint) -> Convert:
    """JSON to a handler's value: timestamps become datetimes, blobs bytes; null is absence.

    It raises SerializationException where a value does not fit its shape, and leaves out what
    the model does not know.
    """
    return _Decoders(complain).of(shape)


class _Decoders:
    """Compiles each shape once; a shape that contains itself is looked up when it is used."""

    def __init__(self, complain: Complaint) -> None:
        self._complain = complain
        self._done: dict[str, Convert] = {}

    def of(self, shape: Shape) -> Convert:
        if shape.name in self._done:
            return self._done[shape.name]
        name = shape.name
        self._done[name] = lambda value: self._done[name](value)
        self._done[name] = self._compile(shape)
        return self._done[name]

    def _compile(self, shape: Shape) -> Convert:
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        return scalar_decoder(shape, self._complain)

    def _structure(self, shape: Shape) -> Convert:
        complain = self._complain
        fields = {
            member.wire: (member.name, self.of(member.shape))
            for member in shape.members.values()
            if member.location is None
        }

        def convert(value: Any) -> Any:
            if not isinstance(value, dict):
                raise complain(value, shape)
            result = {}
            for wire, each in value.items():
                field = fields.get(wire)
                if field is not None and each is not None:
                    result[field[0]] = field[1](each)
            return result

        return convert

    def _list(self, shape: Shape) -> Convert:
        assert shape.member is not None
        complain = self._complain
        element = self.of(shape.member.shape)

        def convert(value: Any) -> Any:
            if not isinstance(value, list):
                raise complain(value, shape)
            return [None if each is None else element(each) for each in value]

        return convert

    def _map(self, shape: Shape) -> Convert:
        assert shape.value is not None
        complain = self._complain
        element = self.of(shape.value.shape)

        def convert(value: Any) -> Any:
            if not isinstance(value, dict):
                raise complain(value, shape)
            return {key: None if each is None else element(each) for key, each in value.items()}

        return convert


def scalar_decoder(shape: Shape, complain: Complaint) -> Convert:
    if shape.type == "blob":
        return lambda value: _bytes_of(value, shape, complain)
    if shape.type == "timestamp":
        return lambda value: _moment_of(value, shape, complain)
    if shape.type == "boolean":
        return _typed(bool, shape, complain)
    if shape.type in _NUMBERS:
        whole = shape.type in _WHOLE

        def number(value: Any) -> Any:
            if type(value) is int:
                return value
            if type(value) is not float or not -_LONG_MAX < value < _LONG_MAX:
                raise complain(value, shape)
            return int(value) if whole else value

        return number
    return _typed(str, shape, complain)


def _typed(kind: type, shape: Shape, complain: Complaint) -> Convert:
    def convert(value: Any) -> Any:
        if type(value) is not kind:
            raise complain(value, shape)
        return value

    return convert


def _bytes_of(value: Any, shape: Shape, complain: Complaint) -> bytes:
    if not isinstance(value, str):
        raise complain(value, shape)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SerializationException("Invalid base64 in the request") from error


def _moment_of(value: Any, shape: Shape, complain: Complaint) -> Any:
    try:
        if type(value) is int or type(value) is float:
            return timestamps.parse_epoch(value)
        if isinstance(value, str):
            return timestamps.parse(value)
    except ValueError as error:
        raise SerializationException(f"{value!r:.100} is not a timestamp") from error
    raise complain(value, shape)


def encoder(shape: Shape) -> Convert:
    """A handler's value to what orjson writes; what the model does not know is left out."""
    return _Encoders().of(shape, None)


class _Encoders:
    def __init__(self) -> None:
        self._done: dict[tuple[str, str | None], Convert] = {}

    def of(self, shape: Shape, form: str | None) -> Convert:
        key = (shape.name, form)
        if key in self._done:
            return self._done[key]
        self._done[key] = lambda value: self._done[key](value)
        self._done[key] = self._compile(shape, form)
        return self._done[key]

    def _member(self, member: Member) -> Convert:
        return self.of(member.shape, member.timestamp_format)

    def _compile(self, shape: Shape, form: str | None) -> Convert:
        if shape.type == "structure":
            fields = {
                member.name: (member.wire, self._member(member))
                for member in shape.members.values()
                if member.location is None
            }
            return lambda value: {
                fields[name][0]: fields[name][1](each)
                for name, each in value.items()
                if each is not None and name in fields
            }
        if shape.type == "list":
            assert shape.member is not None
            element = self._member(shape.member)
            return lambda value: [None if each is None else element(each) for each in value]
        if shape.type == "map":
            assert shape.value is not None
            entry = self._member(shape.value)
            return lambda value: {
                str(key): None if each is None else entry(each) for key, each in value.items()
            }
        if shape.type == "blob":
            return base64_text
        if shape.type == "timestamp":
            if form in (None, timestamps.UNIX):
                return timestamps.epoch_of
            return lambda value: timestamps.render(value, form or timestamps.ISO8601)
        return lambda value: value


def base64_text(value: Any) -> str:
    """Text is taken to be base64 already: DynamoDB's items stay in wire form."""
    if isinstance(value, str):
        return value
    return base64.b64encode(value).decode("ascii")


def _wire_default(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64_text(bytes(value))
    return timestamps.epoch_of(value)


def dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=_wire_default, option=orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:
        # A lone surrogate, as a function's output may hold one: orjson refuses what JSON can say.
        return json.dumps(value, default=_wire_default, separators=(",", ":")).encode("ascii")
