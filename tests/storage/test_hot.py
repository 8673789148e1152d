"""Pairs at hand: when they may be used, and that they stay few."""

from fogbank.storage.hot import ABSENT, HOT_BYTES_MAX, HotPairs


def test_what_a_commit_wrote_is_found_once_the_loop_is_told() -> None:
    hot = HotPairs()
    hot.commit_begins()
    assert not hot.is_still(1)
    hot.commit_settled({b"a": b"1", b"b": None})
    assert hot.is_still(1)
    assert (hot.find(b"a", ABSENT), hot.find(b"b", ABSENT)) == (b"1", None)


def test_what_is_not_known_is_not_absent() -> None:
    assert HotPairs().find(b"a", ABSENT) is ABSENT


def test_a_commit_that_cannot_be_told_forgets_everything() -> None:
    hot = HotPairs()
    hot.add(b"a", b"1")
    hot.commit_begins()
    hot.commit_settled(None)
    assert hot.find(b"a", ABSENT) is ABSENT


def test_they_rest_while_somebody_may_have_seen_a_newer_commit() -> None:
    hot = HotPairs()
    hot.commit_begins()
    hot.database_was_read()
    assert not hot.is_current()
    hot.commit_begins()
    hot.commit_settled({})
    assert hot.is_current()
    assert not hot.is_still(2)


def test_a_read_between_commits_does_not_make_them_rest() -> None:
    hot = HotPairs()
    hot.database_was_read()
    hot.commit_begins()
    assert hot.is_current()


def test_their_size_is_bounded_and_the_oldest_go_first() -> None:
    hot = HotPairs()
    assert hot.find(b"0", ABSENT) is ABSENT
    for number in range(3 * HOT_BYTES_MAX // 50_000):
        hot.add(b"%d" % number, bytes(50_000))
    assert hot._size_bytes <= HOT_BYTES_MAX
    assert hot.find(b"0", ABSENT) is ABSENT
    assert hot.find(b"%d" % (3 * HOT_BYTES_MAX // 50_000 - 1), ABSENT) == bytes(50_000)


def test_a_large_value_takes_the_place_of_nothing() -> None:
    hot = HotPairs()
    hot.add(b"a", b"small")
    hot.add(b"a", bytes(1 << 20))
    assert hot.find(b"a", ABSENT) is ABSENT
    assert hot._size_bytes == 0
