"""The whole stack in one sitting: deploy, use, look inside, pull the plug, look again."""

import argparse
import hashlib
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).parent))
from deploy import BUCKET, STAGE, TABLE, deploy

MEASURED_WITHIN_S = 30.0
# What of a span's detail a reader of the tree wants to see.
SHOWN = ("path", "Bucket", "Key", "TableName", "topic", "status")
SECRET_TITLE = "Harbour in the morning fog, plainly written"


class Stack:
    """`fogbank up` on a free port, with a data directory of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.endpoint = ""
        self.port = "0"
        self.process: subprocess.Popen[str] | None = None

    def up(self) -> float:
        """Start it; returns the seconds until it said Ready."""
        started = time.perf_counter()
        command = [sys.executable, "-m", "fogbank", "up", "--port", self.port]
        command += ["--data-dir", str(self.root / "data"), "--key-file", str(self.root / "key")]
        with (self.root / "stack.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.endpoint, self.port = found[0], found[1]
            if line.strip() == "Ready.":
                return time.perf_counter() - started
        raise SystemExit(f"the stack did not start:\n{(self.root / 'stack.log').read_text()}")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def down(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def get_json(self, path: str) -> Any:
        with urllib.request.urlopen(self.endpoint + path) as answer:
            return json.load(answer)


def say(line: str = "") -> None:
    print(line, flush=True)


def step(title: str) -> None:
    say(f"\n== {title}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="fogbank demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the data directory afterwards")
    options = parser.parse_args(arguments)
    root = Path(tempfile.mkdtemp(prefix="fogbank-demo-"))
    stack = Stack(root)
    try:
        run(stack)
    finally:
        stack.down()
        if options.keep:
            say(f"\nkept: {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
    return 0


def run(stack: Stack) -> None:
    step("Start the stack on a free port, with an empty data directory")
    say(f"Ready after {stack.up():.2f} s at {stack.endpoint}")
    isolation = stack.get_json("/_fogbank/status")["isolation"]
    say(f"functions run in: {isolation['level']} - {isolation['summary']}")

    step("Deploy the photo album with boto3")
    album = Album(stack, deploy(stack.client, lambda line: say(f"  {line}")))

    step("Use it: two photos in, and the list")
    harbour = png(64, 48, (90, 120, 150))
    first = album.add(harbour, SECRET_TITLE)
    second = album.add(png(320, 200, (20, 90, 60)), "Forest")
    album.wait_until_measured(first, second)
    before = album.list()

    step("What the functions wrote (CloudWatch Logs)")
    for name in ("api", "measure"):
        for line in log_lines(stack, f"/aws/lambda/photo-album-{name}"):
            say(f"  {name:8}| {line}")

    step("What happened, as one tree (/_fogbank/traces)")
    for line in trace_of_the_first_photo(stack):
        say(f"  {line}")

    step("Encrypted at rest: nothing that was stored can be read in the data directory")
    prove_nothing_is_plain(stack.root / "data", first, harbour)

    step("Pull the plug: kill -9, then start again")
    stack.kill()
    say(f"Ready again after {stack.up():.2f} s")
    after = album.list()
    assert after == before, "the list changed over the crash"
    photo = album.get(first)
    with urllib.request.urlopen(photo["url"]) as answer:
        image = answer.read()
    assert image == harbour, "the image changed over the crash"
    say(f"  the same {len(after)} rows, and the same image: sha256 {sha256(image)[:16]}")
    third = album.add(png(8, 8, (200, 30, 30)), "After the crash")
    album.wait_until_measured(third)
    stack.down()
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "fogbank", "check"),
            *("--data-dir", str(stack.root / "data"), "--key-file", str(stack.root / "key")),
        ],
        capture_output=True,
        text=True,
    )
    say(f"  fogbank check: {checked.stdout.strip() or checked.stderr.strip()}")
    if checked.returncode:
        raise SystemExit("fogbank check found damage")
    say("\nAll of it worked.")


class Album:
    """The album as its users see it: three requests over plain HTTP."""

    def __init__(self, stack: Stack, api_id: str) -> None:
        self.stack = stack
        self.api_id = api_id

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        url = f"{self.stack.endpoint}/_aws/execute-api/{self.api_id}/{STAGE}{path}"
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(request) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        took_ms = (time.perf_counter() - started) * 1000
        shown = content.decode() if len(content) < 200 else content[:197].decode() + "..."
        say(f"  {method} {path} -> {status} in {took_ms:.0f} ms  {shown}")
        if status >= 300:
            raise SystemExit("the request failed; the stack's log:\n" + self.log())
        return json.loads(content)

    def log(self) -> str:
        return (self.stack.root / "stack.log").read_text()[-4000:]

    def add(self, image: bytes, title: str) -> str:
        path = f"/photos?title={urllib.parse.quote_plus(title)}"
        answer = self.request("POST", path, image, **{"Content-Type": "image/png"})
        return str(answer["id"])

    def list(self) -> list[dict[str, Any]]:
        photos: list[dict[str, Any]] = self.request("GET", "/photos")["photos"]
        for photo in photos:
            size = f"{photo.get('width')} x {photo.get('height')}, {photo.get('bytes')} bytes"
            say(f"    {photo['title']}: {photo['state']}, {size}")
        return photos

    def get(self, photo_id: str) -> dict[str, Any]:
        photo: dict[str, Any] = self.request("GET", f"/photos/{photo_id}")
        return photo

    def wait_until_measured(self, *photo_ids: str) -> None:
        """The put event has run the second function for each photo."""
        dynamodb = self.stack.client("dynamodb")
        started = time.perf_counter()
        for photo_id in photo_ids:
            while True:
                row = dynamodb.get_item(TableName=TABLE, Key={"id": {"S": photo_id}})["Item"]
                if row["state"]["S"] == "measured":
                    break
                if time.perf_counter() - started > MEASURED_WITHIN_S:
                    raise SystemExit("the second function did not run:\n" + self.log())
                time.sleep(0.02)
        say(f"  measured by the second function {time.perf_counter() - started:.2f} s later")


def log_lines(stack: Stack, group: str) -> Iterator[str]:
    pages = stack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    for page in pages:
        for event in page["events"]:
            yield event["message"].rstrip("\n")


def trace_of_the_first_photo(stack: Stack) -> Iterator[str]:
    """The tree that begins with the first POST and ends with the second function's update."""
    traces = stack.get_json("/_fogbank/traces?limit=500")["traces"]
    posts = [trace for trace in traces if trace["spans"] and "POST" in trace["spans"][0]["name"]]
    if not posts:
        raise SystemExit("no trace of the first request")
    yield f"trace {posts[-1]['traceId']}"
    for span in posts[-1]["spans"]:
        yield from tree(span, "")


