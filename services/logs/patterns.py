"""Filter patterns, as predicates over a message.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import re
from collections.abc import Callable
from typing import Any

import orjson

from fogbank.services.errors import NotImplementedYet
from fogbank.services.logs.conditions import MISSING, Condition, compile_condition, malformed
from fogbank.services.logs.errors import InvalidParameterException

PATTERN_LENGTH_MAX = 1024

Matches = Callable[[str], bool]

_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
_FIELD = re.compile(r'\[[^\]]*\]|"[^"]*"|\S+')
_ITEM = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+')
_STEP = re.compile(r"\.([^.\[\]\s]+)|\[(\d{1,9})\]|\['([^'\]]+)'\]")


def compile_pattern(pattern: str) -> Matches:
    """Whether a message matches; raises InvalidParameterException for a malformed pattern."""
    text = pattern.strip()
    if len(text) > PATTERN_LENGTH_MAX:
        rule = f"Member must have length less than or equal to {PATTERN_LENGTH_MAX}"
        raise InvalidParameterException.one(pattern, "filterPattern", rule)
    if "%" in text and re.search(r"%[^%\s]+%", text):
        raise NotImplementedYet("logs", "regular expressions in filter patterns")
    if text.startswith("{"):
        return _json(text)
    if text.startswith("["):
        return _space_delimited(text)
    return _terms(text)


def _terms(text: str) -> Matches:
    """All plain terms, no -excluded one; ?optional ones count only where there is no plain one."""
    wanted: dict[str, list[str]] = {"": [], "?": [], "-": []}
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _TERM.match(text, at)
        if found is None:
            raise malformed()
        sign, quoted, word = found.groups()
        wanted[sign].append(word if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = found.end()
    required, optional, excluded = wanted[""], wanted["?"], wanted["-"]

    def matches(message: str) -> bool:
        if any(term in message for term in excluded):
            return False
        if required or not optional:
            return all(term in message for term in required)
        return any(term in message for term in optional)

    return matches


def _json(text: str) -> Matches:
    """`{ $.level = "ERROR" && $.code >= 500 }`: messages that are JSON."""
    if not text.endswith("}"):
        raise malformed()
    condition = compile_condition(text[1:-1], _member)

    def matches(message: str) -> bool:
        if not message.lstrip().startswith(("{", "[")):
            return False
        try:
            document = orjson.loads(message)
        except orjson.JSONDecodeError:
            return False
        return condition(document)

    return matches


def _member(selector: str) -> Callable[[Any], Any]:
    """What reads `$.name.list[0]` from a document."""
    steps = _STEP.findall(selector[1:])
    if not selector.startswith("$") or "".join(map(_spelled, steps)) != selector[1:]:
        raise malformed()

    def read(document: Any) -> Any:
        for name, index, quoted in steps:
            if index:
                if not isinstance(document, list) or int(index) >= len(document):
                    return MISSING
                document = document[int(index)]
            elif isinstance(document, dict):
                document = document.get(name or quoted, MISSING)
            else:
                return MISSING
        return document

    return read


def _spelled(step: tuple[str, str, str]) -> str:
    name, index, quoted = step
    if index:
        return f"[{index}]"
    return f".{name}" if name else f"['{quoted}']"


def _space_delimited(text: str) -> Matches:
    """`[ip, user, ..., status_code = 4*, bytes]`: lines of that many fields that fulfil it."""
    if not text.endswith("]"):
        raise malformed()
    items = [item.strip() for item in _ITEM.findall(text[1:-1])]
    gap = items.index("...") if "..." in items else None
    count = len(items)
    conditions: list[Condition] = []
    for position, item in enumerate(items):
        at = position if gap is None or position < gap else position - count
        compiled = _field_condition(item, at)
        if compiled is not None:
            conditions.append(compiled)

    def matches(message: str) -> bool:
        fields = [field.strip('[]"') for field in _FIELD.findall(message)]
        if len(fields) != count and (gap is None or len(fields) < count - 1):
            return False
        return all(condition(fields) for condition in conditions)

    return matches


def _field_condition(item: str, at: int) -> Condition | None:
    """What an item of a space-delimited pattern asks of the field at `at`; None for a bare name."""
    if item == "..." or re.fullmatch(r"\w*", item):
        return None

    def read(fields: Any) -> Any:
        return fields[at] if -len(fields) <= at < len(fields) else MISSING

    return compile_condition(item, lambda selector: read)
