"""An environment's output: bytes from its pipe become log lines, with AWS's lines between them.

The pipe carries plain text, one record a line, and frames (type 0xa55a....,  length, microseconds,
message: the telemetry format of AWS's runtime clients) whose message of many lines is one record.
"""

import os
import re
from collections import deque

from fogbank.functions.ports import Clock, LogSink

TAIL_BYTES = 4096  # what Invoke returns of a log
LINE_BYTES_MAX = 262_144 - 26  # CloudWatch Logs' largest event
READ_BYTES = 65_536
READS_MAX = 64  # one turn of the loop; the rest waits for the next
_FRAME = re.compile(rb"\xa5\x5a\x00[\x00-\xff]")
_FRAME_HEAD_BYTES = 16


class Splitter:
    """Cuts what arrives into records; keeps what is not complete."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        self._rest += data
        found: list[str] = []
        while self._rest:
            frame = _FRAME.search(self._rest)
            if frame is None:
                self._take_lines(len(self._rest), found)
                break
            start = frame.start()
            if start:
                self._take_lines(start, found)
                if not self._rest.startswith(frame[0]):
                    found.append(self._cut(self._rest.index(frame[0])))
            if len(self._rest) < _FRAME_HEAD_BYTES:
                break
            size = int.from_bytes(self._rest[4:8], "big")
            if len(self._rest) < _FRAME_HEAD_BYTES + size:
                if size > LINE_BYTES_MAX * 4:
                    self._rest = self._rest[4:]  # not a frame: no record is that long
                    continue
                break
            self._rest = self._rest[_FRAME_HEAD_BYTES:]
            found.append(self._cut(size).removesuffix("\n"))
        return found

    def flush(self) -> list[str]:
        """What is left over, as a last line without its end."""
        return [self._cut(len(self._rest))] if self._rest else []

    def _take_lines(self, limit: int, found: list[str]) -> None:
        head, tail = self._rest[:limit], self._rest[limit:]
        *lines, rest = head.split(b"\n")
        found.extend(line.decode("utf-8", "replace") for line in lines)
        while len(rest) > LINE_BYTES_MAX:
            found.append(rest[:LINE_BYTES_MAX].decode("utf-8", "replace"))
            rest = rest[LINE_BYTES_MAX:]
        self._rest = rest + tail

    def _cut(self, size: int) -> str:
        text, self._rest = self._rest[:size], self._rest[size:]
        return text.decode("utf-8", "replace")


class Output:
    """The log of one environment: one stream, in the order in which things happened."""

    def __init__(self, pipe: int, stream: str, sink: LogSink, clock: Clock) -> None:
        self.stream = stream
        self._pipe = pipe
        self._sink = sink
        self._clock = clock
        self._splitter = Splitter()
        self._pending: list[tuple[int, str]] = []
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0

    def start_tail(self) -> None:
        self._tail.clear()
        self._tail_bytes = 0

    def tail(self) -> bytes:
        return b"".join(self._tail)[-TAIL_BYTES:]

    def add(self, *lines: str) -> None:
        """Lines of the platform, each with its newline, after all output that has arrived."""
        now_ms = self._clock.now_ms()
        for line in lines:
            text = line + "\n"
            self._pending.append((now_ms, text))
            data = text.encode()
            self._tail.append(data)
            self._tail_bytes += len(data)
        while self._tail and self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft())

    def read(self) -> bool:
        """Take what is in the pipe; False when every writer has closed it."""
        for _ in range(READS_MAX):
            try:
                data = os.read(self._pipe, READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.add(*self._splitter.feed(data))
            if len(data) < READ_BYTES:
                return True
        return True

    def drain(self) -> None:
        """All that was written before now is in the log, an unfinished line too."""
        for _ in range(READS_MAX):
            try:
                data = os.read(self._pipe, READ_BYTES)
            except BlockingIOError:
                break
            if not data:
                break
            self.add(*self._splitter.feed(data))
        self.add(*self._splitter.flush())

    def deliver(self) -> None:
        """The sink has everything so far."""
        if self._pending:
            lines, self._pending = self._pending, []
            self._sink(self.stream, lines)
