"""The spawners of a driver: one for each interpreter, and one more that has the SDK imported."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Literal

from fogbank.functions.cgroups import Cgroups
from fogbank.functions.interpreters import Interpreter, choose
from fogbank.functions.ports import EnvironmentFailed, EnvSpec
from fogbank.functions.spawners import Spawner

log = logging.getLogger("fogbank.functions")

# What the SDK's modules look at while they are imported: who sets these gets them imported anew.
LOOKED_AT = ("BOTO_DISABLE_CRT", "HOME", "PYTHONPATH")
# The first function that uses the SDK has the processor for its own cold start.
START_AFTER_S = 0.5

# lazy: started behind the first function that uses it; always: for every function, awaited.
SdkZygote = Literal["lazy", "always", "never"]


class SpawnerSet:
    def __init__(
        self,
        plan: Callable[[Interpreter], dict[str, Any]],
        cgroups: Cgroups,
        tasks: asyncio.TaskGroup,
        *,
        sdk: SdkZygote = "never",
        site: Callable[[Interpreter], tuple[str, ...]] = lambda interpreter: interpreter.site,
    ) -> None:
        """`site` is where environments see what is in an interpreter's own `site`."""
        self._plan = plan
        self._cgroups = cgroups
        self._tasks = tasks
        self._sdk = sdk
        self._site = site
        self._choices: dict[str, tuple[Interpreter, str | None]] = {}
        self._spawners: dict[str, Spawner] = {}
        self._with_sdk: dict[str, Spawner | None] = {}  # None where it could not be imported
        self._starting: dict[str, asyncio.Task[None]] = {}

    async def of(self, runtime: str) -> tuple[Spawner, str | None]:
        """The spawner for a runtime, perhaps not started, and a notice if it is not exactly it."""
        choice = self._choices.get(runtime)
        if choice is None:
            choice = await asyncio.to_thread(choose, runtime)
            self._choices[runtime] = choice
        interpreter, notice = choice
        spawner = self._spawners.get(interpreter.path)
        if spawner is None:
            spawner = Spawner(interpreter, self._plan(interpreter), self._cgroups)
            self._spawners[interpreter.path] = spawner
        return spawner, notice

    async def warmest(self, spawner: Spawner, spec: EnvSpec) -> Spawner:
        """The one with the SDK where it makes no difference but in time; else `spawner` itself."""
        if not self._may_have_sdk(spawner.interpreter, spec):
            return spawner
        self.expect_sdk(spawner.interpreter, 0.0 if self._sdk == "always" else START_AFTER_S)
        path = spawner.interpreter.path
        if self._sdk == "always" and path in self._starting:
            await self._starting[path]
        found = self._with_sdk.get(path)
        if found is None or not found.is_running or found.modules & spec.package.modules:
            return spawner
        return found

    def _may_have_sdk(self, interpreter: Interpreter, spec: EnvSpec) -> bool:
        if self._sdk == "never" or not interpreter.site:
            return False
        if not (spec.package.uses_sdk or self._sdk == "always"):
            return False
        return not any(name in spec.environment for name in LOOKED_AT)

    def expect_sdk(self, interpreter: Interpreter, after_s: float = 0.0) -> None:
        """Soon there is a spawner with the SDK for `interpreter`, if there can be one."""
        path = interpreter.path
        known = self._with_sdk.get(path)
        if self._sdk == "never" or not interpreter.site or path in self._starting:
            return
        if path not in self._with_sdk or (known is not None and not known.is_running):
            self._starting[path] = self._tasks.create_task(
                self._start_with_sdk(interpreter, after_s)
            )

    async def _start_with_sdk(self, interpreter: Interpreter, after_s: float) -> None:
        spawner = self._with_sdk.get(interpreter.path)
        try:
            await asyncio.sleep(after_s)
            if spawner is None:
                plan, site = self._plan(interpreter), self._site(interpreter)
                spawner = Spawner(interpreter, plan, self._cgroups, sdk=site)
                self._with_sdk[interpreter.path] = spawner
            await spawner.start()
            if self._sdk == "lazy":
                spawner.blanks_wanted = 1
                await spawner.refill()
        except (EnvironmentFailed, OSError) as error:
            log.warning("functions import the SDK on their own: %s", error)
            self._with_sdk[interpreter.path] = None
        finally:
            del self._starting[interpreter.path]

    async def close(self) -> None:
        for task in tuple(self._starting.values()):
            task.cancel()
            await asyncio.wait([task])
        for spawner in (*self._spawners.values(), *self._with_sdk.values()):
            if spawner is not None:
                await spawner.close()
