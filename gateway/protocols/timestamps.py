"""The three wire forms of a moment, both ways. Moments are datetimes in UTC."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

RFC822 = "rfc822"
ISO8601 = "iso8601"
UNIX = "unixTimestamp"

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,9})?", re.ASCII)


def moment_of(value: Any) -> datetime:
    """A handler's value as a datetime: epoch seconds, or a datetime (without a zone it is UTC)."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(value, UTC)


def render(value: Any, form: str) -> str:
    """The text of a moment in a header, a query or a document; text is taken as it is."""
    if isinstance(value, str):
        return value
    if form == UNIX:
        return str(epoch_of(value))
    return _rfc822(_millis_of(value) // 1000) if form == RFC822 else iso8601(value)


def iso8601(value: Any) -> str:
    if isinstance(value, str):
        return value
    second, millis = divmod(_millis_of(value), 1000)
    return f"{_iso8601(second)}.{millis:03}Z"


def _millis_of(value: Any) -> int:
    if isinstance(value, datetime):
        moment = moment_of(value).astimezone(UTC)
        return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
    # To the microsecond first: a float is a little beside the millisecond that it stands for.
    micros: int = round(value * 1_000_000)
    return micros // 1000


@lru_cache(maxsize=4096)
def _rfc822(second: int) -> str:
    moment = datetime.fromtimestamp(second, UTC)
    # strftime would use the process's locale.
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} "
        f"{moment.year:04} {moment:%H:%M:%S} GMT"
    )


@lru_cache(maxsize=4096)
def _iso8601(second: int) -> str:
    moment = datetime.fromtimestamp(second, UTC)
    return f"{moment.year:04}-{moment:%m-%dT%H:%M:%S}"


def epoch_of(value: Any) -> int | float | str:
    """Epoch seconds as JSON carries them: whole, or with three decimals."""
    if isinstance(value, str):
        return value
    seconds = moment_of(value).timestamp() if isinstance(value, datetime) else value
    whole = int(seconds)
    return whole if whole == seconds else round(seconds, 3)


def parse_epoch(value: int | float) -> datetime:
    """Raises ValueError when the number is no moment that a datetime can hold."""
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(value) from error


def parse(text: str) -> datetime:
    """The moment that `text` names, in any of the three forms; ValueError where it is none."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return parse_epoch(float(text))
    if text[:1].isalpha():
        try:
            moment = parsedate_to_datetime(text)
        except (TypeError, IndexError, OverflowError) as error:
            raise ValueError(text) from error
    else:
        moment = datetime.fromisoformat(text)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error
