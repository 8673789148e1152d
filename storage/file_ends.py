"""The two ends of a sealed file: what is written comes in at one, what is read out at the other.

Both are used on threads, and may be given up while a thread is within.
"""

import os
import threading
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fogbank.storage.durable import sync_folder, write_pieces
from fogbank.storage.sealed import FRAME_BYTES, SealedFile, seal

# So much of a file is given to the disk while the rest is still on its way here.
FLUSH_BYTES = 4 << 20


class Sink:
    """A temporary file that takes plaintext in order and becomes a blob when it is finished.

    Each method runs on some thread; the lock makes `abandon` wait for a write under way.
    """

    def __init__(self, folder: Path, data_key: bytes, blob_id: bytes) -> None:
        self.data_key = data_key
        self.size_bytes = 0
        self._cipher = AESGCM(data_key)
        self._blob_id = blob_id
        self._temporary = folder / blob_id.hex()
        self._descriptor = -1
        self._frames = 0
        self._rest = b""
        self._written_bytes = self._unflushed_bytes = 0
        self._is_over = False
        self._lock = threading.Lock()

    def write(self, parts: list[bytes]) -> None:
        """The whole frames of what there is are written; the last bytes stay back, for the last
        frame of all is sealed as such."""
        with self._lock:
            self._append(self._frames_of(parts))

    def _frames_of(self, parts: list[bytes]) -> list[bytes | memoryview]:
        """Whole frames, without a copy but where a frame is of two parts; `_rest` is what is left,
        and never empty behind a frame."""
        frames: list[bytes | memoryview] = []
        for part in parts:
            view = memoryview(part)
            if self._rest:
                missing = FRAME_BYTES - len(self._rest)
                self._rest += view[:missing]
                view = view[missing:]
                if not view:
                    continue
                frames.append(self._rest)
            whole = max(0, len(view) - 1) // FRAME_BYTES * FRAME_BYTES
            frames += [view[at : at + FRAME_BYTES] for at in range(0, whole, FRAME_BYTES)]
            self._rest = bytes(view[whole:])
        return frames

    def _append(self, frames: list[bytes | memoryview], *, ends: bool = False) -> None:
        if self._is_over or not frames:
            return
        if self._descriptor < 0:
            self._descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        sealed = seal(self._cipher, self._blob_id, self._frames, frames, ends=ends)
        write_pieces(self._descriptor, sealed)
        self._frames += len(frames)
        self.size_bytes += sum([len(frame) for frame in frames])
        self._flush_early(sum([len(piece) for piece in sealed]))

    def _flush_early(self, written_bytes: int) -> None:
        """The disk begins with what is written, so that the sync at the end finds little to do.

        Linux starts to write dirty pages back when it is told that they are not needed, and
        returns at once; pages on their way to the disk stay in memory, as do those that follow.
        """
        self._unflushed_bytes += written_bytes
        self._written_bytes += written_bytes
        if self._unflushed_bytes >= FLUSH_BYTES:
            start = self._written_bytes - self._unflushed_bytes
            os.posix_fadvise(self._descriptor, start, self._unflushed_bytes, os.POSIX_FADV_DONTNEED)
            self._unflushed_bytes = 0

    def finish(self, parts: list[bytes], place: Path, is_synced: bool) -> None:
        """The last frames are written and the file is at `place`, durably."""
        with self._lock:
            if self._is_over:
                return
            self._append([*self._frames_of(parts), self._rest], ends=True)
            if is_synced:
                os.fdatasync(self._descriptor)
            self._close()
            self._temporary.rename(place)
            if is_synced:
                # The folder itself was made durable when the blobs were opened.
                sync_folder(place.parent)

    def abandon(self, place: Path) -> None:
        with self._lock:
            self._close()
            self._temporary.unlink(missing_ok=True)
            place.unlink(missing_ok=True)

    def _close(self) -> None:
        self._is_over = True
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Source:
    """A sealed file that is opened by its first read, and closed after the one under way."""

    def __init__(self, path: Path, blob_id: bytes, data_key: bytes, size_bytes: int) -> None:
        self._args = (path, blob_id, data_key, size_bytes)
        self._file: SealedFile | None = None
        self._is_over = False
        self._lock = threading.Lock()

    def read(self, first: int, count: int) -> bytes:
        with self._lock:
            if self._is_over:
                return b""
            if self._file is None:
                self._file = SealedFile(*self._args)
            return self._file.read(first, count)

    def close(self) -> None:
        self._is_over = True
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
