"""The conditions inside { } and [ ] patterns: comparisons joined by && and ||.

Whoever compiles a condition says what a selector means, so that one grammar serves the members
of JSON and the fields of a space-delimited line.
"""

import re
from collections.abc import Callable
from typing import Any

from fogbank.services.logs.errors import InvalidParameterException

# What reads the selected value, or MISSING, from a message; raises for a selector it cannot read.
Select = Callable[[str], Callable[[Any], Any]]
Condition = Callable[[Any], bool]

MISSING = object()
DEPTH_MAX = 50

_TOKEN = re.compile(
    r'\s*(&&|\|\||[()]|!=|<=|>=|=|<|>|"(?:[^"\\]|\\.)*"|%[^%]*%|[^\s()=<>!&|"]+|.)', re.DOTALL
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}
_STATES: dict[tuple[str, ...], Callable[[Any], bool]] = {
    ("IS", "NULL"): lambda value: value is None,
    ("IS", "TRUE"): lambda value: value is True,
    ("IS", "FALSE"): lambda value: value is False,
    ("NOT", "EXISTS"): lambda value: value is MISSING,
    ("EXISTS",): lambda value: value is not MISSING,
}


def malformed() -> InvalidParameterException:
    return InvalidParameterException("Invalid filter pattern")


def compile_condition(text: str, select: Select) -> Condition:
    """Whether a message, in whatever form `select`'s readers take it, fulfils `text`."""
    parser = _Parser([found[1] for found in _TOKEN.finditer(text) if found[1].strip()], select)
    condition = parser.any_of(0)
    if not parser.at_end():
        raise malformed()
    return condition


class _Parser:
    """Recursive descent: || binds less than &&, parentheses group."""

    def __init__(self, tokens: list[str], select: Select) -> None:
        self._tokens = tokens
        self._at = 0
        self._select = select

    def at_end(self) -> bool:
        return self._at == len(self._tokens)

    def any_of(self, depth: int) -> Condition:
        if depth > DEPTH_MAX:
            raise malformed()
        parts = [self._all_of(depth)]
        while self._take("||"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else lambda message: any(part(message) for part in parts)

    def _all_of(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._take("&&"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else lambda message: all(part(message) for part in parts)

    def _one(self, depth: int) -> Condition:
        if self._take("("):
            inner = self.any_of(depth + 1)
            if not self._take(")"):
                raise malformed()
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        read = self._select(self._next())
        for words, holds in _STATES.items():
            ahead = self._tokens[self._at : self._at + len(words)]
            if tuple(word.upper() for word in ahead) == words:
                self._at += len(words)
                return _test(read, holds)
        return _test(read, comparison(self._next(), self._next()))

    def _next(self) -> str:
        if self.at_end():
            raise malformed()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, token: str) -> bool:
        if not self.at_end() and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False


def _test(read: Callable[[Any], Any], holds: Callable[[Any], bool]) -> Condition:
    return lambda message: holds(read(message))


def comparison(operator: str, operand: str) -> Callable[[Any], bool]:
    """Whether a value stands in the relation to `operand`, a number or a text with * in it."""
    if operator in _ORDER:
        if not _NUMBER.fullmatch(operand):
            raise malformed()
        bound, order = float(operand), _ORDER[operator]
        return lambda value: (found := _number(value)) is not None and order(found, bound)
    if operator not in ("=", "!="):
        raise malformed()
    equal = _equality(operand)
    if operator == "=":
        return equal
    return lambda value: value is not MISSING and not equal(value)


def _equality(operand: str) -> Callable[[Any], bool]:
    if _NUMBER.fullmatch(operand):
        number = float(operand)
        return lambda value: _number(value) == number
    if operand.startswith('"') and operand.endswith('"') and len(operand) > 1:
        operand = re.sub(r"\\(.)", r"\1", operand[1:-1])
    pieces = operand.split("*")
    return lambda value: isinstance(value, str) and _matches(value, pieces)


def _matches(text: str, pieces: list[str]) -> bool:
    """Whether `pieces` come in `text` in this order, with anything where the * were."""
    if len(pieces) == 1:
        return text == pieces[0]
    if not text.startswith(pieces[0]):
        return False
    at = len(pieces[0])
    for piece in pieces[1:-1]:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return len(text) - at >= len(pieces[-1]) and text.endswith(pieces[-1])


def _number(value: Any) -> float | None:
    """The number that `value` is or spells, as space-delimited fields do."""
    if isinstance(value, bool) or value is MISSING:
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e300 else None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return None
