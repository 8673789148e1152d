"""DynamoDB's numbers: one text for each, exact sums, sizes within AWS's bound."""

from decimal import Context, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.dynamodb import numbers
from fogbank.services.errors import ValidationException

EXACT = Context(prec=600)


@st.composite
def legal(draw: st.DrawFn) -> str:
    digits = draw(st.integers(1, 10**38 - 1))
    top = draw(st.integers(-130, 125))
    sign = draw(st.sampled_from(["", "-", "+"]))
    return f"{sign}{digits}e{top - len(str(digits)) + 1}"


@settings(deadline=None)
@given(legal())
def test_a_legal_number_keeps_its_value(text: str) -> None:
    assert Decimal(numbers.normal(text)) == Decimal(text)


@settings(deadline=None)
@given(legal())
def test_the_normal_form_is_its_own_normal_form(text: str) -> None:
    once = numbers.normal(text)
    assert numbers.normal(once) == once
    assert "e" not in once.lower()


@settings(deadline=None)
@given(legal())
def test_no_number_takes_more_than_22_bytes(text: str) -> None:
    assert 2 <= numbers.size_bytes(numbers.normal(text)) <= 22


@settings(deadline=None)
@given(st.text(max_size=20) | st.from_regex(r"[-+0-9.eE]{0,20}", fullmatch=True))
def test_any_text_is_a_number_or_a_validation_error(text: str) -> None:
    try:
        normal = numbers.normal(text)
    except ValidationException:
        return
    assert EXACT.create_decimal(normal) == EXACT.create_decimal(text)


@settings(deadline=None)
@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30))
def test_sums_are_exact(left: int, right: int) -> None:
    assert int(numbers.add(str(left), str(right))) == left + right
    assert int(numbers.subtract(str(left), str(right))) == left - right
