"""Errors before a service is known, in a form that people and every SDK can read."""

import orjson

from fogbank.gateway.http import HttpResponse
from fogbank.services.errors import AwsError


def plain_error(error: AwsError, request_id: str) -> HttpResponse:
    """JSON with the code in a header as well: SDKs of the JSON and REST families find it there."""
    document = {"__type": error.code, "message": error.message, "requestId": request_id}
    return HttpResponse(
        error.status,
        [
            (b"Content-Type", b"application/json"),
            (b"x-amzn-ErrorType", error.code.encode()),
            (b"x-amzn-RequestId", request_id.encode()),
        ],
        orjson.dumps(document),
    )
