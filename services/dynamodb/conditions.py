"""Condition, filter and key condition expressions: parsed once, evaluated as closures.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fogbank.services.dynamodb import operands
from fogbank.services.dynamodb.scope import Check, Expression, Scope, lookup, show_path
from fogbank.services.dynamodb.tokens import END, OPERATORS_MAX, Cursor, Path
from fogbank.services.dynamodb.values import Item, Value, describe, kind_of

COMPILED_MAX = 4096
IN_OPERANDS_MAX = 100
# Far more than people write, far less than the stack holds.
NESTED_MAX = 150

COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
# Name: how many operands, whether it is a condition in itself.
FUNCTIONS = {
    "attribute_exists": (1, True),
    "attribute_not_exists": (1, True),
    "attribute_type": (2, True),
    "begins_with": (2, True),
    "contains": (2, True),
    "size": (1, False),
}
UPDATE_FUNCTIONS = ("if_not_exists", "list_append")

Truth = Callable[[Item, Scope], bool]
Operand = Callable[[Item, Scope], Value | None]


@dataclass(frozen=True, slots=True)
class Node:
    """`kind`: path, value, call, compare, between, in, and, or, not. `parts`: its operands."""

    kind: str
    parts: tuple[Any, ...]
    wrapped: bool = False

    def operands(self) -> Iterator["Node"]:
        for part in self.parts:
            if isinstance(part, Node):
                yield part
                yield from part.operands()


@dataclass(frozen=True, slots=True)
class Condition(Expression):
    root: Node
    holds: Truth

    def top_names(self, scope: Scope) -> list[str]:
        """The attributes that the condition looks at."""
        nodes = [self.root, *self.root.operands()]
        return [str(scope.resolve(node.parts)[0]) for node in nodes if node.kind == "path"]


@lru_cache(maxsize=COMPILED_MAX)
def condition(text: str, kind: str = "ConditionExpression") -> Condition:
    """The compiled condition; raises ValidationException in AWS's words."""
    cursor = Cursor(kind, text)
    root = _parse(cursor, 0, 0)
    if cursor.word != END:
        cursor.unexpected()
    if root.kind in ("path", "value"):
        cursor.unexpected()
    _check_condition(cursor, root)
    _check_calls(cursor, root)
    cursor.finish()
    return compiled(root, kind)


def compiled(root: Node, kind: str) -> Condition:
    """The condition of a tree whose functions are known to fit: of an expression or a statement."""
    nodes = [root, *root.operands()]
    return Condition(
        kind=kind,
        names=placeholders(nodes),
        values=tuple(node.parts[0] for node in nodes if node.kind == "value"),
        checks=tuple(_checks(nodes)),
        root=root,
        holds=_truth(root),
    )


def placeholders(nodes: list[Node]) -> tuple[str, ...]:
    return tuple(
        step
        for node in nodes
        if node.kind == "path"
        for step in node.parts
        if isinstance(step, str) and step[0] == "#"
    )


def _parse(cursor: Cursor, level: int, depth: int) -> Node:
    """One disjunction (level 0), conjunction (1) or negation (2)."""
    if depth > NESTED_MAX:
        cursor.operators = OPERATORS_MAX
        cursor.count_operator()
    if cursor.upper == "NOT":
        cursor.take()
        cursor.count_operator()
        left = Node("not", (_condition_only(cursor, _parse(cursor, 2, depth + 1)),))
    else:
        left = _primary(cursor, depth)
    while True:
        word = cursor.upper
        if word == "AND" and level < 2:
            tighter = 2
        elif word == "OR" and level < 1:
            tighter = 1
        else:
            return left
        _condition_only(cursor, left)
        cursor.take()
        cursor.count_operator()
        right = _condition_only(cursor, _parse(cursor, tighter, depth + 1))
        name = word.lower()
        if left.kind == name and not left.wrapped:
            left = Node(name, (*left.parts, right))
        else:
            left = Node(name, (left, right))


def _condition_only(cursor: Cursor, node: Node) -> Node:
    if node.kind in ("path", "value"):
        cursor.unexpected()
    return node


def _primary(cursor: Cursor, depth: int) -> Node:
    if cursor.accept("("):
        node = _parse(cursor, 0, depth + 1)
        cursor.expect(")")
        if node.wrapped:
            cursor.faults.insert(0, "The expression has redundant parentheses;")
        node = Node(node.kind, node.parts, wrapped=True)
        if node.kind not in ("path", "value", "call"):
            return node
    else:
        node = operand(cursor)
    return _comparison(cursor, node)


def _comparison(cursor: Cursor, left: Node) -> Node:
    word = cursor.upper
    if word in COMPARATORS:
        cursor.take()
        cursor.count_operator()
        return Node("compare", (word, left, _operand(cursor)))
    if word == "BETWEEN":
        cursor.take()
        cursor.count_operator()
        low = _operand(cursor)
        cursor.expect("AND")
        return Node("between", (left, low, _operand(cursor)))
    if word == "IN":
        cursor.take()
        cursor.count_operator()
        cursor.expect("(")
        members = [_operand(cursor)]
        while cursor.accept(","):
            members.append(_operand(cursor))
        cursor.expect(")")
        if len(members) > IN_OPERANDS_MAX:
            cursor.faults.append(
                "The IN operator is provided with too many operands; "
                f"number of operands: {len(members)}"
            )
        return Node("in", (left, *members))
    return left


