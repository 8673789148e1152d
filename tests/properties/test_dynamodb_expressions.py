"""Expressions: whatever the text, a parser answers with a result or a ValidationException."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.dynamodb.conditions import condition
from fogbank.services.dynamodb.paths import projection
from fogbank.services.dynamodb.scope import Scope
from fogbank.services.dynamodb.updates import update
from fogbank.services.errors import ValidationException

WORDS = st.sampled_from(
    [
        *("a", "b.c", "d[1]", "#n", ":v", ":w", "(", ")", ",", ".", "[", "]", "+", "-", "name"),
        *("=", "<>", "<", ">=", "AND", "OR", "NOT", "BETWEEN", "IN", "7", "$", "{", "é"),
        *("SET", "REMOVE", "ADD", "DELETE", "size", "contains", "begins_with"),
        *("attribute_exists", "if_not_exists", "list_append"),
    ]
)
TEXTS = st.lists(WORDS, max_size=25).map(" ".join) | st.text(max_size=60)
ITEM = {"a": {"N": "1"}, "b": {"M": {"c": {"S": "x"}}}, "d": {"L": [{"S": "0"}, {"S": "1"}]}}
VALUES = {":v": {"N": "1"}, ":w": {"L": [{"S": "s"}]}}


@pytest.mark.parametrize("parser", [condition, update, projection])
@settings(deadline=None)
@given(text=TEXTS)
def test_a_parser_raises_nothing_but_validation_errors(
    parser: Callable[[str], Any], text: str
) -> None:
    scope = Scope({"#n": "n.ame"}, VALUES)
    try:
        compiled = parser(text)
        scope.use(compiled)
        if parser is condition:
            assert compiled.holds(ITEM, scope) in (True, False)
        elif parser is update:
            compiled.apply(ITEM, scope)
        else:
            compiled.of(ITEM, scope)
    except ValidationException:
        return


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4000,
        "NOT " * 1000 + "a = :v",
        "size(" * 800,
        "a" + ".a" * 2000,
        "a" + "[0]" * 1300,
        "a = :v" + " AND a = :v" * 350,
        "(a = :v AND " * 300 + "a = :v" + ")" * 300,
    ],
)
def test_depth_and_length_do_not_reach_the_stack(text: str) -> None:
    scope = Scope(None, {":v": {"N": "1"}})
    with pytest.raises(ValidationException):
        scope.use(condition(text))
