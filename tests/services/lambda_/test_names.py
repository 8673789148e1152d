"""Names, partial ARNs and ARNs of functions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.context import World
from fogbank.services.errors import AwsError
from fogbank.services.lambda_.names import parse

WORLD = World("111122223333", "eu-west-1")
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:f"


@pytest.mark.parametrize(
    ("given_name", "qualifier"),
    [
        ("f", None),
        ("f:live", "live"),
        ("function:f", None),
        ("111122223333:function:f", None),
        ("111122223333:function:f:2", "2"),
        ("eu-west-1:111122223333:f", None),
        (ARN, None),
        (f"{ARN}:$LATEST", "$LATEST"),
    ],
)
def test_every_form_names_the_function(given_name: str, qualifier: str | None) -> None:
    target = parse(WORLD, given_name)
    assert (target.name, target.qualifier, target.arn) == ("f", qualifier, ARN)


@pytest.mark.parametrize("name", ["", "a b", "a:b:c", "f:$OLD", "arn:aws:s3:::f", "f\n", "é"])
def test_anything_else_breaks_the_pattern(name: str) -> None:
    with pytest.raises(AwsError, match="failed to satisfy constraint"):
        parse(WORLD, name)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.text("arn:aws:lambda-1fu$LATES.", max_size=200)))
def test_no_name_raises_anything_but_an_error_of_aws(name: str) -> None:
    try:
        target = parse(WORLD, name, invoking=True)
    except AwsError:
        return
    assert target.name and target.name in name
