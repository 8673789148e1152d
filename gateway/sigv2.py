"""Signature Version 2 of S3, without I/O: boto3's presigned URLs still carry it by default.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from urllib.parse import unquote

from fogbank.gateway.http import HttpRequest
from fogbank.gateway.sigv4 import query_pairs

# The parameters that are part of what is signed; the page above lists them.
SIGNED_PARAMETERS = frozenset(
    [
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "defaultObjectAcl",
        "delete",
        "encryption",
        "inventory",
        "legal-hold",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "partNumber",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "retention",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    ]
)
_HEADER = re.compile(r"AWS ([^:\s]+):(\S+)")


@dataclass(frozen=True, slots=True)
class SignatureV2:
    """A signature as a request carries it. `expires_s` (since 1970) is None in a header."""

    access_key: str
    value: str
    token: str | None
    expires_s: int | None


def of_request(request: HttpRequest) -> SignatureV2 | None:
    """The signature in the header or in the query, None where there is none."""
    header = request.header(b"authorization")
    if header is not None:
        found = _HEADER.fullmatch(header)
        token = request.header(b"x-amz-security-token")
        return SignatureV2(found[1], found[2], token, None) if found else None
    if "AWSAccessKeyId=" not in request.query:
        return None
    fields = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in query_pairs(request.query.replace("+", "%2B"))
    }
    expires = fields.get("Expires", "")
    if not (fields.get("AWSAccessKeyId") and fields.get("Signature")):
        return None
    if not re.fullmatch(r"\d{1,12}", expires, re.ASCII):
        return None
    return SignatureV2(
        fields["AWSAccessKeyId"],
        fields["Signature"],
        fields.get("x-amz-security-token"),
        int(expires),
    )


def string_to_sign(request: HttpRequest, signature: SignatureV2, bucket: str | None) -> str:
    """`bucket` is the one in the host name: it is signed as if it stood in the path."""
    amz: dict[str, list[str]] = {}
    for raw_name, raw_value in request.headers:
        name = raw_name.decode("latin-1").lower()
        if name.startswith("x-amz-"):
            amz.setdefault(name, []).append(raw_value.decode("latin-1").strip())
    if signature.expires_s is not None:
        date = str(signature.expires_s)
        if signature.token is not None:
            amz["x-amz-security-token"] = [signature.token]
    else:
        date = "" if "x-amz-date" in amz else request.header(b"date") or ""
    return "\n".join(
        (
            request.method,
            request.header(b"content-md5") or "",
            request.header(b"content-type") or "",
            date,
            *(f"{name}:{','.join(values)}" for name, values in sorted(amz.items())),
            _resource(request, bucket),
        )
    )


def _resource(request: HttpRequest, bucket: str | None) -> str:
    path = f"/{bucket}{request.path}" if bucket else request.path
    signed = []
    for part in request.query.split("&"):
        name, equals, value = part.partition("=")
        if name in SIGNED_PARAMETERS:
            signed.append((name, f"{name}={unquote(value)}" if equals else name))
    return path + ("?" + "&".join(text for _, text in sorted(signed)) if signed else "")


def sign(secret: str, text: str) -> str:
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def matches(computed: str, signature: SignatureV2) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(computed.encode(), signature.value.encode())
