"""Numbers of requests: S3 checks its own, for its texts differ from other services'."""

from collections.abc import Mapping
from typing import Any

from fogbank.services.s3.errors import InvalidArgument

INTEGER_MAX = 2**31 - 1


def integer(request: Mapping[str, Any], member: str, parameter: str, default: int) -> int:
    """A query parameter as an integer, `default` where it is absent."""
    value = request.get(member)
    if value is None:
        return default
    try:
        return int(value)
    except (TypeError, ValueError):
        raise InvalidArgument(
            f"Provided {parameter} not an integer or within integer range", parameter, str(value)
        ) from None


def page_size(request: Mapping[str, Any], member: str, parameter: str, most: int) -> int:
    """A page's size, at most `most` as S3 has it: asking for more is no error."""
    size = integer(request, member, parameter, most)
    if not 0 <= size <= INTEGER_MAX:
        words = parameter.split("-")
        name = words[0] + "".join(word.capitalize() for word in words[1:])
        raise InvalidArgument(
            f"Argument {name} must be an integer between 0 and {INTEGER_MAX}", name, str(size)
        )
    return min(size, most)
