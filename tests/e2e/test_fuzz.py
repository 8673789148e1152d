"""No request, however malformed, stops the server or gets a 500."""

import json
import os
import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from fogbank.gateway.models import SERVICES, OperationModel, Shape, load
from fogbank.services.registry import Catalog
from tests.stack import RunningStack

SEED = int(os.environ.get("FUZZ_SEED", "0"))
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "150"))
ANSWER_S = 10.0
ENTITY_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%b">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><Delete><Object><Key>&j;</Key></Object></Delete>"
)
EXTERNAL_ENTITY = (
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<Delete><Object><Key>&x;</Key></Object></Delete>"
)
BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"1e999",
    b'"text"',
    b'{"a":',
    b"\xff\xfe\x00",
    b"\x00" * 100,
    b"{}" * 50,
    b"[" * 100_000,
    b'{"a":' * 20_000,
    b'{"TableName":"\\ud800"}',
    b'{"TableName":1e400}',
    b'{"TableName":123456789012345678901234567890}',
    b"<",
    b"<a>",
    b"<a></b>",
    b"<a>" * 20_000,
    b"<?xml version='1.0' encoding='utf-7'?><a/>",
    b"<Delete xmlns='x'><Object/></Delete>",
    ENTITY_BOMB,
    EXTERNAL_ENTITY,
    b"Action=",
    b"Action=%zz&Version=%00",
    b"Action=GetCallerIdentity&Version=2011-06-15&" + b"A.member.1=x&" * 1000,
    b"Action=CreateRole&Version=2010-05-08&Tags.member.999999999.Key=a&Tags.member.-1.Key=b",
    b"--x\r\nContent-Disposition: form-data\r\n\r\n",
]
VALUES = [
    "",
    " ",
    "0",
    "-1",
    "null",
    "9" * 400,
    "a" * 5000,
    "%00",
    "../../etc/passwd",
    "\u00e9\u4e2d",
    "*",
    "bytes=0-",
    "bytes=9-1,-",
    "Thu, 99 Foo 2026 99:99:99 GMT",
    "aws-chunked",
    "AWS4-HMAC-SHA256",
    "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;;, Signature=",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "Root=;Parent==;=;",
    "application/x-www-form-urlencoded",
    "application/x-amz-json-1.0",
    "application/xml",
    "DynamoDB_20120810.PutItem",
    "DynamoDB_20120810.",
    "Nothing_1.Nothing",
]
HEADERS = [
    "authorization",
    "content-type",
    "content-md5",
    "content-encoding",
    "date",
    "expect",
    "if-match",
    "if-modified-since",
    "range",
    "x-amz-acl",
    "x-amz-checksum-crc32",
    "x-amz-client-context",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-invocation-type",
    "x-amz-log-type",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-tagging",
    "x-amz-target",
    "x-amz-trailer",
    "x-amzn-trace-id",
]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    stack = RunningStack(tmp_path_factory.mktemp("fuzz")).start()
    stack.client("s3").create_bucket(Bucket="bucket")
    stack.client("s3").put_object(Bucket="bucket", Key="key", Body=b"body")
    stack.client("dynamodb").create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield stack
    stack.stop()


@pytest.fixture(autouse=True)
def still_there(fuzzed: RunningStack) -> Iterator[None]:
    """After each test the same process answers, and its log holds no traceback."""
    pid = fuzzed.pid
    yield
    health = httpx.get(f"{fuzzed.endpoint}/_fogbank/health", timeout=ANSWER_S).json()
    assert health["pid"] == pid
    fuzzed.client("s3").head_bucket(Bucket="bucket")
    broken = re.findall(r"(?s)Traceback.*?\n\S[^\n]*\n", fuzzed.log())
    assert broken == [], broken[0]


