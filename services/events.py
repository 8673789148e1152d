"""The one way to emit an event: in the transaction of the change that causes it."""

from typing import Any

from fogbank.services.context import Caller, Context, Stack, World
from fogbank.services.trace import Span
from fogbank.storage.kv import Writer
from fogbank.storage.outbox import Event


def emit(
    ctx: Context, tx: Writer, topic: str, key: str, body: dict[str, Any], *, due_ms: int = 0
) -> None:
    """Add an event that `topic`'s consumer gets at least once, in order among those with `key`.

    It carries the account, the region and the trace of the request that caused it.
    """
    span = ctx.span
    ctx.stack.outbox.add(
        tx,
        topic,
        key,
        {
            "account": ctx.world.account,
            "region": ctx.world.region,
            "arn": ctx.caller.arn,
            "accessKey": ctx.caller.access_key,
            "userId": ctx.caller.user_id,
            "trace": [span.trace_id, span.id],
            "body": body,
        },
        due_ms=due_ms,
    )


def context_of(stack: Stack, event: Event) -> Context:
    """The context in which an event is consumed: a child span of the request that emitted it."""
    envelope = event.body
    trace_id, parent_id = envelope["trace"]
    return Context(
        World(envelope["account"], envelope["region"]),
        Caller(envelope["accessKey"], envelope["arn"], envelope["userId"]),
        stack.ids.uuid(),
        Span(trace_id, stack.ids.hex(8), parent_id),
        stack,
    )
