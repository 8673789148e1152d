"""Who calls: the access key's owner; in `strict` the signature proves it."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

from fogbank.gateway import payloads, sigv2, sigv4
from fogbank.gateway.chunked import MODES, BrokenFraming, ChunkedDecoder, ChunkForged, ChunkKey
from fogbank.gateway.http import HttpRequest
from fogbank.gateway.identify import Identity
from fogbank.gateway.refusals import refusal
from fogbank.gateway.settings import Account
from fogbank.gateway.sigv4 import Malformed, Signature
from fogbank.services import credentials
from fogbank.services.body import SMALL_BYTES, Body, gathered
from fogbank.services.context import Caller
from fogbank.services.credentials import Credential
from fogbank.storage.clock import Clock
from fogbank.storage.kv import Store

S3 = "rest-xml"
CALLERS_MAX = 4096
# Keys that the stack gives out have 20 characters; the dummies that people type have fewer.
ISSUED_KEY_LENGTH_MIN = 16

_SHA256_HEX = re.compile(r"[0-9a-fA-F]{64}")


class Authenticator:
    """`strict` verifies; otherwise a signature is only read, and none is needed."""

    def __init__(
        self, store: Store, clock: Clock, accounts: Iterable[Account], *, strict: bool
    ) -> None:
        self._store = store
        self._clock = clock
        self._strict = strict
        self._accounts = {
            one.access_key: Credential(
                one.access_key,
                one.secret,
                None,
                one.account,
                f"arn:aws:iam::{one.account}:root",
                one.account,
                None,
            )
            for one in accounts
        }
        self._roots: dict[tuple[str, str], Caller] = {}

    async def admit(
        self, request: HttpRequest, identity: Identity, family: str
    ) -> tuple[str, Caller]:
        """The account and the caller; `request.body` gives the payload without its framing.

        Raises the AwsError that AWS answers. Reading the body raises one too, when it is not the
        one that was signed.
        """
        access_key = identity.access_key
        credential = await self._credential(access_key) if access_key else None
        key = None
        if self._strict:
            key = await self._verify(request, identity, family, credential)
        elif family == S3 and "Expires=" in request.query:
            self._check_expiry(request)
        if family == S3:
            request.body = _payload(request, key)
        if credential is not None:
            return credential.account, Caller(access_key, credential.arn, credential.user_id)
        return identity.account, self._root(identity.account, access_key)

    def is_constant(self, identity: Identity) -> bool:
        """Whether whoever sends this head is always admitted as the same caller."""
        key = identity.access_key
        return not self._strict and (key in self._accounts or len(key) < ISSUED_KEY_LENGTH_MIN)

    async def _credential(self, access_key: str) -> Credential | None:
        known = self._accounts.get(access_key)
        if known is not None or len(access_key) < ISSUED_KEY_LENGTH_MIN:
            return known
        return await self._store.read(lambda tx: credentials.find(tx, access_key), brief=True)

    def _root(self, account: str, access_key: str) -> Caller:
        caller = self._roots.get((account, access_key))
        if caller is None:
            if len(self._roots) >= CALLERS_MAX:
                self._roots.clear()
            caller = Caller(access_key, f"arn:aws:iam::{account}:root", account)
            self._roots[account, access_key] = caller
        return caller

    def _check_expiry(self, request: HttpRequest) -> None:
        """Presigned URLs end when they say so, in `open` too."""
        second = sigv2.of_request(request)
        if second is not None:
            self._check_expiry_v2(second)
        elif "X-Amz-Expires=" in request.query:
            try:
                signature = sigv4.of_query(request)
            except Malformed:
                return
            self._check_time(signature, S3)

    async def _verify(
        self, request: HttpRequest, identity: Identity, family: str, credential: Credential | None
    ) -> ChunkKey | None:
        """Raises unless the signature is right; the key that chunks are signed with, if any."""
        second = sigv2.of_request(request) if family == S3 else None
        if second is not None:
            self._check_v2(request, identity, second, credential)
            return None
        signature = _signature_of(request, family)
        scope = signature.scope
        if credential is None:
            raise refusal(family, "unknown key", AWSAccessKeyId=scope.access_key)
        self._check_token(credential, signature.token, family)
        self._check_time(signature, family)
        _check_signed_headers(request, signature, family)
        payload_hash = await _payload_hash(request, signature, identity.service, family)
        computed = sigv4.compute(
            request, signature, credential.secret, payload_hash, raw_path=family == S3
        )
        if not sigv4.matches(computed, signature):
            raise refusal(
                family,
                "mismatch",
                AWSAccessKeyId=scope.access_key,
                StringToSign=computed.string_to_sign,
                SignatureProvided=signature.value,
                StringToSignBytes=_spaced_hex(computed.string_to_sign.encode()),
                CanonicalRequest=computed.canonical_request.decode("utf-8", "replace"),
                CanonicalRequestBytes=_spaced_hex(computed.canonical_request),
            )
        key = sigv4.signing_key(credential.secret, scope.date, scope.region, scope.service)
        return ChunkKey(key, signature.timestamp, signature.scope_text, signature.value)

    def _check_v2(
        self,
        request: HttpRequest,
        identity: Identity,
        signature: sigv2.SignatureV2,
        credential: Credential | None,
    ) -> None:
        if credential is None:
            raise refusal(S3, "unknown key", AWSAccessKeyId=signature.access_key)
        self._check_token(credential, signature.token, S3)
        self._check_expiry_v2(signature)
        text = sigv2.string_to_sign(request, signature, identity.host.bucket)
        if not sigv2.matches(sigv2.sign(credential.secret, text), signature):
            raise refusal(
                S3,
                "mismatch",
                AWSAccessKeyId=signature.access_key,
                StringToSign=text,
                SignatureProvided=signature.value,
                StringToSignBytes=_spaced_hex(text.encode()),
            )

    def _check_expiry_v2(self, signature: sigv2.SignatureV2) -> None:
        now_s = self._clock.now_ms() / 1000
        if signature.expires_s is not None and now_s > signature.expires_s:
            raise refusal(
                S3, "url expired", Expires=_iso(signature.expires_s), ServerTime=_iso(now_s)
            )

    def _check_token(self, credential: Credential, token: str | None, family: str) -> None:
        if token != credential.session_token:
            raise refusal(family, "invalid token")
        expires_at_ms = credential.expires_at_ms
        if expires_at_ms is not None and self._clock.now_ms() >= expires_at_ms:
            raise refusal(family, "expired token")

    def _check_time(self, signature: Signature, family: str) -> None:
        now_s = self._clock.now_ms() / 1000
        signed_at_s = signature.signed_at_s
        late_s = now_s - signed_at_s
        if signature.expires_s is not None:
            if late_s > signature.expires_s:
                facts = {
                    "X-Amz-Expires": str(signature.expires_s),
                    "Expires": _iso(signed_at_s + signature.expires_s),
                    "ServerTime": _iso(now_s),
                }
                raise refusal(family, "url expired", "Signature expired", **facts)
            if late_s < -sigv4.SKEW_MAX_S:
                raise refusal(family, "url not yet valid", "Signature not yet current")
        elif abs(late_s) > sigv4.SKEW_MAX_S:
            what = "expired" if late_s > 0 else "not yet current"
            raise refusal(
                family,
                "skewed",
                f"Signature {what}: {signature.timestamp} is not within 15 minutes of "
                f"{datetime.fromtimestamp(now_s, UTC):%Y%m%dT%H%M%SZ}",
                RequestTime=signature.timestamp,
                ServerTime=_iso(now_s),
                MaxAllowedSkewMilliseconds=str(sigv4.SKEW_MAX_S * 1000),
            )


def _signature_of(request: HttpRequest, family: str) -> Signature:
    header = request.header(b"authorization")
    try:
        if header is not None:
            if not header.startswith(sigv4.ALGORITHM):
                text = "The authorization header is not of a kind that is supported here."
                raise refusal(family, "unsupported", text)
            return sigv4.of_header(request)
        if "X-Amz-Signature=" in request.query or "X-Amz-Credential=" in request.query:
            return sigv4.of_query(request)
    except Malformed as error:
        raise refusal(family, f"malformed {error.where}", error.text) from None
    raise refusal(family, "anonymous")


def _check_signed_headers(request: HttpRequest, signature: Signature, family: str) -> None:
    """What decides about the request must be covered: the host, and S3's own headers."""
    signed = signature.signed_headers
    needed = {"host"}
    if family == S3:
        needed |= {
            name.decode("latin-1")
            for name in (raw.lower() for raw, _ in request.headers)
            if name.startswith(b"x-amz-")
        }
    missing = sorted(needed.difference(signed))
    if missing:
        raise refusal(family, "headers not signed", HeadersNotSigned=", ".join(missing))


