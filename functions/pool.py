"""The environments of all functions: reuse, start, limits, and an end for each."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fogbank.functions.environment import Environment, Workshop
from fogbank.functions.ports import FunctionThrottled, FunctionVersion, Invocation, Outcome

REAP_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may run and how long it may wait for work."""

    concurrency_max: int = 1000  # invocations at the same time, AWS's default of an account
    environments_max: int = 1000
    memory_mb_max: int | None = None  # sum of the configured sizes of all environments
    idle_s: float = 300.0
    pause_after_s: float = 2.0  # AWS freezes at once; the pause keeps a warm call cheap


class Group:
    """The environments of one version; `idle` is a stack: the most recently used is taken first."""

    __slots__ = ("all", "idle", "retired")

    def __init__(self) -> None:
        self.all: set[Environment] = set()
        self.idle: list[Environment] = []
        self.retired = False


class Pool:
    """Implements environment.Owner."""

    def __init__(self, workshop: Workshop, limits: Limits) -> None:
        self._workshop = workshop
        self._limits = limits
        self._groups: dict[str, Group] = {}
        self._home: dict[Environment, Group] = {}
        self._memory_mb = 0
        self._busy = 0
        self._ending = False
        self._tasks: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves; then no environment is left, and what they were running has been answered."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            reaper = tasks.create_task(self._reap())
            try:
                yield
            finally:
                self._ending = True
                reaper.cancel()
                for environment in tuple(self._home):
                    self._end(environment)

    async def invoke(self, version: FunctionVersion, invocation: Invocation) -> Outcome:
        if self._busy >= self._limits.concurrency_max or self._ending:
            raise FunctionThrottled
        group = self._groups.get(version.key)
        if group is not None and group.idle:
            environment = group.idle.pop()
        else:
            environment = self._add(group or Group(), version)
        self._busy += 1
        outcome = environment.begin(invocation)
        outcome.add_done_callback(self._one_less)
        # The function goes on when its caller does not: as on AWS, a caller that leaves
        # neither stops it nor changes what it logs.
        return await asyncio.shield(outcome)

    def _one_less(self, outcome: asyncio.Future[Outcome]) -> None:
        self._busy -= 1

    def _add(self, group: Group, version: FunctionVersion) -> Environment:
        """An environment that is starting; room is made by ending what was idle longest."""
        while not self._has_room(version):
            oldest = self._longest_idle()
            if oldest is None:
                raise FunctionThrottled
            self._end(oldest)
        assert self._tasks is not None
        environment = Environment(version, self._workshop, self)
        group.all.add(environment)
        self._groups[version.key] = group
        self._home[environment] = group
        self._memory_mb += version.memory_mb
        self._tasks.create_task(self._start(environment))
        return environment

    async def _start(self, environment: Environment) -> None:
        """What nobody foresaw is told to the caller, and ends this environment alone."""
        try:
            await environment.start()
        except Exception as error:
            environment.abandon(error)

    def _has_room(self, version: FunctionVersion) -> bool:
        limit_mb = self._limits.memory_mb_max
        if limit_mb is not None and self._memory_mb + version.memory_mb > limit_mb:
            return not self._home
        return len(self._home) < self._limits.environments_max

    def _longest_idle(self) -> Environment | None:
        idle = [group.idle[0] for group in self._groups.values() if group.idle]
        return min(idle, key=lambda each: each.idle_since_ms, default=None)

    def beside(self, work: Coroutine[None, None, None]) -> None:
        """`work`, which must not fail, runs in the background and has ended when the pool has."""
        if self._tasks is None or self._ending:
            work.close()
        else:
            self._tasks.create_task(work)

    def retire(self, key: str) -> None:
        group = self._groups.get(key)
        if group is None:
            return
        # Those that are busy end when they are done; a later invocation of the key starts afresh.
        group.retired = True
        for environment in tuple(group.idle):
            self._end(environment)
        self._groups.pop(key, None)

    def became_idle(self, environment: Environment) -> None:
        group = self._home.get(environment)
        if group is None or group.retired or self._ending:
            self._end(environment)
            return
        environment.idle_since_ms = self._workshop.clock.now_ms()
        group.idle.append(environment)

    def became_useless(self, environment: Environment) -> None:
        self._end(environment)

    def _end(self, environment: Environment) -> None:
        group = self._home.pop(environment, None)
        if group is None:
            return
        group.all.discard(environment)
        if environment in group.idle:
            group.idle.remove(environment)
        key = environment.version.key
        if not group.all and self._groups.get(key) is group:
            del self._groups[key]
        self._memory_mb -= environment.version.memory_mb
        assert self._tasks is not None
        self._tasks.create_task(environment.end())

    async def _reap(self) -> None:
        """Idle environments are paused, then ended, as the clock goes on."""
        while True:
            await self._workshop.clock.sleep(min(REAP_EVERY_S, self._limits.pause_after_s))
            now_ms = self._workshop.clock.now_ms()
            for group in list(self._groups.values()):
                for environment in tuple(group.idle):
                    idle_s = (now_ms - environment.idle_since_ms) / 1000
                    if idle_s >= self._limits.idle_s:
                        self._end(environment)
                    elif idle_s >= self._limits.pause_after_s:
                        environment.pause()
