"""Which service a request is for, in which account and region, under which access key."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from fogbank.gateway.http import HttpRequest
from fogbank.services.errors import AwsError

DEFAULT_ACCOUNT = "000000000000"
# Distinct credential scopes and host names that are remembered; then the cache starts anew.
CACHE_MAX = 4096
EXECUTE_API = "execute-api"

# Signing names and first labels of host names that differ from botocore's name of the service.
SERVICE_OF_SCOPE = {
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "email": "ses",
    "s3express": "s3",
    "s3-object-lambda": "s3",
    "streams.dynamodb": "dynamodbstreams",
    "tagging": "resourcegroupstaggingapi",
}
SERVICE_OF_TARGET = {
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "Logs_20140328": "logs",
    "AWSEvents": "events",
    "AmazonSQS": "sqs",
    "AmazonSSM": "ssm",
    "secretsmanager": "secretsmanager",
    "TrentService": "kms",
    "AWSStepFunctions": "stepfunctions",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "GraniteServiceVersion20100801": "cloudwatch",
}
SERVICE_OF_VERSION = {
    "2010-05-08": "iam",
    "2011-06-15": "sts",
    "2010-05-15": "cloudformation",
    "2010-03-31": "sns",
    "2012-11-05": "sqs",
    "2010-08-01": "cloudwatch",
}
# For requests that carry no signature and come by an address: a bucket cannot be called
# `restapis` and hold what looks like an API there, so the longer forms are left to S3.
SERVICE_OF_PATH = (
    (
        re.compile(r"/20\d\d-\d\d-\d\d/(functions|layers|event-source|account|tags|runtime)"),
        "lambda",
    ),
    (re.compile(r"/restapis(/|$)"), "apigateway"),
    (re.compile(r"/v2/apis(/|$)"), "apigatewayv2"),
)

_CREDENTIAL = re.compile(r"Credential=([^,\s]+)")
_CREDENTIAL_IN_QUERY = re.compile(r"(?:^|&)X-Amz-Credential=([^&]+)", re.IGNORECASE)
# Version 2: S3 only, and still what boto3's presigned URLs carry by default.
_CREDENTIAL_V2 = re.compile(r"AWS ([^:\s]+):")
_CREDENTIAL_V2_IN_QUERY = re.compile(r"(?:^|&)AWSAccessKeyId=([^&]+)")
_ACTION_IN_QUERY = re.compile(r"(?:^|&)Action=")
_BUCKET_HOST = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.\-_]*?)\."
    r"(?:s3(?:[.-](?:dualstack\.)?(?P<region>[a-z]{2}-[a-z-]+-\d))?\..+|s3|localhost)",
    re.IGNORECASE,
)
_SERVICE_HOST = re.compile(
    r"(?P<service>streams\.dynamodb|[a-z0-9-]+?)(?:[.-](?P<region>[a-z]{2}-[a-z-]+-\d))?"
    r"\.(?:amazonaws\.com(?:\.cn)?|api\.aws|localhost\.localstack\.cloud)"
)


class Scope(NamedTuple):
    """A credential scope: what the client says that it signed for.

    Signatures of version 2 name no date and no region.
    """

    access_key: str
    date: str
    region: str
    service: str


class HostNames(NamedTuple):
    """What a host name says."""

    service: str | None = None
    region: str | None = None
    bucket: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What the request is for. `scope` is None when it carries no SigV4 signature."""

    service: str
    account: str
    region: str
    scope: Scope | None
    host: HostNames

    @property
    def access_key(self) -> str:
        return self.scope.access_key if self.scope else ""


class UnknownService(AwsError):
    code = "UnknownService"
    status = 501

    def __init__(self, service: str, known: Collection[str]) -> None:
        super().__init__(
            f"Fogbank has no service called {service!r}. It has: {', '.join(sorted(known))}."
        )


