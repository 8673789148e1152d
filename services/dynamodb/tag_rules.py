"""What AWS asks of the tags of a table, in its words.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html
"""

from typing import Any
from unicodedata import category

from fogbank.services.dynamodb.errors import ValidationException

Tags = list[dict[str, str]]

TAGS_MAX = 50
KEY_CHARACTERS_MAX = 128
VALUE_CHARACTERS_MAX = 256
_RESERVED = "aws:"
# Letters, digits and separators of any script, and these.
_CATEGORIES = frozenset("LNZ")
_PUNCTUATION = frozenset("+-=._:/@")


class TooManyTags(ValidationException):
    """AWS counts the tags that there would be; its code for it is not LimitExceededException."""

    def __init__(self) -> None:
        super().__init__("Number of Tags exceed the current limit for the provided ResourceArn")


def checked_tags(given: list[dict[str, Any]]) -> Tags:
    """The tags of a request, which are all as they should be."""
    keys: set[str] = set()
    tags: Tags = []
    for tag in given:
        key, value = tag.get("Key"), tag.get("Value")
        check_key(key)
        if not isinstance(value, str) or not _is_fit(value, VALUE_CHARACTERS_MAX):
            raise ValidationException(f"The Tag Value provided is invalid, Value: {_shown(value)}")
        if key in keys:
            raise ValidationException(
                f"Duplicate Tag Keys provided as input: Duplicate Tag Key found {key}"
            )
        assert key is not None
        keys.add(key)
        tags.append({"Key": key, "Value": value})
    return tags


def check_key(key: str | None) -> None:
    if not isinstance(key, str) or not key or not _is_fit(key, KEY_CHARACTERS_MAX):
        raise ValidationException(f"The Tag Key provided is invalid, Key: {_shown(key)}")
    if key.lower().startswith(_RESERVED):
        raise ValidationException(f"Tag Key cannot be prefixed with aws:, Key: {key}")


def check_keys(keys: list[str]) -> None:
    """Those that UntagResource takes away; also of them there are at most fifty."""
    for key in keys:
        check_key(key)
    if len(keys) > TAGS_MAX:
        raise TooManyTags


def merged(given: Tags, old: Tags) -> Tags:
    """The tags once `given` are set over `old`."""
    tags = {tag["Key"]: tag["Value"] for tag in (*old, *given)}
    if len(tags) > TAGS_MAX:
        raise TooManyTags
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _is_fit(text: str, characters_max: int) -> bool:
    return len(text) <= characters_max and all(
        character in _PUNCTUATION or category(character)[0] in _CATEGORIES for character in text
    )


def _shown(text: object) -> str:
    return "null" if text is None else str(text)
