"""Integrations and integration responses, kept in their method's record.

AWS_PROXY to Lambda and MOCK are built. The other types are refused by name when they are put:
an integration that can be stored but never runs would only move the error to the API's callers.
"""

import re

from fogbank.services.apigateway import mock
from fogbank.services.apigateway.errors import (
    BadRequestException,
    NotBuilt,
    NotFoundException,
)
from fogbank.services.apigateway.methods import (
    HTTP_METHODS,
    method_of,
    read_resource,
    remove_response,
    response_of,
    write_resource,
)
from fogbank.services.apigateway.parameters import check_request_parameters
from fogbank.services.apigateway.patch import Field, Record, entry, member, patched, text
from fogbank.services.apigateway.service import service
from fogbank.services.context import Context, Input, Output
from fogbank.storage.kv import Reader

TIMEOUT_DEFAULT_MS = 29_000
TIMEOUT_MIN_MS = 50
TIMEOUT_MAX_MS = 29_000
BUILT = ("AWS_PROXY", "MOCK")
PASSTHROUGH = ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER")
LAMBDA_PATH = re.compile(r"path/2015-03-31/functions/(arn:[^/]+:lambda:[^/]+)/invocations")
_STREAMING = "response-streaming-invocations"
_COPIED = (
    "credentials",
    "requestParameters",
    "requestTemplates",
    "contentHandling",
    "connectionType",
    "responseTransferMode",
)


def integration_of(method: Record) -> Record:
    integration: Record | None = method.get("methodIntegration")
    if integration is None:
        raise NotFoundException.integration()
    return integration


def lambda_arn(uri: str) -> str:
    """The function's ARN in an AWS_PROXY integration's `uri`, stage variables still in it."""
    parts = uri.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        raise BadRequestException("Invalid ARN specified in the request")
    if parts[2] != "apigateway" or not parts[5].startswith(("path/", "action/")):
        raise BadRequestException("AWS ARN for integration must contain path or action")
    if parts[4] == "lambda" and parts[5].endswith(_STREAMING):
        raise NotBuilt("response streaming")
    found = LAMBDA_PATH.fullmatch(parts[5])
    if parts[4] == "firehose":
        if parts[5] in ("action/PutRecord", "action/PutRecordBatch"):
            raise NotBuilt("AWS_PROXY integrations with Firehose")
        found = None
    if parts[4] not in ("lambda", "firehose") or found is None:
        raise BadRequestException(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and"
            " Firehose stream invocations."
        )
    return found[1]


