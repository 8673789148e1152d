"""The door of deployed APIs: recognises their addresses, and is no part of the control plane.

| address | |
|---|---|
| `{api}.execute-api.{region}.amazonaws.com/{stage}/...` | the region may be missing |
| `{api}.execute-api.localhost/{stage}/...` | also `localhost.localstack.cloud` |
| `/_aws/execute-api/{api}/{stage}/...` | on any host |
| `/_fogbank/api/{api}/{stage}/...` | on any host |
| `/restapis/{api}/{stage}/_user_request_/...` | on any host |
"""

import re
from typing import TYPE_CHECKING, NamedTuple

from fogbank.gateway import payloads
from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.services.context import Stack

if TYPE_CHECKING:
    from fogbank.services.apigateway import dataplane

HOSTS_MAX = 4096

# Names of this machine and of AWS: any other suffix could belong to somebody else.
_HOST = re.compile(
    r"(?P<api>[a-z0-9]+)\.execute-api(?:\.[a-z0-9-]+)?"
    r"\.(?:amazonaws\.com(?:\.cn)?|localhost|localhost\.localstack\.cloud)(?::\d+)?"
)
_PATH = re.compile(
    r"/(?:_aws/execute-api|_fogbank/api)/(?P<api>[^/]+)/(?P<stage>[^/]+)(?P<path>/.*)?"
    r"|/restapis/(?P<api_2>[^/]+)/(?P<stage_2>[^/]+)/_user_request_(?P<path_2>/.*)?",
    re.DOTALL,
)
_PATH_STARTS = ("/_aws/", "/_fogbank/api/", "/restapis/")


class Address(NamedTuple):
    """Where a request goes; `path` is what follows the stage, as it came."""

    api_id: str
    stage: str
    path: str


class ExecuteApi:
    """Gives requests for deployed APIs to the service that serves them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._hosts: dict[str, str | None] = {}

    def address_of(self, request: HttpRequest) -> Address | None:
        """The API that `request` is for; None for everything that is none of an API's business."""
        host = request.header(b"host")
        if host is not None:
            api_id = self._api_of(host)
            if api_id is not None:
                stage, slash, path = request.path[1:].partition("/")
                return Address(api_id, stage, slash + path)
        if request.path.startswith(_PATH_STARTS):
            found = _PATH.fullmatch(request.path)
            if found is not None and found["api"]:
                return Address(found["api"], found["stage"], found["path"] or "")
            if found is not None:
                return Address(found["api_2"], found["stage_2"], found["path_2"] or "")
        return None

    def _api_of(self, host: str) -> str | None:
        try:
            return self._hosts[host]
        except KeyError:
            if len(self._hosts) >= HOSTS_MAX:
                self._hosts.clear()
            found = _HOST.fullmatch(host.lower())
            self._hosts[host] = api_id = found["api"] if found else None
            return api_id

    async def respond(
        self,
        context_of: "dataplane.ContextOf",
        request: HttpRequest,
        address: Address,
        *,
        is_foreign: bool = False,
    ) -> HttpResponse:
        """The API's answer; `is_foreign` when a page of a foreign origin sent the request."""
        # The service is loaded at its first use, as all are.
        from fogbank.services.apigateway import dataplane

        body: bytes | None
        try:
            body = await payloads.read(request.body, dataplane.BODY_BYTES_MAX)
        except payloads.RequestTooLarge:
            body = None
        answer = await dataplane.serve(
            self._stack,
            context_of,
            dataplane.ApiRequest(
                address.api_id,
                address.stage,
                request.method,
                address.path,
                request.query,
                request.headers,
                body,
                request.source_ip,
                request.http_version,
                request.header(b"host") or "",
                is_foreign,
            ),
        )
        return HttpResponse(answer.status, answer.headers, answer.body)
