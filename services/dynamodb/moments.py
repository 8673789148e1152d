"""When, for whom and by whom an item changes: what a change needs beyond the item."""

from dataclasses import dataclass

from fogbank.services.context import Context


@dataclass(frozen=True, slots=True)
class Moment:
    """`expired`: the change is a deletion by TTL, which streams show as the service's own.

    `is_replicated`: it was made in another region, and goes no further from here.
    """

    ctx: Context
    now_ms: int
    expired: bool = False
    is_replicated: bool = False


def moment_of(ctx: Context) -> Moment:
    return Moment(ctx, ctx.clock.now_ms())
