"""`FunctionPool` is ports.Functions: built from a small configuration, started, used, closed."""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fogbank.functions.environment import Workshop
from fogbank.functions.packages import Packages, Scratch
from fogbank.functions.pool import Limits, Pool
from fogbank.functions.ports import (
    Capabilities,
    Clock,
    Driver,
    EnvironmentFailed,
    FunctionVersion,
    Invocation,
    IsolationUnavailable,
    Outcome,
    ServeStack,
)
from fogbank.functions.process import ProcessDriver
from fogbank.functions.sandbox import SandboxDriver
from fogbank.functions.spawnerset import SdkZygote

log = logging.getLogger("fogbank.functions")

DRIVERS = ("auto", "sandbox", "process")


@dataclass(frozen=True, slots=True)
class FunctionsConfig:
    """`runtime_dir` holds unpacked code: None means memory (/dev/shm) where there is some.

    `endpoint` is what functions see as AWS_ENDPOINT_URL, http://127.0.0.1:PORT with `stack_port`
    as its port; `serve_stack` serves the stack on a listener from inside a sandbox's network.
    """

    driver: str = "auto"
    require_isolation: bool = False
    zygote: bool = True
    sdk_zygote: SdkZygote = "lazy"
    blanks: int = 2  # sandboxes kept ready for the next cold start, per interpreter in use
    runtime_dir: Path | None = None
    endpoint: str | None = None
    stack_port: int | None = None
    serve_stack: ServeStack | None = None
    limits: Limits = field(default_factory=Limits)


class FunctionPool:
    """`async with FunctionPool(config, clock) as functions: await functions.invoke(...)`."""

    def __init__(self, config: FunctionsConfig, clock: Clock) -> None:
        if config.driver not in DRIVERS:
            raise ValueError(f"no driver {config.driver!r}: choose one of {', '.join(DRIVERS)}")
        self._config = config
        self._clock = clock
        self._parts = AsyncExitStack()  # closed in the reverse of their order
        self._scratch: Scratch | None = None
        self._driver: Driver | None = None
        self._pool: Pool | None = None
        self._capabilities = Capabilities("none", False, "not started")
        self._lost = ""
        self._expected: set[tuple[str, bool]] = set()

    async def start(self) -> None:
        """Functions can be invoked; raises IsolationUnavailable when the required is not there."""
        async with AsyncExitStack() as parts:
            self._scratch = Scratch(self._config.runtime_dir)
            parts.callback(self._scratch.close)
            tasks = asyncio.TaskGroup()
            # Before the group is entered: it would wrap what is raised here.
            self._driver = await self._choose_driver(self._scratch, tasks)
            await parts.enter_async_context(tasks)
            parts.push_async_callback(self._driver.close)
            workshop = Workshop(
                self._driver,
                Packages(self._scratch),
                self._clock,
                endpoint=self._config.endpoint,
                serve_stack=self._config.serve_stack,
            )
            self._pool = Pool(workshop, self._config.limits)
            await parts.enter_async_context(self._pool.running())
            self._parts = parts.pop_all()

    async def close(self) -> None:
        """No process, mount, cgroup or file of a function is left."""
        await self._parts.aclose()

    async def __aenter__(self) -> "FunctionPool":
        await self.start()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._parts.__aexit__(*exc)

    async def invoke(self, version: FunctionVersion, invocation: Invocation) -> Outcome:
        assert self._pool is not None, "start() was not called"
        return await self._pool.invoke(version, invocation)

    async def prepare(self, runtime: str) -> None:
        """The first invocation of this runtime does not wait for its interpreter to start."""
        assert self._driver is not None, "start() was not called"
        await self._driver.prepare(runtime)

    def expect(self, runtime: str, *, uses_sdk: bool) -> None:
        if self._pool is not None and (runtime, uses_sdk) not in self._expected:
            self._expected.add((runtime, uses_sdk))
            self._pool.beside(self._prepare_if_possible(runtime, uses_sdk))

    async def _prepare_if_possible(self, runtime: str, uses_sdk: bool) -> None:
        assert self._driver is not None
        try:
            await self._driver.prepare(runtime, uses_sdk=uses_sdk)
        except (EnvironmentFailed, OSError):
            return  # the first invocation will say so to its caller

    def retire(self, key: str) -> None:
        assert self._pool is not None, "start() was not called"
        self._pool.retire(key)

    def isolation(self) -> dict[str, Any]:
        missing = list(self._capabilities.missing)
        if self._scratch is not None and not self._scratch.in_memory:
            missing.append("code is unpacked on disk, in a private directory, until the end")
        return {
            "driver": self._capabilities.driver,
            "enforces": list(self._capabilities.enforces),
            "missing": missing,
            "fallback": self._lost,
        }

    async def _choose_driver(self, scratch: Scratch, tasks: asyncio.TaskGroup) -> Driver:
        config = self._config
        reason = "the setting asks for the process driver"
        if config.driver != "process":
            sandbox = SandboxDriver(
                scratch,
                tasks,
                zygote=config.zygote,
                stack_port=config.stack_port if config.serve_stack is not None else None,
                blanks=config.blanks,
                sdk=config.sdk_zygote,
            )
            reason = await sandbox.check()
            if not reason:
                self._capabilities = sandbox.probe()
                return sandbox
            await sandbox.close()
        if config.require_isolation or config.driver == "sandbox":
            raise IsolationUnavailable(f"functions cannot be isolated here: {reason}")
        process = ProcessDriver(scratch, tasks, zygote=config.zygote, sdk=config.sdk_zygote)
        self._capabilities = process.probe()
        if config.driver == "auto":
            lost = "; ".join(self._capabilities.missing)
            self._lost = f"no sandbox ({reason}): functions run as plain processes: {lost}"
            log.warning("%s", self._lost)
        return process


__all__ = ["DRIVERS", "FunctionPool", "FunctionsConfig", "IsolationUnavailable", "Limits"]
