"""Stages: a name for a deployment, with settings that apply at once."""

import re
from typing import Any

from fogbank.services.apigateway import records
from fogbank.services.apigateway.errors import (
    BadRequestException,
    ConflictException,
    NotBuilt,
    NotFoundException,
)
from fogbank.services.apigateway.records import Record, now_s, put_part, require_api, require_part
from fogbank.services.apigateway.service import service
from fogbank.services.apigateway.stage_patch import patched_stage
from fogbank.services.context import Context, Input, Output, World
from fogbank.storage.kv import Reader, Writer

_STAGE_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
# What the data plane needs to know of a stage's API, and what no answer shows.
_INTERNAL = ("apiId", "account", "region")


def check_stage_name(name: str) -> None:
    if not _STAGE_NAME.fullmatch(name):
        raise BadRequestException("Stage name only allows a-zA-Z0-9_-")


def shown(stage: Record) -> Record:
    return {name: stage[name] for name in stage if name not in _INTERNAL}


def new_stage(ctx: Context, request: Input) -> Record:
    """The record of a stage that a request asks for."""
    if request.get("canarySettings"):
        raise NotBuilt("the canary releases")
    if request.get("cacheClusterEnabled"):
        raise NotBuilt("the stage cache")
    now = now_s(ctx)
    stage: Record = {
        "apiId": request["restApiId"],
        "account": ctx.world.account,
        "region": ctx.world.region,
        "stageName": request["stageName"],
        "deploymentId": request["deploymentId"],
        "cacheClusterEnabled": False,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "methodSettings": {},
        "tracingEnabled": bool(request.get("tracingEnabled")),
        "createdDate": now,
        "lastUpdatedDate": now,
    }
    for name in ("description", "variables", "documentationVersion", "cacheClusterSize", "tags"):
        if request.get(name):
            stage[name] = request[name]
    return stage


def require_stage(tx: Reader, world: World, api_id: str, name: str) -> Record:
    return require_part(tx, world, api_id, "stage", name, NotFoundException.stage())


def _require_deployed(tx: Reader, world: World, api_id: str, deployment_id: str) -> None:
    if tx.get(records.part_key(world, api_id, "deployment", deployment_id)) is None:
        raise BadRequestException("Deployment id does not exist")


@service.operation("CreateStage")
async def create_stage(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_CreateStage.html"""
    api_id, name = request["restApiId"], request["stageName"]
    check_stage_name(name)
    stage = new_stage(ctx, request)

    def create(tx: Writer) -> None:
        require_api(tx, ctx.world, api_id)
        _require_deployed(tx, ctx.world, api_id, request["deploymentId"])
        if tx.get(records.part_key(ctx.world, api_id, "stage", name)) is not None:
            raise ConflictException.stage()
        put_part(tx, ctx.world, api_id, "stage", name, stage)

    await ctx.store.write(create)
    return shown(stage)


@service.operation("GetStage")
async def get_stage(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetStage.html"""

    def read(tx: Reader) -> Record:
        require_api(tx, ctx.world, request["restApiId"])
        return require_stage(tx, ctx.world, request["restApiId"], request["stageName"])

    return shown(await ctx.store.read(read, brief=True))


@service.operation("GetStages")
async def get_stages(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetStages.html"""
    wanted = request.get("deploymentId")

    def read(tx: Reader) -> list[Record]:
        require_api(tx, ctx.world, request["restApiId"])
        return list(records.parts(tx, ctx.world, request["restApiId"], "stage"))

    stages = await ctx.store.read(read)
    return {"item": [shown(one) for one in stages if wanted in (None, one["deploymentId"])]}


@service.operation("UpdateStage")
async def update_stage(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateStage.html"""
    api_id, name = request["restApiId"], request["stageName"]
    operations: list[dict[str, Any]] = request.get("patchOperations") or []

    def update(tx: Writer) -> Record:
        require_api(tx, ctx.world, api_id)
        stage = patched_stage(require_stage(tx, ctx.world, api_id, name), operations)
        _require_deployed(tx, ctx.world, api_id, stage["deploymentId"])
        stage["lastUpdatedDate"] = now_s(ctx)
        put_part(tx, ctx.world, api_id, "stage", name, stage)
        return stage

    return shown(await ctx.store.write(update))


@service.operation("DeleteStage")
async def delete_stage(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteStage.html"""
    api_id, name = request["restApiId"], request["stageName"]

    def delete(tx: Writer) -> None:
        require_api(tx, ctx.world, api_id)
        require_stage(tx, ctx.world, api_id, name)
        tx.delete(records.part_key(ctx.world, api_id, "stage", name))

    await ctx.store.write(delete)
    return {}
