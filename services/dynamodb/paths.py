"""Projections: the part of an item that some document paths name."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fogbank.services.dynamodb.scope import Check, Expression, Scope, lookup, show_path
from fogbank.services.dynamodb.tokens import END, Cursor, Path
from fogbank.services.dynamodb.values import Item, Value

COMPILED_MAX = 4096
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
PATH_DEPTH_MAX = 32


@dataclass(frozen=True, slots=True)
class Projection(Expression):
    paths: tuple[Path, ...]

    def top_names(self, scope: Scope) -> list[str]:
        return [str(scope.resolve(path)[0]) for path in self.paths]

    def of(self, item: Item, scope: Scope) -> Item:
        return select(item, [scope.resolve(path) for path in self.paths])


@lru_cache(maxsize=COMPILED_MAX)
def projection(text: str) -> Projection:
    """The compiled projection; raises ValidationException in AWS's words."""
    cursor = Cursor("ProjectionExpression", text)
    paths = [cursor.path()]
    while cursor.accept(","):
        paths.append(cursor.path())
    if cursor.word != END:
        cursor.unexpected()
    cursor.finish()
    return Projection(
        kind=cursor.kind,
        names=names_of(paths),
        values=(),
        checks=(no_overlap(paths),),
        paths=tuple(paths),
    )


def names_of(paths: list[Path]) -> tuple[str, ...]:
    return tuple(
        step for path in paths for step in path if isinstance(step, str) and step[0] == "#"
    )


def no_overlap(paths: list[Path]) -> Check:
    """No path leads into, or through, another."""

    def checked(scope: Scope) -> str | None:
        tree: dict[Any, Any] = {}
        resolved = [scope.resolve(path) for path in paths]
        for path in resolved:
            if len(path) > PATH_DEPTH_MAX:
                return f"The document path has too many nesting levels; nesting levels: {len(path)}"
            fault = _grow(tree, path)
            if fault:
                other = next(one for one in resolved if _clash(one, path) == fault)
                verb = "overlap" if fault == 1 else "conflict"
                return (
                    f"Two document paths {verb} with each other; must remove or rewrite one of "
                    f"these paths; path one: {show_path(other)}, path two: {show_path(path)}"
                )
        return None

    return checked


def _grow(tree: dict[Any, Any], path: Path) -> int:
    """Add a path; 1 when it overlaps one of the tree, 2 when it conflicts with one."""
    node = tree
    for at, step in enumerate(path):
        if node and isinstance(next(iter(node)), int) != isinstance(step, int):
            return 2
        last = at == len(path) - 1
        if step in node:
            if last or not node[step]:
                return 1
        else:
            node[step] = {}
        node = node[step]
    return 0


def _clash(one: Path, two: Path) -> int:
    for first, second in zip(one, two, strict=False):
        if first != second:
            return 2 if isinstance(first, int) != isinstance(second, int) else 0
    return 1


def select(item: Item, paths: list[Path]) -> Item:
    """The parts of `item` at resolved paths, in their structure; list members close up."""
    result: Item = {}
    nested: dict[str, dict[Any, Any]] = {}
    for path in paths:
        if len(path) == 1:
            name = str(path[0])
            if name in item:
                result[name] = item[name]
        elif lookup(item, path) is not None:
            node = nested.setdefault(str(path[0]), {})
            for step in path[1:]:
                node = node.setdefault(step, {})
    for name, tree in nested.items():
        result[name] = _pick(item[name], tree)
    return result


def _pick(value: Value, tree: dict[Any, Any]) -> Value:
    if not tree:
        return value
    if "L" in value:
        return {"L": [_pick(value["L"][step], tree[step]) for step in sorted(tree)]}
    return {"M": {step: _pick(value["M"][step], tree[step]) for step in tree}}
