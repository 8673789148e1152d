"""Types of a JSON input that stays as it came: checked in place, never converted."""

import binascii
from collections.abc import Callable
from typing import Any

from fogbank.gateway.models import Shape
from fogbank.gateway.protocols.faults import SerializationException
from fogbank.gateway.protocols.json_values import token_of

# Why each is here: its values (DynamoDB's items) are stored and answered in the very form in which
# they arrive, so turning base64 into bytes and back would cost more than everything else does.
WIRE_FORM_SERVICES = frozenset({"dynamodb", "dynamodbstreams"})

# Checks a value; true asks the owner to truncate it to a whole number.
Check = Callable[[Any], bool | None]

_PACKAGE = "com.amazonaws.dynamodb.v20120810."
_CLASSES = {
    "string": "java.lang.String",
    "boolean": "java.lang.Boolean",
    "integer": "java.lang.Integer",
    "long": "java.lang.Long",
    "double": "java.lang.Double",
    "timestamp": "java.util.Date",
    "blob": "java.nio.ByteBuffer",
}
_LONG_MAX = 2.0**63


def checker(shape: Shape) -> Check:
    """Raises SerializationException, in DynamoDB's words, where a value does not fit `shape`."""
    return _Checkers().of(shape)


def complaint(value: Any, shape: Shape, *, element: bool = False) -> SerializationException:
    """`element` says that the value stands in a list or a map, where DynamoDB's text differs."""
    if isinstance(value, dict):
        return SerializationException("Start of structure or map found where not expected")
    if isinstance(value, list):
        return SerializationException(f"Unrecognized collection type {_class_of(shape)}")
    if shape.type == "structure" and element:
        return SerializationException("Unexpected value type in payload")
    if shape.type in ("structure", "list", "map"):
        return SerializationException("Unexpected field type")
    if shape.type == "blob":
        return SerializationException("only base-64-encoded strings are convertible to bytes")
    if shape.type == "boolean" and isinstance(value, str):
        return SerializationException("Unexpected token received from parser")
    token = "DECIMAL_VALUE" if isinstance(value, float) else token_of(value)
    return SerializationException(
        f"{token} cannot be converted to {_CLASSES[shape.type].rpartition('.')[2]}"
    )


def _class_of(shape: Shape) -> str:
    if shape.type == "structure":
        return f"class {_PACKAGE}{shape.name}"
    if shape.type == "map":
        assert shape.value is not None
        value = _class_of(shape.value.shape).removeprefix("class ")
        return f"java.util.Map<java.lang.String, {value}>"
    if shape.type == "list":
        assert shape.member is not None
        return f"java.util.List<{_class_of(shape.member.shape).removeprefix('class ')}>"
    return f"class {_CLASSES[shape.type]}"


class _Checkers:
    def __init__(self) -> None:
        self._done: dict[str, Check] = {}

    def of(self, shape: Shape) -> Check:
        if shape.name in self._done:
            return self._done[shape.name]
        name = shape.name
        self._done[name] = lambda value: self._done[name](value)
        self._done[name] = self._compile(shape)
        return self._done[name]

    def _compile(self, shape: Shape) -> Check:
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        if shape.type == "blob":
            return lambda value: _check_base64(value, shape)
        if shape.type in ("integer", "long"):
            return lambda value: _check_whole(value, shape)
        if shape.type in ("double", "float", "timestamp"):
            return lambda value: _check_number(value, shape)
        return _check_type(bool if shape.type == "boolean" else str, shape)

    def _structure(self, shape: Shape) -> Check:
        checks = {member.wire: self.of(member.shape) for member in shape.members.values()}
        find = checks.get

        def check(value: Any) -> None:
            if type(value) is not dict:
                raise complaint(value, shape)
            for name, each in value.items():
                if each is not None:
                    of_member = find(name)
                    if of_member is not None and of_member(each):
                        value[name] = int(each)

        return check

    def _list(self, shape: Shape) -> Check:
        assert shape.member is not None
        element, element_shape = self.of(shape.member.shape), shape.member.shape
        fits = _container(element_shape)

        def check(value: Any) -> None:
            if type(value) is not list:
                raise complaint(value, shape)
            for each in value:
                if each is not None:
                    if fits is not None and type(each) is not fits:
                        raise complaint(each, element_shape, element=True)
                    element(each)

        return check

    def _map(self, shape: Shape) -> Check:
        assert shape.value is not None
        element, element_shape = self.of(shape.value.shape), shape.value.shape
        fits = _container(element_shape)

        def check(value: Any) -> None:
            if type(value) is not dict:
                raise complaint(value, shape)
            for each in value.values():
                if each is not None:
                    if fits is not None and type(each) is not fits:
                        raise complaint(each, element_shape, element=True)
                    element(each)

        return check


def _container(shape: Shape) -> type | None:
    if shape.type == "list":
        return list
    return dict if shape.type in ("structure", "map") else None


def _check_type(kind: type, shape: Shape) -> Check:
    def check(value: Any) -> None:
        if type(value) is not kind:
            raise complaint(value, shape)

    return check


def _check_whole(value: Any, shape: Shape) -> bool:
    if type(value) is int:
        return False
    if type(value) is float and -_LONG_MAX < value < _LONG_MAX:
        return True
    raise complaint(value, shape)


def _check_number(value: Any, shape: Shape) -> None:
    if type(value) is not int and type(value) is not float:
        raise complaint(value, shape)


def _check_base64(value: Any, shape: Shape) -> None:
    if type(value) is not str:
        raise complaint(value, shape)
    if len(value) % 4:
        raise SerializationException(
            "Base64 encoded length is expected a multiple of 4 bytes but found: "
            f"{len(value.encode())}"
        )
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except ValueError as error:
        # The spelling is AWS's.
        raise SerializationException("Invalid last non-pad Base64 character dectected") from error