class Identifier:
    """Reads a request's head; each distinct credential scope and host name is parsed once."""

    def __init__(self, default_region: str) -> None:
        self._default_region = default_region
        self._scopes: dict[str, Scope | None] = {}
        self._hosts: dict[str, HostNames] = {}

    def identify(self, request: HttpRequest, form: bytes = b"") -> Identity:
        """`form` is the body of an unsigned form post, which names its service only there."""
        scope = self.scope_of(request)
        host = self.host_of(request)
        service = _service_of(request, scope, host, form)
        region = (scope.region if scope else host.region) or self._default_region
        return Identity(service, account_of(scope.access_key if scope else ""), region, scope, host)

    def scope_of(self, request: HttpRequest) -> Scope | None:
        header = request.header(b"authorization")
        if header is not None:
            found = _CREDENTIAL.search(header)
            if found is None and (second := _CREDENTIAL_V2.match(header)):
                return Scope(second[1], "", "", "s3")
        elif "X-Amz-Credential" in request.query:
            found = _CREDENTIAL_IN_QUERY.search(request.query)
        elif "AWSAccessKeyId" in request.query:
            second = _CREDENTIAL_V2_IN_QUERY.search(request.query)
            return Scope(unquote(second[1]), "", "", "s3") if second else None
        else:
            return None
        if found is None:
            return None
        text = found[1]
        try:
            return self._scopes[text]
        except KeyError:
            if len(self._scopes) >= CACHE_MAX:
                self._scopes.clear()
            self._scopes[text] = scope = parse_scope(unquote(text) if header is None else text)
            return scope

    def host_of(self, request: HttpRequest) -> HostNames:
        name = request.header(b"host") or ""
        try:
            return self._hosts[name]
        except KeyError:
            if len(self._hosts) >= CACHE_MAX:
                self._hosts.clear()
            self._hosts[name] = names = parse_host(name)
            return names


def parse_scope(credential: str) -> Scope | None:
    """`AKID/20260102/us-east-1/s3/aws4_request`; an access key may itself contain slashes."""
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or not parts[0]:
        return None
    return Scope(parts[0], parts[1], parts[2], parts[3])


def parse_host(header: str) -> HostNames:
    """What the `Host` header says; nothing when it is an address or a plain name."""
    name = header.rpartition(":")[0] if re.search(r":\d*$", header) else header
    name = name.lower().rstrip(".")
    if re.fullmatch(r"s3[.-].*|s3", name):
        region = re.search(r"[a-z]{2}-[a-z-]+-\d", name)
        return HostNames("s3", region[0] if region else None)
    if found := _BUCKET_HOST.fullmatch(name):
        return HostNames("s3", found["region"], bucket=found["bucket"])
    if found := _SERVICE_HOST.fullmatch(name):
        service = found["service"]
        return HostNames(SERVICE_OF_SCOPE.get(service, service), found["region"])
    return HostNames()


def account_of(access_key: str) -> str:
    """An access key of 12 digits is an account; others belong to the default one."""
    if len(access_key) == 12 and access_key.isascii() and access_key.isdigit():
        return access_key
    return DEFAULT_ACCOUNT


def names_service_in_form(request: HttpRequest) -> bool:
    """Whether only the body can say which service an unsigned request is for."""
    return (
        request.method == "POST"
        and request.path == "/"
        and request.header(b"authorization") is None
        and (request.header(b"content-type") or "").startswith("application/x-www-form-urlencoded")
    )


def is_page(path: str) -> bool:
    """Whether a path is one of the stack's own pages: no bucket's name begins like them."""
    return path.startswith("/_")


def path_style(request: HttpRequest, bucket: str) -> HttpRequest:
    """The request as if the bucket had come in the path and not in the host name."""
    return replace(request, path=f"/{bucket}{request.path}")


def _service_of(request: HttpRequest, scope: Scope | None, host: HostNames, form: bytes) -> str:
    target = request.header(b"x-amz-target")
    if target is not None:
        service = SERVICE_OF_TARGET.get(target.partition(".")[0])
        if service is not None:
            return service
    if scope is not None:
        return SERVICE_OF_SCOPE.get(scope.service, scope.service)
    if host.service is not None:
        return host.service
    if form or (request.path == "/" and _ACTION_IN_QUERY.search(request.query)):
        fields = dict(parse_qsl(request.query) + parse_qsl(form.decode("latin-1")))
        service = SERVICE_OF_VERSION.get(fields.get("Version", ""))
        if service is not None:
            return service
    for pattern, service in SERVICE_OF_PATH:
        if pattern.match(request.path):
            return service
    return "s3"
