"""The trie against an oracle that tries every route."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.apigateway.router import Router

SEGMENTS = st.sampled_from(["a", "b", "{v}"])
METHODS = ("GET", "POST", "ANY")
Route = tuple[tuple[str, ...], str]


@st.composite
def routes(draw: st.DrawFn) -> list[Route]:
    found: set[Route] = set()
    for _ in range(draw(st.integers(1, 8))):
        path = tuple(draw(st.lists(SEGMENTS, max_size=3)))
        if draw(st.booleans()):
            path += ("{g+}",)
        found.add((path, draw(st.sampled_from(METHODS))))
    return sorted(found)


def rank(segment: str) -> int:
    return 2 if segment.endswith("+}") else 1 if segment.startswith("{") else 0


def oracle(known: list[Route], path: list[str], method: str) -> Route | None:
    """The fitting route that is least by its segments' ranks, then by the method."""
    fitting = [
        route for route in known if route[1] in (method, "ANY") and fits(route[0], tuple(path))
    ]
    return min(fitting, key=lambda one: ([rank(s) for s in one[0]], one[1] == "ANY"), default=None)


def fits(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    if pattern and pattern[-1].endswith("+}"):
        if len(path) < len(pattern):
            return False
        pattern, path = pattern[:-1], path[: len(pattern) - 1]
    return len(pattern) == len(path) and all(
        one.startswith("{") or one == other for one, other in zip(pattern, path, strict=True)
    )


@settings(deadline=None, max_examples=300)
@given(routes(), st.lists(st.sampled_from(["a", "b", "c"]), max_size=5), st.sampled_from(METHODS))
def test_backtracking_finds_what_trying_every_route_finds(
    known: list[Route], path: list[str], method: str
) -> None:
    router = Router(("/" + "/".join(one[0]), one[1], one) for one in known)
    found = router.match("/" + "/".join(path), method)
    expected = oracle(known, path, method)
    assert (found[0] if found else None) == expected
    if found and expected and expected[0] and expected[0][-1] == "{g+}":
        assert found[1] is not None
        assert found[1]["g"] == "/".join(path[len(expected[0]) - 1 :])


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40), st.text(max_size=8))
def test_no_path_makes_the_router_fail(path: str, method: str) -> None:
    known = ["/", "/a", "/a/{b}", "/a/{b}/c", "/{any+}"]
    router = Router(itertools.chain(((one, "GET", one) for one in known), [("/{any+}", "ANY", "")]))
    router.match(path, method)
