"""A payload as it arrives."""

from collections.abc import AsyncIterator

import pytest

from fogbank.services.body import PIECE_BYTES, Body, gathered


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for number, size in enumerate(sizes):
        yield bytes((number,)) * size


async def test_a_body_that_is_here_is_read_in_either_way() -> None:
    assert Body.of(b"abc").is_here
    assert Body.of(b"abc").whole() == b"abc"
    assert await Body.of(b"abc").read() == b"abc"
    assert [piece async for piece in Body.of(b"abc")] == [b"abc"]
    assert [piece async for piece in Body.of(b"")] == []


async def test_a_body_that_is_here_raises_what_its_reading_would() -> None:
    def broken() -> bytes:
        raise ValueError

    body = Body.here(broken, length=3)
    with pytest.raises(ValueError):
        body.whole()
    with pytest.raises(ValueError):
        await anext(aiter(body))


async def test_a_body_in_pieces_is_not_here() -> None:
    body = Body(pieces(2, 3), length=5)
    assert not body.is_here
    assert await body.read() == b"\0\0\1\1\1"


@pytest.mark.parametrize(
    ("sizes", "joined"),
    [
        ((), []),
        ((1,), [1]),
        ((PIECE_BYTES,), [PIECE_BYTES]),
        ((PIECE_BYTES - 1, 1, 7), [PIECE_BYTES, 7]),
        ((PIECE_BYTES - 1, PIECE_BYTES), [2 * PIECE_BYTES - 1]),
    ],
)
async def test_pieces_are_joined_to_large_ones_in_order(
    sizes: tuple[int, ...], joined: list[int]
) -> None:
    found = [piece async for piece in gathered(pieces(*sizes))]
    assert [len(piece) for piece in found] == joined
    assert b"".join(found) == b"".join([piece async for piece in pieces(*sizes)])
