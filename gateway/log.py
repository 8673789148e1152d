"""One line per request, formatted in batches off the hot path; the newest lines are kept."""

import asyncio
import logging
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TextIO

FLUSH_S = 0.2
# Lines that are formatted and written at once: 0.5 ms. All those of a busy moment took 10 ms, for
# which every request waited.
LINES_AT_ONCE = 200


# When (seconds since 1970), request id, account, service, operation, status, error, milliseconds:
# a plain tuple, because the hot path makes one for every request.
Facts = tuple[float, str, str, str, str, int, str, float]


class Log:
    """Lines wait, bounded, until `run` writes them; logs are users' data: to stderr only."""

    def __init__(self, lines_max: int, *, requests: bool = True, out: TextIO | None = None) -> None:
        self._requests = requests
        self._out = sys.stderr if out is None else out
        self._waiting: deque[Facts | str] = deque(maxlen=max(lines_max, 1))
        self._kept: deque[Facts | str] = deque(maxlen=max(lines_max, 1))
        # Bound once: the hot path calls it for every request.
        self.request: Callable[[Facts], None] = self._waiting.append

    def message(self, text: str) -> None:
        self._waiting.append(f"{_stamp(time.time())} {text}")

    def failure(self, request_id: str, error: BaseException) -> None:
        """A bug of ours, with its traceback."""
        lines = "".join(traceback.format_exception(error)).rstrip()
        self.message(f"500 id={request_id} {type(error).__name__}\n{lines}")
        self.flush()

    def lines(self, limit: int) -> list[str]:
        """The newest lines, oldest first."""
        self.flush()
        kept = list(self._kept)[-limit:] if limit > 0 else []
        return [one if isinstance(one, str) else _text(*one) for one in kept]

    def flush(self) -> None:
        """Write what waits."""
        while self._waiting:
            self._write_some()

    def _write_some(self) -> None:
        """The oldest lines; a reader of stderr that went away must not stop the stack."""
        count = min(len(self._waiting), LINES_AT_ONCE)
        batch = [self._waiting.popleft() for _ in range(count)]
        self._kept.extend(batch)
        texts = [
            one if isinstance(one, str) else _text(*one)
            for one in batch
            if self._requests or isinstance(one, str) or one[5] >= 500
        ]
        if texts:
            try:
                self._out.write("\n".join(texts) + "\n")
                self._out.flush()
            except (OSError, ValueError):
                self._requests = False

    async def run(self) -> None:
        """Write lines as they come, until cancelled."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                while self._waiting:
                    self._write_some()
                    await asyncio.sleep(0)
        finally:
            self.flush()


class LogHandler(logging.Handler):
    """Puts what the layers below say by `logging` into the same log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        self._log.message(f"{record.levelname.lower()} {record.name}: {text}")


def _text(
    at_s: float,
    request_id: str,
    account: str,
    service: str,
    operation: str,
    status: int,
    error: str,
    duration_ms: float,
) -> str:
    what = f"{service}.{operation}" if operation else service or "-"
    why = f" {error}" if error else ""
    return (
        f"{_stamp(at_s)} {status} {what}{why} {duration_ms:.1f}ms "
        f"account={account or '-'} id={request_id}"
    )


def _stamp(at_s: float) -> str:
    second = int(at_s)
    return f"{_second(second)}.{int((at_s - second) * 1000):03d}Z"


@lru_cache(maxsize=2)
def _second(at_s: int) -> str:
    """Formatted once a second: it costs more than all the rest of a line."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
