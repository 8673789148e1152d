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

    def path(self) -> Path:
        """Take a document path."""
        steps: list[str | int] = [self._step(self.cursor.name())]
        while True:
            if self.cursor.accept_symbol("."):
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

    def literal(self) -> Literal:
        """Take a value."""
        self.cursor.deeper()
        token = self.cursor.take()
        word = token.text.upper()
        if token.kind == STRING:
            literal: Literal = Scalar({"S": token.text})
        elif token.kind == NUMBER:
            literal = Scalar({"N": numbers.normal(token.text)})
        elif token.kind == WORD and word in _CONSTANTS:
            literal = Scalar(_CONSTANTS[word])
        elif token.kind == SYMBOL and token.text in _CLOSINGS:
            literal = _CLOSINGS[token.text](self)
        else:
            self.cursor.at -= token.kind != END
            self.cursor.unexpected()
        self.cursor.depth -= 1
        return literal

    def _parameter(self) -> Literal:
        self.parameters += 1
        return Parameter(self.parameters - 1)

    def _negative(self) -> Literal:
        sign = self.cursor.tokens[self.cursor.at - 1].text
        if self.cursor.here.kind != NUMBER:
            self.cursor.unexpected()
        text = self.cursor.take().text
        return Scalar({"N": numbers.normal(text if sign == "+" else "-" + text)})

    def _list(self) -> Literal:
        return ListOf(self._members("]"))

    def _bag(self) -> Literal:
        return Bag(self._members(">>"))

    def _members(self, closing: str) -> tuple[Literal, ...]:
        members: list[Literal] = []
        if not self.cursor.is_symbol(closing):
            members.append(self.literal())
            while self.cursor.accept_symbol(","):
                members.append(self.literal())
        self.cursor.expect_symbol(closing)
        return tuple(members)

    def _map(self) -> Literal:
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
            members[name] = self.literal()
        self.cursor.take()
        return MapOf(tuple(members.items()))


_CLOSINGS: dict[str, Callable[[Terms], Literal]] = {
    "?": Terms._parameter,
    "-": Terms._negative,
    "+": Terms._negative,
    "[": Terms._list,
    "<<": Terms._bag,
    "{": Terms._map,
}