@service.operation("PutIntegration")
async def put_integration(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html"""

    def change(tx: Reader, resource: Record) -> Record:
        method = method_of(resource, request["httpMethod"])
        integration = _new_integration(request)
        method["methodIntegration"] = integration
        return integration

    return await write_resource(ctx, request, change)


def _new_integration(request: Input) -> Record:
    kind = request["type"]
    if kind not in BUILT:
        raise NotBuilt(f"integrations of type {kind}")
    for feature in ("connectionId", "tlsConfig", "integrationTarget"):
        if request.get(feature):
            raise NotBuilt(f"PutIntegration's {feature}")
    if request.get("responseTransferMode") == "STREAM":
        raise NotBuilt("response streaming")
    timeout_ms = request.get("timeoutInMillis")
    timeout_ms = TIMEOUT_DEFAULT_MS if timeout_ms is None else timeout_ms
    integration: Record = {
        "type": kind,
        "passthroughBehavior": request.get("passthroughBehavior") or "WHEN_NO_MATCH",
        "timeoutInMillis": timeout_ms,
        "cacheNamespace": request.get("cacheNamespace") or request["resourceId"],
        "cacheKeyParameters": request.get("cacheKeyParameters") or [],
    }
    http_method = request.get("integrationHttpMethod")
    if http_method:
        integration["httpMethod"] = http_method
    if request.get("uri"):
        integration["uri"] = request["uri"]
    for name in _COPIED:
        if request.get(name):
            integration[name] = request[name]
    check(integration)
    return integration


def check(integration: Record) -> None:
    """Raise where AWS refuses an integration, or where what it asks for is not built."""
    if not TIMEOUT_MIN_MS <= integration["timeoutInMillis"] <= TIMEOUT_MAX_MS:
        raise BadRequestException("Timeout should be between 50 ms and 29000 ms")
    if integration["passthroughBehavior"] not in PASSTHROUGH:
        raise BadRequestException(
            f"Invalid PassthroughBehavior value specified. Valid values are {','.join(PASSTHROUGH)}"
        )
    if integration["type"] == "AWS_PROXY":
        if integration.get("httpMethod") not in HTTP_METHODS:
            raise BadRequestException("Enumeration value for HttpMethod must be non-empty")
        lambda_arn(integration.get("uri", ""))
        check_request_parameters(integration.get("requestParameters", {}))
    else:
        for template in integration.get("requestTemplates", {}).values():
            mock.check_request_template(template)


@service.operation("GetIntegration")
async def get_integration(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetIntegration.html"""
    resource = await read_resource(ctx, request)
    return integration_of(method_of(resource, request["httpMethod"]))


@service.operation("DeleteIntegration")
async def delete_integration(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteIntegration.html"""

    def change(tx: Reader, resource: Record) -> Record:
        method = method_of(resource, request["httpMethod"])
        integration_of(method)
        del method["methodIntegration"]
        return {}

    return await write_resource(ctx, request, change)


@service.operation("UpdateIntegration")
async def update_integration(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateIntegration.html"""

    def change(tx: Reader, resource: Record) -> Record:
        method = method_of(resource, request["httpMethod"])
        integration = patched(
            integration_of(method), request.get("patchOperations") or [], INTEGRATION_FIELDS
        )
        check(integration)
        method["methodIntegration"] = integration
        return integration

    return await write_resource(ctx, request, change)


def _timeout(integration: Record, rest: list[str], op: str, value: str | None) -> None:
    if not (value or "").isdecimal():
        raise BadRequestException("Timeout should be between 50 ms and 29000 ms")
    integration["timeoutInMillis"] = int(value or "0")


def _passthrough(integration: Record, rest: list[str], op: str, value: str | None) -> None:
    integration["passthroughBehavior"] = value or ""


def _content(integration: Record, rest: list[str], op: str, value: str | None) -> None:
    if value and value not in ("CONVERT_TO_BINARY", "CONVERT_TO_TEXT"):
        raise BadRequestException(
            "Invalid ContentHandling value specified. Valid values are"
            " CONVERT_TO_BINARY,CONVERT_TO_TEXT"
        )
    integration.pop("contentHandling", None)
    if value:
        integration["contentHandling"] = value


INTEGRATION_FIELDS = {
    "uri": text("uri"),
    "httpMethod": text("httpMethod"),
    "credentials": text("credentials"),
    "cacheNamespace": text("cacheNamespace"),
    "cacheKeyParameters": member("cacheKeyParameters"),
    "contentHandling": Field(("replace",), _content),
    "passthroughBehavior": Field(("replace",), _passthrough),
    "requestParameters": entry("requestParameters"),
    "requestTemplates": entry("requestTemplates"),
    "timeoutInMillis": Field(("replace",), _timeout),
}


@service.operation("PutIntegrationResponse")
async def put_integration_response(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegrationResponse.html"""

    def change(tx: Reader, resource: Record) -> Record:
        method = method_of(resource, request["httpMethod"])
        integration = integration_of(method)
        response: Record = {"statusCode": request["statusCode"]}
        for name in (
            "selectionPattern",
            "responseParameters",
            "responseTemplates",
            "contentHandling",
        ):
            if request.get(name) is not None:
                response[name] = request[name]
        check_response(response, integration, method)
        responses = integration.setdefault("integrationResponses", {})
        responses[request["statusCode"]] = response
        return response

    return await write_resource(ctx, request, change)


def check_response(response: Record, integration: Record, method: Record) -> None:
    """Raise for a parameter that the method's response does not declare, and for what is not built.

    A proxy integration's responses are kept and never used, as at AWS.
    """
    declared = method.get("methodResponses", {}).get(response["statusCode"], {})
    for name in response.get("responseParameters", {}):
        if name not in declared.get("responseParameters", {}):
            raise BadRequestException.mapping(name)
    if integration["type"] == "MOCK":
        for value in response.get("responseParameters", {}).values():
            mock.check_response_parameter(value)
        for template in response.get("responseTemplates", {}).values():
            mock.check_response_template(template)


@service.operation("GetIntegrationResponse")
async def get_integration_response(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetIntegrationResponse.html"""
    method = method_of(await read_resource(ctx, request), request["httpMethod"])
    return response_of(integration_of(method), "integrationResponses", request["statusCode"])


@service.operation("DeleteIntegrationResponse")
async def delete_integration_response(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteIntegrationResponse.html"""

    def change(tx: Reader, resource: Record) -> Record:
        # Here AWS names the integration where it is the method that does not exist.
        method = resource["methods"].get(request["httpMethod"], {})
        remove_response(integration_of(method), "integrationResponses", request["statusCode"])
        return {}

    return await write_resource(ctx, request, change)


@service.operation("UpdateIntegrationResponse")
async def update_integration_response(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateIntegrationResponse.html"""

    def change(tx: Reader, resource: Record) -> Record:
        method = method_of(resource, request["httpMethod"])
        integration = integration_of(method)
        response = response_of(integration, "integrationResponses", request["statusCode"])
        response = patched(response, request.get("patchOperations") or [], RESPONSE_FIELDS)
        check_response(response, integration, method)
        integration["integrationResponses"][request["statusCode"]] = response
        return response

    return await write_resource(ctx, request, change)


RESPONSE_FIELDS = {
    "selectionPattern": text("selectionPattern"),
    "responseParameters": entry("responseParameters"),
    "responseTemplates": entry("responseTemplates"),
    "contentHandling": Field(("replace",), _content),
}
