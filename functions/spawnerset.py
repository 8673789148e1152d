"""The spawners of a driver: one for each interpreter, found by the function's runtime."""

import asyncio
from collections.abc import Callable
from typing import Any

from fogbank.functions.cgroups import Cgroups
from fogbank.functions.interpreters import Interpreter, choose
from fogbank.functions.spawners import Spawner


class SpawnerSet:
    def __init__(self, plan: Callable[[Interpreter], dict[str, Any]], cgroups: Cgroups) -> None:
        self._plan = plan
        self._cgroups = cgroups
        self._choices: dict[str, tuple[Interpreter, str | None]] = {}
        self._spawners: dict[str, Spawner] = {}

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

    async def close(self) -> None:
        for spawner in self._spawners.values():
            await spawner.close()
