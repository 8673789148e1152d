"""Driver `sandbox`: an environment is a container, made without a daemon and without images.

Namespaces for users, mounts, processes, network, IPC and host name; a root directory of its own
with the code read-only; cgroups where the machine lets us; seccomp; no capability. A listener made
*inside* each network namespace is handed out, so that every environment sees the Runtime API at
127.0.0.1:9001 and the stack at its usual address, and nothing can reach in.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fogbank.functions.cgroups import Cgroups
from fogbank.functions.interpreters import Interpreter, own
from fogbank.functions.launch import arguments_of, environment_of
from fogbank.functions.packages import Scratch
from fogbank.functions.ports import Capabilities, EnvironmentFailed, EnvSpec, Usage
from fogbank.functions.proctree import resident_bytes
from fogbank.functions.spawners import RUNTIME_DIRECTORY, Blank, Spawner
from fogbank.functions.spawnerset import SdkZygote, SpawnerSet

RUNTIME_API_PORT = 9001
TASK, RUNTIME, SDK = "/var/task", "/var/runtime", "/var/lang/sdk"
MACHINES = ("x86_64", "aarch64")
# The user on the host that a function of a root server is: one that owns nothing.
OUTSIDE_UID = 60_993
OUTSIDE_GID = 60_990
OPEN_FILES_MAX = 1024
PROCESSES_MAX = 1024
POLL_S = 0.02
REFILL_AFTER_S = 0.02


def _sdk(interpreter: Interpreter) -> tuple[str, ...]:
    """Where the sandbox has what the interpreter's `site` has on the host."""
    return tuple(f"{SDK}{number}" for number in range(len(interpreter.site)))


class SandboxEnv:
    """An environment made by this driver."""

    def __init__(
        self, blank: Blank, memory_mb: int, notices: tuple[str, ...], *, is_zygote: bool
    ) -> None:
        self.blank = blank
        self.channel = blank.channel if is_zygote else None
        self.listener = blank.listeners[0]
        self.stack_listener: socket.socket | None = None
        if len(blank.listeners) > 1:
            self.stack_listener = blank.listeners[1]
        self.notices = notices
        self.memory_mb = memory_mb
        self.peak_bytes = 0
        self.over_limit = False

    @property
    def log_pipe(self) -> int:
        return self.blank.log_pipe

    def on_exit(self, callback: Callable[[int | None], None]) -> None:
        self.blank.on_exit(callback)

    def settled(self) -> None:
        # Like AWS, which gives a whole processor to init.
        if self.blank.group is not None:
            self.blank.group.limit_cpu(self.memory_mb)


