"""The parameters of before expressions, brought to the same conditions, updates and projections.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fogbank.services.context import Input
from fogbank.services.dynamodb import operands, values
from fogbank.services.dynamodb.conditions import Truth
from fogbank.services.dynamodb.errors import ValidationException, invalid
from fogbank.services.dynamodb.key_conditions import KeyCondition
from fogbank.services.dynamodb.scope import Scope
from fogbank.services.dynamodb.shapes import ANY, BOOLEAN, STRING
from fogbank.services.dynamodb.tokens import Path
from fogbank.services.dynamodb.updates import WRONG_OPERAND, Step, apply_steps
from fogbank.services.dynamodb.values import Item, Value, kind_of

CONDITIONS = {None: {"ComparisonOperator!": STRING, "AttributeValueList": [ANY]}}
EXPECTED = {
    None: {
        "Value": ANY,
        "Exists": BOOLEAN,
        "ComparisonOperator": STRING,
        "AttributeValueList": [ANY],
    }
}
ATTRIBUTE_UPDATES = {None: {"Value": ANY, "Action": STRING}}

_SCALARS = ("S", "N", "B")
# Operator: the fewest and most arguments, and the types that they may have (None is all).
_OPERATORS: dict[str, tuple[int, int, tuple[str, ...] | None]] = {
    "EQ": (1, 1, None),
    "NE": (1, 1, None),
    "LE": (1, 1, _SCALARS),
    "LT": (1, 1, _SCALARS),
    "GE": (1, 1, _SCALARS),
    "GT": (1, 1, _SCALARS),
    "NULL": (0, 0, None),
    "NOT_NULL": (0, 0, None),
    "CONTAINS": (1, 1, ("S", "N", "B", "BOOL", "NULL")),
    "NOT_CONTAINS": (1, 1, ("S", "N", "B", "BOOL", "NULL")),
    "BEGINS_WITH": (1, 1, ("S", "B")),
    "IN": (1, 100, _SCALARS),
    "BETWEEN": (2, 2, _SCALARS),
}
_COMPARATORS = {"EQ": "=", "NE": "<>", "LE": "<=", "LT": "<", "GE": ">=", "GT": ">"}


@dataclass(frozen=True, slots=True)
class LegacyCondition:
    """Expected, QueryFilter or ScanFilter: the same two things as a condition expression."""

    names: tuple[str, ...]
    holds: Truth

    def top_names(self, scope: Scope) -> list[str]:
        return list(self.names)


Test = Callable[[Value | None], bool]


def expected(request: Input) -> LegacyCondition | None:
    """The condition of a write by its Expected."""
    _check_operator(request, request.get("Expected"))
    given = request.get("Expected")
    if given is None:
        return None
    return _joined({name: _expectation(name, one) for name, one in given.items()}, request)


def filter_of(request: Input, member: str) -> LegacyCondition | None:
    """The condition of a read by its QueryFilter or ScanFilter."""
    _check_operator(request, request.get(member))
    given = request.get(member)
    if given is None:
        return None
    return _joined({name: _test(name, *_arguments(one)) for name, one in given.items()}, request)


def _check_operator(request: Input, given: dict[str, Any] | None) -> None:
    if request.get("ConditionalOperator") is None:
        return
    if given is None:
        raise ValidationException("ConditionalOperator cannot be used without Filter or Expected")
    if len(given) < 2:
        raise ValidationException(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements"
        )


def _joined(tests: dict[str, Test], request: Input) -> LegacyCondition:
    join = any if request.get("ConditionalOperator") == "OR" else all
    pairs = list(tests.items())

    def holds(item: Item, scope: Scope) -> bool:
        return not pairs or join(test(item.get(name)) for name, test in pairs)

    return LegacyCondition(tuple(tests), holds)


def _arguments(one: dict[str, Any]) -> tuple[str, list[Value]]:
    given = one.get("AttributeValueList") or []
    return one["ComparisonOperator"], [values.value(raw)[0] for raw in given]


def _expectation(name: str, one: dict[str, Any]) -> Test:
    value, listed, exists = one.get("Value"), one.get("AttributeValueList"), one.get("Exists")
    operator = one.get("ComparisonOperator")
    if value is not None and listed is not None:
        raise invalid(f"Value and AttributeValueList cannot be used together for Attribute: {name}")
    if operator is not None:
        if exists is not None:
            raise invalid(
                f"Exists and ComparisonOperator cannot be used together for Attribute: {name}"
            )
        if operator not in ("NULL", "NOT_NULL") and value is None and listed is None:
            raise invalid(
                f"Value or AttributeValueList must be used with ComparisonOperator: {operator} "
                f"for Attribute: {name}"
            )
        given = listed if value is None else [value]
        return _test(name, operator, [values.value(raw)[0] for raw in given or []])
    if listed is not None:
        raise invalid(
            f"AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}"
        )
    if exists is False:
        if value is not None:
            raise invalid(f"Value cannot be used when Exists is false for Attribute: {name}")
        return _test(name, "NULL", [])
    if value is None:
        shown = "null" if exists is None else "true"
        raise invalid(f"Value must be provided when Exists is {shown} for Attribute: {name}")
    return _test(name, "EQ", [values.value(value)[0]])


def _check_arguments(operator: str, given: list[Value]) -> None:
    found = _OPERATORS.get(operator)
    if found is None:
        raise ValidationException(
            f"1 validation error detected: Value '{operator}' at 'comparisonOperator' failed to "
            "satisfy constraint: Member must satisfy enum value set: [IN, NULL, BETWEEN, LT, "
            "NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]"
        )
    fewest, most, kinds = found
    if not fewest <= len(given) <= most:
        raise invalid(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    for value in given:
        if kinds is not None and kind_of(value) not in kinds:
            raise invalid(
                f"ComparisonOperator {operator} is not valid for {kind_of(value)} "
                "AttributeValue type"
            )
    if len({kind_of(value) for value in given}) > 1:
        raise invalid("AttributeValues inside AttributeValueList must be of same type")
    if operator == "BETWEEN" and operands.compare(">", given[0], given[1]):
        raise ValidationException(
            "The BETWEEN condition was provided a range where the lower bound is greater than "
            "the upper bound"
        )


def _test(name: str, operator: str, given: list[Value]) -> Test:
    _check_arguments(operator, given)
    if operator in _COMPARATORS:
        sign, wanted = _COMPARATORS[operator], given[0]
        return lambda value: operands.compare(sign, value, wanted)
    if operator == "NULL":
        return lambda value: value is None
    if operator == "NOT_NULL":
        return lambda value: value is not None
    if operator == "CONTAINS":
        return lambda value: operands.contains(value, given[0])
    if operator == "NOT_CONTAINS":
        return lambda value: value is not None and not operands.contains(value, given[0])
    if operator == "BEGINS_WITH":
        return lambda value: operands.begins_with(value, given[0])
    if operator == "IN":
        return lambda value: value in given
    return lambda value: (
        operands.compare(">=", value, given[0]) and operands.compare("<=", value, given[1])
    )


def key_conditions(request: Input) -> list[KeyCondition]:
    """What KeyConditions ask for, as a KeyConditionExpression would."""
    given = request["KeyConditions"]
    if not 1 <= len(given) <= 2:
        raise ValidationException("Conditions can be of length 1 or 2 only")
    result = []
    for name, one in given.items():
        operator, arguments = _arguments(one)
        _check_arguments(operator, arguments)
        sign = {**_COMPARATORS, "BETWEEN": "BETWEEN", "BEGINS_WITH": "begins_with"}.get(operator)
        if sign is None or sign == "<>":
            raise ValidationException(
                "Attempted conditional constraint is not an indexable operation"
            )
        result.append(KeyCondition(name, sign, tuple(arguments)))
    return result


@dataclass(frozen=True, slots=True)
class Attributes:
    """AttributesToGet: a projection to attributes of the top."""

    names: tuple[str, ...]

    def top_names(self, scope: Scope) -> list[str]:
        return list(self.names)

    def of(self, item: Item, scope: Scope) -> Item:
        return {name: item[name] for name in self.names if name in item}


def attributes(request: Input) -> Attributes | None:
    given = request.get("AttributesToGet")
    if given is None:
        return None
    for at, name in enumerate(given):
        if name in given[:at]:
            raise invalid(f"Duplicate value in attribute name: {name}")
    return Attributes(tuple(given))


@dataclass(frozen=True, slots=True)
class LegacyUpdate:
    """AttributeUpdates: the same things as an update expression."""

    steps: tuple[Step, ...]

    @property
    def only_removes(self) -> bool:
        return all(section in ("REMOVE", "DELETE") for section, _, _ in self.steps)

    def top_names(self, scope: Scope) -> list[str]:
        return [str(path[0]) for _, path, _ in self.steps]

    def paths(self, scope: Scope) -> list[Path]:
        return [path for _, path, _ in self.steps]

    def apply(self, item: Item, scope: Scope) -> Item:
        try:
            return apply_steps(item, list(self.steps))
        except ValidationException as error:
            if error.message == WRONG_OPERAND:
                raise ValidationException("Type mismatch for attribute to update") from None
            raise


def update_of(request: Input) -> LegacyUpdate | None:
    given = request.get("AttributeUpdates")
    if given is None:
        return None
    return LegacyUpdate(tuple(_step(name, one) for name, one in given.items()))


def _step(name: str, one: dict[str, Any]) -> Step:
    action = one.get("Action") or "PUT"
    if one.get("Value") is None:
        if action != "DELETE":
            raise invalid("Only DELETE action is allowed when no attribute value is specified")
        return "REMOVE", (name,), None
    value, _ = values.value(one["Value"])
    kind = kind_of(value)
    if action == "ADD" and kind not in ("N", "SS", "NS", "BS", "L"):
        raise invalid(f"ADD action is not supported for the type {kind}")
    if action == "DELETE" and kind not in ("SS", "NS", "BS"):
        raise invalid(f"DELETE action with value is not supported for the type {kind}")
    if action not in ("PUT", "ADD", "DELETE"):
        raise ValidationException(
            f"1 validation error detected: Value '{action}' at 'attributeUpdates.{name}.member."
            "action' failed to satisfy constraint: Member must satisfy enum value set: "
            "[ADD, DELETE, PUT]"
        )
    return "SET" if action == "PUT" else action, (name,), value