async def _payload_hash(
    request: HttpRequest, signature: Signature, service: str, family: str
) -> str:
    given = request.header(b"x-amz-content-sha256")
    if family == S3:
        if given is not None:
            return given
        if signature.expires_s is None:
            raise refusal(S3, "hash missing")
        return sigv4.UNSIGNED_PAYLOAD
    payload = await payloads.read(request.body, payloads.limit_of(service))
    request.body = Body.of(payload)
    if given == sigv4.UNSIGNED_PAYLOAD:
        return given
    return hashlib.sha256(payload).hexdigest()


def _payload(request: HttpRequest, key: ChunkKey | None) -> Body:
    """S3's payload as its header announces it: in signed chunks, hashed, or plain."""
    announced = request.header(b"x-amz-content-sha256") or ""
    body = request.body
    mode = MODES.get(announced)
    if mode is None and announced.startswith("STREAMING-"):
        raise refusal(S3, "unsupported")
    if mode is None and "aws-chunked" in (request.header(b"content-encoding") or ""):
        mode = (False, True)
    if mode is not None:
        signed, has_trailer = mode
        length = _decoded_length(request)
        decoder = ChunkedDecoder(length, key if signed else None, has_trailer=has_trailer)
        names = (request.header(b"x-amz-trailer") or "").lower().split(",")
        trailers = tuple(name.strip() for name in names if name.strip())
        if body.is_here:
            return Body.here(
                lambda: _decode(body.whole(), decoder),
                length=length,
                trailers=decoder.trailers,
                announced=trailers,
            )
        return Body(
            _decoded(body, decoder), length=length, trailers=decoder.trailers, announced=trailers
        )
    if _SHA256_HEX.fullmatch(announced):
        if body.is_here:
            return Body.here(lambda: _verified(body.whole(), announced), length=body.length)
        return Body(_hashed(body, announced), length=body.length)
    return body


