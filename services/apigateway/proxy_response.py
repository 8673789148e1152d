"""What a Lambda proxy integration answers, turned into a response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format
Five fields are known, any other makes the answer malformed. Scalars are taken for each other as
AWS takes them: a number may stand for a text, a numeric text for a status, `true` prints as `true`.
"""

import base64
import binascii
from typing import Any

import orjson

from fogbank.services.apigateway.media import BinaryTypes

Headers = list[tuple[bytes, bytes]]

_KNOWN = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
# A function's headers that concern the hop from the gateway to the client, which it cannot set.
REMAPPED = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "content-md5",
        "date",
        "expect",
        "host",
        "max-forwards",
        "proxy-authenticate",
        "server",
        "trailer",
        "upgrade",
        "user-agent",
        "www-authenticate",
    }
)
DROPPED = frozenset({"transfer-encoding"})


class Malformed(Exception):
    """The function's answer is none that a proxy integration may give."""


def read(payload: bytes, binary: BinaryTypes, accept: str | None) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a function's answer; raises Malformed."""
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise Malformed("it is not JSON") from None
    if not isinstance(answer, dict):
        raise Malformed("it is not an object")
    if not answer.keys() <= _KNOWN:
        raise Malformed(f"it has unknown fields: {', '.join(sorted(answer.keys() - _KNOWN))}")
    status = _status(answer.get("statusCode"))
    headers = _headers(answer.get("headers"), answer.get("multiValueHeaders"))
    body = _text(answer.get("body"), "body") or ""
    if _flag(answer.get("isBase64Encoded")) and binary.holds(accept):
        try:
            return status, headers, base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise Malformed("its body is not base64") from None
    return status, headers, body.encode("utf-8", "surrogatepass")


def _status(value: Any) -> int:
    if value is None:
        return 200
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value) if len(value) < 8 else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed("its statusCode is no number")
    if not 100 <= value <= 599:
        raise Malformed("its statusCode is out of range")
    return int(value)


def _text(value: Any, what: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise Malformed(f"its {what} is no text")


def _flag(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Malformed("its isBase64Encoded is no boolean")


def _headers(single: Any, multi: Any) -> Headers:
    """Both maps as one list: the lists first, then single values that they do not hold yet."""
    merged: dict[str, tuple[str, list[str]]] = {}
    for name, values in _map(multi, "multiValueHeaders").items():
        if not isinstance(values, list):
            raise Malformed("a value in its multiValueHeaders is no list")
        _, known = merged.setdefault(name.lower(), (name, []))
        known.extend(text for one in values if (text := _text(one, "header")) is not None)
    for name, value in _map(single, "headers").items():
        text = _text(value, "header")
        if text is None:
            continue
        _, known = merged.setdefault(name.lower(), (name, []))
        if text not in known:
            known.append(text)
    if not merged.get("content-type", ("", []))[1]:
        merged["content-type"] = ("Content-Type", ["application/json"])
    out: Headers = []
    for lower, (name, values) in merged.items():
        if lower in DROPPED:
            continue
        if lower in REMAPPED:
            name = f"x-amzn-Remapped-{name}"
        raw = name.encode("utf-8", "replace")
        out.extend((raw, value.encode("utf-8", "replace")) for value in values)
    return out


def _map(value: Any, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"its {what} is no object")
    return value
