"""One environment of a function: its life from start to end, one invocation at a time."""

import asyncio
import contextlib
import os
import secrets
import time
from enum import Enum
from typing import Protocol

from fogbank.functions import outcomes
from fogbank.functions.outcomes import Failure
from fogbank.functions.output import Output
from fogbank.functions.packages import BadPackage, Packages
from fogbank.functions.ports import (
    Clock,
    Closer,
    Driver,
    Env,
    EnvironmentFailed,
    EnvSpec,
    FunctionVersion,
    Invocation,
    Outcome,
    Package,
    ServeStack,
)
from fogbank.functions.runtime_api import RuntimeApi, Task


class State(Enum):
    STARTING = "starting"  # its process is being made or is in its init phase
    IDLE = "idle"
    BUSY = "busy"
    ENDING = "ending"  # no further invocation; its processes are being ended
    ENDED = "ended"


# What may follow what. Every way out of service passes ENDING.
NEXT = {
    State.STARTING: (State.BUSY, State.IDLE, State.ENDING),
    State.IDLE: (State.BUSY, State.ENDING),
    State.BUSY: (State.IDLE, State.ENDING),
    State.ENDING: (State.ENDED,),
    State.ENDED: (),
}


class Owner(Protocol):
    """The pool, as its environments see it; called on the event loop, must not block."""

    def became_idle(self, environment: "Environment") -> None: ...

    def became_useless(self, environment: "Environment") -> None:
        """It must be ended."""
        ...


class Workshop:
    """What every environment needs to be made; the same for all."""

    def __init__(
        self,
        driver: Driver,
        packages: Packages,
        clock: Clock,
        *,
        endpoint: str | None,
        serve_stack: ServeStack | None,
    ) -> None:
        self.driver = driver
        self.packages = packages
        self.clock = clock
        self.endpoint = endpoint
        self.serve_stack = serve_stack


