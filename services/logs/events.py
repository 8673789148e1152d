"""Log events: put, read along one stream, and searched across the streams of a group."""

import heapq
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fogbank.services.context import Context, Input, Output, World
from fogbank.services.log_lines import Batch, lines_of
from fogbank.services.logs import groups, keys, patterns, streams
from fogbank.services.logs.errors import InvalidParameterException, refuse_null_elements
from fogbank.services.logs.service import service
from fogbank.storage.keys import pack
from fogbank.storage.kv import Reader, Writer
from fogbank.storage.outbox import Event

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
BATCH_BYTES_MAX = 1_048_576
EVENT_OVERHEAD_BYTES = 26
BATCH_SPAN_MAX_MS = 24 * 3600 * 1000
TOO_OLD_MS = 14 * 24 * 3600 * 1000
TOO_NEW_MS = 2 * 3600 * 1000
LIMIT_MAX = 10_000
# A search answers with what it has found after it looked at so many events.
SEARCHED_AT_ONCE_MAX = 50_000
_FAR_MS = 1 << 50


class LogEvent(NamedTuple):
    """`number` tells events of one millisecond apart and orders them by arrival."""

    at_ms: int
    number: int
    stream: str
    ingested_ms: int
    message: str

    def id(self) -> str:
        """56 digits, as AWS's are, in order of time."""
        return f"{(self.at_ms << 144) + (self.number << 64):056d}"


