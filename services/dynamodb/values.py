"""Attribute values: checked, brought to one form, and measured by AWS's size rule."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fogbank.services.dynamodb import numbers
from fogbank.services.dynamodb.errors import SerializationException, ValidationException
from fogbank.services.dynamodb.faults import KindFault, NameFault, NestingFault, ValueFault

Value = dict[str, Any]
Item = dict[str, Value]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
ITEM_BYTES_MAX = 400 * 1024
NAME_BYTES_MAX = 65_535
# Levels of a document: the attribute is the first, so a container at the last one is empty.
DEPTH_MAX = 32
_LAST = DEPTH_MAX - 1
_CONTAINER_BYTES = 3

_INVALID = "One or more parameter values were invalid: "
_NO_TYPE = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
# Deep enough for any legal value; the check proper counts levels.
_Reader = Callable[[Any, int], tuple[Any, int]]


def item(raw: Any) -> tuple[Item, int]:
    """The item in its one form, and its size in bytes."""
    if not isinstance(raw, dict):
        raise unexpected(raw)
    if "" in raw:
        raise NameFault
    result: Item = {}
    total = 0
    try:
        for name, member in raw.items():
            text = member.get("S") if type(member) is dict and len(member) == 1 else None
            if type(text) is str and text.isascii():
                # Most values are such strings: this is worth a shorter way.
                result[name] = member
                size = len(text)
            else:
                result[name], size = value(member, 0)
            total += size + (len(name) if name.isascii() else text_size(name))
    except NameFault:
        # An empty name within a value is told after all that is nested too deeply.
        for member in raw.values():
            _refuse_deep(member, 0)
        raise
    if total > NAME_BYTES_MAX:
        _check_names(result)
    return result, total


def _check_names(named: Item) -> None:
    for name in named:
        if text_size(name) > NAME_BYTES_MAX:
            raise ValidationException(
                _INVALID + f"Attribute name exceeds the maximum length of {NAME_BYTES_MAX} bytes"
            )


def value(raw: Any, depth: int = 0) -> tuple[Value, int]:
    """An attribute value in its one form, and its size without its name."""
    if not isinstance(raw, dict):
        raise unexpected(raw)
    if len(raw) == 1:
        for kind, member in raw.items():
            reader = _READERS.get(kind)
            if reader is not None and member is not None:
                member, size = reader(member, depth)
                return {kind: member}, size
    present = [(kind, member) for kind, member in raw.items() if member is not None]
    if not present:
        raise ValueFault(_NO_TYPE)
    result: Value = {}
    size = 0
    for kind, member in present:
        reader = _READERS.get(kind)
        if reader is None:
            continue
        result[kind], size = reader(member, depth)
    if len(result) == 1:
        return result, size
    if result:
        raise ValueFault(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
            "the supported datatypes"
        )
    raise ValueFault(_NO_TYPE)


def text_size(text: Any) -> int:
    if not isinstance(text, str):
        raise unexpected(text)
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise SerializationException("Unable to parse a string that is not Unicode") from None


def unexpected(raw: Any) -> SerializationException:
    """What Coral says of JSON that does not fit its model."""
    if isinstance(raw, dict):
        return SerializationException("Start of structure or map found where not expected.")
    if isinstance(raw, list):
        return SerializationException("Start of list found where not expected")
    return SerializationException("Unexpected value type in payload")


def decode(text: Any) -> bytes:
    if not isinstance(text, str):
        raise unexpected(text)
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise SerializationException(
            f"Invalid base64 text of {len(text)} characters for a binary value"
        ) from None


def _string(raw: Any, depth: int) -> tuple[str, int]:
    return raw, text_size(raw)


def _number(raw: Any, depth: int) -> tuple[str, int]:
    if not isinstance(raw, str):
        raise unexpected(raw)
    return numbers.measured(raw)


def _binary(raw: Any, depth: int) -> tuple[str, int]:
    data = decode(raw)
    return b64encode(data).decode(), len(data)


def _bool(raw: Any, depth: int) -> tuple[bool, int]:
    if not isinstance(raw, bool):
        raise unexpected(raw)
    return raw, 1


def _null(raw: Any, depth: int) -> tuple[bool, int]:
    if not isinstance(raw, bool):
        raise unexpected(raw)
    if not raw:
        raise KindFault(_INVALID + "Null attribute value types must have the value of true")
    return raw, 1


def _list(raw: Any, depth: int) -> tuple[list[Value], int]:
    if not isinstance(raw, list):
        raise unexpected(raw)
    if depth >= _LAST and raw:
        raise NestingFault
    result = []
    total = _CONTAINER_BYTES
    for member in raw:
        one, size = value(member, depth + 1)
        result.append(one)
        total += size + 1
    return result, total


def _map(raw: Any, depth: int) -> tuple[Item, int]:
    if not isinstance(raw, dict):
        raise unexpected(raw)
    if depth >= _LAST and raw:
        raise NestingFault
    if "" in raw:
        raise NameFault
    result: Item = {}
    total = _CONTAINER_BYTES
    for name, member in raw.items():
        result[name], size = value(member, depth + 1)
        total += size + 1 + text_size(name)
    return result, total


def _refuse_deep(raw: Any, depth: int) -> None:
    """Nothing in what may be a value is nested too deeply."""
    if not isinstance(raw, dict):
        return
    listed, mapped = raw.get("L"), raw.get("M")
    members = [*(listed if isinstance(listed, list) else ())]
    members += mapped.values() if isinstance(mapped, dict) else ()
    if depth >= _LAST and members:
        raise NestingFault
    for member in members:
        _refuse_deep(member, depth + 1)


def _string_set(raw: Any, depth: int) -> tuple[list[str], int]:
    members = _members(raw)
    total = sum(map(text_size, members))
    if not members:
        raise KindFault(_INVALID + "An string set  may not be empty")
    if len(set(members)) < len(members):
        shown = ", ".join(f'"{member}"' for member in _until_repeated(members, str))
        raise KindFault(
            _INVALID + f"Input collection [{', '.join(members)}] contains duplicates.",
            _INVALID + f"Input collection [{shown}] contains duplicates.",
        )
    return sorted(members), total


def _number_set(raw: Any, depth: int) -> tuple[list[str], int]:
    members = _members(raw)
    if not members:
        raise KindFault(_INVALID + "An number set  may not be empty")
    texts = [_number(member, depth)[0] for member in members]
    if len(set(texts)) < len(texts):
        plain = "Input collection contains duplicates"
        raise KindFault(plain, f"{_INVALID}{plain}.")
    return sorted(texts, key=Decimal), sum(map(numbers.size_bytes, texts))


def _binary_set(raw: Any, depth: int) -> tuple[list[str], int]:
    members = _members(raw)
    if not members:
        raise KindFault(_INVALID + "Binary sets should not be empty")
    datas = [decode(member) for member in members]
    if len(set(datas)) < len(datas):
        shown = ",".join(f'"{member}"' for member in _until_repeated(members, decode))
        raise KindFault(
            _INVALID + f"Input collection [{', '.join(members)}]of type BS contains duplicates.",
            _INVALID + f"Input collection [{shown}]of type BS contains duplicates.",
        )
    return [b64encode(data).decode() for data in sorted(datas)], sum(map(len, datas))


def _until_repeated(members: list[str], read: Callable[[str], Any]) -> list[str]:
    """The members as the newer form shows them: in order up to the first that is repeated."""
    seen: set[Any] = set()
    at = 0
    while (one := read(members[at])) not in seen:
        seen.add(one)
        at += 1
    return [*sorted(members[:at], key=lambda one: _bytes_of(read(one))), *members[at:]]


def _bytes_of(member: str | bytes) -> bytes:
    return member.encode() if isinstance(member, str) else member


def _members(raw: Any) -> list[Any]:
    if not isinstance(raw, list):
        raise unexpected(raw)
    return raw


_READERS: dict[str, _Reader] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _bool,
    "NULL": _null,
    "L": _list,
    "M": _map,
    "SS": _string_set,
    "NS": _number_set,
    "BS": _binary_set,
}

SET_ORDER: dict[str, Callable[[str], Any]] = {"SS": str, "NS": Decimal, "BS": b64decode}


def kind_of(one: Value) -> str:
    return next(iter(one))


def describe(one: Value) -> str:
    """A value as AWS prints it in its messages: {S:abc}."""
    kind, member = next(iter(one.items()))
    return f"{{{kind}:{_described(member)}}}"


def _described(member: Any) -> str:
    if isinstance(member, bool):
        return "true" if member else "false"
    if isinstance(member, list):
        return f"[{', '.join(describe(x) if isinstance(x, dict) else x for x in member)}]"
    if isinstance(member, dict):
        return f"{{{', '.join(f'{name}={describe(x)}' for name, x in member.items())}}}"
    return str(member)
