"""Listings as pure range scans: a prefix, a delimiter, a place to go on from.

A folder (all keys with a common prefix) costs one seek, whatever it holds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fogbank.storage.keys import after, pack, text_span, unpack
from fogbank.storage.kv import Reader

Item = TypeVar("Item")


@dataclass(slots=True)
class Page(Generic[Item]):
    """`last` is the key or common prefix that a next page goes on after; None when all is told."""

    items: list[Item] = field(default_factory=list)
    common_prefixes: list[str] = field(default_factory=list)
    last: str | None = None
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.items) + len(self.common_prefixes)


@dataclass(frozen=True, slots=True)
class Query:
    """`after` may be a key or a common prefix, whose keys are then all behind us."""

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    most: int = 1000
    # For keys with several entries: go on after this entry of the key `after`.
    after_entry: str = ""


def scan(
    tx: Reader, space: tuple[str, ...], query: Query, item: Callable[[str, bytes], Item]
) -> Page[Item]:
    """One page of the keys under `space`, whose next part is the key, made by `item`."""
    page: Page[Item] = Page()
    start, stop = text_span(*space, begins=query.prefix)
    if query.after:
        start = max(start, _behind(space, query))
    # Only what follows the space is unpacked: it is the same for every key.
    skip = len(pack(*space))
    left = query.most
    while left:
        skip_to: bytes | None = None
        for raw_key, raw in tx.range(start, stop):
            if not left:
                page.truncated = True
                return page
            left -= 1
            key = _text_at(raw_key, skip)
            folder = folder_of(key, query) if query.delimiter else None
            if folder is not None:
                page.common_prefixes.append(folder)
                page.last = folder
                skip_to = text_span(*space, begins=folder)[1]
                break
            page.items.append(item(key, raw))
            page.last = key
        if skip_to is None:
            return page
        start = skip_to
        if not left:
            # The folder was the last that there was room for.
            page.truncated = next(iter(tx.range(start, stop)), None) is not None
    return page


def _text_at(raw_key: bytes, at: int) -> str:
    """The text that begins at `at` in a packed key: `unpack` of a part that is known to be one."""
    stop = raw_key.index(0, at)
    if raw_key[stop + 1 : stop + 2] == b"\xff":
        return str(unpack(raw_key[at:])[0])
    return raw_key[at + 1 : stop].decode()


def folder_of(key: str, query: Query) -> str | None:
    """The common prefix that `key` rolls up into."""
    if not query.delimiter:
        return None
    at = key.find(query.delimiter, len(query.prefix))
    return None if at < 0 else key[: at + len(query.delimiter)]


def _behind(space: tuple[str, ...], query: Query) -> bytes:
    """Where to go on: behind the folder that `after` lies in, for it has been told already."""
    if query.after_entry:
        return after(pack(*space, query.after, query.after_entry))
    folder = folder_of(query.after, query) if query.after.startswith(query.prefix) else None
    if folder is not None:
        return text_span(*space, begins=folder)[1]
    return after(pack(*space, query.after))
