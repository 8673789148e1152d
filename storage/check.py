"""A data directory, verified: what is damaged, missing, or there without a reason."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from fogbank.storage.blobs import BlobDamaged, BlobMissing
from fogbank.storage.datadir import DataDir
from fogbank.storage.keys import pack, span, unpack
from fogbank.storage.kv import Reader, StoreFailed

_EVENT_MEMBERS = {"id", "created", "due", "body"}


@dataclass(frozen=True, slots=True)
class Problem:
    """`where` names a file, a blob or a record; `what` is one line.

    `leftover`: nothing is damaged. A crash left something behind that the next start removes.
    """

    where: str
    what: str
    leftover: bool = False


Check = Callable[[Reader], Iterator[Problem]]


async def check(
    data: DataDir, *, deep: bool = False, checks: tuple[Check, ...] = ()
) -> list[Problem]:
    """Every problem of the open data directory; `deep` opens every frame of every blob.

    `checks` are those of the layers above, for instance that a record's blobs exist. They run on
    one snapshot each.
    """
    problems = [Problem("database", line) for line in await data.store.verify()]
    if problems:
        return problems
    try:
        for one in (_inline_and_released, _outbox, *checks):
            problems += await data.store.read(lambda tx, one=one: list(one(tx)))  # type: ignore[misc]
        problems += await _blobs(data, deep=deep)
    except StoreFailed as failure:
        problems.append(Problem("database", str(failure)))
    return problems


async def _blobs(data: DataDir, *, deep: bool) -> list[Problem]:
    """Each record has its file and each file its record; a released one may be half gone."""
    records, released = await data.store.read(_recorded)
    found = set(await asyncio.to_thread(lambda: list(data.blobs.file_ids())))
    problems = [
        Problem(f"blob {blob_id}", "its file is missing")
        for blob_id in sorted(records - found - released)
    ]
    problems += [
        Problem(f"blob {blob_id}", "no record names its file", leftover=True)
        for blob_id in sorted(found - records)
    ]
    for blob_id in sorted(records & found - released):
        try:
            await data.blobs.verify(blob_id, deep=deep)
        except (BlobDamaged, BlobMissing) as error:
            problems.append(Problem(f"blob {blob_id}", str(error)))
    return problems


def _recorded(tx: Reader) -> tuple[set[str], set[str]]:
    """The ids of the blobs with a file's record, and of those that are released."""
    records = {str(unpack(key)[2]) for key, _ in tx.range(*span("blobs", "file"))}
    return records, {str(unpack(key)[3]) for key, _ in tx.range(*span("blobs", "released"))}


def _inline_and_released(tx: Reader) -> Iterator[Problem]:
    for key, _ in tx.range(*span("blobs", "released")):
        blob_id = str(unpack(key)[3])
        if tx.get(pack("blobs", "inline", blob_id)) is None and (
            tx.get(pack("blobs", "file", blob_id)) is None
        ):
            yield Problem(f"blob {blob_id}", "it is to be removed, but there is no such blob")


def _outbox(tx: Reader) -> Iterator[Problem]:
    """Every event is well formed and will be reached: its key has a head, that one a due time."""
    first_of: dict[tuple[str, str], int] = {}
    for name, raw in tx.range(*span("outbox", "event")):
        _, _, topic, key, sequence = unpack(name)
        assert isinstance(topic, str) and isinstance(key, str) and isinstance(sequence, int)
        first_of.setdefault((topic, key), sequence)
        if not _is_event(raw):
            yield Problem(f"event {sequence} of {topic}", "it is not well formed")
    heads = 0
    for (topic, key), sequence in first_of.items():
        raw_head = tx.get(pack("outbox", "head", topic, key))
        if raw_head is None:
            yield Problem(f"event {sequence} of {topic}", "nothing will deliver it")
            continue
        heads += 1
        due_ms, first, *_ = orjson.loads(raw_head)
        if first != sequence:
            yield Problem(f"event {sequence} of {topic}", f"event {first} hides it")
        if tx.get(pack("outbox", "due", topic, due_ms, key)) is None:
            yield Problem(f"event {sequence} of {topic}", "it has no due time")
    if heads < sum(1 for _ in tx.range(*span("outbox", "head"))):
        yield Problem("outbox", "a key is marked as waiting without an event")


def _is_event(raw: bytes) -> bool:
    try:
        event = orjson.loads(raw)
    except ValueError:
        return False
    return isinstance(event, dict) and event.keys() >= _EVENT_MEMBERS
