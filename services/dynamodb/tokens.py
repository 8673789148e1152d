"""The tokens of an expression, and a cursor over them that reports errors in AWS's words."""

import re
from dataclasses import dataclass
from typing import NoReturn

from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.words import RESERVED

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
EXPRESSION_BYTES_MAX = 4096
OPERATORS_MAX = 300
END = "<EOF>"

_TOKEN = re.compile(
    r"\s*(?:([A-Za-z_][A-Za-z0-9_]*|[#:][A-Za-z0-9_]+|[0-9]+|<=|>=|<>|\S)|$)", re.ASCII
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_KEYWORDS = frozenset(("AND", "OR", "NOT", "BETWEEN", "IN"))

# A document path as written: names, `#placeholders` and list positions.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    start: int
    stop: int


class Cursor:
    """Where the parser of one expression stands."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text
        size = len(text.encode(errors="surrogatepass"))
        if not text.strip():
            self.fail("The expression can not be empty;")
        if size > EXPRESSION_BYTES_MAX:
            # Of an update the size is not told.
            told = "" if kind == "UpdateExpression" else f" expression size: {size}"
            self.fail(f"Expression size has exceeded the maximum allowed size;{told}")
        self.tokens = _tokens(text)
        self.at = 0
        self.operators = 0
        # What is wrong though the syntax is right: AWS reports syntax first.
        self.reserved: list[str] = []
        self.faults: list[str] = []

    def fail(self, message: str) -> NoReturn:
        raise ValidationException(f"Invalid {self.kind}: {message}")

    def finish(self) -> None:
        """Raise the first fault that is not of syntax, if there is one."""
        if self.reserved:
            self.fail(f"Attribute name is a reserved keyword; reserved keyword: {self.reserved[0]}")
        if self.faults:
            self.fail(self.faults[0])

    @property
    def word(self) -> str:
        return self.tokens[self.at].text

    @property
    def upper(self) -> str:
        return self.tokens[self.at].text.upper()

    def peek(self) -> str:
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)].text

    def take(self) -> str:
        text = self.tokens[self.at].text
        if text != END:
            self.at += 1
        return text

    def accept(self, word: str) -> bool:
        if self.upper == word:
            self.at += 1
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.accept(word):
            self.unexpected()

    def unexpected(self) -> NoReturn:
        """The present token does not fit; AWS shows it between its neighbours."""
        first = self.tokens[max(self.at - 1, 0)]
        here = self.tokens[self.at]
        last = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if last.text == END:
            last = here
        if here.text == END:
            last = first
        self.fail(
            f'Syntax error; token: "{here.text}", near: "{self.text[first.start : last.stop]}"'
        )

    def count_operator(self) -> None:
        self.operators += 1
        if self.operators > OPERATORS_MAX:
            self.fail(
                f"The expression contains too many operators; operator count: {self.operators}"
            )

    def is_word(self) -> bool:
        """A plain name stands here: not a keyword of conditions."""
        return _WORD.fullmatch(self.word) is not None and self.upper not in _KEYWORDS

    def path(self) -> Path:
        """Take a document path."""
        elements: list[str | int] = [self._name()]
        while True:
            if self.accept("."):
                elements.append(self._name())
            elif self.accept("["):
                if not self.word.isdigit():
                    self.unexpected()
                elements.append(int(self.take()[:10]))
                self.expect("]")
            else:
                return tuple(elements)

    def _name(self) -> str:
        word = self.word
        if word[0] == "#" and len(word) > 1:
            return self.take()
        if not self.is_word():
            self.unexpected()
        if word.upper() in RESERVED:
            self.reserved.append(word)
        return self.take()


def _tokens(text: str) -> list[Token]:
    result = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        assert found is not None, text
        if found[1] is None:
            break
        result.append(Token(found[1], found.start(1), found.end(1)))
        at = found.end()
    result.append(Token(END, len(text), len(text)))
    return result
