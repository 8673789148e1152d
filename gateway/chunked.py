"""aws-chunked bodies without I/O: framing is taken off, signatures and lengths are checked.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

from fogbank.gateway.sigv4 import EMPTY_SHA256

# What x-amz-content-sha256 says of a body in chunks -> (are chunks signed, is there a trailer).
MODES = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": (True, False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (True, True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": (False, True),
}
LINE_BYTES_MAX = 1024
TRAILER_BYTES_MAX = 16 * 1024
_SIZE_LINE = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?[ \t]*")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


class BrokenFraming(Exception):
    """The bytes are not chunks, or break off, or are not as many as was announced."""


class ChunkForged(Exception):
    """A chunk's signature, or the trailer's, is not the one that the secret gives."""


@dataclass(slots=True)
class ChunkKey:
    """What chunk signatures are made with; `previous` is the signature of what came before."""

    key: bytes
    timestamp: str
    scope: str
    previous: str

    def of_chunk(self, sha256_hex: str) -> str:
        kind = "AWS4-HMAC-SHA256-PAYLOAD"
        return self._next(
            f"{kind}\n{self.timestamp}\n{self.scope}\n{self.previous}\n{EMPTY_SHA256}\n{sha256_hex}"
        )

    def of_trailer(self, sha256_hex: str) -> str:
        kind = "AWS4-HMAC-SHA256-TRAILER"
        return self._next(f"{kind}\n{self.timestamp}\n{self.scope}\n{self.previous}\n{sha256_hex}")

    def _next(self, text: str) -> str:
        self.previous = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        return self.previous


class ChunkedDecoder:
    """Feed it what arrives; it gives back the payload's bytes. `trailers` are filled at the end.

    With a `key` the signatures of chunks and trailer are checked, without one they are skipped.
    """

    def __init__(
        self, decoded_length: int | None, key: ChunkKey | None = None, *, has_trailer: bool = True
    ) -> None:
        self.trailers: dict[str, str] = {}
        self._decoded_length = decoded_length
        self._key = key
        self._has_trailer = has_trailer
        self._buffer = bytearray()
        self._state = self._size_line
        self._left = 0
        self._total = 0
        self._signature = b""
        self._hash = hashlib.sha256()
        self._trailer_lines: list[bytes] = []
        self._trailer_bytes = 0
        self._done = False

    def feed(self, data: bytes) -> bytes:
        """The payload bytes in `data` and what was kept back; raises BrokenFraming, ChunkForged."""
        self._buffer += data
        out: list[bytes] = []
        while self._state(out):
            pass
        return out[0] if len(out) == 1 else b"".join(out)

    def finish(self) -> None:
        """Nothing more will come; raises BrokenFraming when something is missing."""
        if self._state == self._trailer_line and not self._done:
            # Some clients leave out the empty line that ends the last chunk.
            if self._buffer:
                self._buffer += b"\r\n"
            self._buffer += b"\r\n"
            while self._state([]):
                pass
        if not self._done:
            raise BrokenFraming("The request body terminated unexpectedly")
        if self._decoded_length is not None and self._total != self._decoded_length:
            raise BrokenFraming(
                "You did not provide the number of bytes specified by the "
                "x-amz-decoded-content-length HTTP header"
            )

    def _line(self) -> bytes | None:
        at = self._buffer.find(b"\n", 0, LINE_BYTES_MAX + 2)
        if at < 0:
            if len(self._buffer) > LINE_BYTES_MAX:
                raise BrokenFraming("A line between chunks is too long")
            return None
        line = bytes(self._buffer[:at]).removesuffix(b"\r")
        del self._buffer[: at + 1]
        return line

    def _size_line(self, out: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        found = _SIZE_LINE.fullmatch(line)
        if found is None:
            raise BrokenFraming("The size of a chunk is not readable")
        self._left = int(found[1], 16)
        self._signature = found[2] or b""
        self._hash = hashlib.sha256()
        self._total += self._left
        if self._decoded_length is not None and self._total > self._decoded_length:
            raise BrokenFraming(
                "You did not provide the number of bytes specified by the "
                "x-amz-decoded-content-length HTTP header"
            )
        if self._left == 0:
            self._check_chunk()
            self._state = self._trailer_line
        else:
            self._state = self._data
        return True

    def _data(self, out: list[bytes]) -> bool:
        if not self._buffer:
            return False
        with memoryview(self._buffer) as view:
            piece = bytes(view[: self._left])
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        if self._key is not None:
            self._hash.update(piece)
        out.append(piece)
        if self._left == 0:
            self._check_chunk()
            self._state = self._data_end
        return True

    def _data_end(self, out: list[bytes]) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise BrokenFraming("A chunk is longer than its size says")
        del self._buffer[:2]
        self._state = self._size_line
        return True

    def _trailer_line(self, out: list[bytes]) -> bool:
        if self._done:
            if self._buffer.strip(b"\r\n"):
                raise BrokenFraming("Bytes follow the last chunk")
            self._buffer.clear()
            return False
        line = self._line()
        if line is None:
            return False
        if not line:
            self._end_trailer()
            return True
        self._trailer_bytes += len(line)
        if self._trailer_bytes > TRAILER_BYTES_MAX or b":" not in line:
            raise BrokenFraming("The trailer is not readable")
        self._trailer_lines.append(line)
        return True

    def _end_trailer(self) -> None:
        self._done = True
        signature = ""
        signed = b""
        for line in self._trailer_lines:
            name, _, value = line.decode("latin-1").partition(":")
            name, value = name.strip().lower(), value.strip()
            if name == _TRAILER_SIGNATURE:
                signature = value
            else:
                self.trailers[name] = value
                signed += f"{name}:{value}\n".encode("latin-1")
        if self._key is not None and self._has_trailer:
            expected = self._key.of_trailer(hashlib.sha256(signed).hexdigest())
            if not hmac.compare_digest(expected.encode(), signature.encode("latin-1")):
                raise ChunkForged("the trailer")

    def _check_chunk(self) -> None:
        if self._key is not None:
            expected = self._key.of_chunk(self._hash.hexdigest())
            if not hmac.compare_digest(expected.encode(), self._signature):
                raise ChunkForged("a chunk")
