"""Small files and folders that a power cut does not undo."""

import os
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """`path` holds `data`, readable by its owner only: all of it, or what was there before."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    sync_folder(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """All of `data` is written; a single `write` may stop early."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_pieces(descriptor: int, pieces: list[bytes]) -> None:
    """All of `pieces` is written, in one call as a rule and without joining them."""
    written = os.writev(descriptor, pieces)
    for piece in pieces:
        if written < len(piece):
            write_all(descriptor, piece[written:])
        written = max(0, written - len(piece))


def sync_folder(folder: Path) -> None:
    """Names made, moved or removed in `folder` are durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
