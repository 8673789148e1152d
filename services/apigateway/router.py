"""Finds the method that serves a path: a trie of segments, with backtracking.

At every segment a fixed text wins over `{variable}`, which wins over `{variable+}`; at the end the
method itself wins over ANY. A branch that ends without the wanted method is left again, so that
OPTIONS /test may reach `/{proxy+}` although `/test` exists (observed at AWS). Empty segments are
skipped: `/test/` and `//test` match `/test`. Paths are matched as they came, percent-encoded.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
ANY = "ANY"
Found = tuple[T, dict[str, str] | None]


class _Node(Generic[T]):
    """`variable` and `greedy` are the name of the parameter and what lies behind it."""

    __slots__ = ("fixed", "greedy", "methods", "variable")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node[T]] = {}
        self.variable: tuple[str, _Node[T]] | None = None
        self.greedy: tuple[str, dict[str, T]] | None = None
        self.methods: dict[str, T] = {}


class Router(Generic[T]):
    """Built once from (resource path, method, target); immutable from then on."""

    __slots__ = ("_root",)

    def __init__(self, routes: Iterable[tuple[str, str, T]]) -> None:
        self._root: _Node[T] = _Node()
        for path, method, target in routes:
            self._methods_of(path)[method] = target

    def _methods_of(self, path: str) -> dict[str, T]:
        node = self._root
        for segment in path.split("/"):
            if not segment:
                continue
            if segment.startswith("{") and segment.endswith("+}"):
                if node.greedy is None:
                    node.greedy = (segment[1:-2], {})
                return node.greedy[1]
            if segment.startswith("{") and segment.endswith("}"):
                if node.variable is None:
                    node.variable = (segment[1:-1], _Node())
                node = node.variable[1]
            else:
                node = node.fixed.setdefault(segment, _Node())
        return node.methods

    def match(self, path: str, method: str) -> Found[T] | None:
        """The target and the path's parameters, which are None where there are none."""
        segments = [segment for segment in path.split("/") if segment]
        parameters: list[tuple[str, str]] = []
        target = _descend(self._root, segments, 0, method, path, parameters)
        if target is None:
            return None
        return target, dict(parameters) if parameters else None


def _descend(
    node: _Node[T],
    segments: list[str],
    at: int,
    method: str,
    path: str,
    parameters: list[tuple[str, str]],
) -> T | None:
    if at == len(segments):
        return node.methods.get(method) or node.methods.get(ANY)
    segment = segments[at]
    below = node.fixed.get(segment)
    if below is not None:
        found = _descend(below, segments, at + 1, method, path, parameters)
        if found is not None:
            return found
    if node.variable is not None:
        name, below = node.variable
        parameters.append((name, segment))
        found = _descend(below, segments, at + 1, method, path, parameters)
        if found is not None:
            return found
        parameters.pop()
    if node.greedy is not None:
        name, methods = node.greedy
        target = methods.get(method) or methods.get(ANY)
        if target is not None:
            parameters.append((name, _rest(path, at)))
            return target
    return None


def _rest(path: str, skipped: int) -> str:
    """`path` behind its first `skipped` segments: inner slashes kept, a trailing one not."""
    rest = path.lstrip("/")
    for _ in range(skipped):
        rest = rest.partition("/")[2].lstrip("/")
    return rest.rstrip("/")
