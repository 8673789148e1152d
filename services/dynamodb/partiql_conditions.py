"""The conditions of PartiQL statements, parsed into the trees that expressions have."""

from fogbank.services.dynamodb.conditions import (
    COMPARATORS,
    FUNCTIONS,
    IN_OPERANDS_MAX,
    Node,
    wrong_count,
)
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.partiql_literals import Scalar
from fogbank.services.dynamodb.partiql_terms import Terms
from fogbank.services.dynamodb.partiql_tokens import WORD, malformed

EXISTENCE = ("attribute_exists", "attribute_not_exists")

_MISSING = Node("missing", ())
# The types that DynamoDB tests values for, and those for which it is not known to.
_TESTED = {"BOOL": "BOOL", "STRING": "S"}
_TYPES = (
    *("BOOLEAN", "SMALLINT", "INT", "INT2", "INT4", "INT8", "INTEGER", "INTEGER2"),
    *("INTEGER4", "INTEGER8", "FLOAT", "REAL", "DOUBLE", "DEC", "DECIMAL", "NUMERIC", "DATE"),
    *("TIME", "TIMESTAMP", "CHAR", "CHARACTER", "VARCHAR", "SYMBOL", "CLOB", "BLOB"),
    *("STRUCT", "TUPLE", "LIST", "SEXP", "BAG", "ANY"),
)


def where_of(terms: Terms) -> Node | None:
    return _truth(terms, _condition(terms, 0)) if terms.cursor.accept("WHERE") else None


def _truth(terms: Terms, node: Node) -> Node:
    if not _is_truth(node):
        terms.cursor.unexpected()
    return node


def _condition(terms: Terms, level: int) -> Node:
    """One disjunction (level 0), conjunction (1) or negation (2)."""
    terms.cursor.deeper()
    if terms.cursor.accept("NOT"):
        left = Node("not", (_truth(terms, _condition(terms, 2)),))
    else:
        left = _comparison(terms)
    while True:
        if level < 2 and terms.cursor.is_word("AND"):
            tighter = 2
        elif level < 1 and terms.cursor.is_word("OR"):
            tighter = 1
        else:
            break
        _truth(terms, left)
        name = terms.cursor.take().text.lower()
        terms.cursor.expect_right_side()
        right = _truth(terms, _condition(terms, tighter))
        if left.kind == name and not left.wrapped:
            left = Node(name, (*left.parts, right))
        else:
            left = Node(name, (left, right))
    terms.cursor.depth -= 1
    return left


def _comparison(terms: Terms) -> Node:
    if terms.cursor.accept_symbol("("):
        left = _condition(terms, 0)
        terms.cursor.expect_symbol(")")
        left = Node(left.kind, left.parts, wrapped=True)
    else:
        left = _operand(terms)
    if _is_truth(left):
        _accept_true(terms, left)
        return left
    if terms.cursor.is_symbol(*COMPARATORS, "!="):
        sign = terms.cursor.take().text
        terms.cursor.expect_right_side()
        return _compared("<>" if sign == "!=" else sign, left, _wrapped_operand(terms))
    if terms.cursor.accept("IS"):
        return _is(terms, left)
    negated = terms.cursor.is_word("NOT") and terms.cursor.next.text.upper() in ("BETWEEN", "IN")
    if negated:
        terms.cursor.take()
    node = left
    if terms.cursor.accept("BETWEEN"):
        low = _wrapped_operand(terms)
        terms.cursor.expect("AND")
        node = Node("between", tuple(map(_present, (left, low, _wrapped_operand(terms)))))
    elif terms.cursor.accept("IN"):
        node = _in(terms, left)
    return Node("not", (node,)) if negated else node


def _accept_true(terms: Terms, left: Node) -> None:
    """Whether something exists may be compared with TRUE."""
    after = terms.cursor.next
    if (
        left.kind == "call"
        and left.parts[0] in EXISTENCE
        and terms.cursor.is_symbol("=")
        and after.kind == WORD
        and after.text.upper() == "TRUE"
    ):
        terms.cursor.take()
        terms.cursor.take()


