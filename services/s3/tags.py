"""Tags of buckets and objects: their rules and the two forms that they come in.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from fogbank.services.s3.errors import BadRequest, InvalidArgument, InvalidTag, MalformedXML

KEY_CHARS_MAX = 128
VALUE_CHARS_MAX = 256
OBJECT_TAGS_MAX = 10
_ALLOWED = re.compile(r"[\w\s.:/=+\-@]*")


def of_set(given: Any, *, most: int = 50) -> list[list[str]]:
    """The pairs of a TagSet, validated."""
    if not isinstance(given, Sequence):
        raise MalformedXML
    pairs: list[list[str]] = []
    for tag in given:
        if not isinstance(tag, dict) or tag.get("Key") is None or tag.get("Value") is None:
            raise MalformedXML
        pairs.append([str(tag["Key"]), str(tag["Value"])])
    return _valid(pairs, most)


def of_header(header: Any) -> list[list[str]]:
    """The pairs of an x-amz-tagging header: a query string."""
    if not header:
        return []
    try:
        found = parse_qsl(str(header), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise InvalidArgument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
            "x-amz-tagging",
            str(header),
        ) from None
    if len({key for key, _ in found}) != len(found):
        raise InvalidArgument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
            "x-amz-tagging",
            str(header),
        )
    return _valid([[key, value] for key, value in found], OBJECT_TAGS_MAX)


def to_set(pairs: list[list[str]]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs]


def _valid(pairs: list[list[str]], most: int) -> list[list[str]]:
    if len(pairs) > most:
        if most == OBJECT_TAGS_MAX:
            raise BadRequest("Object tags cannot be greater than 10")
        raise BadRequest(f"Bucket tag count cannot be greater than {most}")
    seen: set[str] = set()
    for key, value in pairs:
        if key in seen:
            raise InvalidTag("Cannot provide multiple Tags with the same key", TagKey=key)
        seen.add(key)
        if key.startswith("aws:"):
            raise InvalidTag(
                'User-defined tag keys can\'t start with "aws:". This prefix is reserved for '
                'system tags. Remove "aws:" from your tag keys and try again.'
            )
        if not 1 <= len(key) <= KEY_CHARS_MAX or not _ALLOWED.fullmatch(key):
            raise InvalidTag("The TagKey you have provided is invalid", TagKey=key)
        if len(value) > VALUE_CHARS_MAX or not _ALLOWED.fullmatch(value):
            raise InvalidTag(
                "The TagValue you have provided is invalid", TagKey=key, TagValue=value
            )
    return pairs
