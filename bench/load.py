"""One client process: closed loops over raw sockets, told what to do by JSON on standard input.

Each caller has one connection and one request under way. The bytes of requests are prepared, of
answers only the status and the length are looked at.
"""

import json
import re
import selectors
import socket
import sys
import time

from bench.workloads import WORKLOADS, Maker, Target

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_RECEIVE_BYTES = 1 << 20
RECONNECTS_MAX = 1000


class Caller:
    """One connection. `step` is called when its socket may be read or written."""

    def __init__(self, target: Target, make: Maker) -> None:
        self.target = target
        self.make = make
        self.connect()
        self.begin()

    def connect(self) -> None:
        self.socket = socket.create_connection((self.target.host, self.target.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)

    def begin(self) -> None:
        self.sending = memoryview(self.make())
        self.head = b""
        self.left: int | None = None
        self.chunked = False
        self.status = 0
        self.started = time.perf_counter()

    def send(self) -> bool:
        """True when the whole request is out."""
        while self.sending:
            try:
                self.sending = self.sending[self.socket.send(self.sending) :]
            except BlockingIOError:
                return False
        return True

    def receive(self) -> bool:
        """True when the whole answer is in."""
        try:
            data = self.socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return False
        if not data:
            raise ConnectionResetError
        if self.left is None:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.status = int(self.head[9:12])
            length = _LENGTH.search(self.head, 0, end + 2)
            self.chunked = length is None and bool(_CHUNKED.search(self.head, 0, end + 2))
            self.left = int(length[1]) if length else 0
            data = self.head[end + 4 :]
            self.head = data[-7:]
        elif self.chunked:
            self.head = (self.head + data)[-7:]
        if self.chunked:
            return self.head.endswith(b"0\r\n\r\n")
        self.left -= len(data)
        return self.left <= 0


def drive(
    target: Target, workload: str, callers: int, seconds: float, seed: int
) -> dict[str, float]:
    """Run `callers` loops for `seconds` (and at least one request each); what they saw."""
    selector = selectors.DefaultSelector()
    loops = [Caller(target, WORKLOADS[workload](target, seed + n)) for n in range(callers)]
    started = time.perf_counter()
    stop_at = started + seconds
    for loop in loops:
        done = loop.send()
        events = selectors.EVENT_READ if done else selectors.EVENT_READ | selectors.EVENT_WRITE
        selector.register(loop.socket, events, loop)
    latencies: list[float] = []
    errors = reconnects = 0
    running = callers
    while running:
        for key, _ in selector.select(30):
            loop = key.data
            if loop.sending:
                if loop.send():
                    selector.modify(loop.socket, selectors.EVENT_READ, loop)
                continue
            try:
                if not loop.receive():
                    continue
            except ConnectionResetError:
                # Some servers end a connection after a while: open another, ask again, count it.
                reconnects += 1
                if reconnects > RECONNECTS_MAX:
                    raise
                selector.unregister(loop.socket)
                loop.connect()
                loop.begin()
                selector.register(loop.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, loop)
                continue
            now = time.perf_counter()
            latencies.append(now - loop.started)
            errors += not 200 <= loop.status < 300
            if now >= stop_at:
                selector.unregister(loop.socket)
                loop.socket.close()
                running -= 1
                continue
            loop.begin()
            if not loop.send():
                selector.modify(loop.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, loop)
    took_s = time.perf_counter() - started
    latencies.sort()
    return {
        "requests": len(latencies),
        "errors": errors,
        "reconnects": reconnects,
        "seconds": took_s,
        "per_s": len(latencies) / took_s,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
    }


def main() -> None:
    order = json.load(sys.stdin)
    target = Target(**order.pop("target"))
    json.dump(drive(target, **order), sys.stdout)


if __name__ == "__main__":
    main()
