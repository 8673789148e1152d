"""Events that are written with the change that causes them, and delivered at least once."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from fogbank.storage.clock import Clock
from fogbank.storage.keys import after, pack, span, unpack
from fogbank.storage.kv import Reader, Store, StoreClosed, StoreFailed, Writer

_log = logging.getLogger("fogbank.outbox")

# A node that is silent for this long has lost what it was delivering to the others.
LEASE_S = 60.0
# After a failure of the store itself, a full disk for one.
STORE_RETRY_S = 1.0
# Deliveries under way at once, of each topic.
DELIVERIES_MAX = 64


@dataclass(frozen=True, slots=True)
class Event:
    """`attempt` counts from 1; `id` stays the same, so that consumers may deduplicate."""

    id: str
    topic: str
    key: str
    body: dict[str, Any]
    created_ms: int
    attempt: int


class Outbox(Protocol):
    def add(
        self, tx: Writer, topic: str, key: str, body: dict[str, Any], *, due_ms: int = 0
    ) -> None:
        """Part of `tx`: the event exists if, and only if, the change does."""
        ...

    async def run(self, deliver: Callable[[Event], Awaitable[None]]) -> None:
        """Deliver what is due, in order per (topic, key), until cancelled."""
        ...


class RetryLater(Exception):
    """Raised by a consumer: try this event again in `delay_s`, not at the usual back-off."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(f"retry in {delay_s} s")
        self.delay_s = delay_s


