"""Filter patterns, rule by rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.errors import AwsError
from fogbank.services.logs.errors import InvalidParameterException
from fogbank.services.logs.patterns import compile_pattern

DOCUMENT = (
    '{"a": 1, "b": "x.y", "c": null, "d": true, "list": [{"e": "deep"}], "f.g": "dotted", "n": 1.5}'
)
LINE = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("{ $.a = 1 }", True),
        ("{ $.a = 1.0 }", True),
        ("{ $.a != 1 }", False),
        ("{ $.a > 0 && $.a < 2 }", True),
        ("{ $.a = 2 || $.b = x* }", True),
        ("{ ($.a = 2 || $.a = 1) && $.d IS TRUE }", True),
        ("{ $.a = 1 && ($.a = 2 || $.a = 3) }", False),
        ('{ $.b = "*.y" }', True),
        ('{ $.b = "*.z" }', False),
        ("{ $.c IS NULL }", True),
        ("{ $.a IS NULL }", False),
        ("{ $.none NOT EXISTS }", True),
        ("{ $.c NOT EXISTS }", False),
        ("{ $.none != 1 }", False),
        ('{ $.list[0].e = "deep" }', True),
        ('{ $.list[1].e = "deep" }', False),
        ("{ $['f.g'] = \"dotted\" }", True),
        ("{ $.n >= 1.5e0 }", True),
    ],
)
def test_json_patterns(pattern: str, matches: bool) -> None:
    assert compile_pattern(pattern)(DOCUMENT) is matches


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("[ip, id, user, time, request, status, size]", True),
        ("[ip, id, user, time, request, status]", False),
        ("[ip, id, user, time, request, status = 4*, size > 1000]", True),
        ("[ip, id, user, time, request, status = 4*, size > 2000]", False),
        ("[..., status = 404, size]", True),
        ("[ip = 127*, ...]", True),
        ("[ip, ..., size = 9]", False),
        ('[ip, id, user, time, request = "GET *", status = 404 || status = 500, size]', True),
    ],
)
def test_space_delimited_patterns(pattern: str, matches: bool) -> None:
    assert compile_pattern(pattern)(LINE) is matches


@pytest.mark.parametrize(
    "pattern", ["{ $.a", "{ a = 1 }", "{ $.a = }", "{ $.a < x }", "[a = ", '"']
)
def test_malformed_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidParameterException):
        compile_pattern(pattern)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.text('{}[]()$."=!<>&|* a1,%?-', max_size=40),
        st.text('$."=!<>&|* a1()', max_size=30).map(lambda text: "{" + text + "}"),
        st.text('="!<>&|* a1,().', max_size=30).map(lambda text: "[" + text + "]"),
    ),
    st.sampled_from([DOCUMENT, LINE, "", "[1]"]),
)
def test_no_pattern_raises_anything_but_an_error_of_aws(pattern: str, message: str) -> None:
    try:
        matches = compile_pattern(pattern)
    except AwsError:
        return
    assert matches(message) in (True, False)
