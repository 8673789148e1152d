"""Consistent copies of a table's items, made in slices while the table goes on being written.

A copy begins in one transaction that fixes its moment and sees to it that the table has a change
log. Slices then copy the items as they are when their turn comes; what has changed since the
moment is undone from the log, newest entry first. No slice holds the writer for long, none reads
a long snapshot, and a killed server goes on from the last slice that it committed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from struct import Struct
from typing import Any

import orjson

from fogbank.services.context import Context, World
from fogbank.services.dynamodb import change_log, schema, stored
from fogbank.services.dynamodb.changes import put_entry
from fogbank.services.dynamodb.replicated import Version, version_prefix
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.events import emit
from fogbank.storage.keys import after, pack, span
from fogbank.storage.kv import Reader, Writer
from fogbank.storage.outbox import Event, RetryLater

# Bounds of one slice: they bound how long a write that is queued behind it waits.
SLICE_ITEMS = 100
SLICE_BYTES = 256 * 1024
# What is copied with the request itself, so that small tables are ready when it is answered.
AT_ONCE_SLICES = 4
BUSY_RETRY_S = 0.5

Job = dict[str, Any]
Finisher = Callable[[Context, Writer, Job], None]
_finishers: dict[str, Finisher] = {}


def finishes(kind: str) -> Callable[[Finisher], Finisher]:
    """What is called, in the last slice's transaction, when a copy of this kind is complete."""

    def register(finisher: Finisher) -> Finisher:
        _finishers[kind] = finisher
        return finisher

    return register


def place(world: World, kind: str, name: str) -> list[str]:
    """Where items lie: `kind` is "item" for a table, by its id, or one of the kinds of copies."""
    return [world.account, world.region, kind, name]


def prefix_of(where: list[str]) -> bytes:
    return pack("dynamodb", *where)


def _job_key(world: World, table_id: str, job_id: str) -> bytes:
    return pack("dynamodb", world.account, world.region, "copying", table_id, job_id)


def is_copied(tx: Reader, world: World, table_id: str) -> bool:
    """Whether a copy of the table's items is under way: until it is done they must stay."""
    start, stop = span("dynamodb", world.account, world.region, "copying", table_id)
    return any(True for _ in tx.range(start, stop))


async def wait_for_copies(ctx: Context, table_id: str) -> None:
    """Raises RetryLater while a copy of the items that lie under `table_id` is under way."""
    if await ctx.store.read(lambda tx: is_copied(tx, ctx.world, table_id)):
        raise RetryLater(BUSY_RETRY_S)


def start(
    ctx: Context,
    tx: Writer,
    kind: str,
    source: list[str],
    target: list[str],
    *,
    log: bytes | None = None,
    at_ms: int = 0,
    from_ms: int | None = None,
    phase: str | None = None,
    body: Job | None = None,
) -> Job:
    """The copy exists; a small one is complete. `log` is the source's, to undo back to `at_ms`.

    With `from_ms` it is of what changed from then on, each item before and after. From the phase
    "merge" on it is of the items as they are, for a table that later writes reach meanwhile.
    """
    job: Job = {
        "Id": ctx.ids.hex(8),
        "Kind": kind,
        "Source": source,
        "Target": target,
        "Log": None if log is None else log.hex(),
        "AtMs": at_ms,
        "FromMs": from_ms,
        "Phase": phase or ("copy" if from_ms is None else "gather"),
        "Cursor": "",
        "Items": 0,
        "SizeBytes": 0,
        "Body": body or {},
    }
    if log is not None:
        change_log.begin_at(tx, log, at_ms + 1)
    for _ in range(AT_ONCE_SLICES):
        if _advance(tx, job):
            _finishers[kind](ctx, tx, job)
            return job
    world = World(source[0], source[1])
    key = _job_key(world, source[3], job["Id"])
    tx.put(key, orjson.dumps(job))
    emit(ctx, tx, "dynamodb.copy", job["Id"], {"Job": key.hex()})
    return job


@service.consumer("dynamodb.copy")
async def copy(ctx: Context, event: Event) -> None:
    """The copy is complete, and whoever asked for it has been told."""
    key = bytes.fromhex(event.body["body"]["Job"])

    def work(tx: Writer) -> bool:
        raw = tx.get(key)
        if raw is None:
            return True
        job = orjson.loads(raw)
        done = _advance(tx, job)
        if done:
            tx.delete(key)
            _finishers[job["Kind"]](ctx, tx, job)
        else:
            tx.put(key, orjson.dumps(job))
        return done

    while not await ctx.store.write(work):
        continue


