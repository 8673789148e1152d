"""The constraints that the models state, checked before a handler sees a request.

Every service words them alike; `manners.py` has who words some of them otherwise.
"""

import re
from collections.abc import Callable
from typing import Any

from fogbank.gateway.java import java_pattern, length_of, lower_first, text_of
from fogbank.gateway.manners import EXEMPT, MANNERS, MUST, ORDER_OF, Manners, Validator, summary
from fogbank.gateway.models import Member, OperationModel, Shape, shapes_within

# Appends what is wrong with a value, which stands at a path, to a list.
Check = Callable[[Any, str, list[str]], None]
# The same for the keys or values of a map, which are given with the map.
WholeCheck = Callable[[list[Any], Any, str, list[str]], None]

# A pattern is not tried on longer texts: they fail by their length, and some patterns backtrack.
PATTERN_TEXT_MAX = 4096
# Marks, in a path, the beginning of a member's name whose case is not decided yet.
_MARK = "\0"
_MARKED = re.compile(f"{_MARK}(.?)", re.DOTALL)


def validator(operation: OperationModel) -> Validator:
    """A function that raises the service's error when a constraint does not hold, else gives []."""
    found: Validator | None = operation.compiled.get("validator")
    if found is None:
        found = operation.compiled["validator"] = _raising(operation)
    return found


def _raising(operation: OperationModel) -> Validator:
    service = operation.service.name
    if service in EXEMPT:
        return lambda request: []
    manners = MANNERS.get(service, Manners())
    judge = judge_of(operation, manners)
    first = manners.first(operation) if manners.first else None

    def validate(request: dict[str, Any]) -> list[str]:
        found = judge(request) if first is None else first(request) + judge(request)
        if found:
            raise manners.error(summary(found))
        return found

    return validate


def judge_of(operation: OperationModel, manners: Manners) -> Validator:
    """A function that lists what is wrong with a request, in the order of the members."""
    shape = operation.input
    if shape is None:
        return lambda request: []
    prefix = f"{lower_first(operation.name)}Input." if manners.payload_prefix else ""
    terse = operation.name in manners.terse
    check = _Checks(manners, terse).top(shape, prefix)

    def judge(request: dict[str, Any]) -> list[str]:
        found: list[str] = []
        try:
            check(request, "", found)
        except RecursionError:
            found.append("The request is nested too deeply")
        if terse and found:
            return [_MARKED.sub(lambda mark: mark[1].lower(), message) for message in found]
        return found

    return judge


def is_constrained(shape: Shape) -> bool:
    return any(_has_own(each) or _keys_have(each) for each in shapes_within(shape))


def _has_own(shape: Shape) -> bool:
    sized = shape.min is not None or shape.max is not None
    return bool(shape.required or shape.enum or shape.pattern or sized)


def _keys_have(shape: Shape) -> bool:
    return shape.key is not None and _has_own(shape.key.shape)


