"""What searches remember of items: bounded, and never anything but what is stored."""

from typing import Any

from fogbank.services.dynamodb import stored
from fogbank.services.dynamodb.vector_cache import Entries, Entry, VectorCache

INDEX: dict[str, Any] = {
    "IndexName": "near",
    "VectorAttribute": {"AttributeName": "one"},
    "Dimensions": 2,
}


def item(name: str, **vectors: list[int]) -> bytes:
    lists = {key: {"L": [{"N": str(n)} for n in given]} for key, given in vectors.items()}
    return stored.seal({"id": {"S": name}, **lists}, 10)


def vector(entry: Entry | None) -> list[float] | None:
    return None if entry is None else list(entry.vector)


def items(count: int) -> list[bytes]:
    return [item(str(n), one=[n, n]) for n in range(count)]


def remembered(cache: VectorCache, raws: list[bytes]) -> int:
    """How many items of a search are not read again."""
    entries = Entries(INDEX, cache)
    before = [entries.remembers(raw) for raw in raws]
    for raw in raws:
        entries.of(raw)
    return sum(before)


def test_each_index_has_an_entry_of_its_own_of_an_item() -> None:
    cache = VectorCache(10_000)
    raw = item("1", one=[1, 2], two=[3, 4])
    other = {**INDEX, "VectorAttribute": {"AttributeName": "two"}}
    found = [vector(Entries(index, cache).of(raw)) for index in (INDEX, other, INDEX)]
    assert found == [[1, 2], [3, 4], [1, 2]]


def test_an_item_that_is_not_in_the_index_is_remembered_too() -> None:
    cache = VectorCache(10_000)
    raw = item("1", two=[1, 2])
    assert Entries(INDEX, cache).of(raw) is None
    assert Entries(INDEX, cache).remembers(raw)


def test_the_cache_stays_within_its_bound() -> None:
    cache = VectorCache(10_000)
    for start in range(5):
        remembered(cache, items(50)[start * 10 :])
        assert 0 < cache.size_bytes <= 10_000


def test_a_table_that_is_larger_than_the_cache_is_remembered_in_part() -> None:
    cache = VectorCache(10_000)
    raws = items(100)
    assert remembered(cache, raws) == 0
    kept = remembered(cache, raws)
    assert kept > 10
    assert remembered(cache, raws) == kept


def test_what_no_search_uses_any_more_gives_way() -> None:
    cache = VectorCache(10_000)
    old, new = items(100)[:50], items(100)[50:]
    remembered(cache, old)
    for _ in range(3):
        remembered(cache, new)
    assert remembered(cache, new) > 10
