"""The tokens of a PartiQL statement, and a cursor over them that reports errors in AWS's words.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from fogbank.services.dynamodb.errors import ValidationException

# Far more than people write, far less than the stack holds.
NESTED_MAX = 50

WORD, QUOTED, STRING, NUMBER, SYMBOL, END = "word", "quoted", "string", "number", "symbol", "end"

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
    |"(?P<quoted>(?:[^"]|"")*)"
    |'(?P<string>(?:[^']|'')*)'
    |(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<symbol><<|>>|<=|>=|<>|!=|[=<>()\[\]{},.:?*+\-;])""",
    re.ASCII | re.VERBOSE | re.DOTALL,
)

# SQL-92's reserved words but for the parts of dates, and PartiQL's clauses: they are names only in
# double quotes.
# https://partiql.org/assets/PartiQL-Specification.pdf
_WORDS = """
ABSOLUTE ACTION ADD ALL ALLOCATE ALTER AND ANY ARE AS ASC ASSERTION AT AUTHORIZATION AVG BEGIN
BETWEEN BIT BIT_LENGTH BY CASCADE CASCADED CASE CAST CATALOG CHAR CHARACTER CHARACTER_LENGTH
CHAR_LENGTH CHECK CLOSE COALESCE COLLATE COLLATION COLUMN COMMIT CONNECT CONNECTION CONSTRAINT
CONSTRAINTS CONTINUE CONVERT CORRESPONDING COUNT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
CURRENT_TIMESTAMP CURRENT_USER CURSOR DATE DEALLOCATE DEC DECIMAL DECLARE DEFAULT DEFERRABLE
DEFERRED DELETE DESC DESCRIBE DESCRIPTOR DIAGNOSTICS DISCONNECT DISTINCT DOMAIN DOUBLE DROP ELSE END
ESCAPE EXCEPT EXCEPTION EXEC EXECUTE EXISTS EXTERNAL EXTRACT FALSE FETCH FIRST FLOAT FOR FOREIGN
FOUND FROM FULL GET GLOBAL GO GOTO GRANT GROUP HAVING IDENTITY IMMEDIATE IN INDICATOR INITIALLY
INNER INPUT INSENSITIVE INSERT INT INTEGER INTERSECT INTERVAL INTO IS ISOLATION JOIN KEY LANGUAGE
LAST LEFT LEVEL LIKE LIMIT LOCAL LOWER MATCH MAX MIN MISSING MODULE NAMES NATIONAL NATURAL NCHAR
NEXT NO NOT NULL NULLIF NUMERIC OCTET_LENGTH OF ON ONLY OPEN OPTION OR ORDER OUTER OUTPUT OVERLAPS
PAD PARTIAL PIVOT POSITION PRECISION PREPARE PRESERVE PRIMARY PRIOR PRIVILEGES PROCEDURE PUBLIC READ
REAL REFERENCES RELATIVE REMOVE RESTRICT REVOKE RIGHT ROLLBACK ROWS SCHEMA SCROLL SECTION SELECT
SESSION SESSION_USER SET SIZE SMALLINT SOME SPACE SQL SQLCODE SQLERROR SQLSTATE SUBSTRING SUM
SYSTEM_USER TABLE TEMPORARY THEN TIME TIMESTAMP TO TRANSACTION TRANSLATE TRANSLATION TRIM TRUE UNION
UNIQUE UNKNOWN UNPIVOT UPDATE UPPER USAGE USER USING VALUE VALUES VARCHAR VARYING VIEW WHEN WHENEVER
WHERE WITH WORK WRITE ZONE
"""
RESERVED = frozenset(_WORDS.split())


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is what the token stands for: a name without quotes, a keyword in capitals."""

    kind: str
    text: str
    start: int
    stop: int


def malformed(detail: str) -> ValidationException:
    return ValidationException(f"Statement wasn't well formed, can't be processed: {detail}")


class Cursor:
    """Where the parser of one statement stands."""

    def __init__(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise malformed("") from None
        self.text = text
        self.tokens = list(_tokens(text))
        self.at = 0
        self.depth = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.at]

    @property
    def next(self) -> Token:
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)]

    def is_word(self, *words: str) -> bool:
        return self.here.kind == WORD and self.here.text.upper() in words

    def is_symbol(self, *symbols: str) -> bool:
        return self.here.kind == SYMBOL and self.here.text in symbols

    def take(self) -> Token:
        token = self.here
        if token.kind != END:
            self.at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Take these keywords, one after the other, if they stand here."""
        for offset, word in enumerate(words):
            token = self.tokens[min(self.at + offset, len(self.tokens) - 1)]
            if token.kind != WORD or token.text.upper() != word:
                return False
        self.at += len(words)
        return True

    def accept_symbol(self, symbol: str) -> bool:
        if self.is_symbol(symbol):
            self.at += 1
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.accept(word):
            self.unexpected()

    def expect_symbol(self, symbol: str) -> None:
        if not self.accept_symbol(symbol):
            self.unexpected()

    def unexpected(self) -> NoReturn:
        """The present token does not fit."""
        token = self.here
        word = token.text.upper()
        if token.kind in (WORD, SYMBOL) and word in _OPERATORS:
            raise malformed("Unexpected operator")
        if token.kind == WORD and word in RESERVED:
            raise malformed("Unexpected keyword")
        raise malformed("Unexpected term")

    def expect_right_side(self) -> None:
        """Something follows the infix operator that was taken last."""
        if self.here.kind == END:
            raise malformed("Missing right-hand side expression of infix operator")

    def place(self, token: Token) -> str:
        """Where a token stands, as AWS says it: line, column, length."""
        line = self.text.count("\n", 0, token.start)
        column = token.start - (self.text.rfind("\n", 0, token.start) + 1)
        return f"{line + 1}:{column + 1}:{token.stop - token.start}"

    def name(self) -> str:
        """Take a name: a word that is not reserved, or anything in double quotes."""
        token = self.here
        if token.kind == QUOTED or (token.kind == WORD and token.text.upper() not in RESERVED):
            return self.take().text
        return self.unexpected()

    def deeper(self) -> None:
        """One level further in; the parser's recursion is bounded by this."""
        self.depth += 1
        if self.depth > NESTED_MAX:
            raise malformed("Expression is nested too deeply")


_OPERATORS = frozenset(
    (
        *("=", "<>", "!=", "<", "<=", ">", ">=", "+", "-", "*"),
        *("AND", "OR", "IS", "IN", "LIKE", "BETWEEN", "UNION", "EXCEPT", "INTERSECT"),
    )
)


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise malformed("")
        kind = str(found.lastgroup)
        if kind != "space":
            inner = found[kind]
            if kind == QUOTED:
                inner = inner.replace('""', '"')
            elif kind == STRING:
                inner = inner.replace("''", "'")
            yield Token(kind, inner, found.start(), found.end())
        at = found.end()
    yield Token(END, "", len(text), len(text))
