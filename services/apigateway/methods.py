"""Methods and method responses, kept in their resource's record."""

from collections.abc import Callable
from typing import Any

from fogbank.services.apigateway.errors import (
    BadRequestException,
    ConflictException,
    NotBuilt,
    NotFoundException,
)
from fogbank.services.apigateway.patch import Field, entry, is_true, patched, text
from fogbank.services.apigateway.records import Record, part_key, put_part
from fogbank.services.apigateway.resources import require_resource
from fogbank.services.apigateway.service import service
from fogbank.services.context import Context, Input, Output
from fogbank.storage.kv import Reader, Writer

HTTP_METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY")


def method_of(resource: Record, http_method: str) -> Record:
    method: Record | None = resource["methods"].get(http_method)
    if method is None:
        raise NotFoundException.method()
    return method


async def write_resource(
    ctx: Context, request: Input, change: Callable[[Reader, Record], Record]
) -> Record:
    """Change the request's resource in one transaction; answers what `change` returns."""

    def write(tx: Writer) -> Record:
        api_id, resource_id = request["restApiId"], request["resourceId"]
        resource = require_resource(tx, ctx.world, api_id, resource_id)
        changed = change(tx, resource)
        put_part(tx, ctx.world, api_id, "resource", resource_id, resource)
        return changed

    return await ctx.store.write(write)


async def read_resource(ctx: Context, request: Input) -> Record:
    return await ctx.store.read(
        lambda tx: require_resource(tx, ctx.world, request["restApiId"], request["resourceId"]),
        brief=True,
    )


@service.operation("PutMethod")
async def put_method(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_PutMethod.html"""

    def change(tx: Reader, resource: Record) -> Record:
        method = _new_method(request)
        _require_models(ctx, tx, request, method.get("requestModels"))
        if method["httpMethod"] in resource["methods"]:
            raise ConflictException.method()
        resource["methods"][method["httpMethod"]] = method
        return method

    return await write_resource(ctx, request, change)


def _require_models(
    ctx: Context, tx: Reader, request: Input, models: dict[str, str] | None
) -> None:
    for model in (models or {}).values():
        if tx.get(part_key(ctx.world, request["restApiId"], "model", model)) is None:
            raise BadRequestException.model(model)


def _new_method(request: Input) -> Record:
    if request["httpMethod"] not in HTTP_METHODS:
        raise BadRequestException(
            f"Invalid HttpMethod specified. Valid options are {','.join(HTTP_METHODS)}"
        )
    check_authorization(request.get("authorizationType") or "NONE")
    if request.get("requestValidatorId"):
        raise BadRequestException.validator()
    method: Record = {
        "httpMethod": request["httpMethod"],
        "authorizationType": request.get("authorizationType") or "NONE",
        "apiKeyRequired": bool(request.get("apiKeyRequired")),
    }
    for name in ("operationName", "requestParameters", "requestModels", "authorizationScopes"):
        if request.get(name):
            method[name] = request[name]
    return method


def check_authorization(kind: str) -> None:
    """Raise where nothing could check the callers: no authorizer exists before they are built."""
    if kind in ("CUSTOM", "COGNITO_USER_POOLS"):
        raise BadRequestException.authorizer()
    if kind == "AWS_IAM":
        raise NotBuilt("the authorizationType AWS_IAM")
    if kind != "NONE":
        raise BadRequestException(
            "Invalid authorization type specified. Valid options are"
            " NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS"
        )


@service.operation("GetMethod")
async def get_method(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetMethod.html"""
    return method_of(await read_resource(ctx, request), request["httpMethod"])


@service.operation("DeleteMethod")
async def delete_method(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteMethod.html"""

    def change(tx: Reader, resource: Record) -> Record:
        method_of(resource, request["httpMethod"])
        del resource["methods"][request["httpMethod"]]
        return {}

    return await write_resource(ctx, request, change)


@service.operation("UpdateMethod")
async def update_method(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateMethod.html"""

    def change(tx: Reader, resource: Record) -> Record:
        method = method_of(resource, request["httpMethod"])
        method = patched(method, request.get("patchOperations") or [], METHOD_FIELDS)
        resource["methods"][request["httpMethod"]] = method
        return method

    return await write_resource(ctx, request, change)


def _authorization(method: Record, rest: list[str], op: str, value: str | None) -> None:
    check_authorization(value or "")
    method["authorizationType"] = value


def _authorizer(method: Record, rest: list[str], op: str, value: str | None) -> None:
    """AWS looks at the id only where the method's type wants an authorizer."""
    if method["authorizationType"] != "NONE":
        raise BadRequestException.authorizer()


def _validator(method: Record, rest: list[str], op: str, value: str | None) -> None:
    if value:
        raise BadRequestException.validator()


def _key_required(method: Record, rest: list[str], op: str, value: str | None) -> None:
    method["apiKeyRequired"] = is_true(value)


METHOD_FIELDS = {
    "authorizationType": Field(("replace",), _authorization),
    "authorizerId": Field(("replace",), _authorizer),
    "apiKeyRequired": Field(("replace",), _key_required),
    "operationName": text("operationName"),
    "requestValidatorId": Field(("replace",), _validator),
    "requestParameters": entry("requestParameters", is_true),
    "requestModels": entry("requestModels"),
}


def response_of(owner: Record, kind: str, status_code: str) -> Record:
    """A response of a method (`methodResponses`) or of an integration (`integrationResponses`)."""
    response: Record | None = owner.get(kind, {}).get(status_code)
    if response is None:
        raise NotFoundException.response()
    return response


def remove_response(owner: Record, kind: str, status_code: str) -> None:
    response_of(owner, kind, status_code)
    del owner[kind][status_code]
    if not owner[kind]:
        del owner[kind]


@service.operation("PutMethodResponse")
async def put_method_response(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_PutMethodResponse.html"""
    status_code = request["statusCode"]

    def change(tx: Reader, resource: Record) -> Record:
        method = method_of(resource, request["httpMethod"])
        if status_code in method.get("methodResponses", {}):
            raise ConflictException.response()
        response: Record = {"statusCode": status_code}
        for name in ("responseParameters", "responseModels"):
            if request.get(name) is not None:
                response[name] = request[name]
        _require_models(ctx, tx, request, response.get("responseModels"))
        method.setdefault("methodResponses", {})[status_code] = response
        return response

    return await write_resource(ctx, request, change)


@service.operation("GetMethodResponse")
async def get_method_response(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetMethodResponse.html"""
    method = method_of(await read_resource(ctx, request), request["httpMethod"])
    return response_of(method, "methodResponses", request["statusCode"])


@service.operation("DeleteMethodResponse")
async def delete_method_response(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteMethodResponse.html"""

    def change(tx: Reader, resource: Record) -> Record:
        method = method_of(resource, request["httpMethod"])
        remove_response(method, "methodResponses", request["statusCode"])
        return {}

    return await write_resource(ctx, request, change)


@service.operation("UpdateMethodResponse")
async def update_method_response(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateMethodResponse.html"""

    def change(tx: Reader, resource: Record) -> Record:
        method = method_of(resource, request["httpMethod"])
        response = response_of(method, "methodResponses", request["statusCode"])
        operations: list[dict[str, Any]] = request.get("patchOperations") or []
        response = patched(response, operations, RESPONSE_FIELDS)
        method["methodResponses"][request["statusCode"]] = response
        return response

    return await write_resource(ctx, request, change)


RESPONSE_FIELDS = {
    "responseParameters": entry("responseParameters", is_true),
    "responseModels": entry("responseModels"),
}
