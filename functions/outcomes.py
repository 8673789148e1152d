"""How AWS words what became of an invocation: its error documents and its platform log lines."""

import json
import math
import os
import signal
from dataclasses import dataclass

from fogbank.functions.ports import FunctionVersion
from fogbank.functions.runtime_api import RESPONSE_BYTES_MAX

# What the platform writes where a runtime died of a signal (Go's names of signals).
SIGNAL_WORDS = {
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "aborted",
    signal.SIGTERM: "terminated",
    signal.SIGBUS: "bus error",
    signal.SIGILL: "illegal instruction",
    signal.SIGFPE: "floating point exception",
    signal.SIGINT: "interrupt",
    signal.SIGHUP: "hangup",
    signal.SIGPIPE: "broken pipe",
    signal.SIGTRAP: "trace/breakpoint trap",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that the platform reports: its type, its document, what the log says of it."""

    kind: str
    payload: bytes
    status: str = "error"  # as REPORT has it: error or timeout
    line: str = ""


def timed_out(request_id: str, timeout_s: int) -> Failure:
    what = f"Task timed out after {timeout_s:.2f} seconds"
    message = f"RequestId: {request_id} Error: {what}"
    document = _document("Sandbox.Timedout", message)
    return Failure("Sandbox.Timedout", document, "timeout", f"{request_id} {what}\n")


def exited(request_id: str, wait_status: int | None) -> Failure:
    reason = exit_reason(wait_status)
    message = f"RequestId: {request_id} Error: {reason}"
    kind = "Runtime.ExitError"
    return Failure(kind, _document(kind, message), line=f"{message}\n{kind}")


def out_of_memory(request_id: str) -> Failure:
    message = f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
    kind = "Runtime.OutOfMemory"
    return Failure(kind, _document(kind, message), line=f"{message}\n{kind}")


def too_large(request_id: str, size_bytes: int) -> Failure:
    kind = "Function.ResponseSizeTooLarge"
    message = (
        f"Response payload size ({size_bytes} bytes) exceeded maximum allowed payload size "
        f"({RESPONSE_BYTES_MAX} bytes)."
    )
    return Failure(kind, _document(kind, message), line=f"LAMBDA_RUNTIME Failed: {message}")


def init_failed(request_id: str, kind: str, payload: bytes) -> Failure:
    """The document that the runtime posted, with the id of the invocation that waited for it."""
    try:
        document = json.loads(payload)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Failure(kind, payload)
    if document.get("requestId") == "":
        document["requestId"] = request_id
    return Failure(kind, json.dumps(document, ensure_ascii=False).encode())


def invalid_entrypoint(request_id: str, why: str) -> Failure:
    """The environment could not be started at all."""
    kind = "Runtime.InvalidEntrypoint"
    message = f"RequestId: {request_id} Error: {why}"
    return Failure(kind, _document(kind, message), line=f"{message}\n{kind}")


def exit_reason(wait_status: int | None) -> str:
    if wait_status is None:
        return "Runtime exited with error: signal: killed"
    if os.WIFSIGNALED(wait_status):
        number = os.WTERMSIG(wait_status)
        word = SIGNAL_WORDS.get(signal.Signals(number), f"signal {number}")
        return f"Runtime exited with error: signal: {word}"
    code = os.waitstatus_to_exitcode(wait_status)
    if code == 0:
        return "Runtime exited without providing a reason"
    return f"Runtime exited with error: exit status {code}"


def _document(kind: str, message: str) -> bytes:
    document = {"errorType": kind, "errorMessage": message}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def init_start(version: FunctionVersion, runtime_version: str) -> str:
    family = version.runtime.replace("python", "python:", 1)
    region = (version.arn.split(":") + [""] * 4)[3]
    return (
        f"INIT_START Runtime Version: {family}.{runtime_version}\t"
        f"Runtime Version ARN: arn:aws:lambda:{region}::runtime:fogbank"
    )


def init_report(init_ms: float, kind: str, status: str = "error") -> str:
    return (
        f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: init\t"
        f"Status: {status}\tError Type: {kind}"
    )


def start(request_id: str, version: str) -> str:
    return f"START RequestId: {request_id} Version: {version}"


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}"


def billed(init_ms: float | None, duration_ms: float) -> int:
    """Init is billed too (since August 2025); a started millisecond counts whole."""
    return max(1, math.ceil((init_ms or 0.0) + duration_ms))


def report(
    request_id: str,
    memory_mb: int,
    duration_ms: float,
    init_ms: float | None,
    used_mb: int,
    failure: Failure | None,
) -> str:
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {billed(init_ms, duration_ms)} ms",
        f"Memory Size: {memory_mb} MB",
        f"Max Memory Used: {used_mb} MB",
    ]
    if init_ms is not None:
        parts.append(f"Init Duration: {init_ms:.2f} ms")
    if failure is not None:
        parts.append(f"Status: {failure.status}")
        if failure.status != "timeout":
            parts.append(f"Error Type: {failure.kind}")
    return "\t".join(parts) + "\t"
