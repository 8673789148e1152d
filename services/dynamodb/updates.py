"""Update expressions: parsed once, applied to items as closures.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fogbank.services.dynamodb import numbers
from fogbank.services.dynamodb.conditions import (
    COMPILED_MAX,
    FUNCTIONS,
    NESTED_MAX,
    UPDATE_FUNCTIONS,
    Node,
    Operand,
    needs_path,
    operand,
    path_value,
    placeholders,
    wrong_count,
    wrong_type,
)
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.paths import no_overlap
from fogbank.services.dynamodb.scope import Check, Expression, Scope
from fogbank.services.dynamodb.tokens import END, OPERATORS_MAX, Cursor, Path
from fogbank.services.dynamodb.values import SET_ORDER, Item, Value, kind_of

INVALID_PATH = "The document path provided in the update expression is invalid for update"
NO_ATTRIBUTE = "The provided expression refers to an attribute that does not exist in the item"
WRONG_OPERAND = "An operand in the update expression has an incorrect data type"

SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")
_LONG_TYPES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
}
_ADDABLE = ("N", "SS", "NS", "BS")
_REMOVED: Value = {}


@dataclass(frozen=True, slots=True)
class Action:
    section: str
    path: Path
    operand: Node | None
    compute: Operand | None


@dataclass(frozen=True, slots=True)
class Update(Expression):
    actions: tuple[Action, ...]

    def top_names(self, scope: Scope) -> list[str]:
        """The attributes that the update writes."""
        return [str(scope.resolve(action.path)[0]) for action in self.actions]

    @property
    def only_removes(self) -> bool:
        return all(action.section in ("REMOVE", "DELETE") for action in self.actions)

    def paths(self, scope: Scope) -> list[Path]:
        return [scope.resolve(action.path) for action in self.actions]

    def apply(self, item: Item, scope: Scope) -> Item:
        """The item after the update; `item` stays as it is."""
        steps = []
        for action in self.actions:
            path = scope.resolve(action.path)
            new = None if action.compute is None else action.compute(item, scope)
            steps.append((action.section, path, new))
        return apply_steps(item, steps)


@lru_cache(maxsize=COMPILED_MAX)
def update(text: str) -> Update:
    """The compiled update; raises ValidationException in AWS's words."""
    cursor = Cursor("UpdateExpression", text)
    actions: list[Action] = []
    seen: set[str] = set()
    while cursor.word != END:
        section = cursor.upper
        if section not in SECTIONS:
            cursor.unexpected()
        cursor.take()
        if section in seen:
            cursor.faults.append(
                f'The "{section}" section can only be used once in an update expression;'
            )
        seen.add(section)
        actions.append(_action(cursor, section))
        while cursor.accept(","):
            actions.append(_action(cursor, section))
    _check_calls(cursor, _nodes(actions))
    cursor.finish()
    return compiled(actions, cursor.kind)


def compiled(actions: list[Action], kind: str) -> Update:
    """The update of actions whose functions are known to fit: of an expression or a statement."""
    nodes = _nodes(actions)
    targets = [Node("path", action.path) for action in actions]
    return Update(
        kind=kind,
        names=placeholders(targets + nodes),
        values=tuple(node.parts[0] for node in nodes if node.kind == "value"),
        checks=(*_checks(actions, nodes), no_overlap([action.path for action in actions])),
        actions=tuple(actions),
    )


def _nodes(actions: list[Action]) -> list[Node]:
    return [
        node
        for action in actions
        if action.operand is not None
        for node in (action.operand, *action.operand.operands())
    ]


def _action(cursor: Cursor, section: str) -> Action:
    path = cursor.path()
    cursor.count_operator()
    if section == "REMOVE":
        return action_of(section, path, None)
    if section == "SET":
        cursor.expect("=")
        return action_of(section, path, _arithmetic(cursor, 0))
    if cursor.word[0] != ":" or len(cursor.word) == 1:
        cursor.unexpected()
    return action_of(section, path, Node("value", (cursor.take(),)))


def action_of(section: str, path: Path, operand: Node | None) -> Action:
    return Action(section, path, operand, None if operand is None else _compute(operand))


