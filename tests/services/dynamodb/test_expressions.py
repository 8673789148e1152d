"""Expressions: what they mean, and AWS's words for what is wrong with them."""

from typing import Any

import pytest

from fogbank.services.dynamodb.conditions import condition
from fogbank.services.dynamodb.paths import projection
from fogbank.services.dynamodb.scope import Scope
from fogbank.services.dynamodb.updates import update
from fogbank.services.dynamodb.words import RESERVED
from fogbank.services.errors import ValidationException

ITEM: dict[str, Any] = {
    "n": {"N": "5"},
    "s": {"S": "hello"},
    "b": {"B": "AQID"},
    "ss": {"SS": ["a", "b"]},
    "l": {"L": [{"N": "1"}, {"S": "x"}, {"N": "3"}]},
    "m": {"M": {"k": {"S": "v"}, "deep": {"L": [{"M": {"x": {"N": "1"}}}]}}},
    "t": {"BOOL": True},
}
VALUES: dict[str, Any] = {
    ":one": {"N": "1"},
    ":five": {"N": "5"},
    ":nine": {"N": "9"},
    ":s": {"S": "hel"},
    ":a": {"S": "a"},
    ":l": {"L": [{"S": "new"}]},
    ":ss": {"SS": ["b", "c"]},
    ":t": {"BOOL": True},
    ":N": {"S": "N"},
    ":m": {"M": {}},
}
NAMES = {"#s": "s", "#k": "k"}


def holds(text: str) -> bool:
    scope = Scope(NAMES, VALUES)
    compiled = condition(text)
    scope.use(compiled)
    return compiled.holds(ITEM, scope)


@pytest.mark.parametrize(
    "text",
    [
        "n = :five",
        "n <> :one",
        "n BETWEEN :one AND :nine",
        "n IN (:one, :five)",
        "begins_with(#s, :s)",
        "contains(s, :s)",
        "contains(ss, :a)",
        "contains(l, :one)",
        "size(s) = :five",
        "size(ss) > :one",
        "attribute_exists(m.deep[0].x)",
        "attribute_not_exists(m.deep[1])",
        "attribute_type(n, :N)",
        "NOT n = :one AND t = :t",
        "n = :one OR n = :five AND s <> :s",
        "not (n = :one or n = :nine)",
        "absent <> :one",
        "m.#k <> :s",
        ":five = n",
    ],
)
def test_a_condition_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    ["n = :s", "n < :s", "absent = :one", "absent < :one", "size(n) > :one", "l[9] = :one"],
)
def test_a_condition_does_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("n", 'Syntax error; token: "<EOF>", near: "n"'),
        ("n = = :one", 'Syntax error; token: "=", near: "= = :one"'),
        ("n = :one n", 'Syntax error; token: "n", near: ":one n"'),
        ("((n = :one))", "The expression has redundant parentheses;"),
        ("name = :one", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("foo(n)", "Invalid function name; function: foo"),
        (
            "if_not_exists(n, :one)",
            "The function is not allowed in a condition expression; function: if_not_exists",
        ),
        (
            "size(n)",
            "The function is not allowed to be used this way in an expression; function: size",
        ),
        (
            "contains(n)",
            "Incorrect number of operands for operator or function; "
            "operator or function: contains, number of operands: 1",
        ),
        (
            "attribute_exists(:one)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "n < :t",
            "Incorrect operand type for operator or function; "
            "operator or function: <, operand type: BOOL",
        ),
        (
            "attribute_type(n, :s)",
            "Invalid attribute type name found; type: hel, "
            "valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "n BETWEEN :nine AND :one",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:9}, "
            "upper bound operand: AttributeValue: {N:1}",
        ),
        (
            "n = n",
            "The first operand must be distinct from the remaining operands for this operator or "
            "function; operator: =, first operand: [n]",
        ),
        (
            "#zz = :one",
            "An expression attribute name used in the document path is not defined; "
            "attribute name: #zz",
        ),
        (
            "n = :zz",
            "An expression attribute value used in expression is not defined; attribute value: :zz",
        ),
    ],
)
def test_a_condition_is_refused_in_awss_words(text: str, message: str) -> None:
    with pytest.raises(ValidationException) as caught:
        holds(text)
    assert caught.value.message == f"Invalid ConditionExpression: {message}"


