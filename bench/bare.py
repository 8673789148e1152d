"""Servers that do nothing but one thing: the limits beside our figures.

`answer` reads the request and answers 1 KB; `read` answers what one point read of the encrypted
database finds; `commit` writes a row of 1 KB and answers when its group is committed and synced.
"""

import asyncio
import itertools
import os
import queue
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

from fogbank.storage.sqlcipher import connect

ROWS = 10_000
GROUP_MAX = 256
CHECKPOINT_ROWS = 4_000
VALUE = b'{"Item":{"text":{"S":"' + b"x" * 1000 + b'"}}}'
KINDS = ("answer", "read", "commit")

Work = Callable[[bytes], Awaitable[bytes]]


async def answer(body: bytes) -> bytes:
    return VALUE


def database() -> Any:
    db = connect(Path(sys.argv[3]) / "db", os.urandom(32), "full", cache_kib=32 << 10)
    db.execute("CREATE TABLE pairs (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL)")
    return db


def reader() -> Work:
    db = database()
    db.execute("BEGIN")
    pairs = [(b"%08d" % (number * 7919 % ROWS), VALUE) for number in range(ROWS)]
    db.executemany("INSERT INTO pairs VALUES (?, ?)", pairs)
    db.execute("COMMIT")
    numbers = itertools.cycle(range(0, ROWS, 7))

    async def read(body: bytes) -> bytes:
        key = b"%08d" % next(numbers)
        found: bytes = db.execute("SELECT v FROM pairs WHERE k = ?", (key,)).fetchone()[0]
        return found

    return read


def committer() -> Work:
    """Rows wait in a queue; one thread takes all that there are and commits them together."""
    rows: queue.SimpleQueue[tuple[asyncio.Future[None], bytes, bytes]] = queue.SimpleQueue()

    def settle(futures: list[asyncio.Future[None]]) -> None:
        for future in futures:
            future.set_result(None)

    def run() -> None:
        db, since_checkpoint = database(), 0
        while True:
            group = [rows.get()]
            while len(group) < GROUP_MAX and not rows.empty():
                group.append(rows.get())
            db.execute("BEGIN IMMEDIATE")
            pairs = [(key, value) for _, key, value in group]
            db.executemany("INSERT INTO pairs VALUES (?, ?)", pairs)
            db.execute("COMMIT")
            futures = [future for future, _, _ in group]
            futures[0].get_loop().call_soon_threadsafe(settle, futures)
            since_checkpoint += len(group)
            if since_checkpoint > CHECKPOINT_ROWS:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                since_checkpoint = 0

    threading.Thread(target=run, daemon=True).start()

    async def commit(body: bytes) -> bytes:
        future = asyncio.get_running_loop().create_future()
        rows.put((future, b"item" * 6 + os.urandom(16), body))
        await future
        return b"{}"

    return commit


def application(work: Work) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        result = await work(body)
        headers = [
            (b"content-type", b"application/x-amz-json-1.0"),
            (b"content-length", b"%d" % len(result)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": result})

    return app


def main() -> None:
    port, kind = int(sys.argv[1]), sys.argv[2]
    works = {"answer": lambda: answer, "read": reader, "commit": committer}
    uvicorn.run(
        application(works[kind]()),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        log_level="error",
        access_log=False,
    )


if __name__ == "__main__":
    main()
