"""The pool's rules: what is reused, what is ended, and when."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from fogbank.functions.ports import Env, EnvSpec, FunctionThrottled
from fogbank.functions.process import ProcessDriver
from fogbank.functions.service import FunctionPool, FunctionsConfig, Limits
from fogbank.storage.clock import ManualClock
from tests.functions.building import run, until, value, version

ME = "import uuid\nme = uuid.uuid4().hex\ndef handler(event, context):\n    return me\n"
Make = Callable[[Limits], Awaitable[tuple[FunctionPool, ManualClock]]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    pools: list[FunctionPool] = []

    async def made(limits: Limits) -> tuple[FunctionPool, ManualClock]:
        clock = ManualClock()
        pool = FunctionPool(FunctionsConfig(driver="process", limits=limits), clock)
        await pool.start()
        pools.append(pool)
        return pool, clock

    yield made
    for pool in pools:
        await pool.close()


async def test_an_idle_environment_ends_as_the_clock_goes_on(make: Make) -> None:
    functions, clock = await make(Limits(idle_s=60, pause_after_s=1000))
    built = version(ME)
    first = await value(functions, built)
    clock.advance(50)
    assert await value(functions, built) == first
    for _ in range(20):
        clock.advance(5)
        await until(lambda: True)
        await run(functions, version(ME))  # the reaper has had its turn
    assert await value(functions, built) != first


async def test_a_paused_environment_goes_on(make: Make) -> None:
    functions, clock = await make(Limits(idle_s=1000, pause_after_s=1))
    built = version(ME)
    first = await value(functions, built)
    clock.advance(2)
    await run(functions, version(ME))
    assert await value(functions, built) == first


async def test_room_is_made_by_ending_what_was_idle_longest(make: Make) -> None:
    functions, clock = await make(Limits(environments_max=2, pause_after_s=1000))
    old, young, new = version(ME), version(ME), version(ME)
    first = await value(functions, old)
    clock.advance(0.001)
    second = await value(functions, young)
    await value(functions, new)
    assert await value(functions, young) == second
    assert await value(functions, old) != first


async def test_no_room_is_a_throttle(make: Make) -> None:
    functions, _ = await make(Limits(concurrency_max=0))
    with pytest.raises(FunctionThrottled):
        await run(functions, version(ME))


async def test_a_runtime_that_cannot_run_here_says_so(make: Make) -> None:
    functions, _ = await make(Limits())
    outcome = await run(functions, version(ME, runtime="ruby3.3"))
    error = json.loads(outcome.payload)
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert "only python3.* and provided.* can" in error["errorMessage"]


@pytest.mark.parametrize("runtime", ["python3.8", "python3.13", "python3.14"])
async def test_each_python_runtime_finds_the_nearest_interpreter(make: Make, runtime: str) -> None:
    functions, _ = await make(Limits())
    source = "import sys\ndef handler(event, context):\n    return sys.version_info[:2]\n"
    assert (await value(functions, version(source, runtime=runtime)))[0] == 3


async def test_a_start_that_fails_unforeseen_is_its_callers_and_nobody_elses(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions, _ = await make(Limits())

    async def broken(driver: ProcessDriver, spec: EnvSpec) -> Env:
        raise OSError("too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(ProcessDriver, "create", broken)
        with pytest.raises(OSError, match="too many open files"):
            await run(functions, version(ME))
    assert await value(functions, version(ME))
