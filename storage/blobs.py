"""Large byte streams: sealed, immutable, named by a transaction or not there at all."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from fogbank.storage.kv import Reader, Writer

# A reference to a blob: plain JSON values, kept by its owner inside a record of its own.
BlobRef = dict[str, Any]


# Up to this size a blob is a value of the store: a put is then one group commit and no file.
INLINE_BYTES_MAX = 64 << 10


class BlobMissing(Exception):
    """A record names a blob that is not there."""


class BlobDamaged(Exception):
    """A blob's bytes are not those that were written: truncated, altered or moved."""


class BlobStoreFull(Exception):
    """There is no space left for a blob; nothing of it was left behind."""


class Staged(Protocol):
    """Bytes that are on disk (or small enough to go into the transaction) but named by nothing."""

    size_bytes: int


class Blobs(Protocol):
    async def stage(self, chunks: AsyncIterator[bytes], *, key_name: str) -> Staged:
        """Seal `chunks` under a data key of its own, wrapped by the key called `key_name`.

        When this returns the bytes are durable. Raises what `chunks` raises and leaves nothing.
        """
        ...

    def stage_small(self, data: bytes) -> Staged | None:
        """`data`, to be kept in the store itself; None when it is too large for that.

        Nothing of it is anywhere before `attach`, so that there is nothing to discard.
        """
        ...

    def attach(self, tx: Writer, staged: Staged) -> BlobRef:
        """Name the staged bytes: they belong to `tx`'s change from its commit on."""
        ...

    async def discard(self, staged: Staged) -> None:
        """Drop staged bytes that no transaction named. Safe to call after `attach`: then a no-op
        if the transaction committed."""
        ...

    def release(self, tx: Writer, ref: BlobRef) -> None:
        """Part of `tx`: the bytes are removed some time after its commit; readers finish first.

        A reader has until some seconds after its transaction to call `read`, `load` or `hold`.
        """
        ...

    def hold(self, refs: Iterable[BlobRef]) -> AbstractContextManager[None]:
        """Within the context the blobs stay readable, even when they are released.

        For a body made of many blobs that are read one after the other; `read` holds its own.
        """
        ...

    def load(self, tx: Reader, ref: BlobRef) -> bytes | None:
        """The whole blob when it is kept in the store itself (small ones are), else None."""
        ...

    def read(self, ref: BlobRef, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Plaintext bytes `start` to `stop` (exclusive); only the chunks in question are opened.

        Raises BlobMissing or BlobDamaged.
        """
        ...
