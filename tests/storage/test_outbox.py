"""Events are delivered at least once, in order of their key, by the clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from fogbank.storage.clock import ManualClock
from fogbank.storage.kv import Writer
from fogbank.storage.memory import MemoryStore
from fogbank.storage.outbox import (
    DELIVERIES_MAX,
    LEASE_S,
    Event,
    GiveUp,
    Policy,
    RetryLater,
    StoreOutbox,
)

Deliver = Callable[[Event], Awaitable[None]]


class Post:
    """An outbox and its consumer: what arrived, in order, and how to fail."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = ManualClock()
        self.outbox = self.another()
        self.seen: list[tuple[str, int, int]] = []
        self.fails: dict[int, Iterator[Exception | None]] = {}

    def another(self, *, is_alone: bool = True) -> StoreOutbox:
        policies = {"short": Policy(attempts_max=2, delays_s=(5,))}
        return StoreOutbox(self.store, self.clock, policies=policies, is_alone=is_alone)

    async def add(self, number: int, *, key: str = "k", topic: str = "t", due_ms: int = 0) -> None:
        await self.store.write(
            lambda tx: self.outbox.add(tx, topic, key, {"n": number}, due_ms=due_ms)
        )

    async def deliver(self, event: Event) -> None:
        number = event.body["n"]
        self.seen.append((event.key, number, event.attempt))
        failure = next(self.fails.get(number, iter(())), None)
        if failure is not None:
            raise failure

    @asynccontextmanager
    async def running(self, deliver: Deliver | None = None) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.outbox.run(deliver or self.deliver))
            await settle()
            yield
            await settle()
            task.cancel()


async def settle() -> None:
    """Let everything happen that waits for nothing but the loop."""
    for _ in range(200):
        await asyncio.sleep(0)


@pytest.fixture
def post() -> Post:
    return Post()


async def test_events_of_one_key_arrive_in_order_and_are_gone(post: Post) -> None:
    for number in range(5):
        await post.add(number)
    async with post.running():
        pass
    assert [number for _, number, _ in post.seen] == [0, 1, 2, 3, 4]
    assert await post.outbox.pending_count() == 0


async def test_an_event_added_while_idle_is_delivered_without_the_clock(post: Post) -> None:
    async with post.running():
        await post.add(1)
        await settle()
        assert post.seen == [("k", 1, 1)]


async def test_an_event_of_a_failed_transaction_is_never_delivered(post: Post) -> None:
    def work(tx: Writer) -> None:
        post.outbox.add(tx, "t", "k", {"n": 1})
        raise KeyError

    async with post.running():
        with pytest.raises(KeyError):
            await post.store.write(work)
    assert post.seen == []


async def test_an_event_waits_for_its_due_time(post: Post) -> None:
    async with post.running():
        await post.add(1, due_ms=post.clock.now_ms() + 5000)
        await settle()
        post.clock.advance(4)
        await settle()
        assert post.seen == []
        post.clock.advance(1)
        await settle()
        assert post.seen == [("k", 1, 1)]


async def test_a_failed_event_is_tried_again_with_growing_delays(post: Post) -> None:
    post.fails[1] = iter([ValueError("no"), ValueError("no"), None])
    async with post.running():
        await post.add(1)
        await settle()
        post.clock.advance(1)
        await settle()
        assert [attempt for _, _, attempt in post.seen] == [1, 2]
        post.clock.advance(1)
        await settle()
        assert [attempt for _, _, attempt in post.seen] == [1, 2]
        post.clock.advance(1)
        await settle()
    assert [attempt for _, _, attempt in post.seen] == [1, 2, 3]
    assert await post.outbox.pending_count() == 0


async def test_a_bad_event_blocks_only_its_own_key(post: Post) -> None:
    post.fails[1] = iter([ValueError("no")])
    await post.add(1, key="a")
    await post.add(2, key="a")
    await post.add(3, key="b")
    async with post.running():
        await settle()
        assert [number for _, number, _ in post.seen] == [1, 3]
        post.clock.advance(1)
        await settle()
    assert [number for _, number, _ in post.seen] == [1, 3, 1, 2]


async def test_retry_later_says_when(post: Post) -> None:
    post.fails[1] = iter([RetryLater(30)])
    async with post.running():
        await post.add(1)
        await settle()
        post.clock.advance(29)
        await settle()
        assert len(post.seen) == 1
        post.clock.advance(1)
        await settle()
    assert len(post.seen) == 2


