"""Compression of responses, for APIs that ask for it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-enable-compression.html
Compressed requests are handed on as they came.
"""

import asyncio
import gzip
import re
import zlib

Headers = list[tuple[bytes, bytes]]

# Compressing more than this takes longer than a hop to a thread.
ON_LOOP_BYTES_MAX = 16 * 1024
_REFUSED = re.compile(r";\s*q=0(?:\.0*)?\s*$")


def chosen(accept_encoding: str | None) -> str | None:
    """The coding for a client that sent this Accept-Encoding; None where it takes none of ours."""
    offered = {
        part.partition(";")[0].strip().lower()
        for part in (accept_encoding or "").split(",")
        if not _REFUSED.search(part)
    }
    return next((coding for coding in ("gzip", "deflate") if coding in offered), None)


async def compressed(
    headers: Headers, body: bytes, accept_encoding: str | None, size_min_bytes: int
) -> tuple[Headers, bytes]:
    """Headers and body, compressed where the client takes it and the size is worth it."""
    coding = chosen(accept_encoding)
    if coding is None or not body or len(body) < size_min_bytes:
        return headers, body
    if any(name.lower() == b"content-encoding" for name, _ in headers):
        return headers, body
    encode = _gzip if coding == "gzip" else _deflate
    if len(body) > ON_LOOP_BYTES_MAX:
        body = await asyncio.to_thread(encode, body)
    else:
        body = encode(body)
    return [*headers, (b"Content-Encoding", coding.encode())], body


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def _deflate(body: bytes) -> bytes:
    return zlib.compress(body)
