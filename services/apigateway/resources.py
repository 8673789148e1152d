"""Resources: the tree of paths of an API."""

import re
from typing import Any

from fogbank.services.apigateway import records
from fogbank.services.apigateway.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
)
from fogbank.services.apigateway.patch import Field, patched
from fogbank.services.apigateway.records import Record, put_part, require_api, require_part
from fogbank.services.apigateway.service import service
from fogbank.services.context import Context, Input, Output, World
from fogbank.storage.kv import Reader, Writer

RESOURCE_ID_LENGTH = 6
_PATH_PART = re.compile(r"[a-zA-Z0-9._:$-]+|\{[a-zA-Z0-9._:$-]+\+?\}")


def require_resource(tx: Reader, world: World, api_id: str, resource_id: str) -> Record:
    """The resource; AWS names the resource, not the API, also where the API is what is missing."""
    return require_part(tx, world, api_id, "resource", resource_id, NotFoundException.resource())


def shown(resource: Record, *, methods: bool) -> Record:
    """The resource as AWS answers it: methods by name only, unless they are asked for."""
    answer = {name: resource[name] for name in resource if name != "methods"}
    if resource["methods"]:
        answer["resourceMethods"] = (
            resource["methods"] if methods else {name: {} for name in resource["methods"]}
        )
    return answer


@service.operation("CreateResource")
async def create_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_CreateResource.html"""
    api_id, part = request["restApiId"], request.get("pathPart") or ""
    resource_id = ctx.ids.token(RESOURCE_ID_LENGTH)

    def create(tx: Writer) -> Record:
        require_api(tx, ctx.world, api_id)
        parent = require_resource(tx, ctx.world, api_id, request["parentId"])
        _check_part(part)
        _check_place(tx, ctx.world, api_id, parent, part)
        resource = {
            "id": resource_id,
            "parentId": parent["id"],
            "pathPart": part,
            "path": _join(parent["path"], part),
            "methods": {},
        }
        put_part(tx, ctx.world, api_id, "resource", resource_id, resource)
        return resource

    return shown(await ctx.store.write(create), methods=False)


def _check_part(part: str) -> None:
    if not part:
        raise BadRequestException("Resource's path part must be specified")
    if not _PATH_PART.fullmatch(part):
        raise BadRequestException.path_part()


def _check_place(tx: Reader, world: World, api_id: str, parent: Record, part: str) -> None:
    """Raise where `parent` cannot have a child called `part`."""
    if parent.get("pathPart", "").endswith("+}"):
        raise BadRequestException.greedy_parent(parent["pathPart"])
    for sibling in records.parts(tx, world, api_id, "resource"):
        if sibling.get("parentId") != parent["id"]:
            continue
        if sibling["pathPart"] == part:
            raise ConflictException.resource(part)
        if sibling["pathPart"].startswith("{") and part.startswith("{"):
            raise BadRequestException.sibling(sibling["pathPart"])


def _join(path: str, part: str) -> str:
    return f"/{part}" if path == "/" else f"{path}/{part}"


@service.operation("GetResource")
async def get_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetResource.html"""
    found = await ctx.store.read(
        lambda tx: require_resource(tx, ctx.world, request["restApiId"], request["resourceId"]),
        brief=True,
    )
    return shown(found, methods=_embeds_methods(request))


def _embeds_methods(request: dict[str, Any]) -> bool:
    return "methods" in (request.get("embed") or [])


@service.operation("GetResources")
async def get_resources(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetResources.html"""

    def read(tx: Reader) -> list[Record]:
        require_api(tx, ctx.world, request["restApiId"])
        return list(records.parts(tx, ctx.world, request["restApiId"], "resource"))

    methods = _embeds_methods(request)
    found = [shown(one, methods=methods) for one in await ctx.store.read(read)]
    return records.paged(found, "id", request)


@service.operation("DeleteResource")
async def delete_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteResource.html"""
    api_id, resource_id = request["restApiId"], request["resourceId"]

    def delete(tx: Writer) -> None:
        resource = require_resource(tx, ctx.world, api_id, resource_id)
        if "parentId" not in resource:
            raise BadRequestException("Root resource cannot be deleted")
        for one in [resource, *_below(tx, ctx.world, api_id, resource_id)]:
            tx.delete(records.part_key(ctx.world, api_id, "resource", one["id"]))

    await ctx.store.write(delete)
    return {}


def _below(tx: Reader, world: World, api_id: str, resource_id: str) -> list[Record]:
    """Every resource under one, parents before their children."""
    children: dict[str, list[Record]] = {}
    for one in records.parts(tx, world, api_id, "resource"):
        children.setdefault(one.get("parentId", ""), []).append(one)
    found: list[Record] = list(children.get(resource_id, ()))
    for one in found:
        found.extend(children.get(one["id"], ()))
    return found


@service.operation("UpdateResource")
async def update_resource(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateResource.html"""
    api_id, resource_id = request["restApiId"], request["resourceId"]

    def update(tx: Writer) -> Record:
        resource = require_resource(tx, ctx.world, api_id, resource_id)
        if "parentId" not in resource:
            raise BadRequestException("Root resource cannot update its parent or path part.")
        moved = patched(resource, request.get("patchOperations") or [], FIELDS)
        below = _below(tx, ctx.world, api_id, resource_id)
        parent = require_resource(tx, ctx.world, api_id, moved["parentId"])
        if parent["id"] in {resource_id, *(one["id"] for one in below)}:
            raise BadRequestException("Resources cannot be cyclical.")
        if (moved["parentId"], moved["pathPart"]) != (resource["parentId"], resource["pathPart"]):
            tx.delete(records.part_key(ctx.world, api_id, "resource", resource_id))
            _check_place(tx, ctx.world, api_id, parent, moved["pathPart"])
        moved["path"] = _join(parent["path"], moved["pathPart"])
        paths = {resource_id: moved["path"]}
        for one in below:
            paths[one["id"]] = one["path"] = _join(paths[one["parentId"]], one["pathPart"])
            put_part(tx, ctx.world, api_id, "resource", one["id"], one)
        put_part(tx, ctx.world, api_id, "resource", resource_id, moved)
        return moved

    return shown(await ctx.store.write(update), methods=False)


def _path_part(resource: Record, rest: list[str], op: str, value: str | None) -> None:
    _check_part(value or "")
    resource["pathPart"] = value


def _parent(resource: Record, rest: list[str], op: str, value: str | None) -> None:
    resource["parentId"] = value or ""


FIELDS = {
    "pathPart": Field(("replace",), _path_part),
    "parentId": Field(("replace",), _parent),
}