async def test_an_event_given_up_is_a_dead_letter_and_the_next_one_follows(post: Post) -> None:
    post.fails[1] = iter([GiveUp("no such function")])
    await post.add(1)
    await post.add(2)
    async with post.running():
        pass
    (letter,) = await post.outbox.dead_letters()
    assert (letter.event.body, letter.error) == ({"n": 1}, "no such function")
    assert [number for _, number, _ in post.seen] == [1, 2]
    assert await post.outbox.pending_count() == 0


async def test_a_topics_policy_bounds_the_attempts(post: Post) -> None:
    post.fails[1] = iter([ValueError("one"), ValueError("two")])
    async with post.running():
        await post.add(1, topic="short")
        await settle()
        post.clock.advance(5)
        await settle()
    (letter,) = await post.outbox.dead_letters("short")
    assert (letter.event.attempt, letter.error) == (2, "ValueError: two")
    assert await post.outbox.dead_letters("t") == []


async def test_different_keys_are_delivered_at_the_same_time_up_to_a_bound(post: Post) -> None:
    under_way: set[str] = set()
    highest = 0
    go = asyncio.Event()

    async def deliver(event: Event) -> None:
        nonlocal highest
        under_way.add(event.key)
        highest = max(highest, len(under_way))
        await go.wait()
        under_way.remove(event.key)

    for number in range(DELIVERIES_MAX + 20):
        await post.add(number, key=str(number))
    async with post.running(deliver):
        assert len(under_way) == DELIVERIES_MAX
        await post.add(0, topic="other", key="not held up")
        await settle()
        assert "not held up" in under_way
        go.set()
        await settle()
    assert highest == DELIVERIES_MAX + 1
    assert await post.outbox.pending_count() == 0


async def test_what_a_dead_process_was_delivering_is_delivered_again(post: Post) -> None:
    async def hang(event: Event) -> None:
        await asyncio.Event().wait()

    await post.add(1)
    async with post.running(hang):
        pass
    post.outbox = post.another()
    async with post.running():
        pass
    assert post.seen == [("k", 1, 2)]


async def test_another_node_waits_until_the_lease_has_ended(post: Post) -> None:
    async def hang(event: Event) -> None:
        await asyncio.Event().wait()

    await post.add(1)
    async with post.running(hang):
        pass
    post.outbox = post.another(is_alone=False)
    async with post.running():
        assert post.seen == []
        post.clock.advance(LEASE_S)
        await settle()
    assert post.seen == [("k", 1, 2)]


async def test_a_delivery_that_outlasts_its_lease_keeps_it(post: Post) -> None:
    done = asyncio.Event()

    async def slow(event: Event) -> None:
        await done.wait()

    await post.add(1)
    other = post.another(is_alone=False)
    async with post.running(slow), asyncio.TaskGroup() as group:
        task = group.create_task(other.run(post.deliver))
        for _ in range(12):
            post.clock.advance(LEASE_S / 3)
            await settle()
        assert post.seen == []
        done.set()
        await settle()
        task.cancel()
    assert await post.outbox.pending_count() == 0


async def test_a_clock_that_jumps_does_not_deliver_twice_at_once(post: Post) -> None:
    started: list[int] = []

    async def hang(event: Event) -> None:
        started.append(event.attempt)
        await asyncio.Event().wait()

    await post.add(1)
    async with post.running(hang):
        post.clock.advance(100 * LEASE_S)
        await settle()
    assert started == [1]


async def test_an_event_keeps_its_id_over_attempts(post: Post) -> None:
    ids: list[str] = []

    async def fail_once(event: Event) -> None:
        ids.append(event.id)
        if len(ids) == 1:
            raise ValueError("once")

    async with post.running(fail_once):
        await post.add(1)
        await settle()
        post.clock.advance(1)
    assert len(ids) == 2
    assert len(set(ids)) == 1


async def test_an_idle_outbox_does_not_wake(post: Post) -> None:
    async with post.running():
        writes = 0
        write = post.store.write

        async def counted(work: Callable[[Writer], object]) -> object:
            nonlocal writes
            writes += 1
            return await write(work)

        post.store.write = counted  # type: ignore[method-assign,assignment]
        for _ in range(20):
            post.clock.advance(3600)
            await settle()
    assert writes == 0
