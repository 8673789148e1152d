"""Listings against a sorted list, page by page, whatever the keys, prefixes and delimiters."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.s3.listing import Query, scan
from fogbank.storage.keys import pack
from fogbank.storage.kv import Reader, Writer
from fogbank.storage.memory import MemoryStore

SPACE = ("s3", "object", "bucket")
# Few letters, so that prefixes, folders and neighbours meet; the odd ones break naive encodings.
texts = st.text(alphabet="ab/\x00\xff\U0010ffff", max_size=6)
names = texts.filter(bool)


def model(keys: set[str], query: Query) -> list[str]:
    """Keys and common prefixes, as S3 documents a listing of everything behind `after`."""
    told: list[str] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(query.prefix):
            continue
        at = key.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
        entry = key if at < 0 else key[: at + len(query.delimiter)]
        behind = entry.encode() > query.after.encode() and not (
            at >= 0 and query.after.startswith(entry)
        )
        if behind and (not told or told[-1] != entry):
            told.append(entry)
    return told


async def listed(keys: set[str], query: Query) -> tuple[list[str], int]:
    """Entries in order over all pages, and the number of pages."""
    store = MemoryStore()

    def fill(tx: Writer) -> None:
        for key in keys:
            tx.put(pack(*SPACE, key), b"")
        tx.put(pack("s3", "object", "bucket2", "a"), b"")
        tx.put(pack("s3", "objecu", "bucket", "a"), b"")

    await store.write(fill)
    told: list[str] = []
    pages = 0
    after: str | None = query.after
    while after is not None:
        here = Query(query.prefix, query.delimiter, after, query.most)

        def read(tx: Reader, here: Query = here) -> tuple[list[str], str | None]:
            page = scan(tx, SPACE, here, lambda key, raw: key)
            assert len(page) <= here.most
            entries = sorted([*page.items, *page.common_prefixes], key=str.encode)
            assert not entries or entries[-1] == page.last
            return entries, page.last if page.truncated else None

        entries, after = await store.read(read)
        told += entries
        pages += 1
    return told, pages


@settings(deadline=None, max_examples=60)
@given(
    keys=st.sets(names, max_size=12),
    prefix=texts,
    delimiter=st.one_of(st.just(""), st.just("/"), names),
    after=texts,
    most=st.integers(1, 4),
)
async def test_all_pages_together_are_the_model(
    keys: set[str], prefix: str, delimiter: str, after: str, most: int
) -> None:
    query = Query(prefix, delimiter, after, most)
    expected = model(keys, query)
    told, pages = await listed(keys, query)
    assert told == expected
    assert pages == max(1, -(-len(expected) // most))