class GiveUp(Exception):
    """Raised by a consumer: no further attempt; the event becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a topic's event is tried, and how long after each failure; the last delay stays."""

    attempts_max: int = 12
    delays_s: tuple[float, ...] = (1, 2, 4, 8, 15, 30, 60)

    def delay_s(self, attempt: int) -> float:
        return self.delays_s[min(attempt, len(self.delays_s)) - 1]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that is tried no more, and the last error."""

    event: Event
    error: str
    died_ms: int


@dataclass(frozen=True, slots=True)
class _Head:
    """The state of the first event of a (topic, key). While leased, `due_ms` is the lease's end:
    an event whose owner has died is due again by itself."""

    due_ms: int
    sequence: int
    attempt: int = 0
    owner: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Claim:
    event: Event
    sequence: int


class StoreOutbox:
    """An outbox in key ranges of a store.

    ("outbox", "event", topic, key, sequence) -> the event; the first of a key is deliverable.
    ("outbox", "head", topic, key) -> that one's state.
    ("outbox", "due", topic, due_ms, key) -> nothing: the order in which heads are taken.
    ("outbox", "dead", topic, sequence) -> a dead letter.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        random_bytes: Callable[[int], bytes] = os.urandom,
        policies: Mapping[str, Policy] | None = None,
        is_alone: bool = True,
    ) -> None:
        """`is_alone`: no other process uses the store, so that leases found at start are void."""
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._policies = policies or {}
        self._is_alone = is_alone
        self._owner = random_bytes(8).hex()
        self._wake = asyncio.Event()
        # Keys with a delivery under way here: not to be taken again, though the clock may jump.
        self._active: dict[tuple[str, str], _Claim] = {}
        self._active_of_topic: Counter[str] = Counter()

    def add(
        self, tx: Writer, topic: str, key: str, body: dict[str, Any], *, due_ms: int = 0
    ) -> None:
        now_ms = self._clock.now_ms()
        sequence = tx.sequence(b"outbox")
        event = {
            "id": self._random_bytes(16).hex(),
            "created": now_ms,
            "due": due_ms,
            "body": body,
        }
        tx.put(_event_key(topic, key, sequence), orjson.dumps(event))
        if _head(tx, topic, key) is None:
            _move(tx, topic, key, None, _Head(max(due_ms, now_ms), sequence))
            tx.after_commit(self._wake.set)

    async def run(self, deliver: Callable[[Event], Awaitable[None]]) -> None:
        if self._is_alone:
            await self._store.write(self._void_leases)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew_leases())
            while True:
                self._wake.clear()
                try:
                    claims = await self._store.write(self._claim_due)
                except StoreClosed:
                    raise
                except StoreFailed as failure:
                    _log.warning("events wait: %s", failure)
                    await self._clock.sleep(STORE_RETRY_S)
                    continue
                for claim in claims:
                    self._active[claim.event.topic, claim.event.key] = claim
                    self._active_of_topic[claim.event.topic] += 1
                    group.create_task(self._deliver_all(claim, deliver))
                if not claims:
                    await self._wait(group)

    async def _wait(self, group: asyncio.TaskGroup) -> None:
        """Return when a head was added, or room was made, or the next head is due."""
        due_ms = await self._store.read(self._next_due, brief=True)
        if due_ms is None:
            await self._wake.wait()
            return
        alarm = group.create_task(self._wake_at(due_ms))
        await self._wake.wait()
        alarm.cancel()

    async def _wake_at(self, due_ms: int) -> None:
        await self._clock.sleep((due_ms - self._clock.now_ms()) / 1000)
        self._wake.set()

    async def _deliver_all(
        self, claim: _Claim, deliver: Callable[[Event], Awaitable[None]]
    ) -> None:
        """Deliver the claimed event, then those behind it that are due, while all goes well."""
        topic, key = claim.event.topic, claim.event.key
        following: _Claim | None = claim
        try:
            while following is not None:
                self._active[topic, key] = following
                following = await self._deliver(following, deliver)
        except StoreClosed:
            raise
        except StoreFailed as failure:
            # The outcome could not be kept: the event is due again when its lease ends.
            _log.warning("%s: the delivery could not be recorded: %s", topic, failure)
        finally:
            self._active.pop((topic, key), None)
            self._active_of_topic[topic] -= 1
            self._wake.set()

    async def _deliver(
        self, claim: _Claim, deliver: Callable[[Event], Awaitable[None]]
    ) -> _Claim | None:
        event = claim.event
        try:
            await deliver(event)
        except RetryLater as later:
            delay_s, error = later.delay_s, str(later)
        except GiveUp as gone:
            reason = str(gone)
            return await self._store.write(lambda tx: self._bury(tx, claim, reason))
        except Exception as failure:
            policy = self._policies.get(event.topic, Policy())
            error = f"{type(failure).__name__}: {failure}"
            _log.warning(
                "%s: attempt %d failed: %s", event.topic, event.attempt, error, exc_info=failure
            )
            if event.attempt >= policy.attempts_max:
                return await self._store.write(lambda tx: self._bury(tx, claim, error))
            delay_s = policy.delay_s(event.attempt)
        else:
            return await self._store.write(lambda tx: self._finish(tx, claim))
        await self._store.write(lambda tx: self._postpone(tx, claim, delay_s, error))
        return None

    def _claim_due(self, tx: Writer) -> list[_Claim]:
        """Leases on the heads that are due, as many as there is room for."""
        now_ms = self._clock.now_ms()
        claims: list[_Claim] = []
        for topic in _topics(tx):
            room = DELIVERIES_MAX - self._active_of_topic[topic]
            due = tx.range(pack("outbox", "due", topic), pack("outbox", "due", topic, now_ms + 1))
            for entry, _ in due if room > 0 else ():
                key = str(unpack(entry)[4])
                if (topic, key) in self._active:
                    continue
                head = _head(tx, topic, key)
                claim = None if head is None else self._lease(tx, topic, key, head, now_ms)
                if claim is None:
                    tx.delete(entry)
                    continue
                claims.append(claim)
                room -= 1
                if room == 0:
                    break
        return claims

    def _lease(self, tx: Writer, topic: str, key: str, head: _Head, now_ms: int) -> _Claim | None:
        raw = tx.get(_event_key(topic, key, head.sequence))
        if raw is None:
            return None
        leased = replace(
            head,
            due_ms=now_ms + round(LEASE_S * 1000),
            attempt=head.attempt + 1,
            owner=self._owner,
        )
        _move(tx, topic, key, head, leased)
        return _Claim(_event_of(topic, key, raw, leased.attempt), head.sequence)

    def _next_due(self, tx: Reader) -> int | None:
        """When the first head that is not being delivered here is due; None when there is none."""
        found: list[int] = []
        for topic in _topics(tx):
            if self._active_of_topic[topic] >= DELIVERIES_MAX:
                continue
            for entry, _ in tx.range(*span("outbox", "due", topic)):
                _, _, _, due_ms, key = unpack(entry)
                assert isinstance(due_ms, int)
                if (topic, key) not in self._active:
                    found.append(due_ms)
                    break
        return min(found, default=None)

    def _owned_head(self, tx: Writer, claim: _Claim) -> _Head | None:
        """The head, unless the lease was lost to another node that now sees to the event."""
        head = _head(tx, claim.event.topic, claim.event.key)
        if head is None or head.sequence != claim.sequence or head.owner != self._owner:
            return None
        return head

    def _finish(self, tx: Writer, claim: _Claim) -> _Claim | None:
        """The event is gone; the one behind it is leased when it is due, else it is the head."""
        head = self._owned_head(tx, claim)
        if head is None:
            return None
        topic, key = claim.event.topic, claim.event.key
        tx.delete(_event_key(topic, key, claim.sequence))
        now_ms = self._clock.now_ms()
        for name, raw in tx.range(*span("outbox", "event", topic, key)):
            sequence = unpack(name)[4]
            assert isinstance(sequence, int)
            due_ms = max(orjson.loads(raw)["due"], now_ms)
            following = _Head(due_ms, sequence)
            _move(tx, topic, key, head, following)
            return self._lease(tx, topic, key, following, now_ms) if due_ms <= now_ms else None
        _move(tx, topic, key, head, None)
        return None

    def _postpone(self, tx: Writer, claim: _Claim, delay_s: float, error: str) -> None:
        head = self._owned_head(tx, claim)
        if head is not None:
            due_ms = self._clock.now_ms() + round(delay_s * 1000)
            later = replace(head, due_ms=due_ms, owner="", error=error)
            _move(tx, claim.event.topic, claim.event.key, head, later)

    def _bury(self, tx: Writer, claim: _Claim, error: str) -> _Claim | None:
        if self._owned_head(tx, claim) is None:
            return None
        event = claim.event
        letter = {
            "id": event.id,
            "key": event.key,
            "created": event.created_ms,
            "attempt": event.attempt,
            "body": event.body,
            "error": error,
            "died": self._clock.now_ms(),
        }
        tx.put(pack("outbox", "dead", event.topic, claim.sequence), orjson.dumps(letter))
        return self._finish(tx, claim)

    def _void_leases(self, tx: Writer) -> None:
        """What a former process was delivering is due at once."""
        now_ms = self._clock.now_ms()
        for name, raw in tx.range(*span("outbox", "head")):
            head = _Head(*orjson.loads(raw))
            if head.owner:
                _, _, topic, key = unpack(name)
                free = replace(head, due_ms=min(head.due_ms, now_ms), owner="")
                _move(tx, str(topic), str(key), head, free)

    async def _renew_leases(self) -> None:
        """A delivery may take longer than a lease."""
        while True:
            await self._clock.sleep(LEASE_S / 3)
            if not self._active:
                continue
            claims = list(self._active.values())
            try:
                await self._store.write(lambda tx, claims=claims: self._renew(tx, claims))  # type: ignore[misc]
            except StoreClosed:
                raise
            except StoreFailed as failure:
                _log.warning("leases are not renewed: %s", failure)

    def _renew(self, tx: Writer, claims: list[_Claim]) -> None:
        due_ms = self._clock.now_ms() + round(LEASE_S * 1000)
        for claim in claims:
            head = self._owned_head(tx, claim)
            if head is not None:
                renewed = replace(head, due_ms=due_ms)
                _move(tx, claim.event.topic, claim.event.key, head, renewed)

    async def dead_letters(self, topic: str | None = None) -> list[DeadLetter]:
        """Those of `topic`, or of all, oldest first within a topic."""
        where = span("outbox", "dead") if topic is None else span("outbox", "dead", topic)
        return await self._store.read(
            lambda tx: [_letter_of(name, raw) for name, raw in tx.range(*where)]
        )

    async def pending_count(self, topic: str | None = None) -> int:
        """Events that are neither delivered nor dead."""
        where = span("outbox", "event") if topic is None else span("outbox", "event", topic)
        return await self._store.read(lambda tx: sum(1 for _ in tx.range(*where)))


