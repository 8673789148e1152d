"""Requests as values, for tests of the stages."""

from fogbank.gateway.http import HttpRequest
from fogbank.services.body import Body


def request(
    method: str = "GET", target: str = "/", *, body: bytes = b"", **headers: str
) -> HttpRequest:
    """`x_amz_target="..."` is the header X-Amz-Target; the host is 127.0.0.1:4566 unless given."""
    path, _, query = target.partition("?")
    given = {"host": "127.0.0.1:4566", **headers}
    sent = [
        (name.replace("_", "-").title().encode(), value.encode()) for name, value in given.items()
    ]
    return HttpRequest(method, path, query, sent, Body.of(body))


def authorization(access_key: str, service: str, region: str = "eu-west-1") -> str:
    scope = f"{access_key}/20260101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"
