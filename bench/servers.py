"""Servers under test: ours, a peer's, or one that somebody else started."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

START_WITHIN_S = 60.0


class Server:
    """A process that listens on `port`; `ready_s` is how long it took until it answered."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], port: int) -> None:
        self.name = name
        self.port = port
        self.root = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
        self.log = self.root / "log"
        started = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [part.format(root=self.root) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if name == "fogbank" else log,
                stderr=log,
                env={**os.environ, **env},
                start_new_session=True,
            )
        if name == "fogbank":
            self._await_ready_line()
        else:
            self._await_answer()
        self.ready_s = time.perf_counter() - started
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def _await_ready_line(self) -> None:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            line = raw.decode()
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
            if line.strip() == "Ready.":
                return
        raise SystemExit(f"{self.name} did not start:\n{self.log.read_text()}")

    def _await_answer(self) -> None:
        deadline = time.perf_counter() + START_WITHIN_S
        while time.perf_counter() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"{self.name} did not start:\n{self.log.read_text(errors='replace')}")

    def memory_mb(self) -> float:
        """Resident memory (PSS) of the server and of all its children."""
        total_kb = 0
        for pid in self._tree(self.process.pid):
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total_kb += int(re.search(r"^Pss: +(\d+)", rollup, re.MULTILINE)[1])  # type: ignore[index]
        return total_kb / 1024

    def _tree(self, pid: int) -> list[int]:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        below = children.read_text().split() if children.exists() else []
        return [pid, *(found for child in below for found in self._tree(int(child)))]

    def stop(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            self.process.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()
        shutil.rmtree(self.root, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fogbank(*args: str) -> Server:
    command = [sys.executable, "-m", "fogbank", "up", "--port", "0"]
    command += ["--data-dir", "{root}/data", "--key-file", "{root}/key", *args]
    return Server("fogbank", command, {}, 0)


def ministack(program: str = "ministack") -> Server:
    """github.com/ministackorg/ministack from PyPI, installed wherever the caller likes."""
    port = free_port()
    env = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    return Server("ministack", [program], env, port)


def dynalite(program: str = "dynalite") -> Server:
    """The npm package, in memory, without its artificial delays."""
    port = free_port()
    command = [program, "--port", str(port), "--createTableMs", "0", "--deleteTableMs", "0"]
    return Server("dynalite", command, {}, port)


def bare(kind: str) -> Server:
    """The limit of any Python server here: uvicorn, httptools and uvloop, doing one thing."""
    port = free_port()
    command = [sys.executable, "-m", "bench.bare", str(port), kind, "{root}"]
    return Server(f"bare-{kind}", command, {}, port)


PEERS = {"ministack": ministack, "dynalite": dynalite}
