"""Byte ranges in S3's reading of them."""

import pytest

from fogbank.services.s3.errors import InvalidArgument, InvalidRange
from fogbank.services.s3.ranges import parse, parse_copy


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-8", (0, 9)),
        ("bytes=1-1", (1, 2)),
        ("bytes=1-", (1, 10)),
        ("bytes=0-100", (0, 10)),
        ("bytes=-2", (8, 10)),
        ("bytes=-15", (0, 10)),
        ("bytes=1-0", None),
        ("bytes=-", None),
        ("bytes=-1-", None),
        ("bytes=0--1", None),
        ("bytes=0-1,3-4", None),
        ("0-1", None),
        ("bytes=a-b", None),
        (None, None),
    ],
)
def test_a_range_of_ten_bytes(header: str | None, wanted: tuple[int, int] | None) -> None:
    assert parse(header, 10) == wanted


@pytest.mark.parametrize("header", ["bytes=-0", "bytes=100-200", "bytes=10-"])
def test_a_range_behind_the_end_is_not_satisfiable(header: str) -> None:
    with pytest.raises(InvalidRange) as caught:
        parse(header, 10)
    assert caught.value.fields == {"RangeRequested": header, "ActualObjectSize": 10}


@pytest.mark.parametrize("header", ["bytes=-5", "bytes=0-", "bytes=5-1", "0-1", "bytes=0-10"])
def test_the_range_of_a_copy_is_never_bent_to_fit(header: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_copy(header, 10)


def test_the_range_of_a_copy() -> None:
    assert parse_copy("bytes=2-9", 10) == (2, 10)
    assert parse_copy(None, 10) == (0, 10)
