"""Byte ranges of a request, in S3's reading of them."""

import re

from fogbank.services.s3.errors import InvalidArgument, InvalidRange

_RANGE = re.compile(r"bytes=(\d{0,20})-(\d{0,20})")
_COPY_RANGE = re.compile(r"bytes=(\d{1,20})-(\d{1,20})")


def parse(header: str | None, size: int) -> tuple[int, int] | None:
    """`start, stop` (exclusive) of what `header` asks for; None when all of it is to be sent.

    What S3 does not understand it ignores: several ranges, a last byte before the first. Raises
    InvalidRange when the first byte lies behind the end.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or header is None:
        return None
    first, last = found.groups()
    if not first:
        if not last:
            return None
        if int(last) == 0 or size == 0:
            raise InvalidRange(header, size)
        return max(0, size - int(last)), size
    start = int(first)
    stop = min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    if start >= size:
        raise InvalidRange(header, size)
    return start, stop


def parse_copy(header: str | None, size: int) -> tuple[int, int]:
    """`start, stop` of x-amz-copy-source-range, which unlike Range is never bent to fit."""
    if header is None:
        return 0, size
    found = _COPY_RANGE.fullmatch(header)
    if found is None or int(found[1]) > int(found[2]):
        raise InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            header,
        )
    start, stop = int(found[1]), int(found[2]) + 1
    if stop > size:
        raise InvalidArgument(
            f"Range specified is not valid for source object of size: {size}",
            "x-amz-copy-source-range",
            header,
        )
    return start, stop
