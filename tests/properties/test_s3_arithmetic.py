"""CRCs of concatenations and byte ranges, against the plain way of computing them."""

import base64
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.s3.checksums import Digests
from fogbank.services.s3.crc import POLYNOMIALS, combine
from fogbank.services.s3.errors import InvalidArgument, InvalidRange
from fogbank.services.s3.ranges import parse, parse_copy


def crc(algorithm: str, data: bytes) -> int:
    digests = Digests([algorithm])
    digests.update(data)
    return int.from_bytes(base64.b64decode(digests.values()[algorithm]), "big")


@settings(deadline=None, max_examples=60)
@given(
    algorithm=st.sampled_from(sorted(POLYNOMIALS)),
    pieces=st.lists(st.binary(max_size=300), min_size=1, max_size=5),
)
def test_the_crc_of_a_concatenation(algorithm: str, pieces: list[bytes]) -> None:
    whole = 0
    for piece in pieces:
        whole = combine(algorithm, whole, crc(algorithm, piece), len(piece))
    assert whole == crc(algorithm, b"".join(pieces))


@settings(deadline=None, max_examples=60)
@given(algorithm=st.sampled_from(sorted(POLYNOMIALS)), zeros=st.integers(0, 2_000_000))
def test_long_runs_of_zeros_are_skipped(algorithm: str, zeros: int) -> None:
    head = b"fog"
    combined = combine(algorithm, crc(algorithm, head), crc(algorithm, bytes(zeros)), zeros)
    assert combined == crc(algorithm, head + bytes(zeros))


@settings(deadline=None, max_examples=100)
@given(cuts=st.lists(st.integers(0, 1000), max_size=5), data=st.binary(max_size=1000))
def test_digests_do_not_depend_on_the_cuts(cuts: list[int], data: bytes) -> None:
    algorithms = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]
    whole, cut = Digests(algorithms), Digests(algorithms)
    whole.update(data)
    edges = sorted({0, len(data), *(min(at, len(data)) for at in cuts)})
    for start, stop in itertools.pairwise(edges):
        cut.update(data[start:stop])
    assert (cut.etag(), cut.values(), cut.size_bytes) == (
        whole.etag(),
        whole.values(),
        len(data),
    )


numbers = st.one_of(st.just(""), st.integers(0, 40).map(str))


@settings(deadline=None, max_examples=200)
@given(first=numbers, last=numbers, data=st.binary(max_size=30))
def test_a_range_is_what_it_says(first: str, last: str, data: bytes) -> None:
    header = f"bytes={first}-{last}"
    try:
        wanted = parse(header, len(data))
    except InvalidRange:
        assert int(first or 0) >= len(data) or (not first and last == "0")
        return
    if wanted is None:
        assert not (first or last) or (bool(first and last) and int(last) < int(first))
        return
    start, stop = wanted
    assert 0 <= start < stop <= len(data)
    if not first:
        assert data[start:stop] == data[-int(last) :]
    else:
        assert data[start:stop] == data[int(first) : int(last) + 1 if last else None]


@settings(deadline=None, max_examples=200)
@given(header=st.text(max_size=30), size=st.integers(0, 100))
def test_any_text_as_a_range_is_read_ignored_or_refused(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        for read in (parse, parse_copy):
            try:
                wanted = read(text, size)
            except (InvalidRange, InvalidArgument):
                continue
            assert wanted is None or 0 <= wanted[0] <= wanted[1] <= size
