"""What the rest of the stack knows of running functions."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
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

    def isolation(self) -> dict[str, Any]:
        """The level in force, what it enforces, and what is missing and why; for people to read."""
        ...
