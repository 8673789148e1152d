"""Who is let in, when: with a clock that stands where the test wants it."""

import hashlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fogbank.gateway.authenticate import Authenticator
from fogbank.gateway.http import HttpRequest
from fogbank.gateway.identify import Identifier
from fogbank.gateway.settings import Account
from fogbank.services import credentials
from fogbank.services.body import PIECE_BYTES, Body
from fogbank.services.credentials import Credential
from fogbank.services.errors import AwsError
from fogbank.storage.clock import ManualClock
from fogbank.storage.memory import MemoryStore
from tests.gateway.requests import request
from tests.gateway.signed import ACCESS_KEY, SECRET, sign

ACCOUNT = Account("222222222222", "Ann", ACCESS_KEY, SECRET)


class Gate:
    """An authenticator whose clock is `late_s` seconds ahead of the signer's."""

    def __init__(self, *, strict: bool = True, late_s: float = 0, known: bool = True) -> None:
        self.store = MemoryStore()
        clock = ManualClock(round((time.time() + late_s) * 1000))
        accounts = [ACCOUNT] if known else []
        self.gate = Authenticator(self.store, clock, accounts, strict=strict)

    async def admit(self, http: HttpRequest, family: str = "rest-xml") -> str:
        identity = Identifier("us-east-1").identify(http)
        account, _ = await self.gate.admit(http, identity, family)
        return account

    async def refuses(self, http: HttpRequest, family: str = "rest-xml") -> AwsError:
        with pytest.raises(AwsError) as error:
            await self.admit(http, family)
        return error.value


async def test_the_holder_of_a_known_key_comes_in() -> None:
    assert await Gate().admit(sign("GET", "/bucket/key")) == "222222222222"


@pytest.mark.parametrize(("late_s", "comes_in"), [(890, True), (-890, True)])
async def test_a_clock_may_differ_by_15_minutes(late_s: float, comes_in: bool) -> None:
    assert bool(await Gate(late_s=late_s).admit(sign("GET", "/bucket/key"))) is comes_in


@pytest.mark.parametrize("late_s", [910, -910])
@pytest.mark.parametrize(
    ("family", "service", "code"),
    [
        ("rest-xml", "s3", "RequestTimeTooSkewed"),
        ("json", "dynamodb", "InvalidSignatureException"),
        ("query", "sts", "SignatureDoesNotMatch"),
    ],
)
async def test_a_clock_that_differs_by_more_is_refused(
    late_s: float, family: str, service: str, code: str
) -> None:
    http = sign("POST", "/", service=service, body=b"x")
    assert (await Gate(late_s=late_s).refuses(http, family)).code == code


@pytest.mark.parametrize("strict", [True, False])
async def test_a_presigned_url_ends_when_it_says_in_both_modes(strict: bool) -> None:
    http = sign("GET", "/bucket/key", expires_s=60)
    await Gate(strict=strict, late_s=50).admit(http)
    error = await Gate(strict=strict, late_s=70).refuses(http)
    assert (error.code, error.status, error.message) == ("AccessDenied", 403, "Request has expired")
    assert error.fields["X-Amz-Expires"] == "60"


async def test_a_mismatch_shows_what_was_signed() -> None:
    http = sign("GET", "/bucket/key")
    http.path = "/bucket/other"
    error = await Gate().refuses(http)
    assert error.code == "SignatureDoesNotMatch"
    assert error.fields["AWSAccessKeyId"] == ACCESS_KEY
    assert error.fields["StringToSign"].startswith("AWS4-HMAC-SHA256\n")
    assert error.fields["CanonicalRequest"].startswith("GET\n/bucket/other\n")


async def test_a_header_of_s3_that_is_not_signed_is_refused() -> None:
    http = sign("PUT", "/bucket/key")
    http.headers.append((b"x-amz-acl", b"public-read"))
    error = await Gate().refuses(http)
    assert error.fields["HeadersNotSigned"] == "x-amz-acl"


async def test_a_body_that_differs_from_its_signed_hash_raises_when_it_is_read() -> None:
    http = sign("PUT", "/bucket/key", body=b"right")
    http.body = request("PUT", body=b"wrong").body
    await Gate().admit(http)
    with pytest.raises(AwsError) as error:
        await http.body.read()
    assert error.value.code == "XAmzContentSHA256Mismatch"