def _advance(tx: Writer, job: Job) -> bool:
    """One slice of the job's phase is done; True when it was the last one of the last phase."""
    following = _PHASES[job["Phase"]](tx, job)
    if following is None:
        return True
    job["Phase"], cursor = following
    job["Cursor"] = cursor.hex()
    return False


# What follows a slice: the phase and where it goes on; None at the end.
_Following = tuple[str, bytes] | None


def _copy(tx: Writer, job: Job) -> _Following:
    source, target = prefix_of(job["Source"]), prefix_of(job["Target"])
    start = bytes.fromhex(job["Cursor"]) or source
    size_bytes = 0
    for count, (key, raw) in enumerate(tx.range(start, source + b"\xff"), 1):
        tx.put(target + key[len(source) :], raw)
        job["Items"] += 1
        job["SizeBytes"] += stored.size_of(raw)
        size_bytes += len(raw)
        if count >= SLICE_ITEMS or size_bytes >= SLICE_BYTES:
            return "copy", after(key)
    if job["Log"] is None:
        return _index_from(job)
    # Entries that follow are of changes that the copied items have not seen.
    return "undo", change_log.end_key(bytes.fromhex(job["Log"]))


def _merge(tx: Writer, job: Job) -> _Following:
    """As `_copy`, but what a replica knows of an item that is newer stays."""
    source, target = prefix_of(job["Source"]), prefix_of(job["Target"])
    known, there = _versions_of(job["Source"]), _versions_of(job["Target"])
    start = bytes.fromhex(job["Cursor"]) or source
    size_bytes = 0
    for count, (key, raw) in enumerate(tx.range(start, source + b"\xff"), 1):
        suffix = key[len(source) :]
        version, present = tx.get(known + suffix), tx.get(there + suffix)
        if present is None or (
            version is not None and Version.read(present) <= Version.read(version)
        ):
            tx.put(target + suffix, raw)
            if version is not None:
                tx.put(there + suffix, version)
        size_bytes += len(raw)
        if count >= SLICE_ITEMS or size_bytes >= SLICE_BYTES:
            return "merge", after(key)
    return _index_from(job)


def _versions_of(where: list[str]) -> bytes:
    return version_prefix(World(where[0], where[1]), where[3])


def _undo(tx: Writer, job: Job) -> _Following:
    log, target = bytes.fromhex(job["Log"]), prefix_of(job["Target"])
    first = change_log.after_key(log, job["AtMs"])
    size_bytes = 0
    entries = change_log.entries(tx, log, first, bytes.fromhex(job["Cursor"]), reverse=True)
    for count, entry in enumerate(entries, 1):
        key = target + entry.suffix
        for raw, sign in ((tx.get(key), -1), (entry.old, 1)):
            if raw is not None:
                job["Items"] += sign
                job["SizeBytes"] += sign * stored.size_of(raw)
        if entry.old is None:
            tx.delete(key)
        else:
            tx.put(key, entry.old)
            size_bytes += len(entry.old)
        if count >= SLICE_ITEMS or size_bytes >= SLICE_BYTES:
            return "undo", entry.key
    return _index_from(job)


def _index_from(job: Job) -> _Following:
    table = job["Body"].get("Table")
    if table is None or not (
        table.get("GlobalSecondaryIndexes") or table.get("LocalSecondaryIndexes")
    ):
        return None
    return "index", prefix_of(job["Target"])


def _index(tx: Writer, job: Job) -> _Following:
    table = schema.compiled(orjson.dumps(job["Body"]["Table"]))
    target = prefix_of(job["Target"])
    size_bytes = 0
    pairs = tx.range(bytes.fromhex(job["Cursor"]), target + b"\xff")
    for count, (key, raw) in enumerate(pairs, 1):
        for index in table.indexes:
            put_entry(tx, table, index, raw)
        size_bytes += len(raw)
        if count >= SLICE_ITEMS or size_bytes >= SLICE_BYTES:
            return "index", after(key)
    return None


@dataclass(frozen=True, slots=True)
class Change:
    """An item as it was before a period and as it is after it, and when it last changed in it."""

    at_ms: int
    old: bytes | None
    new: bytes | None


