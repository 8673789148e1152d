"""The order of packed keys is the order of what they were packed from."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fogbank.storage.keys import Part, after, pack, span, text_span, unpack

MANY = settings(deadline=None, max_examples=200)

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text("\x00\x01a\u00ff", max_size=4)
raw = st.binary() | st.lists(st.sampled_from([0, 1, 0x41, 0xFE, 0xFF]), max_size=5).map(bytes)
integers = st.integers(-(2**64) + 1, 2**64 - 1) | st.sampled_from(
    [sign * (256**size + step) for size in range(8) for sign in (1, -1) for step in (-1, 0, 1)]
)
digits = st.integers(1, 38).flatmap(lambda count: st.integers(10 ** (count - 1), 10**count - 1))


@st.composite
def numbers(draw: st.DrawFn) -> Decimal:
    """DynamoDB's: 38 digits, from 1E-130 to 9.99E125, and zero."""
    coefficient = draw(digits | st.just(0) | st.sampled_from([1, 5, 9, 10, 99, 100, 10**38 - 1]))
    length = len(str(coefficient))
    exponent = draw(st.integers(-130, 125 - (length - 1)))
    sign = draw(st.booleans())
    return Decimal((int(sign), tuple(map(int, str(coefficient))), exponent))


parts = st.none() | raw | texts | integers | numbers()
tuples = st.lists(parts, max_size=4).map(tuple)


def order(part: Part) -> tuple[int, Any]:
    if part is None:
        return 0, 0
    kinds: list[tuple[type, int]] = [(bytes, 1), (str, 2), (int, 3), (Decimal, 4)]
    kind = next(rank for cls, rank in kinds if isinstance(part, cls))
    return kind, part.encode() if isinstance(part, str) else part


@MANY
@given(tuples)
def test_a_tuple_comes_back(parts: tuple[Part, ...]) -> None:
    found = unpack(pack(*parts))
    assert found == parts
    assert [type(part) for part in found] == [type(part) for part in parts]


@MANY
@given(tuples, tuples)
def test_the_order_of_keys_is_the_order_of_tuples(
    one: tuple[Part, ...], two: tuple[Part, ...]
) -> None:
    left, right = list(map(order, one)), list(map(order, two))
    assert (pack(*one) < pack(*two)) == (left < right)
    assert (pack(*one) == pack(*two)) == (left == right)


@MANY
@given(numbers(), numbers())
def test_the_order_of_number_keys_is_the_order_of_numbers(one: Decimal, two: Decimal) -> None:
    assert (pack(one) < pack(two)) == (one < two)
    assert (pack(one) == pack(two)) == (one == two)


@MANY
@given(integers, integers)
def test_the_order_of_integer_keys_is_the_order_of_integers(one: int, two: int) -> None:
    assert (pack(one) < pack(two)) == (one < two)


@MANY
@given(numbers(), st.integers(0, 20))
def test_equal_numbers_have_one_key_however_they_are_written(number: Decimal, zeros: int) -> None:
    sign, found, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    padded = Decimal((sign, (0,) * zeros + found + (0,) * zeros, exponent - zeros))
    assert pack(padded) == pack(number)


@pytest.mark.parametrize("text", ["5", "5.0", "+5", "0.05E2", "500E-2"])
def test_five_is_one_key(text: str) -> None:
    assert pack(Decimal(text)) == pack(Decimal(5))


def test_zero_has_no_sign() -> None:
    assert pack(Decimal("-0.00")) == pack(Decimal(0))


def test_the_ends_of_dynamodbs_numbers_are_in_order() -> None:
    ordered = [
        "-9.9999999999999999999999999999999999999E+125",
        "-1E-130",
        "0",
        "1E-130",
        "1.0000000000000000000000000000000000001",
        "9.9999999999999999999999999999999999999E+125",
    ]
    keys = [pack(Decimal(text)) for text in ordered]
    assert keys == sorted(keys)
    assert [unpack(key)[0] for key in keys] == [Decimal(text) for text in ordered]


@MANY
@given(tuples, tuples)
def test_a_prefix_can_be_packed_once(one: tuple[Part, ...], two: tuple[Part, ...]) -> None:
    assert pack(*one, *two) == pack(*one) + pack(*two)


@MANY
@given(tuples, tuples)
def test_a_span_has_the_longer_tuples_and_no_others(
    prefix: tuple[Part, ...], other: tuple[Part, ...]
) -> None:
    start, stop = span(*prefix)
    assert all(start <= pack(*prefix, *rest) < stop for rest in (other,) if rest)
    longer = len(other) > len(prefix) and pack(*other[: len(prefix)]) == pack(*prefix)
    assume(pack(*other) != pack(*prefix))
    assert (start <= pack(*other) < stop) == longer


@MANY
@given(tuples, texts, texts)
def test_a_text_span_has_the_texts_that_begin_so(
    prefix: tuple[Part, ...], begins: str, text: str
) -> None:
    start, stop = text_span(*prefix, begins=begins)
    assert (start <= pack(*prefix, text) < stop) == text.startswith(begins)
    assert start <= pack(*prefix, begins + text) < stop


@MANY
@given(tuples, tuples, tuples)
def test_after_is_behind_a_key_and_its_extensions_and_before_all_others(
    key: tuple[Part, ...], rest: tuple[Part, ...], other: tuple[Part, ...]
) -> None:
    assert pack(*key, *rest) < after(pack(*key))
    assume(other[: len(key)] != key and pack(*other[: len(key)]) != pack(*key))
    assert (pack(*other) < after(pack(*key))) == (pack(*other) < pack(*key))


def test_integers_beyond_64_bits_are_refused() -> None:
    for value in (2**64, -(2**64)):
        with pytest.raises(OverflowError):
            pack(value)


def test_numbers_that_are_none_are_refused() -> None:
    for text in ("NaN", "Infinity"):
        with pytest.raises(ValueError, match="does not fit"):
            pack(Decimal(text))
