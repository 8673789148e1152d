"""Log lines on their way from whoever makes them to the store: batched, bounded, in order.

Functions log on the hot path, so a line costs an append here. One writer hands what has gathered
to the Logs service, at most every `FLUSH_EVERY_S`, or at once when a reader asks for it.
"""

import asyncio
from typing import NamedTuple

from fogbank.services.context import Caller, Context, Stack, World
from fogbank.storage.outbox import Event

FLUSH_EVERY_S = 0.05
# From here on whoever can wait does; from the second figure on, the oldest lines are dropped.
CROWDED_BYTES = 4 * 1024 * 1024
BUFFER_MAX_BYTES = 32 * 1024 * 1024
# What a line takes besides its text, so that empty lines are bounded too.
LINE_OVERHEAD_BYTES = 100


class Batch(NamedTuple):
    world: World
    group: str
    stream: str
    lines: list[tuple[int, str]]  # (milliseconds since 1970, text)

    def size_bytes(self) -> int:
        return sum(len(text) + LINE_OVERHEAD_BYTES for _, text in self.lines)


class LogLines:
    """`append` never waits; `flush` returns when everything appended before it is durable."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._batches: list[Batch] = []
        self.size_bytes = 0
        self._writing = asyncio.Lock()
        self._some = asyncio.Event()
        self.dropped = 0

    def append(self, batch: Batch) -> None:
        self._batches.append(batch)
        self.size_bytes += batch.size_bytes()
        while self.size_bytes > BUFFER_MAX_BYTES and len(self._batches) > 1:
            oldest = self._batches.pop(0)
            self.size_bytes -= oldest.size_bytes()
            self.dropped += len(oldest.lines)
        self._some.set()

    @property
    def crowded(self) -> bool:
        """Whether a producer that can wait should `flush` before it goes on."""
        return self.size_bytes > CROWDED_BYTES

    async def flush(self) -> None:
        """Everything appended so far is in the store when this returns."""
        async with self._writing:
            if not self._batches:
                return
            batches, self._batches = _merged(self._batches), []
            size_bytes, self.size_bytes = self.size_bytes, 0
            self._some.clear()
            try:
                await self._hand_over(batches)
            except BaseException:
                self._batches[:0] = batches
                self.size_bytes += size_bytes
                raise

    async def run(self) -> None:
        """Flush whenever there is something, until cancelled; then flush what is left."""
        try:
            while True:
                await self._some.wait()
                await self._stack.clock.sleep(FLUSH_EVERY_S)
                await self.flush()
        finally:
            await self.flush()

    async def _hand_over(self, batches: list[Batch]) -> None:
        """By the door of events, though not through the outbox: the lines are already decided."""
        stack = self._stack
        now_ms = stack.clock.now_ms()
        ctx = Context(
            World("000000000000", "us-east-1"),
            Caller("", "", ""),
            stack.ids.uuid(),
            stack.traces.begin(now_ms),
            stack,
        )
        event = Event(ctx.request_id, "logs.lines", "", {"body": batches}, now_ms, 1)
        await stack.catalog.consume(ctx, event)


def _merged(batches: list[Batch]) -> list[Batch]:
    """One batch a stream: what is done once for each costs more than its lines do."""
    merged: dict[tuple[World, str, str], list[tuple[int, str]]] = {}
    for world, group, stream, lines in batches:
        merged.setdefault((world, group, stream), []).extend(lines)
    return [Batch(*where, lines) for where, lines in merged.items()]


def lines_of(stack: Stack) -> LogLines:
    """The one buffer of a stack."""
    found = stack.caches.get("log_lines")
    if not isinstance(found, LogLines):
        found = stack.caches["log_lines"] = LogLines(stack)
    return found
