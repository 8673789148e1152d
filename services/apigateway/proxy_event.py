"""The event that a Lambda proxy integration sends: format 1.0, every key that AWS has.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-input-format
What is empty is null, never absent. Header names keep the case in which the client wrote them.
"""

import base64
import time
from dataclasses import dataclass
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
    """One request, as its event tells of it. `path` is as it came, without the stage."""

    method: str
    path: str
    request_path: str
    path_parameters: dict[str, str] | None
    headers: Lists
    query: Lists
    body: bytes
    is_binary: bool
    source_ip: str
    protocol: str
    domain_name: str
    domain_prefix: str
    request_id: str
    extended_id: str
    now_ms: int


def lists_of_headers(headers: list[tuple[bytes, bytes]]) -> Lists:
    """Header values by name: the name as it was written first, the values in order."""
    found: Lists = {}
    names: dict[bytes, str] = {}
    for raw, value in headers:
        lower = raw.lower()
        name = names.get(lower)
        if name is None:
            names[lower] = name = raw.decode("latin-1")
            found[name] = [value.decode("latin-1")]
        else:
            found[name].append(value.decode("latin-1"))
    return found


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


def request_time(now_ms: int) -> str:
    """The Common Log Format's time: `20/Nov/2026:11:25:24 +0000`; months are never localised."""
    at = time.gmtime(now_ms // 1000)
    return (
        f"{at.tm_mday:02d}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year}"
        f":{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} +0000"
    )


def build(target: Target, facts: Facts) -> bytes:
    """The event's JSON."""
    headers = {
        name: values
        for name, values in facts.headers.items()
        if name.lower() not in DROPPED_REQUEST_HEADERS
    }
    query = facts.query
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
        "requestTime": request_time(facts.now_ms),
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
            "userAgent": _user_agent(facts.headers),
            "user": None,
        },
        "domainName": facts.domain_name,
        "deploymentId": target.deployment_id,
        "apiId": target.api_id,
    }


def _user_agent(headers: Lists) -> str | None:
    for name, values in headers.items():
        if len(name) == 10 and name.lower() == "user-agent":
            return values[-1]
    return None
