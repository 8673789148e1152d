"""The values that a PartiQL statement writes out, with the holes that its parameters fill."""

from collections.abc import Sequence
from dataclasses import dataclass

from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.values import Value, kind_of

TOO_FEW = "Number of parameters in request and statement don't match."
_SETS = {"S": "SS", "N": "NS", "B": "BS"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """The `?` at a position, counted from 0."""

    position: int


@dataclass(frozen=True, slots=True)
class Scalar:
    value: Value


@dataclass(frozen=True, slots=True)
class ListOf:
    members: "tuple[Literal, ...]"


@dataclass(frozen=True, slots=True)
class MapOf:
    members: "tuple[tuple[str, Literal], ...]"


@dataclass(frozen=True, slots=True)
class Bag:
    """A set: <<1, 2>>."""

    members: "tuple[Literal, ...]"


Literal = Parameter | Scalar | ListOf | MapOf | Bag


def is_constant(literal: Literal) -> bool:
    if isinstance(literal, Parameter):
        return False
    if isinstance(literal, ListOf | Bag):
        return all(map(is_constant, literal.members))
    if isinstance(literal, MapOf):
        return all(is_constant(member) for _, member in literal.members)
    return True


def filled(literal: Literal, parameters: Sequence[Value]) -> Value:
    """The attribute value with parameters in their places; not yet checked as a whole."""
    if isinstance(literal, Scalar):
        return literal.value
    if isinstance(literal, Parameter):
        if literal.position >= len(parameters):
            raise ValidationException(TOO_FEW)
        return parameters[literal.position]
    if isinstance(literal, ListOf):
        return {"L": [filled(member, parameters) for member in literal.members]}
    if isinstance(literal, MapOf):
        return {"M": {name: filled(member, parameters) for name, member in literal.members}}
    return _set([filled(member, parameters) for member in literal.members])


def _set(members: list[Value]) -> Value:
    if not members:
        raise ValidationException("Empty bags are not supported")
    kinds = {kind_of(member) for member in members}
    kind = kinds.pop()
    if kinds or kind not in _SETS:
        raise ValidationException("DynamoDB only supports either numbers or strings in bags")
    texts = [member[kind] for member in members]
    if len(set(texts)) < len(texts):
        if kind == "N":
            raise ValidationException("Input collection contains duplicates")
        raise ValidationException(
            "One or more parameter values were invalid: Input collection "
            f"[{', '.join(texts)}] contains duplicates."
        )
    return {_SETS[kind]: texts}
