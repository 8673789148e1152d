"""kill -9 under load loses no acknowledged write, shows no half of one, and drops no event."""

from tests.e2e.crash import crash_rounds

ROUNDS = 20


def test_twenty_crashes_under_load_lose_nothing() -> None:
    assert crash_rounds(ROUNDS, seed=20261120) == []
