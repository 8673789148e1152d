"""Pages of stored entries: cut by their limit, and by their size before any filter."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fogbank.services.dynamodb import stored
from fogbank.services.dynamodb.capacity import rounded
from fogbank.services.dynamodb.keys import item_key
from fogbank.services.dynamodb.schema import Table
from fogbank.storage.kv import Reader

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
PAGE_BYTES_MAX = 1024 * 1024
# What may be read on the event loop; a larger page is read again, on a thread.
BRIEF_ITEMS_MAX = 128
BRIEF_BYTES_MAX = 128 * 1024
# More than a page can have: an item has at least two bytes.
ITEMS_MAX = PAGE_BYTES_MAX


class TooMuchForTheLoop(Exception):
    """A page turned out larger than what may be read on the event loop."""


@dataclass(slots=True)
class Page:
    """What was read: stored entries in order, and the last one when there may be more.

    `fetched_bytes` are those of items fetched for entries, as they are charged.
    """

    raws: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    fetched_bytes: int = 0
    last: bytes | None = None


Fetched = tuple[Reader, Table] | None


def page_of(
    pairs: Iterable[tuple[bytes, bytes]],
    limit: int | None,
    fetched: Fetched = None,
    *,
    brief: bool,
) -> Page:
    """The first page of stored entries: as many as the limit and the page's size allow.

    With `fetched` an entry is completed from the table. Then the sizes that count are those of the
    entries together, and of each item, as reads are charged for them.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html#LSI.ThroughputConsiderations
    """
    page = Page()
    raws = page.raws
    add, size_of = raws.append, stored.size_of
    most = limit or ITEMS_MAX
    total = charged = taken = 0
    for count, (_, entry) in enumerate(pairs, 1):
        raw, size = entry, total + size_of(entry)
        charged = size
        if fetched is not None:
            raw = _whole(*fetched, entry)
            charged = rounded(size) + taken + rounded(size_of(raw))
        if charged > PAGE_BYTES_MAX and raws:
            page.last = raws[-1]
            break
        total, taken = size, charged - rounded(size) if fetched else 0
        add(raw)
        if count >= most:
            page.last = raw
            break
        if brief and (charged > BRIEF_BYTES_MAX or count > BRIEF_ITEMS_MAX):
            raise TooMuchForTheLoop
    page.size_bytes, page.fetched_bytes = total, taken
    return page


def _whole(tx: Reader, table: Table, raw: bytes) -> bytes:
    """The item of an entry of a local index."""
    whole = tx.get(item_key(table, stored.open_(raw)))
    assert whole is not None, "an index entry has no item"
    return whole
