"""Whatever a client or a function sends, the data plane has an answer to it."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.apigateway.media import BinaryTypes
from fogbank.services.apigateway.permission import arn_like, string_like
from fogbank.services.apigateway.proxy_event import RequestHeaders, lists_of_query
from fogbank.services.apigateway.proxy_response import Malformed, read

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "statusCode": VALUES,
        "headers": VALUES | st.dictionaries(st.text(max_size=6), SCALARS, max_size=3),
        "multiValueHeaders": VALUES
        | st.dictionaries(st.text(max_size=6), st.lists(SCALARS, max_size=3), max_size=3),
        "body": VALUES,
        "isBase64Encoded": VALUES,
    },
)
BINARY = st.sampled_from([frozenset[str](), frozenset({"*/*"}), frozenset({"image/png"})])


@settings(deadline=None, max_examples=300)
@given(ANSWERS | VALUES, BINARY, st.none() | st.text(max_size=12))
def test_an_answer_is_taken_or_malformed(
    answer: object, binary: frozenset[str], accept: str | None
) -> None:
    try:
        status, headers, body = read(orjson.dumps(answer), BinaryTypes(binary), accept)
    except Malformed:
        return
    assert 100 <= status <= 599
    assert isinstance(body, bytes)
    assert any(name.lower() == b"content-type" for name, _ in headers)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=40))
def test_bytes_that_are_no_answer_are_malformed(payload: bytes) -> None:
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError:
        with pytest.raises(Malformed):
            read(payload, BinaryTypes(frozenset()), None)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=6))
def test_a_query_is_read_as_it_was_written(pairs: list[tuple[str, str]]) -> None:
    from urllib.parse import quote

    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    expected: dict[str, list[str]] = {}
    for name, value in pairs:
        expected.setdefault(name, []).append(value)
    assert lists_of_query(query) == expected


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=40))
def test_no_query_makes_the_reader_fail(query: str) -> None:
    lists_of_query(query)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=6), st.binary(max_size=6)), max_size=6))
def test_every_header_that_may_pass_is_kept_in_order(raw: list[tuple[bytes, bytes]]) -> None:
    headers = RequestHeaders.of(raw)
    for name, values in headers.lists.items():
        lower = name.lower()
        sent = [v.decode("latin-1") for n, v in raw if n.decode("latin-1").lower() == lower]
        assert values == sent
        assert headers.last[lower] == sent[-1]


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=20))
def test_a_text_is_like_itself_and_like_anything(text: str) -> None:
    assert string_like("*", text)
    assert string_like(text.replace("*", "?"), text)
    assert arn_like("arn:aws:execute-api:*:*:*", f"arn:aws:execute-api:r:a:{text}")
