"""Asynchronous invocations: run from the outbox, with AWS's retries on the clock.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from fogbank.functions.ports import FunctionThrottled
from fogbank.services.context import Context
from fogbank.services.lambda_ import invocations
from fogbank.services.lambda_.errors import ResourceNotFoundException, TooManyRequestsException
from fogbank.services.lambda_.names import Target
from fogbank.services.lambda_.service import service
from fogbank.storage.keys import pack
from fogbank.storage.kv import Writer
from fogbank.storage.outbox import Event, GiveUp, RetryLater

# The wait before the second and before the third attempt after an error of the function.
RETRY_AFTER_S = (60, 120)
EVENT_AGE_MAX_MS = 6 * 3600 * 1000
THROTTLE_FIRST_S, THROTTLE_MAX_S = 1, 300


@service.consumer("lambda.async")
async def run_event(ctx: Context, event: Event) -> None:
    """Run the function once. Raises RetryLater or GiveUp where this attempt was not the last word.

    Throttles do not count as attempts, so the errors of the function are counted apart from
    `event.attempt`; an event that succeeds at once writes nothing.
    """
    body = event.body["body"]
    target = Target(ctx.world, body["name"], body["qualifier"])
    try:
        function = await invocations.ready(ctx, target)
        outcome = await invocations.run(
            ctx, target, function, body["payload"].encode(), request_id=body["requestId"]
        )
    except ResourceNotFoundException as error:
        raise GiveUp(str(error.message)) from error
    except (FunctionThrottled, TooManyRequestsException) as error:
        if ctx.clock.now_ms() - event.created_ms >= EVENT_AGE_MAX_MS:
            raise GiveUp("the event is too old") from error
        wait_s = min(THROTTLE_FIRST_S << min(event.attempt - 1, 10), THROTTLE_MAX_S)
        raise RetryLater(wait_s) from error
    key = pack("lambda", ctx.world.account, ctx.world.region, "failed", event.id)
    if outcome.error is None:
        if event.attempt > 1:
            await ctx.store.write(lambda tx: tx.delete(key))
        return
    errors = await ctx.store.write(lambda tx: _count(tx, key))
    if errors > len(RETRY_AFTER_S):
        await ctx.store.write(lambda tx: tx.delete(key))
        raise GiveUp(f"the function failed {errors} times")
    raise RetryLater(RETRY_AFTER_S[errors - 1])


def _count(tx: Writer, key: bytes) -> int:
    """How often the event failed, this time included."""
    errors = int(tx.get(key) or b"0") + 1
    tx.put(key, b"%d" % errors)
    return errors
