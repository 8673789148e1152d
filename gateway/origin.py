"""Keeps web pages from driving the stack: foreign origins and unknown host names are refused."""

import ipaddress
import re
from collections.abc import Iterable

from fogbank.gateway.http import Headers, HttpRequest, HttpResponse

# Names that resolve to this machine, or that only a redirect of our own brings here. A pattern such
# as `*.execute-api.*` would let `x.execute-api.attacker.example` in, which DNS rebinding uses.
OWN_NAMES = ("localhost", "localhost.localstack.cloud")
OWN_SUFFIXES = (".localhost", ".localhost.localstack.cloud", ".amazonaws.com", ".amazonaws.com.cn")
HOSTS_MAX = 1024
PREFLIGHT_AGE_S = 600
# What a page may embed without an Origin header (images, downloads): reading objects and calling
# APIs. Everything else acts on GET as well (`?Action=DeleteRole`).
EMBEDDABLE = frozenset({"s3", "execute-api"})

_PORT = re.compile(r":\d*$")


class Door:
    """Says who may not come in. `own_names` are further names of this stack."""

    def __init__(
        self, cors_origins: Iterable[str], *, loopback: bool, own_names: Iterable[str] = ()
    ) -> None:
        self._origins = frozenset(origin.rstrip("/").lower() for origin in cors_origins)
        self._loopback = loopback
        self._own_names = frozenset((*OWN_NAMES, *(name.lower() for name in own_names)))
        self._verdicts: dict[str, bool] = {}

    def refuse(self, request: HttpRequest) -> HttpResponse | None:
        """The refusal of a request that may come from a foreign web page, else None."""
        refusal = self.refuse_host(request)
        if refusal is not None:
            return refusal
        if not self.is_foreign(request):
            return None
        origin = request.header(b"origin") or ""
        return _refusal(
            f"Requests from web pages of the origin {origin[:200]!r} are refused. "
            "The setting cors_origins permits them."
        )

    def is_foreign(self, request: HttpRequest) -> bool:
        """Whether a web page sent it that is neither ours nor of a permitted origin."""
        origin = request.header(b"origin")
        return not (
            origin is None or self.allows(origin) or _is_same(origin, request.header(b"host"))
        )

    def refuse_host(self, request: HttpRequest) -> HttpResponse | None:
        """The refusal of a request by a name that is not ours: a page that rebinds its name."""
        host = request.header(b"host") or ""
        if not self._loopback or not host or self._is_own(host):
            return None
        return _refusal(
            f"The host name {_PORT.sub('', host)[:200]!r} is not one of this stack's. Use its "
            "address, or name it in the setting host_names."
        )

    def refuse_embedded(self, request: HttpRequest, service: str) -> HttpResponse | None:
        """The refusal of what a foreign page embeds as an image or a form, without an Origin."""
        site = request.header(b"sec-fetch-site")
        if site in (None, "none", "same-origin") or service in EMBEDDABLE:
            return None
        if request.header(b"origin") is not None:
            return None  # `refuse` has judged it.
        return _refusal("A web page of another site may not call this service.")

    def allows(self, origin: str) -> bool:
        """Whether the setting cors_origins permits the pages of `origin`."""
        return bool(self._origins) and ("*" in self._origins or origin.lower() in self._origins)

    def preflight(self, request: HttpRequest) -> HttpResponse | None:
        """The answer to a browser that asks first, for origins that the setting permits."""
        if request.method != "OPTIONS" or not self._origins:
            return None
        if request.header(b"access-control-request-method") is None:
            return None
        headers = self.headers_for(request)
        return HttpResponse(204, headers) if headers else None

    def headers_for(self, request: HttpRequest) -> Headers:
        """The headers that let a permitted page read the answer; none for all others."""
        if not self._origins:
            return []
        origin = request.header(b"origin")
        if origin is None or not self.allows(origin):
            return []
        headers = [
            (b"Access-Control-Allow-Origin", origin.encode("latin-1")),
            (b"Vary", b"Origin"),
            (b"Access-Control-Expose-Headers", b"*"),
        ]
        asked = request.header(b"access-control-request-headers")
        if request.method == "OPTIONS":
            headers += [
                (b"Access-Control-Allow-Methods", b"GET, HEAD, PUT, POST, DELETE, PATCH"),
                (b"Access-Control-Allow-Headers", (asked or "*").encode("latin-1")),
                (b"Access-Control-Max-Age", b"%d" % PREFLIGHT_AGE_S),
            ]
        return headers

    def _is_own(self, host: str) -> bool:
        try:
            return self._verdicts[host]
        except KeyError:
            if len(self._verdicts) >= HOSTS_MAX:
                self._verdicts.clear()
            self._verdicts[host] = verdict = is_own_host(host, self._own_names)
            return verdict


def is_own_host(header: str, own_names: frozenset[str]) -> bool:
    """Whether a `Host` header is an address, a loopback name or a name of ours."""
    name = _PORT.sub("", header).lower().rstrip(".")
    if name in own_names or name.endswith(OWN_SUFFIXES):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str | None) -> bool:
    return bool(host) and origin.lower().partition("://")[2] == (host or "").lower()


def _refusal(text: str) -> HttpResponse:
    return HttpResponse(
        403, [(b"Content-Type", b"text/plain; charset=utf-8")], text.encode() + b"\n"
    )
