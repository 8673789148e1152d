"""Requests as the codecs see them, from a few words."""

from fogbank.gateway.http import HttpRequest
from fogbank.services.body import Body


def request_of(
    method: str = "POST",
    path: str = "/",
    query: str = "",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> HttpRequest:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return HttpRequest(method, path, query, pairs, Body.of(body))


def json_request(target: str, body: bytes) -> HttpRequest:
    return request_of(body=body, headers={"X-Amz-Target": target})
