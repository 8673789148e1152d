"""A request's payload as it arrives: read once, in pieces, never held whole."""

from collections.abc import AsyncIterator


class Body:
    """`length` is the payload's size in bytes, None while unknown (chunked transfer).

    `trailers` are filled when the last piece has been read; names are lower case. A payload that
    breaks off, or that fails its signature, raises from the iteration. `announced` names the
    trailers that are to come, before the first piece is read.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        length: int | None = None,
        trailers: dict[str, str] | None = None,
        announced: tuple[str, ...] = (),
    ) -> None:
        self._chunks = chunks
        self.length = length
        self.trailers: dict[str, str] = {} if trailers is None else trailers
        self.announced = announced

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def read(self) -> bytes:
        """The rest of the payload; for callers that know that it is small."""
        return b"".join([chunk async for chunk in self._chunks])

    @classmethod
    def of(cls, data: bytes) -> "Body":
        return cls(_once(data), length=len(data))


async def _once(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data
