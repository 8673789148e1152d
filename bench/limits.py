"""What the machine itself can do, measured in the same run as the servers."""

import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 64 * 1024
HANDLER = """
import json, sys
def handler(event, context): return event
print(json.dumps(handler(json.loads(sys.stdin.read()), None)))
"""


def per_second(work: Callable[[], object], seconds: float = 1.0) -> float:
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        work()
        count += 1
    return count / (time.perf_counter() - started)


def sqlite_commits(rows_per_commit: int, seconds: float = 1.0) -> float:
    """Rows of 1 KB a second, plain SQLite, WAL, synchronous=FULL, unique values."""
    with tempfile.TemporaryDirectory(prefix="bench-sqlite-") as folder:
        path = Path(folder) / "db"
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB)")
        filler, number = os.urandom(1000), 0

        def commit() -> None:
            nonlocal number
            db.execute("BEGIN IMMEDIATE")
            for _ in range(rows_per_commit):
                number += 1
                key = number.to_bytes(8, "big")
                db.execute("INSERT INTO kv VALUES (?, ?)", (os.urandom(8) + key, key + filler))
            db.execute("COMMIT")

        commits = per_second(commit, seconds)
        db.close()
        # A benchmark that wrote nothing measures nothing.
        assert sum(file.stat().st_size for file in Path(folder).iterdir()) >= number * 1000
        return commits * rows_per_commit


def sqlite_reads(seconds: float = 1.0) -> float:
    """Point reads of 1 KB a second, plain SQLite, warm."""
    with tempfile.TemporaryDirectory(prefix="bench-sqlite-") as folder:
        db = sqlite3.connect(Path(folder) / "db", isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB)")
        db.executemany(
            "INSERT INTO kv VALUES (?, ?)",
            ((n.to_bytes(8, "big"), os.urandom(1000)) for n in range(10_000)),
        )
        number = 0

        def read() -> None:
            nonlocal number
            number = (number + 7919) % 10_000
            db.execute("SELECT v FROM kv WHERE k = ?", (number.to_bytes(8, "big"),)).fetchone()

        rate = per_second(read, seconds)
        db.close()
        return rate


def aes_gcm_mb_s() -> float:
    cipher, data, nonce = AESGCM(os.urandom(32)), os.urandom(CHUNK), os.urandom(12)
    return per_second(lambda: cipher.encrypt(nonce, data, b"")) * CHUNK / 1e6


def md5_mb_s() -> float:
    data = os.urandom(CHUNK)
    return per_second(lambda: hashlib.md5(data).digest()) * CHUNK / 1e6


def subprocess_ms(count: int = 15) -> list[float]:
    """A plain Python process from start to its answer, sorted: what a cold start competes with."""
    took: list[float] = []
    for _ in range(count):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", HANDLER], input=b"{}", capture_output=True, check=True
        )
        took.append((time.perf_counter() - started) * 1000)
    return sorted(took)


def measure() -> dict[str, float]:
    started = subprocess_ms()
    return {
        "sqlite rows/s, 1 a commit": sqlite_commits(1),
        "sqlite rows/s, 8 a commit": sqlite_commits(8),
        "sqlite rows/s, 64 a commit": sqlite_commits(64),
        "sqlite point reads/s": sqlite_reads(),
        "aes-256-gcm MB/s": aes_gcm_mb_s(),
        "md5 MB/s": md5_mb_s(),
        "plain python process, min ms": started[0],
        "plain python process, median ms": started[len(started) // 2],
    }
