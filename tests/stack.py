"""A running stack for tests: the real program on a free port, driven by its public protocol."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

READY_S = 20.0


class RunningStack:
    """`fogbank up` as a child process; `kill` is kill -9, `start` again uses the same data."""

    def __init__(self, root: Path, *args: str, env: dict[str, str] | None = None) -> None:
        self.root = root
        self.data_dir = root / "data"
        self.key_file = root / "master.key"
        self.args = args
        self.env = env or {}
        self.endpoint = ""
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self._log = root / "stack.log"

    def start(self) -> "RunningStack":
        command = [
            *(sys.executable, "-m", "fogbank", "up", "--port", str(self.port)),
            *("--data-dir", str(self.data_dir), "--key-file", str(self.key_file), *self.args),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **self.env},
            )
        assert self._process.stdout is not None
        deadline = time.monotonic() + READY_S
        lines: list[str] = []
        for line in self._process.stdout:
            lines.append(line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found and not self.endpoint:
                self.endpoint, self.port = found[0], int(found[1])
            if line.strip() == "Ready.":
                return self
            if time.monotonic() > deadline:
                break
        self.stop()
        raise RuntimeError(f"the stack did not start: {''.join(lines)}\n{self.log()}")

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """What a power cut does to the process: SIGKILL, no chance to tidy up."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def stop(self) -> int:
        """SIGTERM: drains and exits."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self) -> int:
        assert self._process is not None
        try:
            code = self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
        return code

    def client(
        self,
        service: str,
        *,
        account: str = "000000000000",
        region: str = "us-east-1",
        **config: Any,
    ) -> Any:
        """A boto3 client of `service` in `account`, without retries so that errors show."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, **config),
        )


def new_root() -> Path:
    return Path(tempfile.mkdtemp(prefix="fogbank-test-"))
