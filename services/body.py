"""A request's payload as it arrives: read once, in pieces, never held whole."""

from collections.abc import AsyncIterable, AsyncIterator, Callable

# A thread hashes a piece of this size in less than a millisecond: a hop to it costs a tenth of
# that. Much smaller pieces are hashed where they are, on the event loop. uvloop reads at most
# 256,000 bytes at once: two such reads are a piece.
PIECE_BYTES = 500_000
# Up to this size a piece takes the event loop no longer than a hop to a thread would.
SMALL_BYTES = 64 * 1024


class Body:
    """`length` is the payload's size in bytes, None while unknown (chunked transfer).

    `trailers` are filled when the last piece has been read; names are lower case. A payload that
    breaks off, or that fails its signature, raises from the iteration. `announced` names the
    trailers that are to come, before the first piece is read.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes] | None,
        *,
        length: int | None = None,
        trailers: dict[str, str] | None = None,
        announced: tuple[str, ...] = (),
        whole: Callable[[], bytes] | None = None,
    ) -> None:
        """`whole` gives all that `chunks` would, or raises what they would, without waiting; one
        of the two is enough."""
        self._chunks = chunks
        self._whole = whole
        self.length = length
        self.trailers: dict[str, str] = {} if trailers is None else trailers
        self.announced = announced

    def __aiter__(self) -> AsyncIterator[bytes]:
        if self._chunks is None:
            self._chunks = _once(self.whole)
        return self._chunks

    @property
    def is_here(self) -> bool:
        """Whether all of it has arrived, and is small: then `whole` gives it."""
        return self._whole is not None

    def whole(self) -> bytes:
        """The payload of a body that `is_here`; raises what reading it in pieces would."""
        assert self._whole is not None
        return self._whole()

    async def read(self) -> bytes:
        """The rest of the payload; for callers that know that it is small."""
        if self._whole is not None:
            return self._whole()
        return b"".join([chunk async for chunk in self])

    @classmethod
    def of(cls, data: bytes) -> "Body":
        return cls.here(lambda: data, length=len(data))

    @classmethod
    def here(
        cls,
        whole: Callable[[], bytes],
        *,
        length: int | None,
        trailers: dict[str, str] | None = None,
        announced: tuple[str, ...] = (),
    ) -> "Body":
        """A payload that has arrived; `whole` takes off what is around it, and is called once."""
        return cls(None, length=length, trailers=trailers, announced=announced, whole=whole)


async def _once(whole: Callable[[], bytes]) -> AsyncIterator[bytes]:
    data = whole()
    if data:
        yield data


async def gathered(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """`chunks` joined to pieces of at least PIECE_BYTES, but for the last one."""
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
