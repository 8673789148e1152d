"""PartiQL statements as compiled: what they name, bound to parameters for each call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fogbank.services.dynamodb import values
from fogbank.services.dynamodb.conditions import Condition, Node
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.partiql_literals import TOO_FEW, Literal, filled
from fogbank.services.dynamodb.paths import Projection
from fogbank.services.dynamodb.scope import Scope
from fogbank.services.dynamodb.tokens import Path
from fogbank.services.dynamodb.updates import Update
from fogbank.services.dynamodb.values import Value

SELECT, INSERT, UPDATE, DELETE, EXISTS = "SELECT", "INSERT", "UPDATE", "DELETE", "EXISTS"
NO_KEY = "Where clause does not contain a mandatory equality on all key attributes"
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
PERMISSIONS = {
    SELECT: "PartiQLSelect",
    INSERT: "PartiQLInsert",
    UPDATE: "PartiQLUpdate",
    DELETE: "PartiQLDelete",
    EXISTS: "PartiQLSelect",
}


@dataclass(frozen=True, slots=True)
class Returning:
    """Whether all attributes or the modified ones come back, as they were or as they are."""

    everything: bool
    new: bool


@dataclass(frozen=True, slots=True)
class Ordering:
    """One term of ORDER BY."""

    name: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; its values and odd names are placeholders, as in expressions.

    `where` holds the conditions that AND joins: which of them make up the key is only known with
    the table.
    """

    verb: str
    table: str
    where: tuple[Condition, ...]
    names: dict[str, str]
    constants: dict[str, Value]
    literals: dict[str, Literal]
    parameters: int
    index: str | None = None
    projection: Projection | None = None
    order: tuple[Ordering, ...] = ()
    item: str | None = None
    update: Update | None = None
    returning: Returning | None = None
    # What is wrong with a SELECT of an index, which AWS tells only after the index's faults.
    unsupported: str | None = None

    @property
    def is_read(self) -> bool:
        return self.verb == SELECT

    def bind(self, given: Sequence[Any] | None) -> Scope:
        """The scope of one call; raises what AWS raises when operands do not fit."""
        parameters = [values.value(raw)[0] for raw in given or ()]
        if len(parameters) != self.parameters:
            raise ValidationException(TOO_FEW)
        scope = Scope(None, None)
        scope.names = self.names
        scope.values = dict(self.constants)
        for name, literal in self.literals.items():
            scope.values[name] = values.value(filled(literal, parameters))[0]
        for expression in (*self.where, *((self.update,) if self.update else ())):
            for checked in expression.checks:
                fault = checked(scope)
                if fault is not None:
                    raise ValidationException(fault)
        return scope


@dataclass(frozen=True, slots=True)
class Equality:
    """A condition that gives an attribute of the top one of some values."""

    name: str
    values: tuple[Value, ...]


def equality(node: Node, scope: Scope) -> Equality | None:
    """What `node` says of one attribute, if that is `=`, IN, or an OR of such."""
    if node.kind == "compare" and node.parts[0] == "=":
        left, right = node.parts[1:]
        if left.kind == "value":
            left, right = right, left
        return _equality(left, (right,), scope)
    if node.kind == "in":
        return _equality(node.parts[0], node.parts[1:], scope)
    if node.kind != "or":
        return None
    found: list[Equality] = []
    for part in node.parts:
        one = equality(part, scope) if part.kind in ("compare", "in") else None
        if one is None or one.name != (found or [one])[0].name:
            return None
        found.append(one)
    return Equality(found[0].name, _distinct([value for one in found for value in one.values]))


def _equality(path: Node, given: Sequence[Node], scope: Scope) -> Equality | None:
    if path.kind != "path" or len(path.parts) != 1 or any(one.kind != "value" for one in given):
        return None
    name = str(scope.resolve(path.parts)[0])
    return Equality(name, _distinct([scope.values[one.parts[0]] for one in given]))


def _distinct(given: list[Value]) -> tuple[Value, ...]:
    return tuple({repr(value): value for value in given}.values())


def shown_name(path: Path) -> str:
    """Under which name a SELECT gives what stands at a path: its last part, as written."""
    at = len(path) - 1
    while at > 0 and isinstance(path[at], int):
        at -= 1
    return str(path[at]) + "".join(f"[{step}]" for step in path[at + 1 :])