def _arithmetic(cursor: Cursor, depth: int) -> Node:
    left = _term(cursor, depth)
    if cursor.word in ("+", "-"):
        sign = cursor.take()
        cursor.count_operator()
        return Node("arithmetic", (sign, left, _term(cursor, depth)))
    return left


def _term(cursor: Cursor, depth: int) -> Node:
    if depth > NESTED_MAX:
        cursor.operators = OPERATORS_MAX
        cursor.count_operator()
    if cursor.accept("("):
        node = _arithmetic(cursor, depth + 1)
        cursor.expect(")")
        if node.wrapped:
            cursor.faults.insert(0, "The expression has redundant parentheses;")
        return Node(node.kind, node.parts, wrapped=True)
    return operand(cursor)


def _check_calls(cursor: Cursor, nodes: list[Node]) -> None:
    for node in nodes:
        if node.kind != "call":
            continue
        name, *arguments = node.parts
        if name in FUNCTIONS:
            cursor.faults.append(
                f"The function is not allowed in an update expression; function: {name}"
            )
        elif name not in UPDATE_FUNCTIONS:
            cursor.faults.append(f"Invalid function name; function: {name}")
        elif len(arguments) != 2:
            cursor.faults.append(wrong_count(name, len(arguments)))
        elif name == "if_not_exists" and arguments[0].kind != "path":
            cursor.faults.append(needs_path(name))


def _checks(actions: list[Action], nodes: list[Node]) -> Iterator[Check]:
    for action in actions:
        if action.section in ("ADD", "DELETE") and action.operand is not None:
            kinds = _ADDABLE if action.section == "ADD" else tuple(SET_ORDER)
            yield _typed(action.section, action.operand.parts[0], kinds)
    for node in nodes:
        if node.kind == "arithmetic":
            yield from _operand_checks(node.parts[0], node.parts[1:], "N")
        elif node.kind == "call" and node.parts[0] == "list_append":
            yield from _operand_checks("list_append", node.parts[1:], "L")


def _operand_checks(name: str, arguments: tuple[Node, ...], wanted: str) -> Iterator[Check]:
    for argument in arguments:
        if argument.kind != "value":
            continue

        def checked(scope: Scope, placeholder: str = argument.parts[0]) -> str | None:
            kind = kind_of(scope.values[placeholder])
            return None if kind == wanted else wrong_type(name, kind)

        yield checked


def _typed(section: str, placeholder: str, kinds: tuple[str, ...]) -> Check:
    def checked(scope: Scope) -> str | None:
        kind = kind_of(scope.values[placeholder])
        if kind in kinds:
            return None
        return (
            f"Incorrect operand type for operator or function; operator: {section}, "
            f"operand type: {_LONG_TYPES[kind]}, typeSet: ALLOWED_FOR_{section}_OPERAND"
        )

    return checked


def _compute(node: Node) -> Operand:
    """The closure that gives the operand's value from the item as it was."""
    if node.kind == "value":
        name = node.parts[0]
        return lambda item, scope: scope.values[name]
    if node.kind == "path":
        found = path_value(node.parts)
        return lambda item, scope: _required(found(item, scope))
    if node.kind == "arithmetic":
        sign, left, right = node.parts[0], _compute(node.parts[1]), _compute(node.parts[2])
        return lambda item, scope: _sum(sign, left(item, scope), right(item, scope))
    if node.parts[0] == "if_not_exists" and len(node.parts) == 3 and node.parts[1].kind == "path":
        present, other = path_value(node.parts[1].parts), _compute(node.parts[2])

        def first_of(item: Item, scope: Scope) -> Value | None:
            value = present(item, scope)
            return value if value is not None else other(item, scope)

        return first_of
    parts = [_compute(part) for part in node.parts[1:]]
    return lambda item, scope: _appended([part(item, scope) for part in parts])


def _required(value: Value | None) -> Value:
    if value is None:
        raise ValidationException(NO_ATTRIBUTE)
    return value