class SandboxDriver:
    """Keeps blank sandboxes ready, so that a cold start only mounts the code and runs it."""

    def __init__(
        self,
        scratch: Scratch,
        tasks: asyncio.TaskGroup,
        *,
        zygote: bool = True,
        stack_port: int | None = None,
        blanks: int = 2,
        sdk: SdkZygote = "never",
    ) -> None:
        self._zygote = zygote
        self._blanks = blanks
        self._scratch = scratch
        self._tasks = tasks
        self._ports = [RUNTIME_API_PORT]
        if stack_port is not None and stack_port != RUNTIME_API_PORT:
            self._ports.append(stack_port)
        self._cgroups = Cgroups()
        self._spawners = SpawnerSet(self._plan, self._cgroups, tasks, sdk=sdk, site=_sdk)
        self._living: set[SandboxEnv] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._refilling: dict[Spawner, asyncio.Task[None]] = {}
        self._closing = False

    def _plan(self, interpreter: Interpreter) -> dict[str, Any]:
        return {
            "sandbox": True,
            "scratch": str(self._scratch.path),
            "cgroups": self._cgroups.directories(),
            "root": str(self._scratch.directory("root")),
            "packages": str(self._scratch.code),
            "runtime": str(RUNTIME_DIRECTORY),
            "binds": list(interpreter.roots),
            "elsewhere": dict(zip(_sdk(interpreter), interpreter.site, strict=True)),
            "ports": self._ports,
            "uid": OUTSIDE_UID,
            "gid": OUTSIDE_GID,
        }

    def probe(self) -> Capabilities:
        enforces = [
            "file system: own root, code read-only, own /tmp of limited size",
            "processes: own PID namespace, all end together",
            "network: own namespace, nothing can connect to it",
            "system calls: no ptrace, mount, namespaces or kernel interfaces",
            "user 993 without capabilities",
            "deadline",
        ]
        missing = ["outbound: the stack's endpoint only"]
        if self._cgroups.version:
            enforces.append("memory, share of the processor and number of processes (cgroups)")
            # The kernel charges a page of /tmp to the group that wrote it: no mount changes that.
            missing.append("memory for /tmp of its own: what is kept there counts as memory")
        else:
            enforces.append("memory (by looking every 20 ms)")
            missing.append(f"share of the processor: {self._cgroups.reason}")
        return Capabilities("sandbox", True, "", tuple(enforces), tuple(missing))

    async def check(self) -> str:
        """Empty, or why this machine cannot run a sandbox: found by making one."""
        if sys.platform != "linux":
            return "only Linux has namespaces"
        if os.uname().machine not in MACHINES:
            return f"no system call filter for {os.uname().machine}"
        spawner = Spawner(own(), self._plan(own()), self._cgroups, warm=False)
        try:
            blank = await spawner.blank()
            await blank.destroy()
        except EnvironmentFailed as error:
            return str(error)
        finally:
            await spawner.close()
        return ""

    async def prepare(self, runtime: str, *, uses_sdk: bool = False) -> None:
        spawner, _ = await self._spawners.of(runtime)
        if uses_sdk and self._zygote:
            self._spawners.expect_sdk(spawner.interpreter)
        spawner.blanks_wanted = self._blanks
        await spawner.refill()

    async def create(self, spec: EnvSpec) -> SandboxEnv:
        spawner, notice = await self._spawners.of(spec.runtime)
        interpreter = spawner.interpreter
        inside = replace(interpreter, site=_sdk(interpreter))
        arguments = arguments_of(spec, inside, TASK, RUNTIME, self._zygote)
        if not arguments:
            spawner = await self._spawners.warmest(spawner, spec)
        blank = await spawner.blank()
        spawner.blanks_wanted = self._blanks
        notices = (notice,) if notice else ()
        env = SandboxEnv(blank, spec.memory_mb, notices, is_zygote=not arguments)
        limits = {"nofile": OPEN_FILES_MAX, "core": 0}
        try:
            if blank.group is not None:
                blank.group.limit_memory(spec.memory_mb << 20)
            else:
                limits["nproc"] = PROCESSES_MAX
            blank.tell(
                {
                    "environment": environment_of(
                        spec, TASK, RUNTIME, f"127.0.0.1:{RUNTIME_API_PORT}"
                    ),
                    "directory": TASK,
                    "arguments": arguments,
                    "site": list(inside.site),
                    "limits": limits,
                    "task": spec.package.name,
                    "tmp_bytes": spec.tmp_mb << 20,
                }
            )
        except BaseException:
            await self.destroy(env)
            raise
        self._living.add(env)
        self._look_later()
        self._refill_later(spawner)
        return env

    def _refill_later(self, spawner: Spawner) -> None:
        """New blanks are made when this invocation no longer needs the processor."""
        loop = asyncio.get_running_loop()
        loop.call_later(REFILL_AFTER_S, self._refill, spawner)

    def _refill(self, spawner: Spawner) -> None:
        if self._closing or spawner in self._refilling:
            return
        self._refilling[spawner] = self._tasks.create_task(self._refill_blanks(spawner))

    async def _refill_blanks(self, spawner: Spawner) -> None:
        try:
            await spawner.refill()
        except (EnvironmentFailed, OSError):
            return  # the next cold start will say so to its caller
        finally:
            self._refilling.pop(spawner, None)

    def _look_later(self) -> None:
        # With cgroups the kernel does this.
        if not self._cgroups.version and self._watch is None and self._living:
            self._watch = asyncio.get_running_loop().call_later(POLL_S, self._look)

    def _look(self) -> None:
        self._watch = None
        for env in self._living:
            if env.blank.ended:
                continue
            process = env.blank.processes[-1]
            used = resident_bytes(process.pid)
            env.peak_bytes = max(env.peak_bytes, used)
            if used > env.memory_mb << 20:
                env.over_limit = True
                process.signal(signal.SIGKILL)
        self._look_later()

    def pause(self, env: Any) -> None:
        self._freeze(env, True, signal.SIGSTOP)

    def resume(self, env: Any) -> None:
        self._freeze(env, False, signal.SIGCONT)

    def _freeze(self, env: SandboxEnv, frozen: bool, number: signal.Signals) -> None:
        if env.blank.ended:
            return
        if env.blank.group is not None:
            env.blank.group.freeze(frozen)
        else:
            env.blank.processes[-1].signal(number)

    def usage(self, env: Any) -> Usage:
        peak = max(env.peak_bytes, env.blank.peak_bytes)
        if not env.blank.ended:
            peak = max(peak, env.blank.processes[-1].memory_peak_bytes())
        out_of_memory = env.over_limit
        if env.blank.group is not None and env.blank.wait_status is not None:
            peak = max(peak, env.blank.group.memory_peak_bytes())
            out_of_memory = out_of_memory or env.blank.group.out_of_memory()
        env.peak_bytes = peak
        return Usage(peak >> 20, out_of_memory)

    async def destroy(self, env: Any) -> None:
        self._living.discard(env)
        await env.blank.destroy()

    async def close(self) -> None:
        self._closing = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for task in tuple(self._refilling.values()):
            task.cancel()
            await asyncio.wait([task])
        for env in tuple(self._living):
            await self.destroy(env)
        await self._spawners.close()
        self._cgroups.close()
