"""The change log of a table's items: what each change replaced, written in its transaction.

It is an undo log. The state at a moment is the present state with every later entry undone, so
that recovery needs no base copy and a log that is switched on needs no preparation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from fogbank.services.context import World
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.schema import Record, Table, log_span
from fogbank.storage.keys import pack, unpack
from fogbank.storage.kv import Reader, Writer

_LENGTH = Struct(">H")


@dataclass(frozen=True, slots=True)
class Entry:
    """The item under `suffix` (its key without the table's prefix) was `old` until `at_ms`."""

    key: bytes
    at_ms: int
    suffix: bytes
    old: bytes | None


def _head_key(prefix: bytes) -> bytes:
    """Under this key are the time and the number of the newest entry. It sorts before them all."""
    return prefix + pack(None)


def _head(tx: Reader, prefix: bytes) -> tuple[int, int]:
    raw = tx.get(_head_key(prefix))
    at_ms, _, number = (raw or b"0 0").partition(b" ")
    return int(at_ms), int(number)


def note(tx: Writer, table: Table, moment: Moment, key: bytes, old: bytes | None) -> None:
    """The log says that the item under `key` was `old` until now."""
    prefix = table.log_prefix
    assert prefix is not None
    at_ms, number = _head(tx, prefix)
    # A request may be told its time before one that commits first. Times in the log never go
    # back, so that each moment cuts the history between two transactions.
    at_ms, number = max(at_ms, moment.now_ms), number + 1
    tx.put(_head_key(prefix), b"%d %d" % (at_ms, number))
    suffix = key[len(table.prefix) :]
    value = _LENGTH.pack(len(suffix)) + suffix + (old or b"")
    tx.put(prefix + pack(at_ms, number), value)


def newest_ms(tx: Reader, prefix: bytes, now_ms: int) -> int:
    """The moment that everything committed belongs to: now, or the log's time if that is later."""
    return max(now_ms, _head(tx, prefix)[0])


def begin_at(tx: Writer, prefix: bytes, at_ms: int) -> None:
    """No change from here on is earlier than `at_ms`, though its request be older."""
    last_ms, number = _head(tx, prefix)
    if last_ms < at_ms:
        tx.put(_head_key(prefix), b"%d %d" % (at_ms, number))


def _entry(key: bytes, raw: bytes, prefix: bytes) -> Entry:
    (length,) = _LENGTH.unpack_from(raw)
    at = _LENGTH.size + length
    at_ms = unpack(key[len(prefix) :])[0]
    assert isinstance(at_ms, int)
    return Entry(key, at_ms, raw[_LENGTH.size : at], raw[at:] or None)


def after_key(prefix: bytes, at_ms: int) -> bytes:
    """The first key that an entry later than `at_ms` may have."""
    return prefix + pack(at_ms + 1)


def entries(
    tx: Reader, prefix: bytes, start: bytes, stop: bytes, *, reverse: bool = False
) -> Iterator[Entry]:
    """Those with `start <= key < stop`, oldest first or newest first."""
    for key, raw in tx.range(start, stop, reverse=reverse):
        yield _entry(key, raw, prefix)


def end_key(prefix: bytes) -> bytes:
    return prefix + b"\xff"


def log_of(world: World, record: Record) -> bytes | None:
    """The prefix of the table's log; None while it has none."""
    log = record.get("Log")
    return None if log is None else log_span(world, record["TableId"], log["Id"])[0]


def trim(tx: Writer, prefix: bytes, at_ms: int, slice_max: int) -> bool:
    """No entry of `at_ms` or before is left; True while there may be more of them."""
    last = b""
    for count, (key, _) in enumerate(tx.range(prefix + pack(0), after_key(prefix, at_ms)), 1):
        last = key
        if count >= slice_max:
            break
    if last:
        tx.delete_range(prefix + pack(0), last + b"\xff")
    return bool(last)
