"""Signature Version 4 without I/O: what a client signed, computed again.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from fogbank.gateway.http import Headers, HttpRequest
from fogbank.gateway.identify import Scope, parse_scope

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
SKEW_MAX_S = 900
EXPIRES_MAX_S = 604_800

_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_SPACES = re.compile(rb"[ \t]+")
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]*)")


class Malformed(Exception):
    """The request names a signature but not all that one needs; the text is AWS's for S3.

    `where` is "header" or "query".
    """

    def __init__(self, where: str, text: str) -> None:
        super().__init__(text)
        self.where = where
        self.text = text


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as a request carries it. `expires_s` is None but for presigned URLs."""

    scope: Scope
    signed_headers: tuple[str, ...]
    value: str
    timestamp: str
    token: str | None
    expires_s: int | None = None

    @property
    def scope_text(self) -> str:
        scope = self.scope
        return f"{scope.date}/{scope.region}/{scope.service}/aws4_request"

    @property
    def signed_at_s(self) -> float:
        moment = datetime.strptime(self.timestamp, "%Y%m%dT%H%M%SZ")
        return moment.replace(tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Computed:
    """The signature that the holder of a secret would have made, and how it came about."""

    canonical_request: bytes
    string_to_sign: str
    value: str


def of_header(request: HttpRequest) -> Signature:
    """The signature in the Authorization header; raises Malformed."""
    header = request.header(b"authorization") or ""
    if not header.startswith(ALGORITHM):
        raise Malformed("header", "The authorization header that you provided is not valid.")
    fields = dict(_FIELD.findall(header))
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not fields.get(name):
            raise Malformed("header", f"The authorization header is malformed; missing {name}.")
    scope = parse_scope(fields["Credential"])
    if scope is None:
        raise Malformed(
            "header",
            "The authorization header is malformed; the Credential is mal-formed; expecting "
            '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
        )
    timestamp = _timestamp_of(request)
    if timestamp is None or timestamp[:8] != scope.date:
        raise Malformed(
            "header",
            "The authorization header is malformed; Invalid credential date "
            f'"{scope.date}". This date is not the same as X-Amz-Date: "{(timestamp or "")[:8]}".',
        )
    return Signature(
        scope,
        tuple(fields["SignedHeaders"].lower().split(";")),
        fields["Signature"],
        timestamp,
        request.header(b"x-amz-security-token"),
    )


def _timestamp_of(request: HttpRequest) -> str | None:
    given = request.header(b"x-amz-date")
    if given is not None:
        return given if _is_timestamp(given) else None
    try:
        date = datetime.strptime(request.header(b"date") or "", "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return None
    return date.strftime("%Y%m%dT%H%M%SZ")


def _is_timestamp(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.strptime(text, "%Y%m%dT%H%M%SZ")
    except ValueError:
        return False
    return True


_QUERY_FIELDS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)


def of_query(request: HttpRequest) -> Signature:
    """The signature of a presigned URL; raises Malformed.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    fields = {_text(name): _text(value) for name, value in query_pairs(request.query)}
    if any(not fields.get(name) for name in _QUERY_FIELDS):
        raise Malformed(
            "query",
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        )
    if fields["X-Amz-Algorithm"] != ALGORITHM:
        raise Malformed("query", f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    scope = parse_scope(fields["X-Amz-Credential"])
    if scope is None:
        raise Malformed(
            "query",
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
            '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
        )
    timestamp = fields["X-Amz-Date"]
    if not _is_timestamp(timestamp):
        raise Malformed(
            "query", "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        )
    if timestamp[:8] != scope.date:
        raise Malformed(
            "query",
            f'Invalid credential date "{scope.date}". This date is not the same as X-Amz-Date: '
            f'"{timestamp[:8]}".',
        )
    return Signature(
        scope,
        tuple(fields["X-Amz-SignedHeaders"].lower().split(";")),
        fields["X-Amz-Signature"],
        timestamp,
        fields.get("X-Amz-Security-Token"),
        _expires(fields["X-Amz-Expires"]),
    )


def _expires(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,12}", text, re.ASCII):
        raise Malformed("query", "X-Amz-Expires should be a number")
    seconds = int(text)
    if seconds < 0:
        raise Malformed("query", "X-Amz-Expires must be non-negative")
    if seconds > EXPIRES_MAX_S:
        raise Malformed(
            "query",
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
            f"must be less than {EXPIRES_MAX_S} seconds",
        )
    return seconds


def compute(
    request: HttpRequest, signature: Signature, secret: str, payload_hash: str, *, raw_path: bool
) -> Computed:
    """The signature that `secret` gives; equal to `signature.value` when nothing was altered.

    `raw_path` is S3's rule: the path is encoded once and not normalized.
    """
    canonical = canonical_request(request, signature, payload_hash, raw_path=raw_path)
    digest = hashlib.sha256(canonical).hexdigest()
    to_sign = f"{ALGORITHM}\n{signature.timestamp}\n{signature.scope_text}\n{digest}"
    return Computed(canonical, to_sign, sign(secret, signature.scope, to_sign))


def matches(computed: Computed, signature: Signature) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(computed.value.encode(), signature.value.encode())


def sign(secret: str, scope: Scope, string_to_sign: str) -> str:
    key = signing_key(secret, scope.date, scope.region, scope.service)
    return hmac.new(key, string_to_sign.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=256)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of a day, region and service; derived once for each."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def canonical_request(
    request: HttpRequest, signature: Signature, payload_hash: str, *, raw_path: bool
) -> bytes:
    path = canonical_path(request.path, raw_path=raw_path)
    presigned = signature.expires_s is not None
    query = canonical_query(request.query, but="X-Amz-Signature" if presigned else None)
    names = signature.signed_headers
    headers = canonical_headers(request.headers, names)
    return b"\n".join(
        (
            request.method.encode(),
            path.encode(),
            query.encode(),
            headers,
            ";".join(names).encode("latin-1"),
            payload_hash.encode("latin-1"),
        )
    )


def canonical_path(path: str, *, raw_path: bool) -> str:
    """S3: decoded and encoded again. Others: without dot segments, encoded once more."""
    if raw_path:
        return _encode(unquote_to_bytes(path.encode("latin-1")), safe="/~") or "/"
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    normal = "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")
    return _encode(normal.encode("latin-1"), safe="/~")


def canonical_query(query: str, *, but: str | None = None) -> str:
    """Sorted by encoded name, then by value; without the parameter called `but`."""
    pairs = [
        (_encode(name, safe="~"), _encode(value, safe="~"))
        for name, value in query_pairs(query)
        if but is None or name != but.encode()
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def query_pairs(query: str) -> list[tuple[bytes, bytes]]:
    """Names and values of a query, decoded to bytes, in their order; `+` is a space."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.replace("+", " ").partition("=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def canonical_headers(headers: Headers, names: Iterable[str]) -> bytes:
    """A line for each of `names`; a header that came several times has its values joined."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(_SPACES.sub(b" ", value.strip(b" \t")))
    keys = [name.encode("latin-1") for name in names]
    return b"".join([key + b":" + b",".join(values.get(key, ())) + b"\n" for key in keys])


def _decode(text: str) -> bytes:
    return unquote_to_bytes(text.encode("latin-1"))


def _encode(raw: bytes, *, safe: str) -> str:
    return quote(raw, safe=safe)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
