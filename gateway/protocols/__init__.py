"""The protocol families: each turns bytes into a handler's input and its output into bytes."""

from typing import Any, Protocol

from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.models import OperationModel, ServiceModel
from fogbank.gateway.protocols import aws_json, query, rest_json, rest_xml
from fogbank.services.errors import AwsError


class Codec(Protocol):
    """Pure functions of one family. `route` and `parse` raise nothing but AwsError."""

    def route(
        self, model: ServiceModel, request: HttpRequest, payload: bytes | None
    ) -> OperationModel: ...

    def parse(
        self, operation: OperationModel, request: HttpRequest, payload: Any
    ) -> dict[str, Any]: ...

    def serialize(
        self, operation: OperationModel, output: dict[str, Any] | None, request_id: str
    ) -> HttpResponse: ...

    def error(
        self,
        model: ServiceModel,
        operation: OperationModel | None,
        error: AwsError,
        request_id: str,
    ) -> HttpResponse: ...


# One line per family; `smithy-rpc-v2-cbor` would be the next.
FAMILIES: dict[str, Codec] = {
    "json": aws_json,
    "query": query,
    "rest-json": rest_json,
    "rest-xml": rest_xml,
}


def codec_of(model: ServiceModel) -> Codec:
    return FAMILIES[model.protocol]
