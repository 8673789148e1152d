"""Random bytes in batches."""

from fogbank.gateway.randomness import BATCH_BYTES, RandomPool


def test_it_gives_as_many_bytes_as_asked_for() -> None:
    pool = RandomPool()
    assert [len(pool(size)) for size in (0, 1, 16, BATCH_BYTES, BATCH_BYTES + 1, 3)] == [
        *(0, 1, 16, BATCH_BYTES, BATCH_BYTES + 1, 3)
    ]


def test_no_bytes_are_given_out_twice() -> None:
    pool = RandomPool()
    given = [pool(16) for _ in range(3 * BATCH_BYTES // 16)]
    assert len(set(given)) == len(given)