def _event_key(topic: str, key: str, sequence: int) -> bytes:
    return pack("outbox", "event", topic, key, sequence)


def _head(tx: Reader, topic: str, key: str) -> _Head | None:
    raw = tx.get(pack("outbox", "head", topic, key))
    return None if raw is None else _Head(*orjson.loads(raw))


def _move(tx: Writer, topic: str, key: str, old: _Head | None, new: _Head | None) -> None:
    """The head is `new`, and so says the order of due times."""
    if old is not None:
        tx.delete(pack("outbox", "due", topic, old.due_ms, key))
    if new is None:
        tx.delete(pack("outbox", "head", topic, key))
        return
    state = [new.due_ms, new.sequence, new.attempt, new.owner, new.error]
    tx.put(pack("outbox", "head", topic, key), orjson.dumps(state))
    tx.put(pack("outbox", "due", topic, new.due_ms, key), b"")


def _topics(tx: Reader) -> list[str]:
    """The topics that have heads: one seek each."""
    found: list[str] = []
    start, stop = span("outbox", "due")
    while True:
        first = next(iter(tx.range(start, stop)), None)
        if first is None:
            return found
        topic = str(unpack(first[0])[2])
        found.append(topic)
        start = after(pack("outbox", "due", topic))


def _event_of(topic: str, key: str, raw: bytes, attempt: int) -> Event:
    event = orjson.loads(raw)
    return Event(event["id"], topic, key, event["body"], event["created"], attempt)


def _letter_of(name: bytes, raw: bytes) -> DeadLetter:
    letter = orjson.loads(raw)
    event = Event(
        letter["id"],
        str(unpack(name)[2]),
        letter["key"],
        letter["body"],
        letter["created"],
        letter["attempt"],
    )
    return DeadLetter(event, letter["error"], letter["died"])
