"""Where groups, streams and events stand in the ordered store.

An event's key is (group, stream, time, number): a stream read in order of time is a range, and
numbers rise in the order of arrival, so that events of one millisecond keep their order.
"""

from fogbank.services.context import World
from fogbank.storage.keys import pack, span, unpack

# A batch of events takes one number of the store and counts on within it.
EVENTS_PER_NUMBER = 1 << 20
SEQUENCE = b"logs"


def group_key(world: World, group: str) -> bytes:
    return pack("logs", world.account, world.region, "group", group)


def stream_key(world: World, group: str, stream: str) -> bytes:
    return pack("logs", world.account, world.region, "stream", group, stream)


def stream_span(world: World, group: str) -> tuple[bytes, bytes]:
    return span("logs", world.account, world.region, "stream", group)


def event_prefix(world: World, group: str, stream: str) -> bytes:
    return pack("logs", world.account, world.region, "event", group, stream)


def event_span(world: World, group: str, *stream: str) -> tuple[bytes, bytes]:
    """Every event of a group, or of one stream of it."""
    return span("logs", world.account, world.region, "event", group, *stream)


def place_of(key: bytes, prefix_length: int) -> tuple[int, int]:
    """The time and the number in an event's key."""
    at_ms, number = unpack(key[prefix_length:])
    assert isinstance(at_ms, int) and isinstance(number, int)
    return at_ms, number