def tree(span: dict[str, Any], indent: str) -> Iterator[str]:
    """A line a span, with the names it was about; a function's output below it."""
    detail = dict(span["detail"])
    log = detail.pop("log", "")
    names = " ".join(str(detail[name]) for name in SHOWN if isinstance(detail.get(name), str | int))
    cold = {True: "cold start", False: "warm"}.get(detail.get("cold"), "")
    wrong = "" if span["status"] == "ok" else f"[{span['status']}]"
    facts = " ".join(filter(None, (names, cold, wrong)))
    yield f"{indent}{span['name']}  {span['durationMs']:.1f} ms  {facts}".rstrip()
    for line in log.splitlines():
        if line and not line.startswith(("START", "END", "REPORT", "INIT_START")):
            yield f"{indent}   | {line}"
    for child in span["children"]:
        yield from tree(child, indent + "   ")


def prove_nothing_is_plain(data_dir: Path, photo_id: str, image: bytes) -> None:
    """Search every byte of the data directory for what was stored, and for what we did store."""
    needles = {
        "the photo's title": SECRET_TITLE.encode(),
        "the photo's id": photo_id.encode(),
        "the image's bytes": image[40:72],
        "the table's name in a key": b"photo-album",
        "the bucket's name": BUCKET.encode(),
        "the function's source": b"def dimensions",
        "a log line": b"REPORT RequestId",
    }
    files = [path for path in data_dir.rglob("*") if path.is_file()]
    contents = {path: path.read_bytes() for path in files}
    say(f"  searched {len(files)} files, {sum(map(len, contents.values())):,} bytes")
    for what, needle in needles.items():
        found = [path.name for path, content in contents.items() if needle in content]
        say(f"  {what}: {'FOUND in ' + ', '.join(found) if found else 'not there'}")
        if found:
            raise SystemExit("plaintext at rest")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """A real PNG: a gradient of `colour`, so that its bytes are not all alike."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    rows = b"".join(
        b"\0" + bytes((c + x + y) % 256 for x in range(width) for c in colour)
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


if __name__ == "__main__":
    raise SystemExit(main())
