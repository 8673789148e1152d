"""One line per request, formatted in batches off the hot path; the newest lines are kept."""

import asyncio
import logging
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, TextIO

FLUSH_S = 0.2


class Line(NamedTuple):
    """What a log line is made of, when somebody reads it."""

    at_s: float
    request_id: str
    account: str
    service: str
    operation: str
    status: int
    error: str
    duration_ms: float
    source_ip: str

    def text(self) -> str:
        what = f"{self.service}.{self.operation}" if self.operation else self.service or "-"
        error = f" {self.error}" if self.error else ""
        return (
            f"{_stamp(self.at_s)} {self.status} {what}{error} {self.duration_ms:.1f}ms "
            f"account={self.account or '-'} id={self.request_id}"
        )


class Log:
    """Lines wait, bounded, until `run` writes them; logs are users' data: to stderr only."""

    def __init__(self, lines_max: int, *, requests: bool = True, out: TextIO | None = None) -> None:
        self._requests = requests
        self._out = sys.stderr if out is None else out
        self._waiting: deque[Line | str] = deque(maxlen=max(lines_max, 1))
        self._kept: deque[Line | str] = deque(maxlen=max(lines_max, 1))
        # Bound once: the hot path calls it for every request.
        self.request: Callable[[Line], None] = self._waiting.append

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
        return [one if isinstance(one, str) else one.text() for one in kept]

    def flush(self) -> None:
        """Write what waits; a reader of stderr that went away must not stop the stack."""
        if not self._waiting:
            return
        batch = list(self._waiting)
        self._waiting.clear()
        self._kept.extend(batch)
        texts = [
            one if isinstance(one, str) else one.text()
            for one in batch
            if self._requests or isinstance(one, str) or one.status >= 500
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
                self.flush()
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


def _stamp(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
