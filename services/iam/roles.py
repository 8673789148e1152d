"""Roles: stored and answered; nothing is refused because of them."""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.iam import documents, entities
from fogbank.services.iam.entities import Entity
from fogbank.services.iam.errors import DeleteConflict, EntityAlreadyExists
from fogbank.services.iam.service import service
from fogbank.storage.kv import Writer

SESSION_DEFAULT_S = 3600


@service.operation("CreateRole")
async def create_role(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html"""
    name, path = request["RoleName"], request.get("Path") or "/"
    documents.check(request["AssumeRolePolicyDocument"])
    role: Entity = {
        "name": name,
        "path": path,
        "id": entities.new_id(ctx, "AROA"),
        "arn": entities.arn_of(ctx.world, "role", path, name),
        "createdS": ctx.clock.now_ms() // 1000,
        "trust": request["AssumeRolePolicyDocument"],
        "description": request.get("Description"),
        "sessionMaxS": int(request.get("MaxSessionDuration") or SESSION_DEFAULT_S),
        "boundary": request.get("PermissionsBoundary"),
        "tags": {},
        "inline": {},
        "attached": {},
    }
    entities.set_tags(role, request.get("Tags") or [])

    def work(tx: Writer) -> None:
        if entities.find(tx, ctx.world, "role", name) is not None:
            raise EntityAlreadyExists.named("Role", name)
        entities.save(tx, ctx.world, "role", name, role)

    await ctx.store.write(work)
    answer = _listed(role)
    # CreateRole and ListRoles say less than GetRole does.
    if not request.get("MaxSessionDuration"):
        del answer["MaxSessionDuration"]
    if role["tags"]:
        answer["Tags"] = entities.tags_of(role)
    return {"Role": answer}


def _listed(role: Entity) -> dict[str, Any]:
    answer = {
        "Path": role["path"],
        "RoleName": role["name"],
        "RoleId": role["id"],
        "Arn": role["arn"],
        "CreateDate": role["createdS"],
        "AssumeRolePolicyDocument": documents.encoded(role["trust"]),
        "MaxSessionDuration": role["sessionMaxS"],
    }
    if role["description"] is not None:
        answer["Description"] = role["description"]
    return answer


def _whole(role: Entity) -> dict[str, Any]:
    answer = _listed(role)
    if role["boundary"]:
        answer["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": role["boundary"],
        }
    if role["tags"]:
        answer["Tags"] = entities.tags_of(role)
    return {**answer, "RoleLastUsed": {}}


@service.operation("GetRole")
async def get_role(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html"""
    return {"Role": _whole(await _read(ctx, request["RoleName"]))}


async def _read(ctx: Context, name: str) -> Entity:
    return await ctx.store.read(
        lambda tx: entities.require(tx, ctx.world, "role", name), brief=True
    )


@service.operation("ListRoles")
async def list_roles(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html"""
    return await entities.page_of(ctx, request, "role", "Roles", _listed)


@service.operation("UpdateRole")
async def update_role(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html"""

    def change(role: Entity) -> None:
        if request.get("Description") is not None:
            role["description"] = request["Description"]
        if request.get("MaxSessionDuration"):
            role["sessionMaxS"] = int(request["MaxSessionDuration"])

    await _change(ctx, request["RoleName"], change)
    return {}


@service.operation("UpdateRoleDescription")
async def update_role_description(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRoleDescription.html"""

    def change(role: Entity) -> None:
        role["description"] = request["Description"]

    return {"Role": _listed(await _change(ctx, request["RoleName"], change))}


@service.operation("UpdateAssumeRolePolicy")
async def update_assume_role_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html"""
    documents.check(request["PolicyDocument"])

    def change(role: Entity) -> None:
        role["trust"] = request["PolicyDocument"]

    await _change(ctx, request["RoleName"], change)
    return {}


@service.operation("DeleteRole")
async def delete_role(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html"""
    name = request["RoleName"]

    def work(tx: Writer) -> None:
        role = entities.require(tx, ctx.world, "role", name)
        if role["attached"]:
            raise DeleteConflict.detach_first()
        if role["inline"]:
            raise DeleteConflict.policies_first()
        tx.delete(entities.key_of(ctx.world, "role", name))

    await ctx.store.write(work)
    return {}


@service.operation("TagRole")
async def tag_role(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html"""
    await _change(ctx, request["RoleName"], lambda role: entities.set_tags(role, request["Tags"]))
    return {}


@service.operation("UntagRole")
async def untag_role(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagRole.html"""

    def change(role: Entity) -> None:
        for key in request["TagKeys"]:
            role["tags"].pop(key, None)

    await _change(ctx, request["RoleName"], change)
    return {}


@service.operation("ListRoleTags")
async def list_role_tags(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoleTags.html"""
    role = await _read(ctx, request["RoleName"])
    return entities.page(
        request,
        entities.rest_of({tag["Key"]: tag for tag in entities.tags_of(role)}, request),
        "Tags",
        lambda tag: tag,
    )


@service.operation("ListInstanceProfilesForRole")
async def list_instance_profiles_for_role(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html

    Instance profiles cannot be made here, so a role has none.
    """
    await _read(ctx, request["RoleName"])
    return {"InstanceProfiles": [], "IsTruncated": False}


async def _change(ctx: Context, name: str, change: Any) -> Entity:
    def work(tx: Writer) -> Entity:
        role = entities.require(tx, ctx.world, "role", name)
        change(role)
        entities.save(tx, ctx.world, "role", name, role)
        return role

    return await ctx.store.write(work)
