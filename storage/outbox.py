"""Events that are written with the change that causes them, and delivered at least once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fogbank.storage.kv import Writer


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
