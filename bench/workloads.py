"""Prepared requests: what each measurement sends, byte by byte, so that the client costs little."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

ITEMS = 10_000
QUERY_ITEMS = 100
ITEM_BYTES = 1000
TABLE = "bench"
INDEXED_TABLE = "bench-indexed"
BUCKET = "bench"
FUNCTION = "bench-echo"
# A slot for a number that makes each payload unique: SQLite skips a write of bytes that it has.
SLOT = b"@@@@@@@@@@@@@@@@"


@dataclass(frozen=True)
class Target:
    """Where the requests go. `api_id` is empty where the target has no API deployed."""

    host: str
    port: int
    api_id: str = ""
    api_path: str = ""


Maker = Callable[[], bytes]


def request(
    target: Target, method: str, path: str, service: str, body: bytes = b"", *headers: str
) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {target.host}:{target.port}",
        "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/"
        f"{service}/aws4_request, SignedHeaders=host, Signature={'0' * 64}",
        "X-Amz-Date: 20260101T000000Z",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def dynamodb(target: Target, operation: str, body: dict[str, object]) -> bytes:
    return request(
        target,
        "POST",
        "/",
        "dynamodb",
        json.dumps(body).encode(),
        f"X-Amz-Target: DynamoDB_20120810.{operation}",
        "Content-Type: application/x-amz-json-1.0",
    )


def item(key: str, slot: str) -> dict[str, object]:
    filler = "".join(random.Random(key).choices("abcdefghijklmnopqrstuvwxyz", k=ITEM_BYTES - 80))
    return {
        "pk": {"S": key},
        "sk": {"N": "1"},
        "unique": {"S": slot},
        "text": {"S": filler},
    }


def get_item(target: Target, seed: int) -> Maker:
    prepared = [
        dynamodb(
            target,
            "GetItem",
            {"TableName": TABLE, "Key": {"pk": {"S": f"item-{n:06d}"}, "sk": {"N": "1"}}},
        )
        for n in range(0, ITEMS, 7)
    ]
    chosen = random.Random(seed)
    return lambda: chosen.choice(prepared)


def put_item(table: str) -> Callable[[Target, int], Maker]:
    def make(target: Target, seed: int) -> Maker:
        one = item("k" + SLOT.decode(), SLOT.decode())
        whole = dynamodb(target, "PutItem", {"TableName": table, "Item": one})
        return unique(whole, seed)

    return make


def query(target: Target, seed: int) -> Maker:
    whole = dynamodb(
        target,
        "Query",
        {
            "TableName": TABLE,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "page"}},
            "Limit": QUERY_ITEMS,
        },
    )
    return lambda: whole


def s3_put(size: int) -> Callable[[Target, int], Maker]:
    def make(target: Target, seed: int) -> Maker:
        body = (SLOT + random.Random(seed).randbytes(min(size, 1 << 20)) * (size // (1 << 20) + 1))[
            :size
        ]
        name = "k" + SLOT.decode() if size < (1 << 20) else f"large-{seed}"
        whole = request(
            target,
            "PUT",
            f"/{BUCKET}/put/{name}",
            "s3",
            body,
            "x-amz-content-sha256: UNSIGNED-PAYLOAD",
        )
        return unique(whole, seed)

    return make


def s3_get(key: str) -> Callable[[Target, int], Maker]:
    def make(target: Target, seed: int) -> Maker:
        whole = request(target, "GET", f"/{BUCKET}/{key}", "s3")
        return lambda: whole

    return make


def invoke(target: Target, seed: int) -> Maker:
    whole = request(
        target,
        "POST",
        f"/2015-03-31/functions/{FUNCTION}/invocations",
        "lambda",
        b'{"hello": "world"}',
    )
    return lambda: whole


def api(path: str) -> Callable[[Target, int], Maker]:
    def make(target: Target, seed: int) -> Maker:
        url = target.api_path.format(api_id=target.api_id) + path
        whole = (
            f"GET {url} HTTP/1.1\r\nHost: {target.host}:{target.port}\r\n"
            "Accept: application/json\r\n\r\n"
        ).encode()
        return lambda: whole

    return make


def plain(target: Target, seed: int) -> Maker:
    whole = dynamodb(target, "GetItem", {"TableName": TABLE, "Key": {"pk": {"S": "item-000000"}}})
    return lambda: whole


def unique(whole: bytes, seed: int) -> Maker:
    """Fills each slot of `whole` with a number that no other request of this run carries."""
    parts = whole.split(SLOT)
    counter = seed << 40

    def make() -> bytes:
        nonlocal counter
        counter += 1
        return (b"%016x" % counter).join(parts)

    return make


WORKLOADS: dict[str, Callable[[Target, int], Maker]] = {
    "dynamodb get": get_item,
    "dynamodb put": put_item(TABLE),
    "dynamodb put, index and stream": put_item(INDEXED_TABLE),
    "dynamodb query 100": query,
    "s3 put 1 KiB": s3_put(1024),
    "s3 get 1 KiB": s3_get("get/1k"),
    "s3 put 64 MiB": s3_put(64 << 20),
    "s3 get 64 MiB": s3_get("get/64m"),
    "lambda invoke warm": invoke,
    "api -> function": api("/echo"),
    "api -> function -> table": api("/item"),
    "bare server": plain,
}
