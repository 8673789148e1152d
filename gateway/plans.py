"""What a request is for, remembered by its head: the same head never means anything else."""

from typing import NamedTuple

from fogbank.gateway.http import HttpRequest
from fogbank.gateway.models import OperationModel, ServiceModel
from fogbank.gateway.protocols import Codec
from fogbank.services.context import Caller, World

PLANS_MAX = 4096
_SIGNED_BY = b"AWS4-HMAC-SHA256 Credential="

Head = tuple[bytes | None, bytes, bytes]


class Plan(NamedTuple):
    """The first stages' verdict: who calls which operation in which world."""

    model: ServiceModel
    codec: Codec
    operation: OperationModel
    world: World
    caller: Caller


class Plans:
    """Bounded. Only heads that nothing but their bytes decides are remembered: an aws-json request
    that no web page sent, in `open`, under a key that this stack did not give out."""

    def __init__(self) -> None:
        self._plans: dict[Head, Plan] = {}

    def of(self, request: HttpRequest) -> Plan | None:
        head = _head_of(request)
        return None if head is None else self._plans.get(head)

    def keep(self, request: HttpRequest, plan: Plan) -> None:
        head = _head_of(request)
        if head is None or plan.model.protocol != "json":
            return
        if len(self._plans) >= PLANS_MAX:
            self._plans.clear()
        self._plans[head] = plan


def _head_of(request: HttpRequest) -> Head | None:
    """Host, target and credential scope; None where more than these has a say."""
    headers = request.by_name()
    target = headers.get(b"x-amz-target")
    if target is None or request.path != "/" or request.query or request.method != "POST":
        return None
    if b"origin" in headers or b"sec-fetch-site" in headers:
        return None
    signed = headers.get(b"authorization", b"")
    stop = signed.find(b",")
    if stop < 0 or not signed.startswith(_SIGNED_BY):
        return None
    return headers.get(b"host"), target, signed[len(_SIGNED_BY) : stop]
