"""Requests as botocore signs them: the oracle that our verification is compared with."""

from typing import Any
from urllib.parse import urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fogbank.gateway.http import HttpRequest
from fogbank.services.body import Body

ACCESS_KEY, SECRET = "AKIAFOGBANKEXAMPLE00", "a-secret/that+is=long"
HOST = "127.0.0.1:4566"


def sign(
    method: str,
    target: str,
    *,
    service: str = "s3",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    token: str | None = None,
    expires_s: int | None = None,
    version: int = 4,
) -> HttpRequest:
    """The request that botocore would send for `target` (path and query, percent-encoded)."""
    request = AWSRequest(
        method=method, url=f"http://{HOST}{target}", headers=dict(headers or {}), data=body
    )
    credentials = Credentials(ACCESS_KEY, SECRET, token)
    signer: Any
    if expires_s is not None and version == 2:
        signer = HmacV1QueryAuth(credentials, expires=expires_s)
    elif expires_s is not None:
        signer = S3SigV4QueryAuth(credentials, service, "us-east-1", expires=expires_s)
    elif service == "s3":
        signer = S3SigV4Auth(credentials, service, "us-east-1")
    else:
        signer = SigV4Auth(credentials, service, "us-east-1")
    signer.add_auth(request)
    url = urlsplit(request.url)
    sent = [(b"Host", HOST.encode())]
    for name, value in request.headers.items():
        raw = value if isinstance(value, bytes) else value.encode()
        sent.append((name.encode(), raw))
    return HttpRequest(method, url.path, url.query, sent, Body.of(body))