def _operand(cursor: Cursor) -> Node:
    """An operand, in any number of parentheses."""
    depth = 0
    while cursor.accept("("):
        depth += 1
    node = operand(cursor)
    for _ in range(depth):
        cursor.expect(")")
    if depth > 1:
        cursor.faults.insert(0, "The expression has redundant parentheses;")
    return node


def operand(cursor: Cursor) -> Node:
    """A value, a function call or a document path."""
    word = cursor.word
    if word[0] == ":" and len(word) > 1:
        return Node("value", (cursor.take(),))
    if cursor.is_word() and cursor.peek() == "(":
        return _call(cursor)
    return Node("path", cursor.path())


def _call(cursor: Cursor) -> Node:
    name = cursor.take()
    cursor.count_operator()
    cursor.expect("(")
    if cursor.operators > OPERATORS_MAX // 2 and cursor.peek() == "(":
        # Calls within calls are never valid deeper than this; the stack stays bounded.
        cursor.operators = OPERATORS_MAX
        cursor.count_operator()
    arguments = [operand(cursor)]
    while cursor.accept(","):
        arguments.append(operand(cursor))
    cursor.expect(")")
    return Node("call", (name, *arguments))


def _check_condition(cursor: Cursor, node: Node) -> None:
    """Functions stand where their results fit."""
    if node.kind == "call":
        check_function(cursor, node)
        if node.parts[0] in FUNCTIONS and not FUNCTIONS[node.parts[0]][1]:
            cursor.faults.append(_misused(node))
    elif node.kind in ("and", "or", "not"):
        for part in node.parts:
            _check_condition(cursor, part)
        return
    for part in node.operands():
        if part.kind == "call":
            check_function(cursor, part)
            if part.parts[0] in FUNCTIONS and FUNCTIONS[part.parts[0]][1]:
                cursor.faults.append(_misused(part))


def _misused(node: Node) -> str:
    return (
        "The function is not allowed to be used this way in an expression; "
        f"function: {node.parts[0]}"
    )


def check_function(cursor: Cursor, node: Node) -> None:
    name = node.parts[0]
    if name in FUNCTIONS:
        return
    if name in UPDATE_FUNCTIONS:
        word = (
            "key condition"
            if cursor.kind == "KeyConditionExpression"
            else ("filter" if cursor.kind == "FilterExpression" else "condition")
        )
        cursor.faults.append(
            f"The function is not allowed in a {word} expression; function: {name}"
        )
    else:
        cursor.faults.append(f"Invalid function name; function: {name}")


def _check_calls(cursor: Cursor, root: Node) -> None:
    """Functions have as many operands as they need, and paths where they need paths."""
    for node in (root, *root.operands()):
        if node.kind != "call" or node.parts[0] not in FUNCTIONS:
            continue
        name, *arguments = node.parts
        if len(arguments) != FUNCTIONS[name][0]:
            cursor.faults.append(wrong_count(name, len(arguments)))
        elif arguments[0].kind != "path" and name.startswith("attribute_"):
            cursor.faults.append(needs_path(name))
        elif name == "attribute_type" and arguments[1].kind != "value":
            cursor.faults.append(
                "Incorrect operand type for operator or function; operator or function: "
                "attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
            )


def wrong_count(name: str, count: int) -> str:
    return (
        "Incorrect number of operands for operator or function; "
        f"operator or function: {name}, number of operands: {count}"
    )


def needs_path(name: str) -> str:
    return f"Operator or function requires a document path; operator or function: {name}"


def wrong_type(name: str, kind: str) -> str:
    return (
        "Incorrect operand type for operator or function; "
        f"operator or function: {name}, operand type: {kind}"
    )


# The types that a value may have where an operator or function takes it.
_ORDERED = ("S", "N", "B")
_SIZED = ("S", "B", "SS", "NS", "BS", "L", "M")
_TYPED_OPERANDS: dict[str, tuple[tuple[str, ...] | None, ...]] = {
    "<": (_ORDERED, _ORDERED),
    "<=": (_ORDERED, _ORDERED),
    ">": (_ORDERED, _ORDERED),
    ">=": (_ORDERED, _ORDERED),
    "begins_with": (("S", "B"), ("S", "B")),
    "contains": (("S", "B", "SS", "NS", "BS", "L"), None),
    "size": (_SIZED,),
    "attribute_type": (None, ("S",)),
}


