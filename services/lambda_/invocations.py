"""Invocations: synchronous, asynchronous, and only checked."""

import base64
import time

from fogbank.functions.ports import FunctionThrottled, Invocation, Outcome
from fogbank.services.context import Context, Input, Output
from fogbank.services.errors import ValidationException
from fogbank.services.events import emit
from fogbank.services.lambda_ import records
from fogbank.services.lambda_.compiled import Compiled, compiler_of
from fogbank.services.lambda_.errors import (
    ResourceNotFoundException,
    TooManyRequestsException,
)
from fogbank.services.lambda_.names import Target, parse
from fogbank.services.lambda_.payloads import check, client_context
from fogbank.services.lambda_.service import service
from fogbank.services.log_lines import lines_of
from fogbank.services.trace import Span
from fogbank.storage.blobs import BlobMissing
from fogbank.storage.kv import Writer

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
SYNC_PAYLOAD_MAX = 6_291_456
ASYNC_PAYLOAD_MAX = 1_048_576
TRACED_LOG_MAX = 2048
KINDS = ("Event", "RequestResponse", "DryRun")


@service.operation("Invoke")
async def invoke(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
    target = parse(ctx.world, request["FunctionName"], request.get("Qualifier"), invoking=True)
    kind = request.get("InvocationType") or "RequestResponse"
    payload = request.get("Payload") or b""
    if kind not in KINDS:
        raise ValidationException(
            f"1 validation error detected: Value '{kind}' at 'invocationType' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(KINDS)}]"
        )
    await check(payload, ASYNC_PAYLOAD_MAX if kind == "Event" else SYNC_PAYLOAD_MAX)
    function = await ready(ctx, target)
    if kind == "DryRun":
        return {"StatusCode": 204, "Payload": b""}
    if kind == "Event":
        return await _enqueue(ctx, target, payload)
    try:
        outcome = await run(
            ctx, target, function, payload, context=client_context(request.get("ClientContext"))
        )
    except FunctionThrottled:
        raise TooManyRequestsException("ConcurrentInvocationLimitExceeded") from None
    answer: Output = {
        "StatusCode": 200,
        "ExecutedVersion": function.version.version,
        "Payload": outcome.payload,
    }
    if outcome.error is not None:
        answer["FunctionError"] = outcome.error
    if request.get("LogType") == "Tail":
        answer["LogResult"] = base64.b64encode(outcome.log_tail).decode()
    return answer


async def ready(ctx: Context, target: Target) -> Compiled:
    """The function, compiled; waits for the end of its creation, which takes milliseconds."""
    compiler, key = compiler_of(ctx.stack), records.stored_key(target)
    raw = await ctx.store.read(lambda tx: tx.get(key) if key else None, brief=True)
    if raw is None:
        raise ResourceNotFoundException.function(target.qualified_arn)
    now_ms = ctx.clock.now_ms()
    function = compiler.ready(raw, now_ms) or await compiler.compile(ctx, raw)
    if now_ms < function.settled_ms:
        await ctx.clock.sleep((function.settled_ms - now_ms) / 1000)
    if function.reserved == 0:
        raise TooManyRequestsException("ReservedFunctionConcurrentInvocationLimitExceeded")
    return function


async def run(
    ctx: Context,
    target: Target,
    function: Compiled,
    payload: bytes,
    *,
    context: str | None = None,
    request_id: str | None = None,
) -> Outcome:
    """The outcome of one run of the function, which is a span; raises FunctionThrottled."""
    request_id = request_id or ctx.request_id
    span = ctx.stack.traces.child(ctx.span)
    invocation = Invocation(
        request_id, payload or b"{}", target.qualified_arn, span.header(), context
    )
    try:
        return await _run(ctx, span, function, invocation)
    except BlobMissing:
        # The code was replaced after the record was read and before its package was.
        return await _run(ctx, span, await ready(ctx, target), invocation)


async def _run(ctx: Context, span: Span, function: Compiled, invocation: Invocation) -> Outcome:
    traces = ctx.stack.traces
    started, start_ms = time.perf_counter(), ctx.clock.now_ms()
    version = function.version
    try:
        outcome = await ctx.stack.functions.invoke(version, invocation)
    except FunctionThrottled:
        traces.record(span, version.name, "invoke", start_ms, 0, "Throttled", None)
        raise
    traces.record(
        span,
        version.name,
        "invoke",
        start_ms,
        (time.perf_counter() - started) * 1000,
        outcome.error or "ok",
        _detail(invocation.request_id, version.memory_mb, outcome),
    )
    lines = lines_of(ctx.stack)
    if lines.crowded:
        await lines.flush()
    return outcome


def _detail(request_id: str, memory_mb: int, outcome: Outcome) -> dict[str, object]:
    return {
        "requestId": request_id,
        "cold": outcome.init_ms is not None,
        "functionMs": outcome.duration_ms,
        "billedMs": outcome.billed_ms,
        "initMs": outcome.init_ms,
        "memoryMb": memory_mb,
        "memoryUsedMb": outcome.memory_used_mb,
        "logStream": outcome.log_stream,
        "log": outcome.log_tail[-TRACED_LOG_MAX:].decode(errors="replace"),
    }


async def _enqueue(ctx: Context, target: Target, payload: bytes) -> Output:
    """The event is durable when this returns; the consumer in `asynchronous` runs it."""
    body = {
        "name": target.name,
        "qualifier": target.qualifier,
        "requestId": ctx.request_id,
        "payload": (payload or b"{}").decode(),
    }

    def work(tx: Writer) -> None:
        emit(ctx, tx, "lambda.async", ctx.request_id, body)

    await ctx.store.write(work)
    return {"StatusCode": 202, "Payload": b""}
