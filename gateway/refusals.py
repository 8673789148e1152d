"""What AWS answers to a request that it does not believe: codes and texts by protocol family."""

from typing import Any, cast

from fogbank.services.errors import AwsError

_INVALID_TOKEN = "The security token included in the request is invalid."
_EXPIRED_TOKEN = "The security token included in the request is expired"
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)

# reason -> (code, status, text); a text of None is given by who raises it.
_Row = tuple[str, int, str | None]
_S3: dict[str, _Row] = {
    "anonymous": ("AccessDenied", 403, "Access Denied"),
    "unsupported": (
        "InvalidRequest",
        400,
        "The authorization mechanism you have provided is not supported. Please use "
        "AWS4-HMAC-SHA256.",
    ),
    "malformed header": ("AuthorizationHeaderMalformed", 400, None),
    "malformed query": ("AuthorizationQueryParametersError", 400, None),
    "unknown key": (
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "invalid token": (
        "InvalidToken",
        400,
        "The provided token is malformed or otherwise invalid.",
    ),
    "expired token": ("ExpiredToken", 400, "The provided token has expired."),
    "mismatch": (
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. Check "
        "your key and signing method.",
    ),
    "skewed": (
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the current time is too large.",
    ),
    "url expired": ("AccessDenied", 403, "Request has expired"),
    "url not yet valid": ("AccessDenied", 403, "Request is not yet valid"),
    "headers not signed": (
        "AccessDenied",
        403,
        "There were headers present in the request which were not signed",
    ),
    "hash differs": (
        "XAmzContentSHA256Mismatch",
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
    "hash missing": (
        "InvalidRequest",
        400,
        "Missing required header for this request: x-amz-content-sha256",
    ),
    "broken framing": ("IncompleteBody", 400, None),
    "bad header": ("InvalidArgument", 400, None),
}
_QUERY: dict[str, _Row] = {
    "anonymous": ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
    "malformed header": ("IncompleteSignature", 400, None),
    "unknown key": ("InvalidClientTokenId", 403, _INVALID_TOKEN),
    "expired token": ("ExpiredToken", 403, _EXPIRED_TOKEN),
    "mismatch": ("SignatureDoesNotMatch", 403, _MISMATCH),
    "skewed": ("SignatureDoesNotMatch", 403, None),
}
_JSON: dict[str, _Row] = {
    "anonymous": ("MissingAuthenticationTokenException", 400, "Missing Authentication Token"),
    "malformed header": ("IncompleteSignatureException", 400, None),
    "unknown key": ("UnrecognizedClientException", 400, _INVALID_TOKEN),
    "expired token": ("ExpiredTokenException", 400, _EXPIRED_TOKEN),
    "mismatch": ("InvalidSignatureException", 400, _MISMATCH),
    "skewed": ("InvalidSignatureException", 400, None),
}
_REST_JSON = {reason: (code, 403, text) for reason, (code, _, text) in _JSON.items()}
TABLE = {"rest-xml": _S3, "query": _QUERY, "json": _JSON, "rest-json": _REST_JSON}
# Reasons that only S3 tells apart, and what the others make of them.
_COARSER = {
    "unsupported": "malformed header",
    "malformed query": "malformed header",
    "invalid token": "unknown key",
    "url expired": "skewed",
    "url not yet valid": "skewed",
    "headers not signed": "mismatch",
    "hash differs": "mismatch",
}


def refusal(family: str, reason: str, text: str | None = None, **fields: Any) -> AwsError:
    """AWS's error for `reason` in a protocol family; only S3 carries the facts in `fields`."""
    rows = TABLE.get(family, _JSON)
    row = rows.get(reason) or rows[_COARSER[reason]]
    code, status, fixed = row
    kind = cast(type[AwsError], type(code, (AwsError,), {"code": code, "status": status}))
    return kind(fixed or text, **(fields if family == "rest-xml" else {}))
