"""What searches have read of items before: parsing a vector costs more than comparing it."""

from dataclasses import dataclass
from hashlib import sha256
from math import hypot
from threading import Lock

from fogbank.services.context import Context
from fogbank.services.dynamodb import stored
from fogbank.services.dynamodb.values import Item, value
from fogbank.services.dynamodb.vector_rules import Definition, schema_names, vector_name
from fogbank.services.dynamodb.vectors import FLOAT_BYTES, Vector, vector_of

CACHE_BYTES_MAX = 64 * 1024 * 1024
# What an entry takes besides what it holds: its key, its objects, its place.
_ENTRY_BYTES = 512


@dataclass(frozen=True, slots=True)
class Entry:
    """An item as a search compares it: the attributes are those of the search schema."""

    vector: Vector
    length: float
    attributes: Item


@dataclass(slots=True)
class _Kept:
    entry: Entry | None
    size_bytes: int
    search: int


class VectorCache:
    """Entries by the bytes that they were made from: nothing is ever out of date.

    What this search or the one before has used stays, whatever comes: of a table that is larger
    than the cache, each entry would otherwise be put out just before it is looked for again.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._size_bytes = 0
        self._searches = 0
        # In the order of their last use.
        self._kept: dict[bytes, _Kept] = {}
        self._lock = Lock()

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def begin(self) -> int:
        """The number of a new search."""
        with self._lock:
            self._searches += 1
            return self._searches

    def get(self, key: bytes, search: int) -> _Kept | None:
        with self._lock:
            kept = self._kept.pop(key, None)
            if kept is not None:
                kept.search = max(kept.search, search)
                self._kept[key] = kept
            return kept

    def add(self, key: bytes, kept: _Kept) -> None:
        with self._lock:
            if key in self._kept:
                return
            while self._size_bytes + kept.size_bytes > self._bytes_max:
                oldest = next(iter(self._kept), None)
                if oldest is None or self._kept[oldest].search >= kept.search - 1:
                    return
                self._size_bytes -= self._kept.pop(oldest).size_bytes
            self._kept[key] = kept
            self._size_bytes += kept.size_bytes


def cache_of(ctx: Context) -> VectorCache:
    """The stack's."""
    cache: VectorCache = ctx.stack.caches.setdefault(
        "dynamodb.vectors", VectorCache(CACHE_BYTES_MAX)
    )
    return cache


class Entries:
    """The entries of one index, for one search."""

    def __init__(self, index: Definition, cache: VectorCache) -> None:
        self._index = index
        self._cache = cache
        self._search = cache.begin()
        self._names = schema_names(index)
        what = (vector_name(index), index["Dimensions"], index.get("SearchSchema"))
        self._digest = sha256(repr(what).encode())

    def of(self, raw: bytes) -> Entry | None:
        """What the index has of the stored item; None when the item is not in it."""
        key = self._key(raw)
        kept = self._cache.get(key, self._search)
        if kept is None:
            kept = self._read(raw)
            self._cache.add(key, kept)
        return kept.entry

    def remembers(self, raw: bytes) -> bool:
        """Whether the stored item need not be read again."""
        return self._cache.get(self._key(raw), self._search) is not None

    def _key(self, raw: bytes) -> bytes:
        digest = self._digest.copy()
        digest.update(raw)
        return digest.digest()

    def _read(self, raw: bytes) -> _Kept:
        item = stored.open_(raw)
        vector = vector_of(self._index, item)
        if vector is None:
            return _Kept(None, _ENTRY_BYTES, self._search)
        attributes = {name: item[name] for name in self._names if name in item}
        size_bytes = len(vector) * FLOAT_BYTES + _ENTRY_BYTES * (1 + len(attributes))
        size_bytes += sum(value(member)[1] for member in attributes.values())
        return _Kept(Entry(vector, hypot(*vector), attributes), size_bytes, self._search)
