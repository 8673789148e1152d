"""Payloads on their way in: cut, hashed, sealed and verified before anything names them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from fogbank.services.body import SMALL_BYTES, Body, gathered
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

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Received:
    """A payload that is durable and verified, but named by nothing yet."""

    staged: Staged | None
    digests: Digests

    def attach(self, ctx: Context, tx: Writer) -> BlobRef | None:
        return None if self.staged is None else ctx.blobs.attach(tx, self.staged)

    async def drop(self, ctx: Context) -> None:
        """Nothing is left of the payload, unless a transaction named it."""
        if self.staged is not None:
            await ctx.blobs.discard(self.staged)


async def receive(
    ctx: Context, bucket_id: str, chunks: AsyncIterable[bytes], digests: Digests
) -> Received:
    """`chunks` are sealed, and `digests` were fed with them: `commit` is to follow."""
    async with aclosing(_hashed(chunks, digests)) as hashed:
        try:
            sealed = await ctx.blobs.stage(hashed, key_name=f"s3/{bucket_id}")
        except BlobStoreFull as error:
            raise ServiceUnavailable from error
    if not digests.size_bytes:
        # An object without bytes has no blob.
        await ctx.blobs.discard(sealed)
        return Received(None, digests)
    return Received(sealed, digests)


async def receive_request(
    ctx: Context, bucket_id: str, request: Mapping[str, Any], algorithms: Iterable[str] = ()
) -> Received:
    """`receive` of a request's Body: its length and the client's digests are verified.

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
    if body.is_here:
        received = await _receive_here(ctx, bucket_id, body, digests)
    else:
        received = await receive(ctx, bucket_id, body, digests)
    try:
        if digests.size_bytes != length:
            raise IncompleteBody(length, digests.size_bytes)
        claims.check(digests, body.trailers)
    except BaseException:
        await received.drop(ctx)
        raise
    return received


async def _receive_here(ctx: Context, bucket_id: str, body: Body, digests: Digests) -> Received:
    """A payload that has arrived: when it is small it needs no thread, no file, no iterators."""
    data = body.whole()
    if not data:
        return Received(None, digests)
    staged = ctx.blobs.stage_small(data)
    if staged is None:
        return await receive(ctx, bucket_id, Body.of(data), digests)
    digests.update(data)
    return Received(staged, digests)


async def commit(
    ctx: Context, received: Received, work: Callable[[Writer], T], reads: Sequence[bytes] = ()
) -> T:
    """What `work`, which looks for `reads`, wrote is durable; it may attach what was received.

    After an error, or a cancellation, the bytes are gone; unless a transaction that is still
    queued names them, for which `discard` waits.
    """
    try:
        return await ctx.store.write(work, reads=reads)
    except BaseException:
        await received.drop(ctx)
        raise


def body_of(request: Mapping[str, Any]) -> Body:
    """A request's payload; bytes are what another service's call gives, none is an empty one."""
    body = request.get("Body")
    if isinstance(body, Body):
        return body
    return Body.of(body if isinstance(body, bytes) else b"")


async def _hashed(chunks: AsyncIterable[bytes], digests: Digests) -> AsyncGenerator[bytes, None]:
    """`chunks` in larger pieces; a thread hashes each while the consumer seals it, and while the
    next one is on its way."""
    loop = asyncio.get_running_loop()
    hashing: asyncio.Future[None] | None = None
    async for piece in gathered(chunks):
        if hashing is not None:
            await hashing
            hashing = None
        if len(piece) > SMALL_BYTES:
            hashing = loop.run_in_executor(None, digests.update, piece)
        else:
            digests.update(piece)
        yield piece
    if hashing is not None:
        await hashing
