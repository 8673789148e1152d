"""The bytes of a stored object, in pieces, wherever they lie."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass

import orjson

from fogbank.services.s3 import keys
from fogbank.services.s3.errors import InternalError
from fogbank.services.s3.records import Part, StoredObject, from_bytes
from fogbank.storage.blobs import BlobDamaged, BlobMissing, BlobRef, Blobs
from fogbank.storage.kv import Reader

_log = logging.getLogger("fogbank.s3")


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes `start` to `stop` of a blob."""

    blob: BlobRef
    start: int
    stop: int


def slices(tx: Reader, found: StoredObject, start: int, stop: int) -> list[Slice]:
    """Where bytes `start` to `stop` of an object lie; at most one slice for each part."""
    if start >= stop:
        return []
    if found.upload is None:
        return [] if found.blob is None else [Slice(found.blob, start, stop)]
    chosen: list[Slice] = []
    for number, begin, end in layout(tx, found.upload):
        if end <= start:
            continue
        if begin >= stop:
            break
        raw = tx.get(keys.part(found.upload, number))
        part = None if raw is None else from_bytes(Part, raw)
        if part is None or part.blob is None:
            raise InternalError
        chosen.append(Slice(part.blob, max(start, begin) - begin, min(stop, end) - begin))
    return chosen


def layout(tx: Reader, upload_id: str) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and end of each part of a completed upload, in order."""
    raw = tx.get(keys.manifest(upload_id))
    if raw is None:
        raise InternalError
    begin = 0
    for number, size in orjson.loads(raw):
        yield number, begin, begin + size
        begin += size


def load(tx: Reader, blobs: Blobs, found: StoredObject, start: int, stop: int) -> bytes | None:
    """The bytes themselves when they are kept in the store, as those of small objects are."""
    if start >= stop:
        return b""
    if found.blob is None:
        return None
    try:
        data = blobs.load(tx, found.blob)
    except (BlobMissing, BlobDamaged) as error:
        raise _unreadable(error) from error
    return data if data is None or len(data) == stop - start else data[start:stop]


async def stream(blobs: Blobs, chosen: list[Slice]) -> AsyncIterator[bytes]:
    """The bytes of slices, one after the other; they stay readable while this is consumed."""
    with blobs.hold([piece.blob for piece in chosen]):
        for piece in chosen:
            async for chunk in blobs.read(piece.blob, piece.start, piece.stop):
                yield chunk


async def stream_of(
    blobs: Blobs, chosen: list[Slice], data: bytes | None
) -> AsyncGenerator[bytes, None]:
    """The bytes to copy, wherever they are; a missing or damaged blob is InternalError."""
    if data is not None:
        yield data
        return
    try:
        async for chunk in stream(blobs, chosen):
            yield chunk
    except (BlobMissing, BlobDamaged) as error:
        raise _unreadable(error) from error


async def opened(blobs: Blobs, chosen: list[Slice]) -> AsyncIterator[bytes]:
    """`stream` with its first bytes already there: a missing or damaged blob is a clean 500."""
    chunks = stream(blobs, chosen)
    try:
        first = await anext(chunks)
    except (BlobMissing, BlobDamaged) as error:
        raise _unreadable(error) from error
    except StopAsyncIteration:
        first = b""
    return _from(first, chunks)


def _unreadable(error: Exception) -> InternalError:
    """The answer to a client; what is wrong with the bytes is for the log only."""
    _log.error("an object cannot be read: %s", error)
    return InternalError()


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        if first:
            yield first
        async for chunk in rest:
            yield chunk
    finally:
        close = getattr(rest, "aclose", None)
        if close is not None:
            await close()
