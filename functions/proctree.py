"""Processes of an environment: killed for good, and measured."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

END_TIMEOUT_S = 5.0


class Process:
    """One process by a handle that cannot come to mean another one, where the system has such."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = -1
        self._status: int | None = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._handle = os.pidfd_open(pid)

    def signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, number)
            else:
                os.kill(self.pid, number)

    async def kill(self) -> None:
        """It has ended, and with it its process group and those that came from it."""
        if self._handle < 0 and hasattr(os, "pidfd_open"):
            return  # it had ended before we saw it
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, signal.SIGKILL)
        self.signal(signal.SIGKILL)
        if self._handle >= 0:
            await _readable(self._handle, END_TIMEOUT_S)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        if self._status is not None:
            os.close(self._status)
            self._status = None

    def memory_peak_bytes(self) -> int:
        # Kept open: this is read at the end of every invocation.
        if self._status is None:
            try:
                self._status = os.open(f"/proc/{self.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return 0
        try:
            return _field_bytes(os.pread(self._status, 4096, 0), b"VmHWM:")
        except OSError:
            return 0


async def _readable(descriptor: int, timeout_s: float) -> None:
    """Return when the descriptor of a process says that it has ended."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(timeout_s):
            await ended.wait()
    except TimeoutError:
        return
    finally:
        loop.remove_reader(descriptor)


def descendants(pid: int) -> list[int]:
    """Children, their children and so on; empty where there is no /proc."""
    found: list[int] = []
    todo = [pid]
    while todo:
        parent = todo.pop()
        try:
            threads = [each.name for each in os.scandir(f"/proc/{parent}/task")]
        except OSError:
            continue
        for thread in threads:
            with contextlib.suppress(OSError, ValueError):
                words = Path(f"/proc/{parent}/task/{thread}/children").read_bytes().split()
                children = [int(word) for word in words]
                found.extend(children)
                todo.extend(children)
    return found


def resident_bytes(pid: int) -> int:
    """Memory of a process and its descendants that is its own: what is shared is not counted."""
    total = 0
    for each in (pid, *descendants(pid)):
        total += _status_bytes(each, b"RssAnon:")
    return total


def _status_bytes(pid: int, name: bytes) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return 0
    return _field_bytes(text, name)


def _field_bytes(text: bytes, name: bytes) -> int:
    start = text.find(name)
    if start < 0:
        return 0
    return int(text[start + len(name) :].split(None, 1)[0]) * 1024