def _compared(sign: str, left: Node, right: Node) -> Node:
    if "missing" not in (left.kind, right.kind):
        return Node("compare", (sign, left, right))
    path = right if left.kind == "missing" else left
    if path.kind != "path" or sign not in ("=", "<>"):
        raise malformed("Unexpected term")
    return _existence(path, exists=sign == "<>")


def _is(terms: Terms, left: Node) -> Node:
    negated = terms.cursor.accept("NOT")
    if left.kind != "path":
        terms.cursor.unexpected()
    if terms.cursor.accept("MISSING"):
        return _existence(left, exists=negated)
    kind = _TESTED.get(terms.cursor.here.text.upper())
    if kind is not None and terms.cursor.is_word(*_TESTED):
        terms.cursor.take()
        return _of_type(terms, left, kind, negated=negated)
    if terms.cursor.is_word(*_TYPES):
        raise ValidationException("Unsupported operation: IsType")
    if not terms.cursor.accept("NULL"):
        raise malformed("Expected type name")
    return _of_type(terms, left, "NULL", negated=negated)


def _of_type(terms: Terms, left: Node, kind: str, *, negated: bool) -> Node:
    node = Node("call", ("attribute_type", left, terms.placeholder(Scalar({"S": kind}))))
    return Node("not", (node,)) if negated else node


def _in(terms: Terms, left: Node) -> Node:
    closing = "]" if terms.cursor.accept_symbol("[") else ")"
    if closing == ")":
        terms.cursor.expect_symbol("(")
    members = [_operand(terms)]
    while terms.cursor.accept_symbol(","):
        members.append(_operand(terms))
    terms.cursor.expect_symbol(closing)
    if len(members) > IN_OPERANDS_MAX:
        raise ValidationException(
            "The IN operator is provided with too many operands; "
            f"number of operands: {len(members)}"
        )
    return Node("in", tuple(map(_present, (left, *members))))


def _wrapped_operand(terms: Terms) -> Node:
    """An operand, in any number of parentheses."""
    if not terms.cursor.accept_symbol("("):
        return _operand(terms)
    terms.cursor.deeper()
    node = _wrapped_operand(terms)
    terms.cursor.expect_symbol(")")
    terms.cursor.depth -= 1
    return node


def _operand(terms: Terms) -> Node:
    """A value, a function call or a document path."""
    if terms.cursor.accept("MISSING"):
        return _MISSING
    if terms.is_literal():
        return terms.placeholder(terms.literal())
    if terms.is_call():
        return _call(terms)
    return Node("path", terms.path())


def _call(terms: Terms) -> Node:
    name = terms.cursor.here.text.lower()
    if name not in FUNCTIONS:
        place = terms.cursor.place(terms.cursor.here)
        raise ValidationException(f"Unrecognized function: {name} at {place}")
    arguments = [_present(one) for one in arguments_of(terms)]
    if len(arguments) != FUNCTIONS[name][0]:
        raise ValidationException(wrong_count(name, len(arguments)))
    if name in EXISTENCE and arguments[0].kind != "path":
        raise ValidationException(
            "Operator or function requires a document path; operator or function: " + name
        )
    if arguments[0].kind != "path" or any(one.kind == "call" for one in arguments):
        raise malformed("Unexpected term")
    if name == "attribute_type" and arguments[1].kind != "value":
        raise malformed("Unexpected term")
    return Node("call", (name, *arguments))


def arguments_of(terms: Terms) -> list[Node]:
    terms.cursor.take()
    terms.cursor.deeper()
    terms.cursor.expect_symbol("(")
    arguments = []
    if not terms.cursor.is_symbol(")"):
        arguments.append(_operand(terms))
    while arguments and terms.cursor.accept_symbol(","):
        arguments.append(_operand(terms))
    terms.cursor.expect_symbol(")")
    terms.cursor.depth -= 1
    return arguments


def _is_truth(node: Node) -> bool:
    """A condition, rather than something to compare."""
    if node.kind == "call":
        return FUNCTIONS[node.parts[0]][1]
    return node.kind not in ("path", "value", "missing")


def _present(node: Node) -> Node:
    """An operand that may not be MISSING."""
    if node.kind == "missing":
        raise malformed("Unexpected term")
    return node


def _existence(path: Node, *, exists: bool) -> Node:
    return Node("call", ("attribute_exists" if exists else "attribute_not_exists", path))
