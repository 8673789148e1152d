"""A function as the store keeps it, and as AWS answers it at a moment in time.

The states follow from the clock alone: a function is Pending, then Active; an update is InProgress,
then Successful. Nothing has to wake up to make it so, and a restart changes nothing.
"""

import datetime
from collections.abc import Iterator
from typing import Any

import orjson

from fogbank.services.context import Context, World
from fogbank.services.lambda_.errors import ResourceConflictException, ResourceNotFoundException
from fogbank.services.lambda_.names import LATEST, Target
from fogbank.storage.keys import pack, span
from fogbank.storage.kv import Reader, Writer

# How long a creation or an update takes. AWS needs seconds; long enough here to be observed.
TRANSITION_MS = 50
VERSION_DIGITS_MAX = 16

_STATES = ("State", "LastUpdateStatus")

# {"config": AWS's members that do not depend on time, "code": the blob's reference,
#  "revisions": [during the transition, after it], "kind": "create" or "update",
#  "settled_ms": the transition's end, "tags": {...}, "reserved": concurrency or None,
#  "versions": how many were published; of a published version "digest": what it was made of}
Record = dict[str, Any]


def key_of(world: World, name: str) -> bytes:
    return pack("lambda", world.account, world.region, "function", name)


def version_key(world: World, name: str, number: int) -> bytes:
    return pack("lambda", world.account, world.region, "version", name, number)


def stored_key(target: Target) -> bytes | None:
    """Where the record of a function or of a published version is; None for an alias."""
    if target.qualifier in (None, LATEST):
        return key_of(target.world, target.name)
    number = str(target.qualifier)
    if number.isascii() and number.isdecimal() and len(number) < VERSION_DIGITS_MAX:
        return version_key(target.world, target.name, int(number))
    return None


def find(tx: Reader, target: Target) -> Record | None:
    """The record of the function itself, whatever the qualifier."""
    raw = tx.get(key_of(target.world, target.name))
    return None if raw is None else orjson.loads(raw)


def require_version(tx: Reader, target: Target) -> Record:
    """The record of what `target` names: the function or a published version."""
    key = stored_key(target)
    raw = None if key is None else tx.get(key)
    if raw is None:
        raise ResourceNotFoundException.function(target.qualified_arn)
    record: Record = orjson.loads(raw)
    return record


def require(tx: Reader, target: Target) -> Record:
    """The record of `target`, whose qualifier is none or $LATEST."""
    record: Record = orjson.loads(require_raw(tx, target))
    return record


def require_raw(tx: Reader, target: Target) -> bytes:
    """The same as it is stored."""
    raw = tx.get(key_of(target.world, target.name))
    if raw is None or target.qualifier not in (None, LATEST):
        raise ResourceNotFoundException.function(target.qualified_arn)
    return raw


def save(tx: Writer, world: World, record: Record) -> None:
    tx.put(key_of(world, record["config"]["FunctionName"]), orjson.dumps(record))


def all_of(tx: Reader, world: World, after: str) -> Iterator[Record]:
    """Every function of a world whose name is behind `after`, in order of name."""
    start, stop = span("lambda", world.account, world.region, "function")
    if after:
        start = key_of(world, after) + b"\xff"
    for _, raw in tx.range(start, stop):
        yield orjson.loads(raw)


def begin(record: Record, kind: str, ctx: Context) -> None:
    """`record` is in transition from now on, under new revisions."""
    now_ms = ctx.clock.now_ms()
    record["kind"] = kind
    record["revisions"] = [ctx.ids.uuid(), ctx.ids.uuid()]
    record["settled_ms"] = now_ms + TRANSITION_MS
    record["config"]["LastModified"] = timestamp(now_ms)


def touch(record: Record, ctx: Context) -> None:
    """`record` has a new revision, because something that belongs to it changed."""
    revision = ctx.ids.uuid()
    record["revisions"] = [record["revisions"][0], revision]


def is_settled(record: Record, now_ms: int) -> bool:
    return bool(now_ms >= record["settled_ms"])


def revision(record: Record, now_ms: int) -> str:
    return str(record["revisions"][is_settled(record, now_ms)])


def refuse_while_changing(record: Record, now_ms: int) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html"""
    if not is_settled(record, now_ms):
        if record["kind"] == "create":
            raise ResourceConflictException.pending()
        raise ResourceConflictException.updating(record["config"]["FunctionArn"])


def configuration(record: Record, now_ms: int) -> dict[str, Any]:
    """AWS's FunctionConfiguration of `record` at `now_ms`."""
    answer = {**record["config"], "RevisionId": revision(record, now_ms)}
    settled = is_settled(record, now_ms)
    if settled or record["kind"] == "update":
        answer["State"] = "Active"
        answer["LastUpdateStatus"] = "Successful"
    else:
        answer["State"] = "Pending"
        answer["StateReason"] = "The function is being created."
        answer["StateReasonCode"] = "Creating"
    if not settled and record["kind"] == "update":
        answer["LastUpdateStatus"] = "InProgress"
        answer["LastUpdateStatusReason"] = "The function is being created."
        answer["LastUpdateStatusReasonCode"] = "Creating"
    return answer


def listed(record: Record, now_ms: int) -> dict[str, Any]:
    """The configuration as lists give it: without anything about states."""
    config = configuration(record, now_ms)
    return {name: config[name] for name in config if not name.startswith(_STATES)}


def timestamp(now_ms: int) -> str:
    """Lambda's own form of a time: 2026-11-20T12:00:00.123+0000."""
    moment = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{now_ms % 1000:03d}+0000"
