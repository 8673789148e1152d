"""Deployments: an API as it was at one moment. What a deployment froze never changes."""

from fogbank.services.apigateway import records
from fogbank.services.apigateway.errors import (
    BadRequestException,
    NotBuilt,
    NotFoundException,
)
from fogbank.services.apigateway.patch import patched, text
from fogbank.services.apigateway.records import Record, now_s, put_part, require_api, require_part
from fogbank.services.apigateway.service import service
from fogbank.services.apigateway.stages import check_stage_name, new_stage
from fogbank.services.context import Context, Input, Output, World
from fogbank.storage.kv import Reader, Writer

DEPLOYMENT_ID_LENGTH = 6
_FROZEN = ("binaryMediaTypes", "minimumCompressionSize", "disableExecuteApiEndpoint")


@service.operation("CreateDeployment")
async def create_deployment(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_CreateDeployment.html"""
    api_id, stage_name = request["restApiId"], request.get("stageName")
    if request.get("canarySettings"):
        raise NotBuilt("the canary releases")
    if stage_name:
        check_stage_name(stage_name)
    deployment: Record = {"id": ctx.ids.token(DEPLOYMENT_ID_LENGTH), "createdDate": now_s(ctx)}
    if request.get("description"):
        deployment["description"] = request["description"]

    def create(tx: Writer) -> None:
        api = require_api(tx, ctx.world, api_id)
        frozen = _frozen(tx, ctx.world, api, deployment["id"])
        put_part(tx, ctx.world, api_id, "deployment", deployment["id"], deployment)
        put_part(tx, ctx.world, api_id, "snapshot", deployment["id"], frozen)
        if stage_name:
            _point_stage(ctx, tx, request, deployment["id"])

    await ctx.store.write(create)
    return deployment


def _frozen(tx: Reader, world: World, api: Record, deployment_id: str) -> Record:
    """The document that a deployment's data plane is compiled from."""
    resources = [
        {"id": one["id"], "path": one["path"], "methods": one["methods"]}
        for one in records.parts(tx, world, api["id"], "resource")
        if one["methods"]
    ]
    if not resources:
        raise BadRequestException("The REST API doesn't contain any methods")
    for resource in resources:
        for method in resource["methods"].values():
            if "methodIntegration" not in method:
                raise BadRequestException("No integration defined for method")
    return {
        "apiId": api["id"],
        "deploymentId": deployment_id,
        "account": world.account,
        "region": world.region,
        **{name: api[name] for name in _FROZEN if name in api},
        "resources": resources,
    }


def _point_stage(ctx: Context, tx: Writer, request: Input, deployment_id: str) -> None:
    """The stage that the request names exists and points to the deployment."""
    api_id, name = request["restApiId"], request["stageName"]
    raw = tx.get(records.part_key(ctx.world, api_id, "stage", name))
    settings = {**request, "deploymentId": deployment_id}
    if "stageDescription" in request:
        settings["description"] = request["stageDescription"]
    else:
        settings.pop("description", None)
    stage = new_stage(ctx, settings)
    if raw is not None:
        stage = {**records.load(raw), "deploymentId": deployment_id, "lastUpdatedDate": now_s(ctx)}
        for field in ("variables", "tracingEnabled"):
            if request.get(field) is not None:
                stage[field] = request[field]
        if request.get("stageDescription"):
            stage["description"] = request["stageDescription"]
    put_part(tx, ctx.world, api_id, "stage", name, stage)


def require_deployment(tx: Reader, world: World, api_id: str, deployment_id: str) -> Record:
    missing = NotFoundException.deployment()
    return require_part(tx, world, api_id, "deployment", deployment_id, missing)


@service.operation("GetDeployment")
async def get_deployment(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetDeployment.html"""
    api_id, deployment_id = request["restApiId"], request["deploymentId"]
    summary = "apisummary" in [one.lower() for one in request.get("embed") or []]

    def read(tx: Reader) -> Record:
        require_api(tx, ctx.world, api_id)
        deployment = require_deployment(tx, ctx.world, api_id, deployment_id)
        if summary:
            missing = NotFoundException.deployment()
            frozen = require_part(tx, ctx.world, api_id, "snapshot", deployment_id, missing)
            deployment["apiSummary"] = _summary(frozen)
        return deployment

    return await ctx.store.read(read)


def _summary(frozen: Record) -> Record:
    return {
        resource["path"]: {
            name: {
                "authorizationType": method["authorizationType"],
                "apiKeyRequired": method["apiKeyRequired"],
            }
            for name, method in resource["methods"].items()
        }
        for resource in frozen["resources"]
    }


@service.operation("GetDeployments")
async def get_deployments(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetDeployments.html"""

    def read(tx: Reader) -> list[Record]:
        require_api(tx, ctx.world, request["restApiId"])
        return list(records.parts(tx, ctx.world, request["restApiId"], "deployment"))

    return records.paged(await ctx.store.read(read), "id", request)


@service.operation("UpdateDeployment")
async def update_deployment(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateDeployment.html"""
    api_id, deployment_id = request["restApiId"], request["deploymentId"]

    def update(tx: Writer) -> Record:
        require_api(tx, ctx.world, api_id)
        deployment = require_deployment(tx, ctx.world, api_id, deployment_id)
        deployment = patched(deployment, request.get("patchOperations") or [], FIELDS)
        put_part(tx, ctx.world, api_id, "deployment", deployment_id, deployment)
        return deployment

    return await ctx.store.write(update)


FIELDS = {"description": text("description")}


@service.operation("DeleteDeployment")
async def delete_deployment(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteDeployment.html"""
    api_id, deployment_id = request["restApiId"], request["deploymentId"]

    def delete(tx: Writer) -> None:
        require_api(tx, ctx.world, api_id)
        require_deployment(tx, ctx.world, api_id, deployment_id)
        stages = records.parts(tx, ctx.world, api_id, "stage")
        if any(stage["deploymentId"] == deployment_id for stage in stages):
            raise BadRequestException(
                "Active stages pointing to this deployment must be moved or deleted"
            )
        for kind in ("deployment", "snapshot"):
            tx.delete(records.part_key(ctx.world, api_id, kind, deployment_id))

    await ctx.store.write(delete)
    return {}