class Environment:
    """Implements runtime_api.Events: what the runtime says moves it through its states."""

    def __init__(self, version: FunctionVersion, workshop: Workshop, owner: Owner) -> None:
        self.version = version
        self.state = State.STARTING
        self.idle_since_ms = 0
        self.paused = False
        self._workshop = workshop
        self._owner = owner
        self._api = RuntimeApi(self)
        self._env: Env | None = None
        self._package: Package | None = None
        self._output: Output | None = None
        self._stack: Closer | None = None
        self._reading = False
        self._started_at = 0.0
        self._begun_at = 0.0
        self._init_ms: float | None = None
        self._init_failure: tuple[str, bytes] | None = None
        self._invocation: Invocation | None = None
        self._outcome: asyncio.Future[Outcome] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stream = _stream_name(version, workshop.clock)

    def _move(self, state: State) -> None:
        assert state in NEXT[self.state], f"{self.state} -> {state}"
        self.state = state

    # The pool calls these.

    def begin(self, invocation: Invocation) -> asyncio.Future[Outcome]:
        """The invocation runs now, or as soon as init is over; the future is always resolved."""
        assert self._invocation is None
        self._invocation = invocation
        self._outcome = asyncio.get_running_loop().create_future()
        if self.state is State.IDLE:
            self._hand_over()
        return self._outcome

    async def start(self) -> None:
        """Its process runs, or its invocation has been answered with why it does not."""
        self._started_at = time.perf_counter()
        try:
            package = await self._workshop.packages.take(self.version.code)
            self._package = package
            env = await self._workshop.driver.create(self._spec(package))
        except (EnvironmentFailed, BadPackage) as error:
            self._not_started(str(error))
            return
        if self.state is not State.STARTING:  # the pool was closed meanwhile
            await self._workshop.driver.destroy(env)
            self._release_package()
            return
        self._env = env
        self._output = Output(env.log_pipe, self._stream, self.version.logs, self._workshop.clock)
        loop = asyncio.get_running_loop()
        loop.add_reader(env.log_pipe, self._read_output)
        self._reading = True
        self._output.add(outcomes.init_start(self.version, "v1"), *env.notices)
        self._timer = loop.call_later(self.version.init_timeout_s, self._init_is_late)
        if env.stack_listener is not None and self._workshop.serve_stack is not None:
            self._stack = self._workshop.serve_stack(env.stack_listener)
        await self._api.serve(env.listener)
        if env.channel is not None:
            await self._api.serve_connected(env.channel)
        env.on_exit(self._on_exit)

    def abandon(self, error: Exception) -> None:
        """Its invocation raises `error`, and it is of no more use."""
        outcome, self._outcome, self._invocation = self._outcome, None, None
        if outcome is not None and not outcome.done():
            outcome.set_exception(error)
        self._useless()

    async def end(self) -> None:
        """Nothing of it is left; an invocation that was running has been answered."""
        if self.state is not State.ENDING:
            self._move(State.ENDING)
        self._cancel_timer()
        if self._invocation is not None:
            self._fail(outcomes.exited(self._invocation.request_id, None))
        self._api.close()
        if self._stack is not None:
            self._stack.close()
            self._stack = None
        env, self._env = self._env, None
        if env is not None:
            self._stop_reading(env)
            await self._workshop.driver.destroy(env)
        if self._output is not None:
            self._output.deliver()
        self._release_package()
        self._move(State.ENDED)

    def _release_package(self) -> None:
        package, self._package = self._package, None
        if package is not None:
            self._workshop.packages.release(package)

    def pause(self) -> None:
        if self._env is not None and not self.paused:
            self._workshop.driver.pause(self._env)
            self.paused = True

    # The runtime calls these, through the Runtime API.

    def on_ready(self) -> None:
        if self.state is not State.STARTING:
            return
        self._init_ms = (time.perf_counter() - self._started_at) * 1000
        self._cancel_timer()
        assert self._env is not None
        self._env.settled()
        if self._invocation is not None:
            self._hand_over()
        else:
            self._move(State.IDLE)
            self._owner.became_idle(self)

    def on_response(self, payload: bytes) -> None:
        self._finish(payload, None, None)

    def on_error(self, payload: bytes, kind: str) -> None:
        self._finish(payload, "Unhandled", None)

    def on_oversized(self, size_bytes: int) -> None:
        assert self._invocation is not None
        failure = outcomes.too_large(self._invocation.request_id, size_bytes)
        self._finish(failure.payload, "Unhandled", failure)

    def on_init_error(self, payload: bytes, kind: str) -> None:
        """The runtime ends itself after this; its invocation gets what it has posted."""
        if self._invocation is None:
            self._useless()
            return
        failure = outcomes.init_failed(self._invocation.request_id, kind, payload)
        self._fail_init(failure)

    # The process and the timers call these.

    def _on_exit(self, wait_status: int | None) -> None:
        if self.state in (State.ENDING, State.ENDED):
            return
        if self._invocation is None:
            self._useless()
            return
        assert self._env is not None
        request_id = self._invocation.request_id
        if self._workshop.driver.usage(self._env).out_of_memory:
            failure = outcomes.out_of_memory(request_id)
        else:
            failure = outcomes.exited(request_id, wait_status)
        if self._init_ms is None and self.state is State.STARTING:
            self._fail_init(failure)
        else:
            self._fail(failure)

    def _init_is_late(self) -> None:
        """AWS starts init again and lets it use the function's own timeout; we let it go on."""
        if self._invocation is None:
            self._useless()
            return
        self._begun_at = time.perf_counter()
        self._write_start()
        self._set_timer()

    def _on_deadline(self) -> None:
        if self._invocation is not None:
            self._fail(outcomes.timed_out(self._invocation.request_id, self.version.timeout_s))

    # The parts of an invocation.

    def _hand_over(self) -> None:
        assert self._invocation is not None and self._env is not None
        invocation = self._invocation
        if self.paused:
            self._workshop.driver.resume(self._env)
            self.paused = False
        late = bool(self._begun_at)  # init went on in the invocation's own time
        self._move(State.BUSY)
        if not late:
            self._begun_at = time.perf_counter()
            self._write_start()
        left_s = self.version.timeout_s - (time.perf_counter() - self._begun_at)
        if not late:
            self._set_timer()
        deadline_ms = time.time_ns() // 1_000_000 + round(left_s * 1000)
        self._api.begin(
            Task(
                invocation.request_id,
                invocation.payload,
                deadline_ms,
                invocation.invoked_arn,
                invocation.trace_header,
                invocation.client_context,
            )
        )

    def _set_timer(self) -> None:
        # Real time, not the stack's clock: the function's own clock runs in real time.
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.version.timeout_s, self._on_deadline)

    def _cancel_timer(self) -> None:
        if self._timer is not None and not self._begun_at_is_init():
            self._timer.cancel()
            self._timer = None

    def _begun_at_is_init(self) -> bool:
        return self.state is State.STARTING and bool(self._begun_at)

    def _write_start(self) -> None:
        assert self._invocation is not None and self._output is not None
        self._output.read()
        self._output.start_tail()
        self._output.add(outcomes.start(self._invocation.request_id, self.version.version))

    def _fail_init(self, failure: Failure) -> None:
        assert self._output is not None
        init_ms = (time.perf_counter() - self._started_at) * 1000
        self._output.drain()
        if not self._begun_at:
            self._output.add(outcomes.init_report(init_ms, failure.kind))
            self._begun_at = time.perf_counter()
            self._write_start()
        self._init_ms = init_ms
        self._fail(failure)

    def _fail(self, failure: Failure) -> None:
        """The invocation is answered and the environment is of no more use."""
        self._finish(failure.payload, "Unhandled", failure, useless=True)

    def _finish(
        self, payload: bytes, error: str | None, failure: Failure | None, *, useless: bool = False
    ) -> None:
        """Everything that the function has written is in the log, then END and REPORT."""
        invocation, outcome = self._invocation, self._outcome
        assert invocation is not None and outcome is not None
        duration_ms = (time.perf_counter() - self._begun_at) * 1000
        self._api.abandon()
        self._invocation = self._outcome = None
        self._begun_at = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        init_ms, self._init_ms = self._init_ms, None
        used_mb = self._used_mb()
        tail = b""
        output = self._output
        if output is not None:
            output.drain()
            if failure is not None and failure.line:
                output.add(self._platform_line(failure))
            output.add(
                outcomes.end(invocation.request_id),
                outcomes.report(
                    invocation.request_id,
                    self.version.memory_mb,
                    duration_ms,
                    init_ms,
                    used_mb,
                    failure,
                ),
            )
            tail = output.tail()
            output.deliver()
        if not outcome.done():
            outcome.set_result(
                Outcome(
                    payload=payload,
                    error=error,
                    log_tail=tail,
                    log_stream=self._stream,
                    duration_ms=duration_ms,
                    billed_ms=outcomes.billed(init_ms, duration_ms),
                    init_ms=init_ms,
                    memory_used_mb=used_mb,
                )
            )
        if useless:
            self._useless()
        elif self.state is State.BUSY:
            self._move(State.IDLE)
            self._owner.became_idle(self)

    def _platform_line(self, failure: Failure) -> str:
        if failure.status != "timeout":
            return failure.line
        now_ms = self._workshop.clock.now_ms()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ms / 1000))
        return f"{stamp}.{now_ms % 1000:03d}Z {failure.line}"

    def _used_mb(self) -> int:
        if self._env is None:
            return 0
        used = self._workshop.driver.usage(self._env).memory_peak_mb
        return max(1, min(used, self.version.memory_mb))

    def _not_started(self, why: str) -> None:
        if self._invocation is not None:
            self._begun_at = time.perf_counter()
            read, write = os.pipe()
            os.close(write)
            request_id = self._invocation.request_id
            clock = self._workshop.clock
            self._output = Output(read, self._stream, self.version.logs, clock)
            self._write_start()
            self._fail(outcomes.invalid_entrypoint(request_id, why))
            self._output = None
            os.close(read)
        else:
            self._useless()

    def _useless(self) -> None:
        if self.state not in (State.ENDING, State.ENDED):
            self._move(State.ENDING)
            self._owner.became_useless(self)

    def _read_output(self) -> None:
        assert self._output is not None and self._env is not None
        if not self._output.read():
            self._stop_reading(self._env)

    def _stop_reading(self, env: Env) -> None:
        if self._reading:
            self._reading = False
            with contextlib.suppress(OSError):
                asyncio.get_running_loop().remove_reader(env.log_pipe)

    def _spec(self, package: Package) -> EnvSpec:
        version = self.version
        region = (version.arn.split(":") + [""] * 4)[3]
        defaults = {
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        }
        if self._workshop.endpoint:
            defaults["AWS_ENDPOINT_URL"] = self._workshop.endpoint
        own = {
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{version.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": version.name,
            "AWS_LAMBDA_FUNCTION_VERSION": version.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": version.log_group or f"/aws/lambda/{version.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
        }
        return EnvSpec(
            runtime=version.runtime,
            handler=version.handler,
            memory_mb=version.memory_mb,
            tmp_mb=version.tmp_mb,
            environment={**defaults, **version.environment, **own},
            package=package,
        )


def _stream_name(version: FunctionVersion, clock: Clock) -> str:
    day = time.strftime("%Y/%m/%d", time.gmtime(clock.now_ms() / 1000))
    return f"{day}/[{version.version}]{secrets.token_hex(16)}"
