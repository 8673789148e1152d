"""REST APIs."""

from typing import Any

from fogbank.services.apigateway import records
from fogbank.services.apigateway.errors import BadRequestException, NotBuilt
from fogbank.services.apigateway.models import DEFAULT_MODELS
from fogbank.services.apigateway.patch import Field, Record, flag, member, patched, text
from fogbank.services.apigateway.records import id_key, now_s, require_api
from fogbank.services.apigateway.service import service
from fogbank.services.context import Context, Input, Output
from fogbank.services.ids import LOWER_AND_DIGITS
from fogbank.storage.keys import span
from fogbank.storage.kv import Reader, Writer

API_ID_LENGTH = 10
RESOURCE_ID_LENGTH = 10
COMPRESSION_MAX_BYTES = 10_485_760
ENDPOINT_TYPES = ("REGIONAL", "EDGE", "PRIVATE")


@service.operation("CreateRestApi")
async def create_rest_api(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_CreateRestApi.html"""
    api = _new_api(ctx, request)
    root = {"id": api["rootResourceId"], "path": "/", "methods": {}}

    def create(tx: Writer) -> None:
        api_id = api["id"]
        tx.put(records.api_key(ctx.world, api_id), records.dump(api))
        tx.put(
            id_key(api_id),
            records.dump({"account": ctx.world.account, "region": ctx.world.region}),
        )
        records.put_part(tx, ctx.world, api_id, "resource", root["id"], root)
        for model in DEFAULT_MODELS:
            made = {**model, "id": ctx.ids.token(6)}
            records.put_part(tx, ctx.world, api_id, "model", model["name"], made)

    await ctx.store.write(create)
    return api if api["tags"] else {name: api[name] for name in api if name != "tags"}


def _new_api(ctx: Context, request: Input) -> Record:
    for feature in ("policy", "cloneFrom", "securityPolicy", "endpointAccessMode"):
        if request.get(feature):
            raise NotBuilt(f"CreateRestApi's {feature}")
    if not request.get("name"):
        raise BadRequestException("API name must be specified")
    if request.get("description") == "":
        raise BadRequestException("Description cannot be an empty string")
    size = request.get("minimumCompressionSize")
    if size is not None and not 0 <= size <= COMPRESSION_MAX_BYTES:
        raise BadRequestException.compression()
    api: Record = {
        "id": ctx.ids.token(API_ID_LENGTH, LOWER_AND_DIGITS),
        "name": request["name"],
        "createdDate": now_s(ctx),
        "apiKeySource": request.get("apiKeySource") or "HEADER",
        "endpointConfiguration": _endpoints(request.get("endpointConfiguration")),
        "disableExecuteApiEndpoint": bool(request.get("disableExecuteApiEndpoint")),
        "rootResourceId": ctx.ids.token(RESOURCE_ID_LENGTH, LOWER_AND_DIGITS),
        "tags": request.get("tags") or {},
    }
    for name in ("description", "version", "binaryMediaTypes"):
        if request.get(name):
            api[name] = request[name]
    if size is not None:
        api["minimumCompressionSize"] = size
    return api


def _endpoints(asked: dict[str, Any] | None) -> Record:
    if asked is None:
        return {"types": ["EDGE"], "ipAddressType": "ipv4"}
    types = asked.get("types")
    if types is None:
        types = ["EDGE"]
    if not types:
        raise BadRequestException(
            "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED."
        )
    if len(types) > 1:
        raise BadRequestException("Cannot create an api with multiple Endpoint Types.")
    private = types == ["PRIVATE"]
    address = asked.get("ipAddressType") or ("dualstack" if private else "ipv4")
    if private and address == "ipv4":
        raise BadRequestException("Only dualstack ipAddressType is supported for Private APIs.")
    made = {"types": types, "ipAddressType": address}
    if asked.get("vpcEndpointIds"):
        made["vpcEndpointIds"] = asked["vpcEndpointIds"]
    return made


@service.operation("GetRestApi")
async def get_rest_api(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetRestApi.html"""
    return await ctx.store.read(
        lambda tx: require_api(tx, ctx.world, request["restApiId"]), brief=True
    )


@service.operation("GetRestApis")
async def get_rest_apis(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetRestApis.html"""
    world = ctx.world

    def listed(tx: Reader) -> list[Record]:
        keys = span("apigateway", world.account, world.region, "rest-api")
        return [records.load(raw) for _, raw in tx.range(*keys)]

    return records.paged(await ctx.store.read(listed), "id", request)


@service.operation("DeleteRestApi")
async def delete_rest_api(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteRestApi.html"""
    api_id = request["restApiId"]

    def delete(tx: Writer) -> None:
        require_api(tx, ctx.world, api_id)
        tx.delete(records.api_key(ctx.world, api_id))
        tx.delete(id_key(api_id))
        tx.delete_range(*records.parts_span(ctx.world, api_id))

    await ctx.store.write(delete)
    return {}


@service.operation("UpdateRestApi")
async def update_rest_api(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateRestApi.html"""

    def update(tx: Writer) -> Record:
        api = require_api(tx, ctx.world, request["restApiId"])
        api = patched(api, request.get("patchOperations") or [], FIELDS)
        tx.put(records.api_key(ctx.world, api["id"]), records.dump(api))
        return api

    return await ctx.store.write(update)


def _compression(api: Record, rest: list[str], op: str, value: str | None) -> None:
    if not value:
        api.pop("minimumCompressionSize", None)
        return
    if not value.isdecimal() or int(value) > COMPRESSION_MAX_BYTES:
        raise BadRequestException.compression()
    api["minimumCompressionSize"] = int(value)


def _endpoint(api: Record, rest: list[str], op: str, value: str | None) -> None:
    endpoints = api["endpointConfiguration"]
    if len(rest) == 2 and rest[0] == "types":
        if op not in ("add", "remove", "replace"):
            raise BadRequestException(
                "Invalid patch operation specified. Must be 'add'|'remove'|'replace'"
            )
        if value not in ENDPOINT_TYPES:
            raise BadRequestException(
                "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE"
            )
        if op == "replace":
            endpoints["types"] = [value]
        if value == "PRIVATE":
            endpoints["ipAddressType"] = "dualstack"
    elif rest == ["ipAddressType"]:
        _address_type(endpoints, op, value)
    else:
        raise BadRequestException.patch_path("/".join(["/endpointConfiguration", *rest]))


def _address_type(endpoints: Record, op: str, value: str | None) -> None:
    if op != "replace":
        raise BadRequestException.patch_op(("replace",))
    if value not in ("ipv4", "dualstack"):
        raise BadRequestException("ipAddressType must be either ipv4 or dualstack.")
    if endpoints["types"] == ["PRIVATE"] and value == "ipv4":
        raise BadRequestException("Only dualstack ipAddressType is supported for Private APIs.")
    endpoints["ipAddressType"] = value


def _name(api: Record, rest: list[str], op: str, value: str | None) -> None:
    if not value:
        raise BadRequestException("API name must be specified")
    api["name"] = value


def _key_source(api: Record, rest: list[str], op: str, value: str | None) -> None:
    if value not in ("HEADER", "AUTHORIZER"):
        raise BadRequestException(
            "Invalid API key source specified. Valid options are HEADER,AUTHORIZER"
        )
    api["apiKeySource"] = value


def _policy(api: Record, rest: list[str], op: str, value: str | None) -> None:
    if value:
        raise NotBuilt("the resource policy")


_ANY_OP = ("add", "remove", "replace", "move", "copy", "test")
FIELDS = {
    "name": Field(("replace",), _name),
    "description": text("description"),
    "version": text("version"),
    "binaryMediaTypes": member("binaryMediaTypes"),
    "minimumCompressionSize": Field(("replace",), _compression),
    "apiKeySource": Field(("replace",), _key_source),
    "disableExecuteApiEndpoint": flag("disableExecuteApiEndpoint"),
    "endpointConfiguration": Field(_ANY_OP, _endpoint, depth=None),
    "policy": Field(("replace",), _policy),
}
