"""The form of a blob's file: frames of AES-256-GCM that cannot be cut, moved or mixed."""

import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fogbank.storage.blobs import BlobDamaged, BlobMissing

FRAME_BYTES = 64 << 10
TAG_BYTES = 16
_SEALED_FRAME_BYTES = FRAME_BYTES + TAG_BYTES


def frame_count(size_bytes: int) -> int:
    return max(1, -(-size_bytes // FRAME_BYTES))


def sealed_size(size_bytes: int) -> int:
    """Bytes of the file of a blob of `size_bytes`: there is no header, only tags."""
    return size_bytes + TAG_BYTES * frame_count(size_bytes)


def seal(
    cipher: AESGCM,
    blob_id: bytes,
    first: int,
    frames: Sequence[bytes | memoryview],
    *,
    ends: bool,
) -> list[bytes]:
    """`frames` sealed, from number `first` on; all but a blob's last one are of FRAME_BYTES.

    The nonce is the blob's own prefix and the frame's number, and the data key is the blob's own:
    no nonce is used twice. The additional data say which blob, which frame and whether it is the
    last one, so that a frame opens nowhere else and a file cut at a frame does not open at all.
    """
    last = len(frames) - 1
    return [
        cipher.encrypt(
            _nonce(blob_id, first + number),
            frame,
            _label(blob_id, first + number, ends and number == last),
        )
        for number, frame in enumerate(frames)
    ]


def _nonce(blob_id: bytes, number: int) -> bytes:
    return blob_id[:4] + number.to_bytes(8, "big")


def _label(blob_id: bytes, number: int, is_last: bool) -> bytes:
    return b"fogbank blob 1" + blob_id + number.to_bytes(8, "big") + bytes((is_last,))


class SealedFile:
    """A blob's file, open for reading: its bytes stay readable when its name is removed."""

    def __init__(self, path: Path, blob_id: bytes, data_key: bytes, size_bytes: int) -> None:
        self._cipher = AESGCM(data_key)
        self._blob_id = blob_id
        self._size_bytes = size_bytes
        self._count = frame_count(size_bytes)
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            raise BlobMissing(f"the file of blob {blob_id.hex()} is not there") from None
        found = os.fstat(self._descriptor).st_size
        if found != sealed_size(size_bytes):
            self.close()
            raise BlobDamaged(
                f"blob {blob_id.hex()} has {found} bytes, not {sealed_size(size_bytes)}"
            )

    def read(self, first: int, count: int) -> bytes:
        """Plaintext of `count` frames from number `first` on. Raises BlobDamaged."""
        size = min(count, self._count - first) * _SEALED_FRAME_BYTES
        data = os.pread(self._descriptor, size, first * _SEALED_FRAME_BYTES)
        view = memoryview(data)
        try:
            return b"".join(
                [
                    self._cipher.decrypt(
                        _nonce(self._blob_id, number),
                        view[at : at + _SEALED_FRAME_BYTES],
                        _label(self._blob_id, number, number == self._count - 1),
                    )
                    for number, at in enumerate(range(0, len(data), _SEALED_FRAME_BYTES), first)
                ]
            )
        except InvalidTag:
            raise BlobDamaged(
                f"blob {self._blob_id.hex()} is not what was written, near byte"
                f" {first * FRAME_BYTES}"
            ) from None

    def close(self) -> None:
        os.close(self._descriptor)
