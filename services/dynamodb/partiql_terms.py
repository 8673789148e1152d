"""What a PartiQL statement is made of below its conditions: paths and values."""

from collections.abc import Callable

from fogbank.services.dynamodb import numbers, values
from fogbank.services.dynamodb.conditions import Node
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.partiql_literals import (
    Bag,
    ListOf,
    Literal,
    MapOf,
    Parameter,
    Scalar,
    filled,
    is_constant,
)
from fogbank.services.dynamodb.partiql_tokens import (
    END,
    NUMBER,
    RESERVED,
    STRING,
    SYMBOL,
    WORD,
    Cursor,
    malformed,
)
from fogbank.services.dynamodb.tokens import Path
from fogbank.services.dynamodb.values import Value

_CONSTANTS: dict[str, Value] = {
    "TRUE": {"BOOL": True},
    "FALSE": {"BOOL": False},
    "NULL": {"NULL": True},
}
_LITERALS = (STRING, NUMBER)
_INTEGER_MAX = 2**31 - 1
_POWER_CHARACTERS_MAX = 20


class Terms:
    """A cursor over one statement, and the names and values that it has given so far.

    Values, and names that a path would take for placeholders, become placeholders.
    """

    def __init__(self, text: str) -> None:
        self.cursor = Cursor(text)
        self.parameters = 0
        self.names: dict[str, str] = {}
        self.constants: dict[str, Value] = {}
        self.literals: dict[str, Literal] = {}
        # What is wrong though the syntax is right: AWS reports syntax first.
        self.faults: list[str] = []

    def path(self) -> Path:
        """Take a document path."""
        steps: list[str | int] = [self._step(self.cursor.name())]
        while True:
            if self.cursor.accept_symbol("."):
                if self.is_reserved():
                    raise malformed("Invalid path dot component")
                steps.append(self._step(self.cursor.name()))
            elif self.cursor.accept_symbol("["):
                token = self.cursor.take()
                if token.kind == NUMBER and token.text.isdigit():
                    steps.append(int(token.text[:10]))
                elif token.kind == STRING:
                    steps.append(self._step(token.text))
                else:
                    raise malformed("Unexpected path component")
                self.cursor.expect_symbol("]")
            else:
                return tuple(steps)

    def _step(self, name: str) -> str:
        """A name as a path has it: one that would be taken for a placeholder becomes one."""
        if name and name[0] != "#":
            return name
        for placeholder, known in self.names.items():
            if known == name:
                return placeholder
        placeholder = f"#{len(self.names)}"
        self.names[placeholder] = name
        return placeholder

    def plain(self, step: str | int) -> str | int:
        """A step of a path as the statement gave it."""
        return self.names.get(step, step) if isinstance(step, str) else step

    def is_reserved(self) -> bool:
        return self.cursor.here.kind == WORD and self.cursor.here.text.upper() in RESERVED

    def is_literal(self) -> bool:
        return (
            self.cursor.here.kind in _LITERALS
            or self.cursor.is_symbol("?", "[", "{", "<<", "-", "+")
            or self.cursor.is_word(*_CONSTANTS)
        )

    def is_call(self) -> bool:
        after = self.cursor.next
        return self.cursor.here.kind == WORD and after.kind == SYMBOL and after.text == "("

    def placeholder(self, literal: Literal) -> Node:
        """The operand that stands for a value."""
        name = f":{len(self.constants) + len(self.literals)}"
        if is_constant(literal):
            self.constants[name] = values.value(filled(literal, ()))[0]
        else:
            self.literals[name] = literal
        return Node("value", (name,))

    def literal(self, path: str = "root") -> Literal:
        """Take a value; `path` is where it stands within the attribute's value."""
        self.cursor.deeper()
        token = self.cursor.take()
        word = token.text.upper()
        if token.kind == STRING:
            literal: Literal = Scalar({"S": token.text})
        elif token.kind == NUMBER:
            literal = _number(token.text, path)
        elif token.kind == WORD and word in _CONSTANTS:
            literal = Scalar(_CONSTANTS[word])
        elif token.kind == SYMBOL and token.text in _OPENINGS:
            literal = _OPENINGS[token.text](self, path)
        elif token.kind == WORD and word not in RESERVED and self.cursor.is_symbol("("):
            raise ValidationException(
                f"Unsupported data type: {token.text} under key {path} at "
                f"{self.cursor.place(token)}"
            )
        else:
            self.cursor.at -= token.kind != END
            self.cursor.unexpected()
        self.cursor.depth -= 1
        return literal

    def item(self) -> Literal:
        """Take the item of an INSERT, each of whose attributes is a value of its own."""
        if not self.cursor.accept_symbol("{"):
            return self.literal()
        return MapOf(self._pairs(None))

    def _parameter(self, path: str) -> Literal:
        self.parameters += 1
        return Parameter(self.parameters - 1)

    def _signed(self, path: str) -> Literal:
        sign = self.cursor.tokens[self.cursor.at - 1].text
        if self.cursor.here.kind != NUMBER:
            self.cursor.unexpected()
        text = self.cursor.take().text
        return _number(text if sign == "+" else "-" + text, path)

    def _list(self, path: str) -> Literal:
        return ListOf(self._members("]", path))

    def _bag(self, path: str) -> Literal:
        return Bag(self._members(">>", path))

    def _members(self, closing: str, path: str) -> tuple[Literal, ...]:
        members: list[Literal] = []
        while not self.cursor.is_symbol(closing):
            if members:
                self.cursor.expect_symbol(",")
            members.append(self.literal(f"{path}[{len(members)}]"))
        self.cursor.take()
        return tuple(members)

    def _map(self, path: str) -> Literal:
        return MapOf(self._pairs(path))

    def _pairs(self, path: str | None) -> tuple[tuple[str, Literal], ...]:
        members: dict[str, Literal] = {}
        while not self.cursor.is_symbol("}"):
            if members:
                self.cursor.expect_symbol(",")
            if self.cursor.here.kind != STRING:
                self.cursor.unexpected()
            name = self.cursor.take().text
            if name in members:
                raise ValidationException(f"Duplicate attribute name: {name}")
            self.cursor.expect_symbol(":")
            members[name] = self.literal("root" if path is None else f"{path}.{name}")
        self.cursor.take()
        return tuple(members.items())


def _number(text: str, path: str) -> Scalar:
    """A number; the reader of AWS keeps exponents and scales in 32 bits."""
    mantissa, _, power = text.lower().partition("e")
    # Texts of more digits than this are out of range without being converted.
    exponent = int(power[:_POWER_CHARACTERS_MAX] or "0")
    scale = len(mantissa.partition(".")[2]) - exponent
    if max(abs(exponent), abs(scale)) > _INTEGER_MAX:
        raise malformed("")
    try:
        return Scalar({"N": numbers.normal(text)})
    except ValidationException as error:
        raise ValidationException(f"{error.message} under {path}") from None


_OPENINGS: dict[str, Callable[[Terms, str], Literal]] = {
    "?": Terms._parameter,
    "-": Terms._signed,
    "+": Terms._signed,
    "[": Terms._list,
    "<<": Terms._bag,
    "{": Terms._map,
}