def _checks(nodes: list[Node]) -> Iterator[Check]:
    for node in nodes:
        if node.kind in ("compare", "call"):
            name, *arguments = node.parts
            allowed = _TYPED_OPERANDS.get(name, ())
            for kinds, argument in zip(allowed, arguments, strict=False):
                if kinds is not None and argument.kind == "value":
                    yield _typed(name, argument.parts[0], kinds)
            if name == "attribute_type":
                yield _known_type(arguments[1].parts[0])
            if len(arguments) == 2:
                yield from _distinct(name, arguments)
        elif node.kind == "between":
            for argument in node.parts:
                if argument.kind == "value":
                    yield _typed("BETWEEN", argument.parts[0], _ORDERED)
            if node.parts[1].kind == node.parts[2].kind == "value":
                yield _bounds(node.parts[1].parts[0], node.parts[2].parts[0])
            yield from _distinct("BETWEEN", list(node.parts))
        elif node.kind == "in":
            yield from _distinct("IN", list(node.parts))


def _typed(name: str, placeholder: str, kinds: tuple[str, ...]) -> Check:
    def checked(scope: Scope) -> str | None:
        kind = kind_of(scope.values[placeholder])
        return None if kind in kinds else wrong_type(name, kind)

    return checked


def _known_type(placeholder: str) -> Check:
    def checked(scope: Scope) -> str | None:
        wanted = scope.values[placeholder]["S"]
        if wanted in operands.TYPES:
            return None
        valid = ",".join(operands.TYPES)
        return f"Invalid attribute type name found; type: {wanted}, valid types: {{{valid}}}"

    return checked


def _bounds(low: str, high: str) -> Check:
    def checked(scope: Scope) -> str | None:
        first, second = scope.values[low], scope.values[high]
        shown = (
            f"lower bound operand: AttributeValue: {describe(first)}, "
            f"upper bound operand: AttributeValue: {describe(second)}"
        )
        if first.keys() != second.keys():
            return (
                "The BETWEEN operator requires same data type for lower and upper bounds; " + shown
            )
        if operands.compare(">", first, second):
            return (
                "The BETWEEN operator requires upper bound to be greater than or equal to lower "
                "bound; " + shown
            )
        return None

    return checked


def _distinct(name: str, arguments: list[Node]) -> Iterator[Check]:
    first = arguments[0]
    others = [argument.parts for argument in arguments[1:] if argument.kind == "path"]
    if first.kind != "path" or not others:
        return

    def checked(scope: Scope) -> str | None:
        path = scope.resolve(first.parts)
        if path not in map(scope.resolve, others):
            return None
        return (
            "The first operand must be distinct from the remaining operands for this operator or "
            f"function; operator: {name}, first operand: {show_path(path)}"
        )

    yield checked


def _truth(node: Node) -> Truth:
    """The closure that says whether a condition holds for an item."""
    if node.kind == "and":
        parts = [_truth(part) for part in node.parts]
        return lambda item, scope: all(part(item, scope) for part in parts)
    if node.kind == "or":
        parts = [_truth(part) for part in node.parts]
        return lambda item, scope: any(part(item, scope) for part in parts)
    if node.kind == "not":
        inner = _truth(node.parts[0])
        return lambda item, scope: not inner(item, scope)
    if node.kind == "call":
        return _function(node)
    if node.kind == "compare":
        operator, left, right = node.parts[0], value_of(node.parts[1]), value_of(node.parts[2])
        return lambda item, scope: operands.compare(operator, left(item, scope), right(item, scope))
    members = [value_of(part) for part in node.parts]
    if node.kind == "between":
        subject, low, high = members
        return lambda item, scope: _is_between(
            subject(item, scope), low(item, scope), high(item, scope)
        )
    first, *rest = members

    def is_in(item: Item, scope: Scope) -> bool:
        value = first(item, scope)
        return value is not None and any(value == member(item, scope) for member in rest)

    return is_in


def _is_between(value: Value | None, low: Value | None, high: Value | None) -> bool:
    return operands.compare(">=", value, low) and operands.compare("<=", value, high)


def _function(node: Node) -> Truth:
    name = node.parts[0]
    members = [value_of(part) for part in node.parts[1:]]
    if name == "attribute_exists":
        return lambda item, scope: members[0](item, scope) is not None
    if name == "attribute_not_exists":
        return lambda item, scope: members[0](item, scope) is None
    subject, other = members
    if name == "begins_with":
        return lambda item, scope: operands.begins_with(subject(item, scope), other(item, scope))
    if name == "contains":
        return lambda item, scope: operands.contains(subject(item, scope), other(item, scope))

    def has_type(item: Item, scope: Scope) -> bool:
        value, wanted = subject(item, scope), other(item, scope)
        return value is not None and wanted is not None and kind_of(value) == wanted["S"]

    return has_type


def value_of(node: Node) -> Operand:
    """The closure that finds an operand's value; None when the item has none there."""
    if node.kind == "value":
        name = node.parts[0]
        return lambda item, scope: scope.values[name]
    if node.kind == "call":
        inner = value_of(node.parts[1])
        return lambda item, scope: operands.size(inner(item, scope))
    return path_value(node.parts)


def path_value(path: Path) -> Operand:
    if len(path) == 1:
        name = str(path[0])
        if name[0] == "#":
            return lambda item, scope: item.get(scope.names[name])
        return lambda item, scope: item.get(name)
    if any(isinstance(step, str) and step[0] == "#" for step in path):
        return lambda item, scope: lookup(item, scope.resolve(path))
    return lambda item, scope: lookup(item, path)