_CHANGE = Struct(">QI")


def _seal_change(change: Change) -> bytes:
    old = change.old or b""
    return _CHANGE.pack(change.at_ms, len(old)) + old + (change.new or b"")


def open_change(raw: bytes) -> Change:
    at_ms, length = _CHANGE.unpack_from(raw)
    at = _CHANGE.size + length
    return Change(at_ms, raw[_CHANGE.size : at] or None, raw[at:] or None)


def _gather(tx: Writer, job: Job) -> _Following:
    """What the first change of the period replaced is what the item was before it."""
    log, target = bytes.fromhex(job["Log"]), prefix_of(job["Target"])
    start = bytes.fromhex(job["Cursor"]) or change_log.after_key(log, job["FromMs"] - 1)
    size_bytes = 0
    entries = change_log.entries(tx, log, start, change_log.after_key(log, job["AtMs"]))
    for count, entry in enumerate(entries, 1):
        key = target + entry.suffix
        known = tx.get(key)
        old = entry.old if known is None else open_change(known).old
        tx.put(key, _seal_change(Change(entry.at_ms, old, None)))
        size_bytes += len(entry.old or b"")
        if count >= SLICE_ITEMS or size_bytes >= SLICE_BYTES:
            return "gather", after(entry.key)
    return "look", target


def _look(tx: Writer, job: Job) -> _Following:
    """Each gathered item is shown as it is now."""
    source, target = prefix_of(job["Source"]), prefix_of(job["Target"])
    size_bytes = 0
    pairs = tx.range(bytes.fromhex(job["Cursor"]), target + b"\xff")
    for count, (key, raw) in enumerate(pairs, 1):
        new = tx.get(source + key[len(target) :])
        tx.put(key, _seal_change(replace(open_change(raw), new=new)))
        size_bytes += len(raw) + len(new or b"")
        if count >= SLICE_ITEMS or size_bytes >= SLICE_BYTES:
            return "look", after(key)
    return "rewind", change_log.end_key(bytes.fromhex(job["Log"]))


def _rewind(tx: Writer, job: Job) -> _Following:
    """What has changed since the period is undone in the gathered items."""
    log, target = bytes.fromhex(job["Log"]), prefix_of(job["Target"])
    first = change_log.after_key(log, job["AtMs"])
    entries = change_log.entries(tx, log, first, bytes.fromhex(job["Cursor"]), reverse=True)
    for count, entry in enumerate(entries, 1):
        known = tx.get(target + entry.suffix)
        if known is not None:
            change = replace(open_change(known), new=entry.old)
            tx.put(target + entry.suffix, _seal_change(change))
        if count >= SLICE_ITEMS:
            return "rewind", entry.key
    return None


_PHASES: dict[str, Callable[[Writer, Job], _Following]] = {
    "merge": _merge,
    "gather": _gather,
    "look": _look,
    "rewind": _rewind,
    "copy": _copy,
    "undo": _undo,
    "index": _index,
}


def hold_log(ctx: Context, tx: Writer, record: Record, holder: str) -> bytes:
    """The table has a change log that stays at least until `holder` releases it; its prefix."""
    log = record.setdefault("Log", {"Id": ctx.ids.hex(4), "Holders": {}})
    log["Holders"][holder] = True
    schema.save(tx, ctx.world, record)
    prefix = change_log.log_of(ctx.world, record)
    assert prefix is not None
    return prefix


def release_log(ctx: Context, tx: Writer, record: Record, holder: str) -> None:
    """`holder` needs the table's log no more; with its last holder the log itself goes."""
    log = record.get("Log")
    if log is None or log["Holders"].pop(holder, None) is None:
        return
    if not log["Holders"]:
        del record["Log"]
        body = {"TableId": record["TableId"], "LogId": log["Id"]}
        emit(ctx, tx, "dynamodb.sweep", record["TableId"], body)
    schema.save(tx, ctx.world, record)


def release_log_of(ctx: Context, tx: Writer, table: Record, holder: str) -> None:
    """As `release_log`, for the table as it is now, if it is still the same."""
    raw = tx.get(schema.table_key(ctx.world, table["TableName"]))
    record = None if raw is None else orjson.loads(raw)
    if record is not None and record["TableId"] == table["TableId"]:
        release_log(ctx, tx, record, holder)
