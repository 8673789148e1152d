"""The names and values that a request gives to its expressions."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fogbank.services.context import Input
from fogbank.services.dynamodb import values
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.faults import Fault, ValueFault
from fogbank.services.dynamodb.tokens import Path
from fogbank.services.dynamodb.values import Item, Value

_NAME = re.compile(r"#[0-9a-zA-Z_]+", re.ASCII)
_VALUE = re.compile(r":[0-9a-zA-Z_]+", re.ASCII)
PARTS_BYTES_MAX = 2 * 1024 * 1024


E = TypeVar("E", bound="Expression")


class Scope:
    """Placeholders of one request. `use` checks an expression against them."""

    __slots__ = ("_used_names", "_used_values", "names", "values")

    def __init__(self, names: dict[str, str] | None, given: Any, *, outer: int = 0) -> None:
        """`outer` is how many levels of the values are not counted as their depth."""
        if names is not None:
            _check_names(names)
        self.names: dict[str, str] = names or {}
        self.values: dict[str, Value] = {} if given is None else _checked_values(given, outer)
        self._used_names: set[str] = set()
        self._used_values: set[str] = set()

    def use(self, expression: E) -> E:
        """The expression, whose placeholders are defined and whose operands have fitting types."""
        for name in expression.names:
            if name not in self.names:
                raise ValidationException(
                    f"Invalid {expression.kind}: An expression attribute name used in the "
                    f"document path is not defined; attribute name: {name}"
                )
        for name in expression.values:
            if name not in self.values:
                raise ValidationException(
                    f"Invalid {expression.kind}: An expression attribute value used in expression "
                    f"is not defined; attribute value: {name}"
                )
        self._used_names.update(expression.names)
        self._used_values.update(expression.values)
        for checked in expression.checks:
            fault = checked(self)
            if fault is not None:
                raise ValidationException(f"Invalid {expression.kind}: {fault}")
        return expression

    def finish(self) -> None:
        """Every placeholder was used by some expression."""
        if not self.names and not self.values:
            return
        for member, given, used in (
            ("ExpressionAttributeNames", self.names, self._used_names),
            ("ExpressionAttributeValues", self.values, self._used_values),
        ):
            if len(used) < len(given):
                unused = ", ".join(name for name in given if name not in used)
                raise ValidationException(
                    f"Value provided in {member} unused in expressions: keys: {{{unused}}}"
                )

    def resolve(self, path: Path) -> Path:
        """The path with attribute names in place of placeholders."""
        names = self.names
        return tuple(
            names[step] if isinstance(step, str) and step[0] == "#" else step for step in path
        )


Check = Callable[[Scope], str | None]


@dataclass(frozen=True, slots=True)
class Expression:
    """What every compiled expression has; the rest belongs to its kind."""

    kind: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    checks: tuple[Check, ...]


def show_path(path: Path) -> str:
    """A path as AWS prints it: [a, b, [0]]."""
    return f"[{', '.join(f'[{step}]' if isinstance(step, int) else step for step in path)}]"


def lookup(item: Item, path: Path) -> Value | None:
    """What stands at a resolved path."""
    node: Value | None = item.get(path[0])  # type: ignore[arg-type]  # a path begins with a name
    for step in path[1:]:
        if node is None:
            return None
        if isinstance(step, int):
            members = node.get("L")
            node = members[step] if members is not None and step < len(members) else None
        else:
            node = (node.get("M") or {}).get(step)
    return node


_NOTHING = Scope(None, None)
_EXPRESSION_PARAMETERS = frozenset(
    (
        *("ExpressionAttributeNames", "ExpressionAttributeValues", "ConditionExpression"),
        *("FilterExpression", "KeyConditionExpression", "ProjectionExpression"),
        *("UpdateExpression", "SearchConditionExpression"),
    )
)


def scope_of(
    request: Input,
    expressions: Sequence[str],
    legacy: Sequence[str] = (),
    *,
    outer: int = 0,
) -> Scope:
    """The scope of a request, after AWS's checks of which parameters may be combined.

    `outer` is 1 where AWS takes values of one level more than an item can have: in transactions
    and in Scan.
    """
    if _EXPRESSION_PARAMETERS.isdisjoint(request):
        return _NOTHING
    names = request.get("ExpressionAttributeNames")
    given = request.get("ExpressionAttributeValues")
    present = [name for name in expressions if request.get(name) is not None]
    if present:
        others = [name for name in legacy if request.get(name) is not None]
        if others:
            raise both_kinds(others, present)
    if names is not None and not present:
        only = f": {expressions[0]} is null" if len(expressions) == 1 else ""
        plain = "ExpressionAttributeNames can only be specified when using expressions"
        raise Fault(plain + only, plain)
    with_values = [name for name in expressions if name != "ProjectionExpression"]
    if given is not None and all(request.get(name) is None for name in with_values):
        verb = "are" if len(with_values) > 1 else "is"
        plain = "ExpressionAttributeValues can only be specified when using expressions"
        raise Fault(f"{plain}: {' and '.join(with_values)} {verb} null", plain)
    return Scope(names, given, outer=outer)


def both_kinds(others: Sequence[str], expressions: Sequence[str]) -> ValidationException:
    return ValidationException(
        "Can not use both expression and non-expression parameters in the same request: "
        f"Non-expression parameters: {{{', '.join(others)}}} "
        f"Expression parameters: {{{', '.join(expressions)}}}"
    )


def _check_names(names: dict[str, str]) -> None:
    if not names:
        raise ValidationException("ExpressionAttributeNames must not be empty")
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise ValidationException(
                f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{name}"'
            )


def _checked_values(given: Any, outer: int) -> dict[str, Value]:
    if not given:
        raise ValidationException("ExpressionAttributeValues must not be empty")
    for name in given:
        if _VALUE.fullmatch(name) is None:
            raise ValidationException(
                f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{name}"'
            )
    result = {}
    for name, raw in given.items():
        try:
            result[name], _ = values.value(raw, -outer)
        except ValueFault as fault:
            raise fault.within(
                f"ExpressionAttributeValues contains invalid value: {{}} for key {name}"
            ) from None
    return result