def _sum(sign: str, left: Value | None, right: Value | None) -> Value:
    if left is None or right is None or "N" not in left or "N" not in right:
        raise ValidationException(WRONG_OPERAND)
    compute = numbers.add if sign == "+" else numbers.subtract
    return {"N": compute(left["N"], right["N"])}


def _appended(parts: list[Value | None]) -> Value:
    members: list[Value] = []
    for part in parts:
        if part is None or "L" not in part:
            raise ValidationException(WRONG_OPERAND)
        members += part["L"]
    return {"L": members}


Step = tuple[str, Path, Value | None]


def apply_steps(item: Item, steps: list[Step]) -> Item:
    """The item with each step done; list positions are those before the update."""
    result = dict(item)
    copied: dict[int, Any] = {}
    touched: dict[int, list[Value]] = {}
    for section, path, new in sorted(steps, key=_appends_last):
        holder = _holder(result, path, copied)
        step = path[-1]
        if isinstance(step, int):
            _change_list(holder, step, section, new)
            touched[id(holder)] = holder
        else:
            _CHANGES[section](holder, step, new)
    for members in touched.values():
        members[:] = [member for member in members if member is not _REMOVED]
    return result


def _appends_last(step: Step) -> int:
    """Positions behind the end append in their order."""
    last = step[1][-1]
    return last if isinstance(last, int) else -1


def _holder(result: Item, path: Path, copied: dict[int, Any]) -> Any:
    """The map or list that the path's last step is in, copied once so that it may change."""
    holder: Any = result
    for at, step in enumerate(path[:-1]):
        value = _member(holder, step)
        kind = "L" if isinstance(path[at + 1], int) else "M"
        if not value or kind not in value:
            raise ValidationException(INVALID_PATH)
        inner = value[kind]
        if id(inner) not in copied:
            inner = list(inner) if kind == "L" else dict(inner)
            holder[step] = {kind: inner}
            copied[id(inner)] = inner
        holder = inner
    return holder


def _member(holder: Any, step: int | str) -> Any:
    if isinstance(step, int):
        return holder[step] if isinstance(holder, list) and step < len(holder) else None
    return holder.get(step) if isinstance(holder, dict) else None


def _change_list(members: list[Value], position: int, section: str, new: Value | None) -> None:
    present = position < len(members)
    if section == "REMOVE":
        if present:
            members[position] = _REMOVED
        return
    assert new is not None
    if section == "SET":
        if present:
            members[position] = new
        else:
            members.append(new)
        return
    holder = {"": members[position]} if present else {}
    _CHANGES[section](holder, "", new)
    if "" in holder:
        if present:
            members[position] = holder[""]
        else:
            members.append(holder[""])
    elif present:
        members[position] = _REMOVED


def _set(holder: Item, name: str, new: Value | None) -> None:
    assert new is not None
    holder[name] = new


def _remove(holder: Item, name: str, new: Value | None) -> None:
    holder.pop(name, None)


def _add(holder: Item, name: str, new: Value | None) -> None:
    assert new is not None
    old = holder.get(name)
    if old is None:
        holder[name] = new
        return
    kind = kind_of(new)
    if kind not in old:
        raise ValidationException(WRONG_OPERAND)
    if kind == "N":
        holder[name] = {"N": numbers.add(old["N"], new["N"])}
    elif kind in SET_ORDER:
        holder[name] = {kind: sorted({*old[kind], *new[kind]}, key=SET_ORDER[kind])}
    else:
        # Only AttributeUpdates reaches this: ADD of a list appends.
        holder[name] = {kind: [*old[kind], *new[kind]]}


def _delete(holder: Item, name: str, new: Value | None) -> None:
    assert new is not None
    old = holder.get(name)
    if old is None:
        return
    kind = kind_of(new)
    if kind not in old:
        raise ValidationException(WRONG_OPERAND)
    left = [member for member in old[kind] if member not in new[kind]]
    if left:
        holder[name] = {kind: left}
    else:
        # A set without members does not exist.
        del holder[name]


_CHANGES: dict[str, Callable[[Item, str, Value | None], None]] = {
    "SET": _set,
    "REMOVE": _remove,
    "ADD": _add,
    "DELETE": _delete,
}
