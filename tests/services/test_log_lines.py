"""Lines on their way to the store: batched, bounded, never lost once flushed."""

import asyncio

import pytest

from fogbank.services.context import World
from fogbank.services.log_lines import BUFFER_MAX_BYTES, Batch, LogLines, lines_of
from tests.services.lambda_.world import ACCOUNT, REGION, Fixture

WORLD = World(ACCOUNT, REGION)


def batch(text: str, stream: str = "s") -> Batch:
    return Batch(WORLD, "/aws/lambda/f", stream, [(1_700_000_000_000, text)])


async def stored(fixture: Fixture) -> list[str]:
    answer = await fixture.call("FilterLogEvents", "logs", logGroupName="/aws/lambda/f")
    return [event["message"] for event in answer["events"]]


async def test_a_reader_sees_what_was_appended_before() -> None:
    fixture = Fixture()
    lines = lines_of(fixture.stack)
    lines.append(batch("a"))
    lines.append(batch("b"))
    assert await stored(fixture) == ["a", "b"]


async def test_the_writer_writes_after_a_while_on_its_own() -> None:
    fixture = Fixture()
    lines = lines_of(fixture.stack)
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(lines.run())
        lines.append(batch("a"))
        await fixture.clock.asleep.wait()
        fixture.clock.advance(0.1)
        for _ in range(50):
            await asyncio.sleep(0)
        writer.cancel()
    assert await stored(fixture) == ["a"]


async def test_what_is_left_is_written_at_the_end() -> None:
    fixture = Fixture()
    lines = lines_of(fixture.stack)
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(lines.run())
        await asyncio.sleep(0)
        lines.append(batch("last"))
        writer.cancel()
    assert lines.size_bytes == 0
    assert await stored(fixture) == ["last"]


async def test_lines_stay_when_they_could_not_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    fixture = Fixture()
    lines = lines_of(fixture.stack)
    lines.append(batch("a"))
    with monkeypatch.context() as broken:

        async def fail(*_: object) -> None:
            raise OSError("no space left on device")

        broken.setattr(LogLines, "_hand_over", fail)
        with pytest.raises(OSError, match="no space"):
            await lines.flush()
    lines.append(batch("b"))
    assert await stored(fixture) == ["a", "b"]


async def test_the_buffer_is_bounded() -> None:
    lines = lines_of(Fixture().stack)
    large = "x" * (BUFFER_MAX_BYTES // 4)
    for _ in range(8):
        lines.append(batch(large))
    assert lines.crowded and lines.size_bytes <= BUFFER_MAX_BYTES
    assert lines.dropped >= 4


async def test_text_that_is_not_unicode_is_stored_all_the_same() -> None:
    fixture = Fixture()
    lines_of(fixture.stack).append(batch("a\ud800b"))
    assert await stored(fixture) == ["a?b"]
