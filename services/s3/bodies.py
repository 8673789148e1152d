"""Payloads on their way in: cut, hashed, sealed and verified before anything names them."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fogbank.services.body import Body
from fogbank.services.context import Context
from fogbank.services.s3.checksums import DEFAULT, Claims, Digests
from fogbank.services.s3.errors import (
    EntityTooLarge,
    IncompleteBody,
    MissingContentLength,
    ServiceUnavailable,
)
from fogbank.storage.blobs import BlobRef, BlobStoreFull, Staged
from fogbank.storage.kv import Writer

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
PUT_BYTES_MAX = 5 * 1024**3
# Hashing a piece of this size takes about a millisecond: that is worth a thread, less is not.
PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A payload that is durable and verified, but named by nothing yet."""

    staged: Staged | None
    digests: Digests

    def attach(self, ctx: Context, tx: Writer) -> BlobRef | None:
        return None if self.staged is None else ctx.blobs.attach(tx, self.staged)


@asynccontextmanager
async def receiving(
    ctx: Context, bucket_id: str, chunks: AsyncIterable[bytes], digests: Digests
) -> AsyncIterator[Received]:
    """Seal `chunks`, feeding `digests`; within the context a transaction may name them.

    When the context is left by an error, or by a cancellation, they are gone; unless a transaction
    that is still queued names them, for which `discard` waits.
    """
    async with aclosing(_hashed(chunks, digests)) as hashed:
        try:
            sealed = await ctx.blobs.stage(hashed, key_name=f"s3/{bucket_id}")
        except BlobStoreFull as error:
            raise ServiceUnavailable from error
    try:
        # An object without bytes has no blob.
        yield Received(sealed if digests.size_bytes else None, digests)
    except BaseException:
        await ctx.blobs.discard(sealed)
        raise
    if not digests.size_bytes:
        await ctx.blobs.discard(sealed)


@asynccontextmanager
async def receiving_request(
    ctx: Context, bucket_id: str, request: Mapping[str, Any], algorithms: Iterable[str] = ()
) -> AsyncIterator[Received]:
    """`receiving` of a request's Body: its length and the client's digests are verified.

    Computed are `algorithms`, or else what the client announces, or else the default.
    """
    body = body_of(request)
    claims = Claims(request, body)
    length = body.length
    if length is None:
        raise MissingContentLength
    if length > PUT_BYTES_MAX:
        raise EntityTooLarge(length, PUT_BYTES_MAX)
    wanted = [*algorithms, *([claims.algorithm] if claims.algorithm else [])] or [DEFAULT]
    digests = Digests(wanted)
    async with receiving(ctx, bucket_id, body, digests) as received:
        if digests.size_bytes != length:
            raise IncompleteBody(length, digests.size_bytes)
        claims.check(digests, body.trailers)
        yield received


def body_of(request: Mapping[str, Any]) -> Body:
    """A request's payload; bytes are what another service's call gives, none is an empty one."""
    body = request.get("Body")
    if isinstance(body, Body):
        return body
    return Body.of(body if isinstance(body, bytes) else b"")


async def _hashed(chunks: AsyncIterable[bytes], digests: Digests) -> AsyncGenerator[bytes, None]:
    """`chunks` in larger pieces, hashed in a thread while the consumer seals the same piece."""
    loop = asyncio.get_running_loop()
    async for piece in _pieces(chunks):
        if len(piece) < PIECE_BYTES:
            digests.update(piece)
            yield piece
            continue
        hashing = loop.run_in_executor(None, digests.update, piece)
        yield piece
        await hashing


async def _pieces(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    pending: list[bytes] = []
    size = 0
    async for chunk in chunks:
        pending.append(chunk)
        size += len(chunk)
        if size >= PIECE_BYTES:
            yield pending[0] if len(pending) == 1 else b"".join(pending)
            pending, size = [], 0
    if pending:
        yield pending[0] if len(pending) == 1 else b"".join(pending)
