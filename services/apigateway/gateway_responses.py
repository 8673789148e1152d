"""The answers that the gateway gives itself, in place of an integration.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
Their customisation comes with gateway responses; these are AWS's defaults.
"""

from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """`kind` is AWS's name of the response type; `error` goes into x-amzn-ErrorType."""

    kind: str
    status: int
    message: str
    error: str

    @property
    def body(self) -> bytes:
        return orjson.dumps({"message": self.message})


class Refused(Exception):
    """A request that ends with an answer of the gateway; `why` is for the trace."""

    def __init__(self, response: GatewayResponse, why: str = "") -> None:
        super().__init__(why or response.message)
        self.response = response


_INTERNAL = "InternalServerErrorException"
MISSING_AUTHENTICATION_TOKEN = GatewayResponse(
    "MISSING_AUTHENTICATION_TOKEN",
    403,
    "Missing Authentication Token",
    "MissingAuthenticationTokenException",
)
FORBIDDEN = GatewayResponse("ACCESS_DENIED", 403, "Forbidden", "ForbiddenException")
# Ours, not AWS's: the API listens on the user's own machine, where any page may try to call it.
FOREIGN_ORIGIN = GatewayResponse(
    "ACCESS_DENIED",
    403,
    "Requests from web pages of a foreign origin are refused where the API has no method for "
    "OPTIONS. The setting cors_origins permits them.",
    "ForbiddenException",
)
INVALID_API_KEY = GatewayResponse("INVALID_API_KEY", 403, "Forbidden", "ForbiddenException")
UNSUPPORTED_MEDIA_TYPE = GatewayResponse(
    "UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported Media Type", "UnsupportedMediaTypeException"
)
REQUEST_TOO_LARGE = GatewayResponse(
    "REQUEST_TOO_LARGE",
    413,
    "HTTP content length exceeded 10485760 bytes.",
    "RequestTooLargeException",
)
CONFIGURATION_ERROR = GatewayResponse(
    "API_CONFIGURATION_ERROR", 500, "Internal server error", _INTERNAL
)
# A function that failed, or that answered what a proxy integration may not answer.
INTEGRATION_FAILURE = GatewayResponse(
    "INTEGRATION_FAILURE", 502, "Internal server error", _INTERNAL
)
INTEGRATION_TIMEOUT = GatewayResponse(
    "INTEGRATION_TIMEOUT", 504, "Endpoint request timed out", _INTERNAL
)
