"""How AWS's framework, which is written in Java, prints values and writes patterns."""

import re
from datetime import datetime
from typing import Any
from zlib import crc32

from fogbank.gateway.models import Shape


def lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def length_of(value: Any) -> int:
    """Java counts a text in UTF-16 units."""
    if isinstance(value, str) and not value.isascii():
        return len(value.encode("utf-16-le", "surrogatepass")) // 2
    return len(value)


# Classes that print as Java's objects do: the class and a number.
_OPAQUE = {"AttributeValue": "com.amazonaws.dynamodb.v20120810.AttributeValue"}


def text_of(value: Any, shape: Shape) -> str:
    """A value as Java prints it: [a, b], {k=v}, Name(member=value, other=null)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list) and shape.member is not None:
        element = shape.member.shape
        return f"[{', '.join(text_of(each, element) for each in value)}]"
    if isinstance(value, dict) and shape.value is not None:
        of_value = shape.value.shape
        return f"{{{', '.join(f'{key}={text_of(each, of_value)}' for key, each in value.items())}}}"
    if isinstance(value, dict) and shape.name in _OPAQUE:
        digest = crc32(repr(value).encode(errors="surrogatepass"))
        return f"{_OPAQUE[shape.name]}@{digest:x}"
    if isinstance(value, dict):
        fields = (
            f"{lower_first(member.name)}={text_of(value.get(member.name), member.shape)}"
            for member in shape.members.values()
        )
        return f"{shape.name}({', '.join(fields)})"
    return str(value)


# Java's classes of Unicode properties, as near as Python's own come.
_PROPERTIES = {
    "L": r"\w",
    "M": "\u0300-\u036f",
    "Z": r"\s",
    "N": r"\d",
    "S": r"$+<=>^`|~\u00a2-\u00a9\u2100-\u23ff",
    "P": r"!-#%-*,-/:;?@\[-\]_{}\u00a1-\u00bf\u2010-\u2027",
    "Graph": "!-~",
    "Print": " -~",
    "ASCII": "\x00-\x7f",
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
}


# Spellings that Java reads and Python does not.
_RESPELT = (
    (r"\w-_", r"\w\-_"),
    (r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff"),
    (r"\z", r"\Z"),
)
_TOKEN = re.compile(r"\\p\{(?:Is)?(\w+)\}|\\.|[\[\]]|[^\\\[\]]+", re.DOTALL)


def java_pattern(pattern: str) -> re.Pattern[str] | None:
    """`pattern` for Python; None where it uses what Python does not have."""
    flags = re.ASCII
    for java, python in _RESPELT:
        pattern = pattern.replace(java, python)
    if r"\p{" in pattern:
        flags = re.NOFLAG
        pattern = _with_properties(pattern)
    try:
        return re.compile(pattern, flags)
    except (re.error, RecursionError):
        return None


def _with_properties(pattern: str) -> str:
    """The pattern with each Unicode property as the characters of a class."""
    pieces = []
    depth = 0
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if token[1] is not None:
            characters = _PROPERTIES.get(token[1]) or _PROPERTIES.get(token[1][:1], "")
            text = characters if depth else f"[{characters}]"
        elif text == "[":
            depth += 1
        elif text == "]":
            depth -= 1
        pieces.append(text)
    return "".join(pieces)