def send(stack: RunningStack, raw: bytes, *, end: bool = False) -> bytes:
    """What comes back for bytes on a fresh connection; `end` closes our side after them."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=ANSWER_S) as client:
        try:
            client.sendall(raw)
            if end:
                client.shutdown(socket.SHUT_WR)
            received = b""
            while piece := client.recv(65536):
                received += piece
        except ConnectionError:
            return b""
    return received


def status_of(answer: bytes) -> int:
    found = re.match(rb"(?:HTTP/1\.1 100 Continue\r\n\r\n)?HTTP/1\.1 (\d{3}) ", answer)
    assert found is not None, answer[:200]
    return int(found[1])


def head(method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body


def scope(service: str) -> tuple[str, str]:
    credential = f"000000000000/20260101/us-east-1/{service}/aws4_request"
    return (
        "Authorization",
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0",
    )


def address(operation: OperationModel, dice: random.Random) -> tuple[str, str]:
    """The method and target of an operation, with odd values in its path."""
    odd = [
        "bucket",
        "key",
        "table",
        "a",
        "%00",
        "%zz",
        "..",
        "%2e%2e%2f",
        quote("\u4e2d"),
        "a" * 300,
    ]
    path = re.sub(r"\{[^}]+\}", lambda _: dice.choice(odd), operation.path)
    query = "&".join(
        f"{name}={quote(value)}" if value else name for name, value in operation.constants.items()
    )
    return operation.method, path + (f"?{query}" if query else "")


WRONG: list[object] = [None, 0, -1, 1e300, True, "", "a", "a" * 3000, [], [None], {}]
WRONG += [{"a": {}}, {"S": 1}, [[[]]], {"": ""}, ["x"] * 200, {"M": {"L": [{"N": "x"}]}}]
TEXTS = ["", "a", "table", "k = :v", "#n <> :v AND size(b) > :v", "SET n = n + :v", ":v", "#n", "k"]
TEXTS += [
    "arn:aws:iam::111122223333:role/a",
    "{}",
    "AA==",
    "\u4e2d\u0000",
    "1",
    "-",
    "a" * 300,
    "S",
]
TEXTS += ["fn", "index.handler", "python3.12", "ALL_OLD", "HASH", "PAY_PER_REQUEST", "$LATEST"]
DEPTH_MAX = 4


def odd_value(shape: Shape, dice: random.Random, depth: int = 0) -> object:
    """A value of the right type, mostly, that makes no sense."""
    if dice.random() < 0.01:
        return dice.choice(WRONG)
    if shape.type == "structure":
        keep = 0.7 if depth < DEPTH_MAX else 0.0
        return {
            name: odd_value(member.shape, dice, depth + 1)
            for name, member in shape.members.items()
            if dice.random() < (0.9 if name in shape.required else keep)
        }
    if shape.type == "list" and shape.member is not None:
        count = dice.randrange(3) if depth < DEPTH_MAX else 0
        return [odd_value(shape.member.shape, dice, depth + 1) for _ in range(count)]
    if shape.type == "map" and shape.value is not None:
        keys = dice.sample([":v", "#n", "k", "table", "a", ""], dice.randrange(4))
        return {key: odd_value(shape.value.shape, dice, depth + 1) for key in keys}
    if shape.type == "string":
        return dice.choice(list(shape.enum) if shape.enum and dice.random() < 0.8 else TEXTS)
    if shape.type == "blob":
        return dice.choice(["", "AA==", "eyJhIjoxfQ==", "not base64!"])
    if shape.type == "boolean":
        return dice.random() < 0.5
    return dice.choice([0, 1, -1, 3, 2**31, 2**63, 1.5])


def odd_document(operation: OperationModel, dice: random.Random) -> dict[str, object]:
    """A request by the model, or with the right names and any types."""
    if operation.input is None:
        return {}
    if dice.random() < 0.3:
        names = list(operation.input.members)
        return {name: dice.choice(WRONG) for name in names if dice.random() < 0.7}
    found = odd_value(operation.input, dice)
    document = found if isinstance(found, dict) else {}
    if "TableName" in document and dice.random() < 0.8:
        document["TableName"] = "table"
    return document


def form_fields(value: object, name: str) -> Iterator[tuple[str, str]]:
    """A document as the query protocol writes it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from form_fields(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from form_fields(inner, f"{name}.member.{number}")
    else:
        yield name, str(value)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_no_operation_fails_on_a_broken_request(fuzzed: RunningStack, service: str) -> None:
    dice = random.Random(f"{SEED} {service}")
    model = load(service)
    built = Catalog().service(service)
    assert built is not None
    operations = [model.operations[name] for name in built.operations] * 3
    operations += model.operations.values()
    for _ in range(REQUESTS):
        operation = dice.choice(operations)
        method, target = address(operation, dice)
        headers = [scope(model.signing_name)]
        body = dice.choice(BODIES)
        if model.protocol == "json":
            headers.append(("X-Amz-Target", f"{model.target_prefix}.{operation.name}"))
        if model.protocol in ("json", "rest-json") and dice.random() < 0.8:
            body = json.dumps(odd_document(operation, dice)).encode()
        if model.protocol == "query":
            document = odd_document(operation, dice)
            document |= {"Action": operation.name, "Version": model.api_version}
            fields = [f"{quote(k)}={quote(v)}" for k, v in form_fields(document, "")]
            body = "&".join(fields).encode() if dice.random() < 0.8 else body
        for name in dice.sample(HEADERS, dice.randrange(4)):
            headers.append((name, dice.choice(VALUES)))
        raw = head(method, target, headers, body)
        status = status_of(send(fuzzed, raw))
        assert status < 500 or status in (501, 503), (raw[:600], status)


def test_no_mutation_of_a_good_request_fails(fuzzed: RunningStack) -> None:
    dice = random.Random(SEED)
    item = {"TableName": "table", "Item": {"k": {"S": "a"}, "n": {"N": "1"}, "b": {"B": "AA=="}}}
    target = ("X-Amz-Target", "DynamoDB_20120810.PutItem")
    good = [
        head("PUT", "/bucket/other", [scope("s3")], b"body"),
        head("GET", "/bucket?list-type=2&max-keys=3", [scope("s3")], b""),
        head(
            "POST",
            "/bucket?delete",
            [scope("s3")],
            b"<Delete><Object><Key>a</Key></Object></Delete>",
        ),
        head("POST", "/", [scope("dynamodb"), target], json.dumps(item).encode()),
        head("POST", "/", [scope("sts")], b"Action=GetCallerIdentity&Version=2011-06-15"),
        head("GET", "/2015-03-31/functions", [scope("lambda")], b""),
        head("GET", "/restapis", [scope("apigateway")], b""),
    ]
    for _ in range(REQUESTS * 2):
        raw = bytearray(dice.choice(good))
        for _ in range(dice.randrange(1, 6)):
            at = dice.randrange(len(raw))
            match dice.randrange(4):
                case 0:
                    raw[at] = dice.randrange(256)
                case 1:
                    del raw[at : at + dice.randrange(1, 20)]
                case 2:
                    raw[at:at] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 9)))
                case _:
                    raw[at:at] = raw[at : at + dice.randrange(1, 40)]
            raw = raw or bytearray(b"\n")
        answer = send(fuzzed, bytes(raw), end=True)
        if answer:
            status = status_of(answer)
            assert status < 500 or status in (501, 503, 505), (bytes(raw), answer[:300])


