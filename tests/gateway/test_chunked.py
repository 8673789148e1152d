"""aws-chunked bodies: framing, signatures and lengths."""

import contextlib
import hashlib
import hmac
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.gateway.chunked import BrokenFraming, ChunkedDecoder, ChunkForged, ChunkKey

KEY, SCOPE, TIMESTAMP, SEED = b"k" * 32, "20260101/us-east-1/s3/aws4_request", "2026T", "0" * 64
EMPTY = hashlib.sha256(b"").hexdigest()


def chunk_key() -> ChunkKey:
    return ChunkKey(KEY, TIMESTAMP, SCOPE, SEED)


def hmac_of(text: str) -> str:
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def framed(pieces: list[bytes], trailers: dict[str, str] | None = None, *, sign: bool) -> bytes:
    """What a client sends; written from AWS's page, apart from the code that reads it."""
    out, previous = b"", SEED
    for piece in [*[piece for piece in pieces if piece], b""]:
        line = f"{len(piece):x}"
        if sign:
            digest = hashlib.sha256(piece).hexdigest()
            previous = hmac_of(
                f"AWS4-HMAC-SHA256-PAYLOAD\n{TIMESTAMP}\n{SCOPE}\n{previous}\n{EMPTY}\n{digest}"
            )
            line += f";chunk-signature={previous}"
        out += line.encode() + b"\r\n" + (piece + b"\r\n" if piece else b"")
    lines = "".join(f"{name}:{value}\n" for name, value in (trailers or {}).items())
    out += lines.replace("\n", "\r\n").encode()
    if trailers and sign:
        digest = hashlib.sha256(lines.encode()).hexdigest()
        signature = hmac_of(f"AWS4-HMAC-SHA256-TRAILER\n{TIMESTAMP}\n{SCOPE}\n{previous}\n{digest}")
        out += f"x-amz-trailer-signature:{signature}\r\n".encode()
    return out + b"\r\n"


def decode(decoder: ChunkedDecoder, raw: bytes, size: int = 1 << 20) -> bytes:
    out = b"".join(decoder.feed(raw[at : at + size]) for at in range(0, len(raw), size))
    decoder.finish()
    return out


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5), st.booleans(), st.integers(1, 50))
def test_the_payload_comes_out_however_the_bytes_arrive(
    pieces: list[bytes], sign: bool, size: int
) -> None:
    payload = b"".join(pieces)
    trailers = {"x-amz-checksum-crc32": "AAAAAA=="}
    decoder = ChunkedDecoder(len(payload), chunk_key() if sign else None)
    assert decode(decoder, framed(pieces, trailers, sign=sign), size) == payload
    assert decoder.trailers == trailers


def test_signed_chunks_without_a_trailer_are_accepted() -> None:
    decoder = ChunkedDecoder(3, chunk_key(), has_trailer=False)
    assert decode(decoder, framed([b"abc"], sign=True)) == b"abc"


def test_an_altered_chunk_is_found() -> None:
    raw = framed([b"abc", b"def"], sign=True).replace(b"def", b"dxf")
    with pytest.raises(ChunkForged):
        decode(ChunkedDecoder(6, chunk_key(), has_trailer=False), raw)


def test_an_altered_trailer_is_found() -> None:
    raw = framed([b"abc"], {"x-amz-checksum-crc32": "AAAAAA=="}, sign=True)
    with pytest.raises(ChunkForged):
        decode(ChunkedDecoder(3, chunk_key()), raw.replace(b"AAAAAA", b"AAAAAB"))


def test_a_trailer_without_a_signature_is_found() -> None:
    raw = framed([b"abc"], {"x-amz-checksum-crc32": "AAAAAA=="}, sign=True)
    at = raw.index(b"x-amz-trailer-signature")
    with pytest.raises(ChunkForged):
        decode(ChunkedDecoder(3, chunk_key()), raw[:at] + b"\r\n")


def test_chunks_in_another_order_are_found() -> None:
    first, second, last = framed([b"abc", b"def"], sign=True).split(b"\r\n")[0:5:2]
    raw = b"\r\n".join([second, b"def", first, b"abc", last, b"", b""])
    with pytest.raises(ChunkForged):
        decode(ChunkedDecoder(6, chunk_key(), has_trailer=False), raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"3",
        b"3\r\nab",
        b"3\r\nabc",
        b"3\r\nabc\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"zz\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"3;chunk-signature=zz\r\nabc\r\n0\r\n\r\n",
        b"ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\n0\r\nno colon\r\n\r\n",
        b"3\r\nabc\r\n0\r\n\r\nmore",
        b"4\r\nabcd\r\n0\r\n\r\n",
        b"2\r\nab\r\n0\r\n\r\n",
        b"x" * 5000,
    ],
)
def test_broken_framing_is_found(raw: bytes) -> None:
    with pytest.raises(BrokenFraming):
        decode(ChunkedDecoder(3), raw)


def test_the_empty_line_at_the_end_may_be_missing() -> None:
    assert decode(ChunkedDecoder(3), b"3\r\nabc\r\n0\r\n") == b"abc"


def test_an_endless_trailer_is_refused() -> None:
    decoder = ChunkedDecoder(None)
    decoder.feed(b"0\r\n")
    with pytest.raises(BrokenFraming):
        for number in itertools.count():
            decoder.feed(b"name%d: value\r\n" % number)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80), st.booleans())
def test_no_bytes_make_the_decoder_fail_otherwise(raw: bytes, sign: bool) -> None:
    decoder = ChunkedDecoder(3, chunk_key() if sign else None)
    with contextlib.suppress(BrokenFraming, ChunkForged):
        decode(decoder, raw, 7)
