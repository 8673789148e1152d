"""The rules of AWS's path matching."""

import pytest

from fogbank.services.apigateway.router import Router


def router(*routes: str) -> Router[str]:
    """A router whose target is the route's own text, `METHOD path`."""
    return Router((route.split()[1], route.split()[0], route) for route in routes)


def test_a_fixed_segment_wins_over_a_variable() -> None:
    found = router("GET /pets/{id}", "GET /pets/new").match("/pets/new", "GET")
    assert found == ("GET /pets/new", None)


def test_a_variable_wins_over_a_greedy_one() -> None:
    found = router("GET /pets/{rest+}", "GET /pets/{id}").match("/pets/7", "GET")
    assert found == ("GET /pets/{id}", {"id": "7"})


def test_the_method_itself_wins_over_any() -> None:
    assert router("ANY /pets", "GET /pets").match("/pets", "GET") == ("GET /pets", None)


def test_any_serves_the_methods_that_have_no_route() -> None:
    assert router("ANY /pets", "GET /pets").match("/pets", "PUT") == ("ANY /pets", None)


def test_a_branch_without_the_method_is_left_for_a_greedy_one() -> None:
    found = router("POST /test", "OPTIONS /{proxy+}").match("/test", "OPTIONS")
    assert found == ("OPTIONS /{proxy+}", {"proxy": "test"})


def test_a_branch_without_the_child_is_left_for_a_greedy_one() -> None:
    found = router("GET /part1", "GET /{proxy+}").match("/part1/random", "GET")
    assert found == ("GET /{proxy+}", {"proxy": "part1/random"})


def test_parameters_of_a_branch_that_was_left_are_forgotten() -> None:
    routes = router("GET /{a}/{b}/end", "GET /{rest+}")
    assert routes.match("/1/2/3", "GET") == ("GET /{rest+}", {"rest": "1/2/3"})


def test_a_trailing_slash_is_ignored() -> None:
    assert router("GET /pets").match("/pets/", "GET") == ("GET /pets", None)


def test_empty_segments_are_skipped() -> None:
    assert router("GET /pets/{id}").match("//pets//7", "GET") == ("GET /pets/{id}", {"id": "7"})


def test_a_greedy_value_keeps_inner_slashes_and_loses_the_trailing_one() -> None:
    assert router("GET /a/{rest+}").match("/a/b//c/", "GET") == ("GET /a/{rest+}", {"rest": "b//c"})


def test_a_greedy_variable_needs_at_least_one_segment() -> None:
    assert router("GET /a/{rest+}").match("/a/", "GET") is None


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_the_root_is_reached_with_and_without_a_slash(path: str) -> None:
    assert router("GET /").match(path, "GET") == ("GET /", None)


def test_segments_are_matched_undecoded() -> None:
    assert router("GET /{id}").match("/a%2Fb", "GET") == ("GET /{id}", {"id": "a%2Fb"})


def test_head_is_not_served_by_get() -> None:
    assert router("GET /pets").match("/pets", "HEAD") is None