@pytest.mark.parametrize("body", [ENTITY_BOMB, EXTERNAL_ENTITY])
@pytest.mark.parametrize("query", ["delete", "tagging", "notification", "uploadId=x"])
def test_no_entity_is_expanded(fuzzed: RunningStack, body: bytes, query: str) -> None:
    answer = send(
        fuzzed, head("POST" if query == "delete" else "PUT", f"/bucket?{query}", [], body)
    )
    assert 400 <= status_of(answer) < 500 or status_of(answer) == 501
    assert b"root:" not in answer
    assert b"aaaaaaaaaaaaaaaaaaaa" not in answer


@pytest.mark.parametrize(
    ("target", "header", "size"),
    [
        ("/", scope("dynamodb"), 18 << 20),
        ("/", scope("sts"), 18 << 20),
        ("/bucket?delete", scope("s3"), 17 << 20),
        ("/2015-03-31/functions", scope("lambda"), 71 << 20),
        ("/restapis", scope("apigateway"), 18 << 20),
    ],
)
def test_a_body_that_is_announced_too_large_is_refused_unread(
    fuzzed: RunningStack, target: str, header: tuple[str, str], size: int
) -> None:
    raw = head("POST", target, [header, ("X-Amz-Target", "DynamoDB_20120810.GetItem")], b"")
    raw = raw if "dynamodb" in header[1] else head("POST", target, [header], b"")
    raw = raw.replace(b"Content-Length: 0", b"Content-Length: %d" % size)
    assert 400 <= status_of(send(fuzzed, raw)) < 500


def test_a_body_that_turns_out_too_large_is_refused(fuzzed: RunningStack) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield bytes(1 << 20)

    headers = dict([scope("dynamodb"), ("X-Amz-Target", "DynamoDB_20120810.PutItem")])
    try:
        answer = httpx.post(fuzzed.endpoint, headers=headers, content=pieces(), timeout=ANSWER_S)
    except httpx.WriteError:
        return
    assert 400 <= answer.status_code < 500


def test_a_truncated_upload_leaves_no_object(fuzzed: RunningStack) -> None:
    raw = head("PUT", "/bucket/torn", [], b"").replace(b"Length: 0", b"Length: 100000") + b"abc"
    assert send(fuzzed, raw, end=True) == b""
    listed = fuzzed.client("s3").list_objects_v2(Bucket="bucket", Prefix="torn")
    assert listed["KeyCount"] == 0


def test_a_broken_chunked_upload_leaves_no_object(fuzzed: RunningStack) -> None:
    headers = [
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "10"),
    ]
    answer = send(fuzzed, head("PUT", "/bucket/broken", headers, b"5\r\nabc"))
    assert status_of(answer) == 400
    assert b"IncompleteBody" in answer
    listed = fuzzed.client("s3").list_objects_v2(Bucket="bucket", Prefix="broken")
    assert listed["KeyCount"] == 0


@pytest.mark.parametrize(
    "target", ["/%", "/%zz", "/%00", "/bucket/%00", "//", "/bucket//", "/?%=%&&=", "/bucket/%ff%fe"]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_no_target_fails(fuzzed: RunningStack, method: str, target: str) -> None:
    status = status_of(send(fuzzed, head(method, target, [], b"")))
    assert status < 500 or status == 501


def test_a_thousand_connections_that_say_nothing_are_borne(fuzzed: RunningStack) -> None:
    clients = [socket.create_connection(("127.0.0.1", fuzzed.port)) for _ in range(300)]
    try:
        assert httpx.get(f"{fuzzed.endpoint}/_fogbank/health").status_code == 200
    finally:
        for client in clients:
            client.close()


def test_no_page_of_the_stack_fails(fuzzed: RunningStack, tmp_path: Path) -> None:
    for page in ("health", "status", "traces", "logs", "dead-letters", "nothing", "api/x/y/z"):
        for query in ("", "?limit=-1", "?limit=99999999999", "?id=%00", "?limit=1&limit=2"):
            answer = httpx.get(f"{fuzzed.endpoint}/_fogbank/{page}{query}", timeout=ANSWER_S)
            assert answer.status_code < 500
