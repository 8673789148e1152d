"""kill -9 of the process that owns the functions: nothing of them is left on the machine."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

OWNER = """
import asyncio, json, sys
from fogbank.functions.service import FunctionPool, FunctionsConfig
from fogbank.storage.clock import SystemClock
from tests.functions.building import value, version

SOURCE = '''
import os, signal, time
def handler(event, context):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        os._exit(0)
    return "left a daemon behind"
'''

async def main():
    async with FunctionPool(FunctionsConfig(driver=sys.argv[1]), SystemClock()) as functions:
        await value(functions, version(SOURCE))
        if sys.argv[2] == "paused":
            for environment in functions._pool._home:
                environment.pause()
        print(functions._scratch.path, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""
LIMIT_S = 10.0


def remains(owner: int, scratch: str) -> list[str]:
    """Processes, cgroups, mounts and files that carry the owner's marks."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if scratch.encode() in path.read_bytes():
                found.append(str(path))
        except OSError:
            continue  # it ended while we looked
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/fogbank-{owner}-*")]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"fogbank-{owner}-*")]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if scratch in line]
    return found + ([scratch] if Path(scratch).exists() else [])


@pytest.mark.parametrize("state", ["idle", "paused"])
@pytest.mark.parametrize("driver", ["sandbox", "process"])
def test_nothing_is_left_of_a_killed_owner(driver: str, state: str) -> None:
    root = Path(__file__).parents[2]
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, driver, state], stdout=subprocess.PIPE, text=True, cwd=root
    )
    assert owner.stdout is not None
    with owner.stdout:
        scratch = owner.stdout.readline().strip()
    if not scratch:
        owner.wait()
        pytest.skip(f"the driver {driver} is not available here")
    assert remains(owner.pid, scratch)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    deadline = time.monotonic() + LIMIT_S
    while remains(owner.pid, scratch) and time.monotonic() < deadline:
        asyncio.run(asyncio.sleep(0.02))
    assert remains(owner.pid, scratch) == []