def _decoded_length(request: HttpRequest) -> int | None:
    text = request.header(b"x-amz-decoded-content-length")
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise refusal(S3, "bad header", "x-amz-decoded-content-length is not a number")
    return int(text)


def _decode(framed: bytes, decoder: ChunkedDecoder) -> bytes:
    try:
        payload = decoder.feed(framed)
        decoder.finish()
    except BrokenFraming as error:
        raise refusal(S3, "broken framing", str(error)) from None
    except ChunkForged:
        raise refusal(S3, "mismatch") from None
    return payload


async def _decoded(body: Body, decoder: ChunkedDecoder) -> AsyncIterator[bytes]:
    """The payload of the chunks in `body`; what is large is taken apart in a thread."""
    loop = asyncio.get_running_loop()
    try:
        async for piece in gathered(body):
            if len(piece) > SMALL_BYTES:
                payload = await loop.run_in_executor(None, decoder.feed, piece)
            else:
                payload = decoder.feed(piece)
            if payload:
                yield payload
        decoder.finish()
    except BrokenFraming as error:
        raise refusal(S3, "broken framing", str(error)) from None
    except ChunkForged:
        raise refusal(S3, "mismatch") from None


async def _hashed(body: Body, announced: str) -> AsyncIterator[bytes]:
    """`body` in larger pieces; a thread hashes each while the consumer is busy with it."""
    loop = asyncio.get_running_loop()
    computed = hashlib.sha256()
    hashing: asyncio.Future[None] | None = None
    async for piece in gathered(body):
        if hashing is not None:
            await hashing
            hashing = None
        if len(piece) > SMALL_BYTES:
            hashing = loop.run_in_executor(None, computed.update, piece)
        else:
            computed.update(piece)
        yield piece
    if hashing is not None:
        await hashing
    _check_hash(announced, computed.hexdigest())


def _verified(payload: bytes, announced: str) -> bytes:
    _check_hash(announced, hashlib.sha256(payload).hexdigest())
    return payload


def _check_hash(announced: str, computed: str) -> None:
    if computed != announced.lower():
        raise refusal(
            S3,
            "hash differs",
            ClientComputedContentSHA256=announced.lower(),
            S3ComputedContentSHA256=computed,
        )


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _spaced_hex(raw: bytes) -> str:
    return raw.hex(" ")
