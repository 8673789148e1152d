"""Driver `process`: an environment is a process group on the host, for any Unix."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from fogbank.functions.cgroups import Cgroups
from fogbank.functions.launch import arguments_of, environment_of
from fogbank.functions.packages import Scratch
from fogbank.functions.ports import (
    Capabilities,
    EnvironmentFailed,
    EnvSpec,
    Usage,
)
from fogbank.functions.proctree import resident_bytes
from fogbank.functions.spawners import RUNTIME_DIRECTORY, Blank
from fogbank.functions.spawnerset import SdkZygote, SpawnerSet

OPEN_FILES_MAX = 1024
POLL_S = 0.02  # how soon a function over its memory is found, without cgroups


class ProcessEnv:
    """An environment made by this driver."""

    def __init__(
        self, blank: Blank, listener: socket.socket, memory_mb: int, notices: tuple[str, ...]
    ) -> None:
        self.blank = blank
        self.listener = listener
        self.channel: socket.socket | None = None
        self.stack_listener: socket.socket | None = None
        self.notices = notices
        self.memory_mb = memory_mb
        self.peak_bytes = 0
        self.out_of_memory = False

    @property
    def log_pipe(self) -> int:
        return self.blank.log_pipe

    @property
    def pid(self) -> int:
        return self.blank.processes[-1].pid

    def on_exit(self, callback: Callable[[int | None], None]) -> None:
        self.blank.on_exit(callback)

    def settled(self) -> None:
        return


class ProcessDriver:
    """Forks (or starts) the runtime as a plain process; memory is watched, nothing is hidden."""

    def __init__(
        self,
        scratch: Scratch,
        tasks: asyncio.TaskGroup,
        *,
        zygote: bool = True,
        sdk: SdkZygote = "never",
    ) -> None:
        self._zygote = zygote
        self._living: set[ProcessEnv] = set()
        self._watch: asyncio.TimerHandle | None = None
        plan = {"sandbox": False, "cgroups": [], "scratch": str(scratch.path)}
        self._spawners = SpawnerSet(lambda _: dict(plan), Cgroups.none(), tasks, sdk=sdk)

    def probe(self) -> Capabilities:
        watched = sys.platform == "linux"
        enforces = ["deadline", "process group ends as a whole", "open files"]
        missing = [
            "the function runs as this user and can read what it can read",
            "network, other processes and /tmp are the host's",
            "share of the processor",
        ]
        (enforces if watched else missing).append("memory (by looking every 20 ms)")
        return Capabilities("process", True, "", tuple(enforces), tuple(missing))

    async def prepare(self, runtime: str, *, uses_sdk: bool = False) -> None:
        spawner, _ = await self._spawners.of(runtime)
        if uses_sdk and self._zygote:
            self._spawners.expect_sdk(spawner.interpreter)
        await spawner.start()

    async def create(self, spec: EnvSpec) -> ProcessEnv:
        spawner, notice = await self._spawners.of(spec.runtime)
        directory, runtime = str(spec.package.path), str(RUNTIME_DIRECTORY)
        arguments = arguments_of(spec, spawner.interpreter, directory, runtime, self._zygote)
        if not arguments:
            spawner = await self._spawners.warmest(spawner, spec)
        blank = await spawner.blank()
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        env = ProcessEnv(blank, listener, spec.memory_mb, (notice,) if notice else ())
        env.channel = None if arguments else blank.channel
        try:
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            blank.tell(
                {
                    "environment": environment_of(spec, directory, runtime, address),
                    "directory": directory,
                    "arguments": arguments,
                    "site": list(spawner.interpreter.site),
                    "limits": {"nofile": OPEN_FILES_MAX, "core": 0},
                }
            )
        except BaseException:
            await self.destroy(env)
            raise
        self._living.add(env)
        self._look_later()
        return env

    def _look_later(self) -> None:
        if self._watch is None and self._living and sys.platform == "linux":
            self._watch = asyncio.get_running_loop().call_later(POLL_S, self._look)

    def _look(self) -> None:
        self._watch = None
        for env in self._living:
            if env.blank.ended:
                continue
            used = resident_bytes(env.pid)
            env.peak_bytes = max(env.peak_bytes, used)
            if used > env.memory_mb << 20:
                env.out_of_memory = True
                with contextlib.suppress(OSError):
                    os.killpg(env.pid, signal.SIGKILL)
        self._look_later()

    def pause(self, env: Any) -> None:
        self._signal(env, signal.SIGSTOP)

    def resume(self, env: Any) -> None:
        self._signal(env, signal.SIGCONT)

    def _signal(self, env: ProcessEnv, number: signal.Signals) -> None:
        if not env.blank.ended:
            with contextlib.suppress(OSError):
                os.killpg(env.pid, number)

    def usage(self, env: Any) -> Usage:
        peak = max(env.peak_bytes, env.blank.peak_bytes)
        if not env.blank.ended:
            peak = max(peak, env.blank.processes[-1].memory_peak_bytes())
        env.peak_bytes = peak
        return Usage(peak >> 20, env.out_of_memory)

    async def destroy(self, env: Any) -> None:
        self._living.discard(env)
        env.listener.close()
        await env.blank.destroy()

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for env in tuple(self._living):
            await self.destroy(env)
        await self._spawners.close()


__all__ = ["EnvironmentFailed", "ProcessDriver", "ProcessEnv"]