def updated(text: str) -> dict[str, Any]:
    scope = Scope(NAMES, VALUES)
    compiled = update(text)
    scope.use(compiled)
    return compiled.apply(ITEM, scope)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("SET n = n + :one", "n", {"N": "6"}),
        ("SET n = :one - n", "n", {"N": "-4"}),
        ("SET x = if_not_exists(x, :one)", "x", {"N": "1"}),
        ("SET x = if_not_exists(n, :one) + :one", "x", {"N": "6"}),
        ("SET x = list_append(:l, :l)", "x", {"L": [{"S": "new"}, {"S": "new"}]}),
        ("SET l[0] = :s", "l", {"L": [{"S": "hel"}, {"S": "x"}, {"N": "3"}]}),
        ("SET l[8] = :s, l[7] = :a", "l", {"L": [*ITEM["l"]["L"], {"S": "a"}, {"S": "hel"}]}),
        ("REMOVE l[0], l[1]", "l", {"L": [{"N": "3"}]}),
        ("SET l[2] = :s REMOVE l[0]", "l", {"L": [{"S": "x"}, {"S": "hel"}]}),
        ("ADD n :one", "n", {"N": "6"}),
        ("ADD fresh :one", "fresh", {"N": "1"}),
        ("ADD ss :ss", "ss", {"SS": ["a", "b", "c"]}),
        ("DELETE ss :ss", "ss", {"SS": ["a"]}),
        ("SET n = s, s = n", "n", {"S": "hello"}),
        ("SET m.#k = :one REMOVE m.deep", "m", {"M": {"k": {"N": "1"}}}),
    ],
)
def test_an_update_changes_an_attribute(text: str, name: str, value: dict[str, Any]) -> None:
    before = repr(ITEM)
    assert updated(text)[name] == value
    assert repr(ITEM) == before


def test_a_set_that_loses_its_last_member_is_gone() -> None:
    scope = Scope(None, {":ss": {"SS": ["a", "b"]}})
    assert "ss" not in update("DELETE ss :ss").apply(ITEM, scope)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FOO n", 'Invalid UpdateExpression: Syntax error; token: "FOO", near: "FOO n"'),
        ("SET n = :one,", 'Invalid UpdateExpression: Syntax error; token: "<EOF>", near: ","'),
        (
            "ADD hits : incr",
            'Invalid UpdateExpression: Syntax error; token: ":", near: "hits : incr"',
        ),
        (
            "SET n = :one SET s = :one",
            'Invalid UpdateExpression: The "SET" section can only be used once in an update '
            "expression;",
        ),
        (
            "SET m = :one, m.k = :one",
            "Invalid UpdateExpression: Two document paths overlap with each other; must remove or "
            "rewrite one of these paths; path one: [m], path two: [m, k]",
        ),
        (
            "SET m.k = :one, m[1] = :one",
            "Invalid UpdateExpression: Two document paths conflict with each other; must remove "
            "or rewrite one of these paths; path one: [m, k], path two: [m, [1]]",
        ),
        (
            "ADD n :s",
            "Invalid UpdateExpression: Incorrect operand type for operator or function; "
            "operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "SET n = n + :s",
            "Invalid UpdateExpression: Incorrect operand type for operator or function; "
            "operator or function: +, operand type: S",
        ),
        (
            "SET n = size(n)",
            "Invalid UpdateExpression: The function is not allowed in an update expression; "
            "function: size",
        ),
        ("SET n = n + s", "An operand in the update expression has an incorrect data type"),
        (
            "SET n = absent",
            "The provided expression refers to an attribute that does not exist in the item",
        ),
        (
            "SET absent.x = :one",
            "The document path provided in the update expression is invalid for update",
        ),
    ],
)
def test_an_update_is_refused_in_awss_words(text: str, message: str) -> None:
    with pytest.raises(ValidationException) as caught:
        updated(text)
    assert caught.value.message == message


def test_a_projection_keeps_the_structure_and_closes_lists() -> None:
    scope = Scope(NAMES, None)
    compiled = projection("l[2], l[0], m.deep[0].x, #s, nowhere")
    assert compiled.of(ITEM, scope) == {
        "l": {"L": [{"N": "1"}, {"N": "3"}]},
        "m": {"M": {"deep": {"L": [{"M": {"x": {"N": "1"}}}]}}},
        "s": {"S": "hello"},
    }


def test_unused_placeholders_are_refused() -> None:
    scope = Scope(None, {":a": {"N": "1"}, ":b": {"N": "1"}})
    scope.use(condition("n = :a"))
    with pytest.raises(ValidationException) as caught:
        scope.finish()
    assert caught.value.message == (
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}"
    )


def test_every_reserved_word_is_refused_in_any_case() -> None:
    assert len(RESERVED) == 573
    for word in RESERVED:
        for spelled in (word, word.lower(), word.title()):
            with pytest.raises(ValidationException):
                projection(spelled)


@pytest.mark.parametrize(
    "word", ["id", "pk", "sk", "email", "title", "price", "created", "names2", "payload", "version"]
)
def test_other_words_are_names(word: str) -> None:
    assert projection(word).paths == ((word,),)
