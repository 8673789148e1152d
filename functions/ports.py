"""What the rest of the stack knows of running functions."""

import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

# (log stream, [(milliseconds since 1970, line)]): called on the event loop, must not block.
LogSink = Callable[[str, list[tuple[int, str]]], None]


@dataclass(frozen=True, slots=True)
class Code:
    """A code package: its bytes (a zip) are fetched once per `sha256` and unpacked in memory."""

    sha256: str
    fetch: Callable[[], Awaitable[bytes]] = field(compare=False)


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """One immutable version of a function: code and configuration.

    `key` is unique to it; environments are reused only for the same key. `environment` is the
    whole environment of the process but for what the runtime itself defines.
    """

    key: str
    name: str
    version: str
    arn: str
    runtime: str  # AWS's identifier: python3.12, provided.al2023
    handler: str
    memory_mb: int
    timeout_s: int
    environment: Mapping[str, str] = field(compare=False)
    code: Code = field(compare=False)
    logs: LogSink = field(compare=False)
    log_group: str = ""
    tmp_mb: int = 512
    init_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Invocation:
    request_id: str
    payload: bytes
    invoked_arn: str
    trace_header: str
    client_context: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an invocation, in AWS's terms.

    `error` is None or "Unhandled"; `payload` is then AWS's error document. `log_tail` is the last
    4 KB of what this invocation logged, START and REPORT lines included.
    """

    payload: bytes
    error: str | None
    log_tail: bytes
    log_stream: str
    duration_ms: float
    billed_ms: int
    init_ms: float | None  # None when the environment was warm
    memory_used_mb: int


class FunctionThrottled(Exception):
    """No environment may be added: the concurrency limit is reached."""


class Functions(Protocol):
    async def invoke(self, version: FunctionVersion, invocation: Invocation) -> Outcome:
        """Run a function once; raises FunctionThrottled, never what the function's code raises."""
        ...

    def retire(self, key: str) -> None:
        """Let environments of this version finish their invocation and end."""
        ...

    def expect(self, runtime: str, *, uses_sdk: bool) -> None:
        """A first invocation of `runtime` may come: its interpreter starts, in the background."""
        ...

    def isolation(self) -> dict[str, Any]:
        """The level in force, what it enforces, and what is missing and why; for people to read."""
        ...


class Clock(Protocol):
    """What log times and idle time are read from; deadlines of running code are real time."""

    def now_ms(self) -> int: ...

    async def sleep(self, delay_s: float) -> None: ...


class Closer(Protocol):
    """A listener that the gateway serves; `close` ends it and its connections."""

    def close(self) -> None: ...


# Serves the stack's own endpoint on a listening socket from inside an environment's network.
ServeStack = Callable[[socket.socket], Closer]


class EnvironmentFailed(Exception):
    """An environment could not be made, or ended before it was ready."""


class IsolationUnavailable(Exception):
    """This machine does not permit what the settings require; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver enforces here: for people to read, and for the choice of a driver."""

    driver: str
    available: bool
    reason: str = ""  # why not available
    enforces: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """A function's unpacked code, read-only: `name` is its directory below the package store."""

    name: str
    path: Path
    has_runtime_client: bool  # awslambdaric is in the package
    has_bootstrap: bool  # an executable named bootstrap is in the package
    uses_sdk: bool = False  # its code names boto3 or botocore
    # Modules that it brings: those at its top, and parts of the SDK wherever they are.
    modules: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EnvSpec:
    """All that a driver must know to make an environment of a version."""

    runtime: str
    handler: str
    memory_mb: int
    tmp_mb: int
    environment: Mapping[str, str]
    package: Package


@dataclass(frozen=True, slots=True)
class Usage:
    memory_peak_mb: int
    out_of_memory: bool


class Env(Protocol):
    """A made environment, seen by the pool: its Runtime API's listener, its output, its end."""

    @property
    def listener(self) -> socket.socket: ...

    @property
    def channel(self) -> socket.socket | None:
        """A connection to its runtime client; None where that connects to the listener itself."""
        ...

    @property
    def stack_listener(self) -> socket.socket | None:
        """Where the stack is to be served for it; None when it reaches the stack directly."""
        ...

    @property
    def log_pipe(self) -> int:
        """Descriptor to read its stdout and stderr from; not blocking."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines for its log: what is not as asked for."""
        ...

    def on_exit(self, callback: Callable[[int | None], None]) -> None:
        """`callback` gets the wait status of its main process once; None when it is unknown."""
        ...

    def settled(self) -> None:
        """Init is over: from now on its share of the processor is enforced."""
        ...


class Driver(Protocol):
    """Makes environments. Invoking is not its business: that is always the Runtime API."""

    def probe(self) -> Capabilities: ...

    async def prepare(self, runtime: str, *, uses_sdk: bool = False) -> None:
        """A later `create` for this runtime is fast."""
        ...

    async def create(self, spec: EnvSpec) -> Env:
        """A process that is starting to run `spec`; raises EnvironmentFailed."""
        ...

    def pause(self, env: Env) -> None:
        """Nothing in the environment runs until `resume`."""
        ...

    def resume(self, env: Env) -> None: ...

    def usage(self, env: Env) -> Usage: ...

    async def destroy(self, env: Env) -> None:
        """Every process of the environment has ended; safe to call again."""
        ...

    async def close(self) -> None:
        """Nothing that this driver made is left."""
        ...
