"""Log lines: written in batches, kept for `fogbank logs`, bounded."""

import asyncio
import io
import logging

import pytest

from fogbank.gateway.log import Facts, Log, LogHandler


def facts(status: int = 200, error: str = "") -> Facts:
    return (1_700_000_000.25, "id-1", "000000000000", "s3", "GetObject", status, error, 1.26)


def test_a_line_says_when_what_and_for_whom() -> None:
    out = io.StringIO()
    log = Log(10, out=out)
    log.request(facts(404, "NoSuchKey"))
    assert out.getvalue() == ""
    log.flush()
    assert out.getvalue() == (
        "2023-11-14T22:13:20.250Z 404 s3.GetObject NoSuchKey 1.3ms account=000000000000 id=id-1\n"
    )


def test_without_request_lines_only_failures_are_written() -> None:
    out = io.StringIO()
    log = Log(10, requests=False, out=out)
    log.request(facts())
    log.request(facts(500, "KeyError"))
    log.flush()
    assert out.getvalue().count("\n") == 1
    assert len(log.lines(10)) == 2


def test_the_newest_lines_are_kept() -> None:
    log = Log(3, out=io.StringIO())
    for number in range(10):
        log.message(f"line {number}")
        log.flush()
    assert [line.split("line ")[1] for line in log.lines(2)] == ["8", "9"]
    assert len(log.lines(100)) == 3
    assert log.lines(0) == []


def test_a_failure_has_its_traceback_under_its_id() -> None:
    out = io.StringIO()
    log = Log(10, out=out)
    try:
        raise KeyError("lost")
    except KeyError as error:
        log.failure("id-9", error)
    assert "500 id=id-9 KeyError\nTraceback" in out.getvalue()


def test_a_reader_of_stderr_that_went_away_does_not_matter() -> None:
    out = io.StringIO()
    log = Log(10, out=out)
    out.close()
    log.request(facts())
    log.flush()
    assert len(log.lines(10)) == 1


def test_what_the_layers_say_comes_into_the_same_log() -> None:
    log = Log(10, out=io.StringIO())
    record = logging.makeLogRecord({"name": "fogbank.outbox", "levelno": 30, "msg": "gone"})
    LogHandler(log).emit(record)
    assert log.lines(1)[0].endswith("fogbank.outbox: gone")


async def test_many_lines_are_written_in_pieces_between_which_others_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fogbank.gateway.log.FLUSH_S", 0)
    out = io.StringIO()
    log = Log(1000, out=out)
    for _ in range(1000):
        log.request(facts())
    running = asyncio.ensure_future(log.run())
    seen = set()
    async with asyncio.timeout(5):
        while 1000 not in seen:
            await asyncio.sleep(0)
            seen.add(out.getvalue().count("\n"))
    running.cancel()
    assert seen >= {200, 400, 600, 800, 1000}
