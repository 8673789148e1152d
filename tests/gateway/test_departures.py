"""Answers that leave together: in order, none forgotten."""

import asyncio
from typing import cast

from fogbank.gateway.departures import TOGETHER_MAX, Departures


class Recorder:
    """A transport that remembers what was written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        assert not self.closing
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing


def transport() -> tuple[Recorder, asyncio.Transport]:
    recorder = Recorder()
    return recorder, cast(asyncio.Transport, recorder)


async def test_an_answer_leaves_at_the_end_of_the_turn() -> None:
    departures = Departures()
    recorder, line = transport()
    departures.add(line, b"1")
    assert recorder.written == []
    await asyncio.sleep(0)
    assert recorder.written == [b"1"]


async def test_many_answers_do_not_wait_for_the_end_of_the_turn() -> None:
    departures = Departures()
    recorder, line = transport()
    sent = [b"%d" % number for number in range(TOGETHER_MAX)]
    for data in sent:
        departures.add(line, data)
    assert recorder.written == sent


async def test_what_is_urgent_does_not_overtake() -> None:
    departures = Departures()
    recorder, line = transport()
    departures.add(line, b"1")
    departures.now(line, b"2")
    assert recorder.written == [b"1", b"2"]


async def test_a_client_that_left_takes_nobody_with_it() -> None:
    departures = Departures()
    gone, gone_line = transport()
    recorder, line = transport()
    departures.add(gone_line, b"1")
    departures.add(line, b"2")
    gone.closing = True
    await asyncio.sleep(0)
    assert (gone.written, recorder.written) == ([], [b"2"])