async def test_the_body_of_other_services_is_part_of_the_signature() -> None:
    http = sign("POST", "/", service="dynamodb", body=b"{}")
    await Gate().admit(http, "json")
    assert await http.body.read() == b"{}"
    http = sign("POST", "/", service="dynamodb", body=b"{}")
    http.body = request("POST", body=b"[]").body
    assert (await Gate().refuses(http, "json")).code == "InvalidSignatureException"


async def test_an_issued_key_needs_its_token_and_ends() -> None:
    now_ms = round(time.time() * 1000)
    issued = Credential(ACCESS_KEY, SECRET, "token", "3" * 12, "arn", "id", now_ms + 1_000)
    http = sign("GET", "/bucket/key", token="token")
    for late_s, code in ((0, None), (2, "ExpiredToken")):
        gate = Gate(late_s=late_s, known=False)
        await gate.store.write(lambda tx: credentials.save(tx, issued))
        if code is None:
            assert await gate.admit(http) == "333333333333"
            assert (await gate.refuses(sign("GET", "/bucket/key"))).code == "InvalidToken"
        else:
            assert (await gate.refuses(http)).code == code


@pytest.mark.parametrize(
    ("family", "code"),
    [
        ("rest-xml", "AccessDenied"),
        ("json", "MissingAuthenticationTokenException"),
        ("rest-json", "MissingAuthenticationTokenException"),
        ("query", "MissingAuthenticationToken"),
    ],
)
async def test_nobody_comes_in_without_a_signature(family: str, code: str) -> None:
    assert (await Gate().refuses(request(), family)).code == code


async def test_open_lets_everybody_in() -> None:
    gate = Gate(strict=False, known=False)
    assert await gate.admit(request()) == "000000000000"
    assert await gate.admit(request(authorization="Basic abc")) == "000000000000"
    assert await gate.admit(sign("GET", "/bucket/key")) == "000000000000"


async def test_chunks_are_unframed_in_both_modes() -> None:
    framed = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"
    headers: dict[str, Any] = {
        "x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x_amz_decoded_content_length": "3",
    }
    http = request("PUT", "/bucket/key", body=framed, **headers)
    await Gate(strict=False).admit(http)
    assert http.body.length == 3
    assert await http.body.read() == b"abc"
    assert http.body.trailers == {"x-amz-checksum-crc32": "NSRBwg=="}


async def test_an_unknown_kind_of_chunks_is_refused() -> None:
    http = request("PUT", "/bucket/key", x_amz_content_sha256="STREAMING-SOMETHING")
    assert (await Gate(strict=False).refuses(http)).code == "InvalidRequest"


async def test_a_hash_is_checked_in_open_mode_too() -> None:
    wrong = hashlib.sha256(b"other").hexdigest()
    http = request("PUT", "/bucket/key", body=b"body", x_amz_content_sha256=wrong)
    await Gate(strict=False).admit(http)
    with pytest.raises(AwsError):
        await http.body.read()


# Small ones are read at once, larger ones arrive in pieces, and threads see to the largest.
SIZES = [0, 5, 70_000, PIECE_BYTES, 3 * PIECE_BYTES + 1]


async def arriving(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 60_000):
        yield data[at : at + 60_000]


def streamed(data: bytes) -> Body:
    return Body(arriving(data), length=len(data))


@pytest.mark.parametrize("size", SIZES)
async def test_a_body_that_arrives_in_pieces_is_checked_against_its_hash(size: int) -> None:
    data = b"body" * (size // 4)
    right = hashlib.sha256(data).hexdigest().upper()
    http = request("PUT", "/bucket/key", x_amz_content_sha256=right)
    http.body = streamed(data)
    await Gate(strict=False).admit(http)
    assert await http.body.read() == data
    http.body = streamed(data + b"x")
    await Gate(strict=False).admit(http)
    with pytest.raises(AwsError) as error:
        await http.body.read()
    assert error.value.code == "XAmzContentSHA256Mismatch"


@pytest.mark.parametrize("size", SIZES)
async def test_chunks_that_arrive_in_pieces_are_unframed(size: int) -> None:
    data = b"body" * (size // 4)
    framed = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
    headers: dict[str, Any] = {
        "x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x_amz_decoded_content_length": str(len(data)),
    }
    http = request("PUT", "/bucket/key", **headers)
    http.body = streamed(framed + b"0\r\n\r\n")
    await Gate(strict=False).admit(http)
    assert await http.body.read() == data
    http.body = streamed(framed + b"no size\r\n")
    await Gate(strict=False).admit(http)
    with pytest.raises(AwsError) as error:
        await http.body.read()
    assert error.value.code == "IncompleteBody"
