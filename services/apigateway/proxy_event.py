"""The event that a Lambda proxy integration sends: format 1.0, every key that AWS has.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-input-format
What is empty is null, never absent. Header names keep the case in which the client wrote them.
"""

import base64
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

import orjson

Lists = dict[str, list[str]]

# Headers between two hops, which an integration never gets (observed at AWS).
DROPPED_REQUEST_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "content-md5",
        "expect",
        "max-forwards",
        "proxy-authenticate",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
    }
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class Target:
    """What a request was routed to; the values that do not change from request to request."""

    account: str
    api_id: str
    deployment_id: str
    stage: str
    resource_id: str
    resource_path: str
    variables: dict[str, str] | None


@dataclass(slots=True)
class Facts:
    """One request, as its event tells of it. `path` is as it came, without the stage.

    `sent` are the headers as the client sent them, by lower-case name.
    """

    method: str
    path: str
    request_path: str
    path_parameters: dict[str, str] | None
    sent: dict[str, str]
    headers: Lists
    query: Lists
    body: bytes
    is_binary: bool
    source_ip: str
    user_agent: str | None
    protocol: str
    domain_name: str
    domain_prefix: str
    request_id: str
    extended_id: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """`lists` are what an integration may get; `last` has the last value of every lower-case name.

    A name that came twice keeps the case in which it came first.
    """

    lists: Lists
    last: dict[str, str]

    @classmethod
    def of(cls, headers: list[tuple[bytes, bytes]]) -> "RequestHeaders":
        lists: Lists = {}
        last: dict[str, str] = {}
        names: dict[str, str] = {}
        for raw, raw_value in headers:
            name, value = raw.decode("latin-1"), raw_value.decode("latin-1")
            lower = name.lower()
            if lower in last:
                if lower in names:
                    lists[names[lower]].append(value)
            elif lower not in DROPPED_REQUEST_HEADERS:
                names[lower] = name
                lists[name] = [value]
            last[lower] = value
        return cls(lists, last)


def lists_of_query(query: str) -> Lists:
    """Values by name, both decoded; a name without `=` has the empty value."""
    found: Lists = {}
    if not query:
        return found
    plain = "%" not in query and "+" not in query
    for pair in query.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if not plain:
            name, value = unquote_plus(name), unquote_plus(value)
        if name in found:
            found[name].append(value)
        else:
            found[name] = [value]
    return found


@lru_cache(maxsize=8)
def request_time(now_s: int) -> str:
    """The Common Log Format's time: `20/Nov/2026:11:25:24 +0000`; months are never localised."""
    at = time.gmtime(now_s)
    return (
        f"{at.tm_mday:02d}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year}"
        f":{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} +0000"
    )


def build(target: Target, facts: Facts) -> bytes:
    """The event's JSON."""
    headers, query = facts.headers, facts.query
    body, is_base64 = _body(facts)
    event = {
        "resource": target.resource_path,
        "path": facts.path,
        "httpMethod": facts.method,
        "headers": {name: values[-1] for name, values in headers.items()} or None,
        "multiValueHeaders": headers or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": facts.path_parameters,
        "stageVariables": target.variables,
        "requestContext": _context(target, facts),
        "body": body,
        "isBase64Encoded": is_base64,
    }
    return orjson.dumps(event)


def _body(facts: Facts) -> tuple[str | None, bool]:
    if not facts.body:
        return None, False
    if facts.is_binary:
        return base64.b64encode(facts.body).decode(), True
    # AWS replaces what is no UTF-8 in a text body: only a binary media type keeps such bytes.
    return facts.body.decode("utf-8", "replace"), False


def _context(target: Target, facts: Facts) -> dict[str, Any]:
    return {
        "resourceId": target.resource_id,
        "resourcePath": target.resource_path,
        "httpMethod": facts.method,
        "extendedRequestId": facts.extended_id,
        "requestTime": request_time(facts.now_ms // 1000),
        "path": facts.request_path,
        "accountId": target.account,
        "protocol": facts.protocol,
        "stage": target.stage,
        "domainPrefix": facts.domain_prefix,
        "requestTimeEpoch": facts.now_ms,
        "requestId": facts.request_id,
        "identity": {
            "cognitoIdentityPoolId": None,
            "accountId": None,
            "cognitoIdentityId": None,
            "caller": None,
            "sourceIp": facts.source_ip,
            "principalOrgId": None,
            "accessKey": None,
            "cognitoAuthenticationType": None,
            "cognitoAuthenticationProvider": None,
            "userArn": None,
            "userAgent": facts.user_agent,
            "user": None,
        },
        "domainName": facts.domain_name,
        "deploymentId": target.deployment_id,
        "apiId": target.api_id,
    }
