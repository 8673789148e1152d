"""DynamoDB's numbers: 38 significant digits from 1E-130 to 9.99E125, kept as plain text."""

import re
from decimal import Context, Decimal, Inexact, Rounded
from functools import lru_cache

from fogbank.services.dynamodb.faults import ValueFault

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
DIGITS_MAX = 38
EXPONENT_MAX = 125
EXPONENT_MIN = -130

_FORM = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
# Longer exponents fit no integer of 64 bits.
_POWER_CHARACTERS_MAX = 20
_INT_MAX = 2**31 - 1
_LONG_MAX = 2**63 - 1
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
        raise _no_number(text)
    sign, whole, fraction = found[1], found[2], found[3] or ""
    power = _power(text, found[4] or "0")
    digits = (whole + fraction).lstrip("0")
    trimmed = digits.rstrip("0")
    if len(trimmed) > DIGITS_MAX:
        raise ValueFault("Attempting to store more than 38 significant digits in a Number")
    # Of zero it is what it is written with: 0e126 is out of range too.
    exponent = power - len(fraction) + max(len(digits), 1) - 1
    if not EXPONENT_MIN <= exponent <= EXPONENT_MAX:
        raise _out_of_range(text, exponent, power - len(fraction))
    if not digits:
        return "0"
    return ("-" if sign == "-" else "") + _plain(trimmed, exponent)


def _no_number(text: str) -> ValueFault:
    plain = "The parameter cannot be converted to a numeric value"
    return ValueFault(f"{plain}: {text}" if text else plain, f"{plain}: {text}")


def _power(text: str, power: str) -> int:
    """The exponent, which fits 64 bits, computed from no more text than that."""
    sign, digits = power[0] == "-", power.lstrip("+-").lstrip("0") or "0"
    if len(digits) > _POWER_CHARACTERS_MAX or int(digits) > _LONG_MAX + sign:
        raise _no_number(text)
    return -int(digits) if sign else int(digits)


def _out_of_range(text: str, exponent: int, scale: int) -> ValueFault:
    """The older form reads numbers into 32 bits: larger ones are none, and the largest wraps."""
    told = [
        f"Number {word}flow. Attempting to store a number with magnitude {size} than supported "
        "range"
        for word, size in (("under", "smaller"), ("over", "larger"))
    ]
    newer = told[exponent > 0]
    if abs(scale) > _INT_MAX:
        return ValueFault(_no_number(text).older, newer)
    return ValueFault(told[0 < exponent < _INT_MAX], newer)


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