class _Checks:
    """Checks compiled once per shape; None where there is nothing to check."""

    def __init__(self, manners: Manners, terse: bool = False) -> None:
        self._manners = manners
        self._terse = terse
        self._done: dict[str, Check | None] = {}

    def top(self, shape: Shape, payload_prefix: str) -> Check:
        """The check of a whole input. What is given is less than what may be: that comes first,
        and only when something is wrong are all members asked for in their order."""
        structure = self._structure(shape, payload_prefix)
        required = shape.required
        checks = {name: self.of(member.shape) for name, member in shape.members.items()}
        find = {name: check for name, check in checks.items() if check is not None}.get

        def is_sound(value: dict[str, Any]) -> bool:
            for name in required:
                if value.get(name) is None:
                    return False
            wrong: list[str] = []
            for name, each in value.items():
                check = find(name)
                if check is not None and each is not None:
                    check(each, "", wrong)
            return not wrong

        def check(value: Any, path: str, found: list[str]) -> None:
            if not is_sound(value):
                structure(value, path, found)

        return check

    def of(self, shape: Shape) -> Check | None:
        name = shape.name
        if name not in self._done:
            if name in self._manners.own_shapes or not is_constrained(shape):
                self._done[name] = None
            else:
                self._done[name] = self._late(name)
                self._done[name] = self._compile(shape)
        return self._done[name]

    def _late(self, name: str) -> Check:
        """For a shape that contains itself: the check that its compilation will have made."""

        def check(value: Any, path: str, found: list[str]) -> None:
            compiled = self._done[name]
            if compiled is not None:
                compiled(value, path, found)

        return check

    def _compile(self, shape: Shape) -> Check:
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        return self._scalar(shape)

    def _structure(self, shape: Shape, payload_prefix: str = "") -> Check:
        members: list[tuple[str, str, bool, Check | None]] = []
        for member in self._ordered(shape):
            required = member.name in shape.required
            own = f"{shape.name}.{member.name}" in self._manners.own_members
            check = None if own else self.of(member.shape)
            if required or check is not None:
                prefix = payload_prefix if member.location is None else ""
                name = _MARK + member.name if self._terse else lower_first(member.name)
                members.append((member.name, prefix + name, required, check))

        def structure(value: Any, path: str, found: list[str]) -> None:
            path = path and f"{path}."
            get = value.get
            for name, wire, required, check in members:
                each = get(name)
                if each is None:
                    if required:
                        found.append(f"Value null at '{path}{wire}' {MUST} not be null")
                elif check is not None:
                    check(each, path + wire, found)

        return structure

    def _ordered(self, shape: Shape) -> list[Member]:
        names = dict(self._manners.orders).get(shape.name, ())
        order = [*names, *(name for name in shape.members if name not in names)]
        return [shape.members[name] for name in order]

    def _list(self, shape: Shape) -> Check:
        own, inner = self._size(shape), self._elements(shape)

        def check(value: Any, path: str, found: list[str]) -> None:
            if own is not None:
                own(value, path, found)
            if inner is not None:
                inner(value, path, found)

        return check

    def _elements(self, shape: Shape) -> Check | None:
        """What is asked of the elements of a list, whatever its own length."""
        assert shape.member is not None
        element = shape.member.shape
        inner = self.of(element)
        if inner is None:
            return None
        judge = inner
        scalar = element.type not in ("structure", "list", "map")
        demands = self._demands(element) if scalar else []

        def check(value: Any, path: str, found: list[str]) -> None:
            if demands:
                # Scalars are reported as one list, with all that is asked of each element.
                if _any_wrong(judge, value):
                    found.append(
                        f"Value '{text_of(value, shape)}' at '{path}' {MUST} satisfy constraint: "
                        f"[{', '.join(demands)}]"
                    )
                return
            for number, each in enumerate(value, 1):
                if each is not None:
                    judge(each, f"{path}.{number}.member", found)

        return check

    def _map(self, shape: Shape) -> Check:
        """Keys, scalar values and the lengths of lists are reported with the whole map."""
        assert shape.value is not None and shape.key is not None
        value_shape = shape.value.shape
        own = self._size(shape)
        keys = self._whole(shape, shape.key.shape, "keys")
        whole = None
        if value_shape.type not in ("structure", "map"):
            whole = self._whole(shape, value_shape, "value")
        inner = self.of(value_shape)
        if value_shape.type == "list":
            inner = self._elements(value_shape)
        elif whole is not None:
            inner = None

        def check(value: Any, path: str, found: list[str]) -> None:
            if own is not None:
                own(value, path, found)
            if keys is not None:
                keys(list(value), value, path, found)
            if whole is not None:
                whole(list(value.values()), value, path, found)
            if inner is not None:
                for key, each in value.items():
                    if each is not None:
                        inner(each, f"{path}.{key}.member", found)

        return check

    def _whole(self, shape: Shape, part: Shape, word: str) -> WholeCheck | None:
        """Of a map of `shape`: every one of its keys, or values, is as `part` asks."""
        demands = self._demands(part)
        judge = self._size(part) if part.type == "list" else self.of(part)
        if not demands or judge is None:
            return None
        asked = f"Map {word} must satisfy constraint: [{', '.join(demands)}]"

        def check(parts: list[Any], value: Any, path: str, found: list[str]) -> None:
            if _any_wrong(judge, parts):
                text = text_of(value, shape)
                found.append(f"Value '{text}' at '{path}' failed to satisfy constraint: {asked}")

        return check

    def _scalar(self, shape: Shape) -> Check:
        checks = [
            each
            for each in (_enum(shape), self._pattern(shape), self._size(shape), self._range(shape))
            if each is not None
        ]
        if len(checks) == 1:
            return checks[0]

        def check(value: Any, path: str, found: list[str]) -> None:
            for each in checks:
                each(value, path, found)

        return check

    def _pattern(self, shape: Shape) -> Check | None:
        if shape.pattern is None or shape.type != "string":
            return None
        compiled = java_pattern(shape.pattern)
        if compiled is None:
            return None
        fits = compiled.fullmatch
        own = dict(self._manners.pattern_texts).get(shape.pattern)

        def check(value: Any, path: str, found: list[str]) -> None:
            if len(value) <= PATTERN_TEXT_MAX and not fits(value):
                if own is not None:
                    found.append(own.format(name=path))
                else:
                    found.append(
                        f"Value '{value}' at '{path}' {MUST} satisfy regular expression "
                        f"pattern: {shape.pattern}"
                    )

        return check

    def _size(self, shape: Shape) -> Check | None:
        low, high, terse = shape.min, shape.max, self._terse
        if shape.type in ("integer", "long", "float", "double") or low is high is None:
            return None

        def check(value: Any, path: str, found: list[str]) -> None:
            size = length_of(value)
            if high is not None and size > high:
                word = f"less than or equal to {high}"
            elif low is not None and size < low:
                word = f"greater than or equal to {low}"
            else:
                return
            told = f"'{text_of(value, shape)}' " if not terse else ""
            found.append(f"Value {told}at '{_shown(path, terse)}' {MUST} have length {word}")

        return check

    def _range(self, shape: Shape) -> Check | None:
        low, high, terse = shape.min, shape.max, self._terse
        if shape.type not in ("integer", "long", "float", "double") or low is high is None:
            return None

        def check(value: Any, path: str, found: list[str]) -> None:
            if high is not None and value > high:
                word = f"less than or equal to {high}"
            elif low is not None and value < low:
                word = f"greater than or equal to {low}"
            else:
                return
            told = f"'{value}' " if not terse else ""
            found.append(f"Value {told}at '{_shown(path, terse)}' {MUST} have value {word}")

        return check

    def _demands(self, shape: Shape) -> list[str]:
        """All constraints of a list's elements, as the text of the list names them."""
        demands = []
        if shape.enum:
            demands.append(f"Member must satisfy enum value set: [{_listed(shape.enum)}]")
        if shape.max is not None:
            demands.append(f"Member must have length less than or equal to {shape.max}")
        if shape.min is not None:
            demands.append(f"Member must have length greater than or equal to {shape.min}")
        if shape.pattern:
            demands.append(f"Member must satisfy regular expression pattern: {shape.pattern}")
        if demands and self._manners.elements_not_null:
            demands.append("Member must not be null")
        return demands


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(ORDER_OF.get(frozenset(values), values))


def _enum(shape: Shape) -> Check | None:
    if not shape.enum:
        return None
    values = frozenset(shape.enum)
    listed = _listed(shape.enum)

    def check(value: Any, path: str, found: list[str]) -> None:
        if value not in values:
            found.append(f"Value '{value}' at '{path}' {MUST} satisfy enum value set: [{listed}]")

    return check


def _shown(path: str, terse: bool) -> str:
    """The path of a message that is told in the model's case."""
    return path.replace(_MARK, "") if terse else path


def _any_wrong(judge: Check, values: list[Any]) -> bool:
    wrong: list[str] = []
    for each in values:
        if each is not None:
            judge(each, "", wrong)
    return bool(wrong)
