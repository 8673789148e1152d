"""DynamoDB's numbers: 38 significant digits from 1E-130 to 9.99E125, kept as plain text."""

import re
from decimal import Context, Decimal, Inexact, Rounded
from functools import lru_cache

from fogbank.services.dynamodb.errors import ValidationException

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
DIGITS_MAX = 38
EXPONENT_MAX = 125
EXPONENT_MIN = -130

_FORM = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
_EXPONENT_TEXT_MAX = 9
_MEASURED_MAX = 8192

# Wide enough that no sum of two valid numbers is rounded before its digits are counted.
_exact = Context(prec=600, traps=[Inexact, Rounded])


@lru_cache(maxsize=_MEASURED_MAX)
def measured(text: str) -> tuple[str, int]:
    """The normal text of a number, and its size in bytes. Numbers repeat: sort keys, counters."""
    one = normal(text)
    return one, size_bytes(one)


def normal(text: str) -> str:
    """The one text of the number that `text` denotes: 5, 5.0 and +5e0 are all 5."""
    if text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= DIGITS_MAX:
        return text
    found = _FORM.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        raise ValidationException(
            "The parameter cannot be converted to a numeric value" + (f": {text}" if text else "")
        )
    sign, whole, fraction, power = found[1], found[2], found[3] or "", found[4] or "0"
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0"
    trimmed = digits.rstrip("0")
    if len(trimmed) > DIGITS_MAX:
        raise ValidationException("Attempting to store more than 38 significant digits in a Number")
    exponent = _bounded(power) - len(fraction) + len(digits) - 1
    if exponent > EXPONENT_MAX:
        raise ValidationException(
            "Number overflow. Attempting to store a number with magnitude larger than "
            "supported range"
        )
    if exponent < EXPONENT_MIN:
        raise ValidationException(
            "Number underflow. Attempting to store a number with magnitude smaller than "
            "supported range"
        )
    return ("-" if sign == "-" else "") + _plain(trimmed, exponent)


def _bounded(power: str) -> int:
    """An exponent that is far out of range stays out of range without being computed."""
    digits = power.lstrip("+-").lstrip("0")
    if len(digits) > _EXPONENT_TEXT_MAX:
        return -(10**18) if power[0] == "-" else 10**18
    return int(power)


def _plain(digits: str, exponent: int) -> str:
    point = exponent + 1
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]


def add(left: str, right: str) -> str:
    return normal(str(_exact.add(Decimal(left), Decimal(right))))


def subtract(left: str, right: str) -> str:
    return normal(str(_exact.subtract(Decimal(left), Decimal(right))))


def size_bytes(text: str) -> int:
    """What a normal number counts for in an item: a byte for two digits, and one more."""
    negative = text[0] == "-"
    whole, _, fraction = text[negative:].partition(".")
    point = len(whole)
    digits = whole + fraction
    leading = len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    if not digits:
        return 1
    # Digits are kept in pairs from the decimal point on: an odd place begins in half a pair.
    places = len(digits) + (point - leading) % 2
    return 1 + (places + 1) // 2 + negative