@service.operation("PutLogEvents")
async def put_log_events(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html"""
    group, name = request["logGroupName"], request["logStreamName"]
    events: list[Any] = request.get("logEvents") or []
    refuse_null_elements(events, "logEvents")
    now_ms = ctx.clock.now_ms()
    _check(events)
    first, last, rejected = _accepted(events, now_ms)
    lines = [(event["timestamp"], event["message"]) for event in events[first:last]]

    def work(tx: Writer) -> str:
        found = groups.require(tx, ctx.world, group)
        stream = streams.require(tx, ctx.world, group, name)
        oldest_ms = now_ms - found.get("retentionDays", 0) * 86_400_000
        if "retentionDays" in found:
            expired = sum(at_ms < oldest_ms for at_ms, _ in lines)
            if expired:
                rejected["expiredLogEventEndIndex"] = first + expired
                del lines[:expired]
        _append(tx, Batch(ctx.world, group, name, lines), stream, now_ms)
        return streams.token_of(stream)

    token = await ctx.store.write(work)
    answer: Output = {"nextSequenceToken": token}
    if rejected:
        answer["rejectedLogEventsInfo"] = rejected
    return answer


def _check(events: list[Any]) -> None:
    size_bytes = sum(len(event["message"].encode(errors="replace")) for event in events)
    size_bytes += EVENT_OVERHEAD_BYTES * len(events)
    if size_bytes > BATCH_BYTES_MAX:
        raise InvalidParameterException(
            f"Upload too large: {size_bytes} bytes exceeds limit of {BATCH_BYTES_MAX}"
        )
    times = [event["timestamp"] for event in events]
    if any(later < earlier for earlier, later in itertools.pairwise(times)):
        raise InvalidParameterException(
            "Log events in a single PutLogEvents request must be in chronological order."
        )
    if times and times[-1] - times[0] > BATCH_SPAN_MAX_MS:
        raise InvalidParameterException(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 "
            "hours."
        )


def _accepted(events: list[Any], now_ms: int) -> tuple[int, int, dict[str, int]]:
    """The part of `events` that is neither too old nor too new, and what is said of the rest."""
    old = sum(event["timestamp"] < now_ms - TOO_OLD_MS for event in events)
    new = sum(event["timestamp"] > now_ms + TOO_NEW_MS for event in events)
    rejected: dict[str, int] = {}
    if new:
        rejected["tooNewLogEventStartIndex"] = len(events) - new
    if old:
        rejected["tooOldLogEventEndIndex"] = old
    return old, len(events) - new, rejected


@service.consumer("logs.lines")
async def take_lines(ctx: Context, event: Event) -> None:
    """Lines that the stack itself logs are stored; groups and streams are made as needed."""
    batches: list[Batch] = event.body["body"]
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> None:
        for batch in batches:
            if tx.get(keys.group_key(batch.world, batch.group)) is None:
                groups.save(tx, batch.world, batch.group, groups.new_group(now_ms))
            stream = streams.find(tx, batch.world, batch.group, batch.stream)
            _append(tx, batch, stream or streams.new_stream(now_ms), now_ms)

    await ctx.store.write(work)


def _append(tx: Writer, batch: Batch, stream: streams.Stream, now_ms: int) -> None:
    """Store the lines of `batch` and what they change of their stream."""
    world, group, name, lines = batch
    if lines:
        prefix = keys.event_prefix(world, group, name)
        ingested = now_ms.to_bytes(8, "big")
        number = tx.sequence(keys.SEQUENCE) * keys.EVENTS_PER_NUMBER
        for at, (at_ms, text) in enumerate(lines):
            key = prefix + pack(max(at_ms, 0), number + at)
            tx.put(key, ingested + text.encode(errors="replace"))
        times = [at_ms for at_ms, _ in lines]
        stream["firstMs"] = min(stream.get("firstMs", times[0]), min(times))
        stream["lastMs"] = max(stream.get("lastMs", times[0]), max(times))
        stream["ingestedMs"] = now_ms
    stream["token"] += 1
    streams.save(tx, world, group, name, stream)


def events_of(
    tx: Reader, world: World, group: str, name: str, window: tuple[int, int], *, back: bool = False
) -> Iterator[LogEvent]:
    """Events of a stream whose time is in `window` (its end excluded), in order of time."""
    prefix = keys.event_prefix(world, group, name)
    start, stop = (prefix + pack(min(max(at_ms, 0), _FAR_MS)) for at_ms in window)
    for key, raw in tx.range(start, stop, reverse=back):
        at_ms, number = keys.place_of(key, len(prefix))
        message = raw[8:].decode(errors="replace")
        yield LogEvent(at_ms, number, name, int.from_bytes(raw[:8], "big"), message)


def _limit(request: Input) -> int:
    limit = int(request.get("limit") or LIMIT_MAX)
    if limit > LIMIT_MAX:
        rule = f"Member must have value less than or equal to {LIMIT_MAX}"
        raise InvalidParameterException.one(limit, "limit", rule)
    return limit


@service.operation("GetLogEvents")
async def get_log_events(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html

    A token names the place of the last event that was answered: forward (f/) reads behind it,
    backward (b/) before it. At the end of the stream the token stays the same.
    """
    group, name = groups.asked_name(ctx.world, request), request["logStreamName"]
    limit, token = _limit(request), _Token.parse(request.get("nextToken"))
    window = (request.get("startTime") or 0, request.get("endTime") or _FAR_MS)
    forward = token.forward if token else bool(request.get("startFromHead"))
    await lines_of(ctx.stack).flush()

    def work(tx: Reader) -> list[LogEvent]:
        groups.require(tx, ctx.world, group)
        streams.require(tx, ctx.world, group, name)
        found: list[LogEvent] = []
        narrowed = token.narrow(window) if token else window
        for event in events_of(tx, ctx.world, group, name, narrowed, back=not forward):
            if token and not token.admits(event):
                continue
            found.append(event)
            if len(found) == limit:
                break
        return found if forward else found[::-1]

    found = await ctx.store.read(work)
    return {
        "events": [
            {
                "timestamp": event.at_ms,
                "message": event.message,
                "ingestionTime": event.ingested_ms,
            }
            for event in found
        ],
        "nextForwardToken": _Token.behind("f", found[-1] if found else None, token),
        "nextBackwardToken": _Token.behind("b", found[0] if found else None, token),
    }


class _Token(NamedTuple):
    forward: bool
    at_ms: int
    number: int

    @classmethod
    def parse(cls, text: str | None) -> "_Token | None":
        if not text:
            return None
        kind, _, place = text.partition("/")
        at_ms, _, number = place.partition(".")
        digits = at_ms + number
        if kind not in ("f", "b") or not at_ms or not (digits.isdecimal() and digits.isascii()):
            raise InvalidParameterException.token()
        if len(at_ms) > 15 or len(number) > 19:
            raise InvalidParameterException.token()
        return cls(kind == "f", int(at_ms), int(number or 0))

    @classmethod
    def behind(cls, kind: str, event: LogEvent | None, before: "_Token | None") -> str:
        """The token of a place; where there is no event, that which the request came with."""
        if event is not None:
            return f"{kind}/{event.at_ms:015d}.{event.number}"
        return f"{kind}/{before.at_ms:015d}.{before.number}" if before else f"{kind}/{0:015d}.0"

    def narrow(self, window: tuple[int, int]) -> tuple[int, int]:
        if self.forward:
            return max(window[0], self.at_ms), window[1]
        return window[0], min(window[1], self.at_ms + 1)

    def admits(self, event: LogEvent) -> bool:
        place, here = (event.at_ms, event.number), (self.at_ms, self.number)
        return place > here if self.forward else place < here


@service.operation("FilterLogEvents")
async def filter_log_events(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""
    group, limit = groups.asked_name(ctx.world, request), _limit(request)
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    refuse_null_elements(names or [], "logStreamNames")
    if names and prefix:
        raise InvalidParameterException(
            "LogStreamNamePrefix and LogStreamNames are mutually exclusive parameters."
        )
    matches = patterns.compile_pattern(request.get("filterPattern") or "")
    after = _Token.parse(request.get("nextToken"))
    end_ms = request.get("endTime")
    window = (request.get("startTime") or 0, _FAR_MS if end_ms is None else end_ms + 1)
    await lines_of(ctx.stack).flush()

    def work(tx: Reader) -> tuple[list[LogEvent], str | None]:
        groups.require(tx, ctx.world, group)
        for name in names or ():
            streams.require(tx, ctx.world, group, name)
        chosen = names or [
            name
            for name, _ in streams.all_of(tx, ctx.world, group)
            if name.startswith(prefix or "")
        ]
        narrowed = after.narrow(window) if after else window
        merged = heapq.merge(
            *(events_of(tx, ctx.world, group, name, narrowed) for name in dict.fromkeys(chosen))
        )
        return _search(merged, matches, after, limit)

    found, token = await ctx.store.read(work)
    answer: Output = {
        "events": [
            {
                "logStreamName": event.stream,
                "timestamp": event.at_ms,
                "message": event.message,
                "ingestionTime": event.ingested_ms,
                "eventId": event.id(),
            }
            for event in found
        ],
        "searchedLogStreams": [],
    }
    if token is not None:
        answer["nextToken"] = token
    return answer


def _search(
    events: Iterator[LogEvent],
    matches: Callable[[str], bool],
    after: _Token | None,
    limit: int,
) -> tuple[list[LogEvent], str | None]:
    """What matches, and the token to go on with where not everything was looked at."""
    found: list[LogEvent] = []
    last: LogEvent | None = None
    for looked_at, event in enumerate(events):
        if after is not None and not after.admits(event):
            continue
        if len(found) == limit or looked_at >= SEARCHED_AT_ONCE_MAX:
            return found, _Token.behind("f", last, after)
        last = event
        if matches(event.message):
            found.append(event)
    return found, None
