"""Managed policies and their versions."""

from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output, World
from fogbank.services.iam import aws_policies, documents, entities
from fogbank.services.iam.entities import Entity
from fogbank.services.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
)
from fogbank.services.iam.service import service
from fogbank.storage.keys import pack, span
from fogbank.storage.kv import Reader, Writer

VERSIONS_MAX = 5


@service.operation("CreatePolicy")
async def create_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html"""
    name, path = request["PolicyName"], request.get("Path") or "/"
    documents.check(request["PolicyDocument"])
    now_s = ctx.clock.now_ms() // 1000
    policy: Entity = {
        "name": name,
        "path": path,
        "id": entities.new_id(ctx, "ANPA"),
        "arn": entities.arn_of(ctx.world, "policy", path, name),
        "createdS": now_s,
        "updatedS": now_s,
        "description": request.get("Description"),
        "default": "v1",
        "next": 2,
        "versions": {"v1": {"document": request["PolicyDocument"], "createdS": now_s}},
        "attachments": 0,
        "tags": {},
    }
    entities.set_tags(policy, request.get("Tags") or [])

    def work(tx: Writer) -> None:
        if entities.find(tx, ctx.world, "policy-name", name.lower()) is not None:
            raise EntityAlreadyExists.policy(name)
        entities.save(tx, ctx.world, "policy-name", name.lower(), {})
        save(tx, ctx.world, policy)

    await ctx.store.write(work)
    answer = _answer(policy)
    if not policy["tags"]:
        del answer["Tags"]
    answer.pop("Description", None)
    return {"Policy": answer}


def _answer(policy: Entity) -> dict[str, Any]:
    answer = {
        "PolicyName": policy["name"],
        "PolicyId": policy["id"],
        "Arn": policy["arn"],
        "Path": policy["path"],
        "DefaultVersionId": policy["default"],
        "AttachmentCount": policy["attachments"],
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": policy["createdS"],
        "UpdateDate": policy["updatedS"],
        "Tags": entities.tags_of(policy),
    }
    if policy["description"] is not None:
        answer["Description"] = policy["description"]
    return answer


@service.operation("GetPolicy")
async def get_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html"""
    return {"Policy": _answer(await _read(ctx, request["PolicyArn"]))}


async def _read(ctx: Context, arn: str) -> Entity:
    return await ctx.store.read(lambda tx: require(tx, ctx.world, arn), brief=True)


@service.operation("ListPolicies")
async def list_policies(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html"""
    scope, behind = request.get("Scope") or "All", entities.after(request)
    prefix, attached_only = request.get("PathPrefix") or "/", bool(request.get("OnlyAttached"))

    def work(tx: Reader) -> Output:
        found: dict[str, Entity] = {}
        if scope in ("All", "Local"):
            start, stop = span("iam", ctx.world.account, "policy")
            for _, raw in tx.range(start, stop):
                policy = orjson.loads(raw)
                found[policy["arn"]] = policy
        if scope in ("All", "AWS"):
            found |= {arn: _with_count(tx, ctx.world, arn) for arn in aws_policies.ARNS}
        chosen = (
            (arn, found[arn])
            for arn in sorted(found)
            if arn > behind
            and found[arn]["path"].startswith(prefix)
            and (found[arn]["attachments"] or not attached_only)
        )
        return entities.page(request, chosen, "Policies", _brief)

    return await ctx.store.read(work)


def _brief(policy: Entity) -> dict[str, Any]:
    answer = _answer(policy)
    del answer["Tags"]
    answer.pop("Description", None)
    return answer


@service.operation("DeletePolicy")
async def delete_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html"""
    arn = request["PolicyArn"]

    def work(tx: Writer) -> None:
        policy = require_own(tx, ctx.world, arn)
        if policy["attachments"]:
            raise DeleteConflict.attached()
        if len(policy["versions"]) > 1:
            raise DeleteConflict.versions()
        tx.delete(_key(ctx.world, arn))
        tx.delete(entities.key_of(ctx.world, "policy-name", policy["name"].lower()))

    await ctx.store.write(work)
    return {}


@service.operation("CreatePolicyVersion")
async def create_policy_version(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicyVersion.html"""
    documents.check(request["PolicyDocument"])
    now_s = ctx.clock.now_ms() // 1000

    def work(tx: Writer) -> dict[str, Any]:
        policy = require_own(tx, ctx.world, request["PolicyArn"])
        if len(policy["versions"]) >= VERSIONS_MAX:
            raise LimitExceeded.policy_versions()
        version = f"v{policy['next']}"
        policy["next"] += 1
        policy["versions"][version] = {"document": request["PolicyDocument"], "createdS": now_s}
        if request.get("SetAsDefault"):
            policy["default"] = version
        policy["updatedS"] = now_s
        save(tx, ctx.world, policy)
        return _version(policy, version)

    return {"PolicyVersion": await ctx.store.write(work)}


def _version(policy: Entity, version: str) -> dict[str, Any]:
    return {
        "VersionId": version,
        "IsDefaultVersion": version == policy["default"],
        "CreateDate": policy["versions"][version]["createdS"],
    }


@service.operation("GetPolicyVersion")
async def get_policy_version(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html"""
    arn, version = request["PolicyArn"], request["VersionId"]
    policy = await _read(ctx, arn)
    if version not in policy["versions"]:
        raise NoSuchEntity.version(arn, version)
    document = documents.encoded(policy["versions"][version]["document"])
    return {"PolicyVersion": {"Document": document, **_version(policy, version)}}


@service.operation("ListPolicyVersions")
async def list_policy_versions(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyVersions.html"""
    policy = await _read(ctx, request["PolicyArn"])
    newest_first = sorted(policy["versions"], key=lambda version: -int(version[1:]))
    return {
        "Versions": [_version(policy, version) for version in newest_first],
        "IsTruncated": False,
    }


@service.operation("SetDefaultPolicyVersion")
async def set_default_policy_version(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html"""
    arn, version = request["PolicyArn"], request["VersionId"]

    def work(tx: Writer) -> None:
        policy = require_own(tx, ctx.world, arn)
        if version not in policy["versions"]:
            raise NoSuchEntity.version(arn, version)
        policy["default"] = version
        policy["updatedS"] = ctx.clock.now_ms() // 1000
        save(tx, ctx.world, policy)

    await ctx.store.write(work)
    return {}


@service.operation("DeletePolicyVersion")
async def delete_policy_version(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicyVersion.html"""
    arn, version = request["PolicyArn"], request["VersionId"]

    def work(tx: Writer) -> None:
        policy = require_own(tx, ctx.world, arn)
        if version not in policy["versions"]:
            raise NoSuchEntity.version(arn, version)
        if version == policy["default"]:
            raise DeleteConflict.default_version()
        del policy["versions"][version]
        save(tx, ctx.world, policy)

    await ctx.store.write(work)
    return {}


@service.operation("ListPolicyTags")
async def list_policy_tags(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyTags.html"""
    policy = await _read(ctx, request["PolicyArn"])
    return {"Tags": entities.tags_of(policy), "IsTruncated": False}


def require(tx: Reader, world: World, arn: str) -> Entity:
    """A policy of the account, or one of AWS's that is known with its document."""
    if arn in aws_policies.ARNS:
        return _with_count(tx, world, arn)
    return require_own(tx, world, arn)


def require_own(tx: Reader, world: World, arn: str) -> Entity:
    raw = tx.get(_key(world, arn))
    if raw is None:
        raise NoSuchEntity.policy(arn)
    policy: Entity = orjson.loads(raw)
    return policy


def save(tx: Writer, world: World, policy: Entity) -> None:
    tx.put(_key(world, policy["arn"]), orjson.dumps(policy))


def _key(world: World, arn: str) -> bytes:
    return pack("iam", world.account, "policy", arn)


def _with_count(tx: Reader, world: World, arn: str) -> Entity:
    count = entities.find(tx, world, "aws-policy", arn)
    return aws_policies.entity(arn) | {"attachments": count["attachments"] if count else 0}


def count_attachment(tx: Writer, world: World, arn: str, change: int) -> None:
    """One attachment more or less; raises NoSuchEntity for a policy that cannot be attached."""
    if aws_policies.is_one(arn):
        count = entities.find(tx, world, "aws-policy", arn) or {"attachments": 0}
        count["attachments"] += change
        entities.save(tx, world, "aws-policy", arn, count)
        return
    raw = tx.get(_key(world, arn))
    if raw is None:
        raise NoSuchEntity.not_attachable(arn)
    policy = orjson.loads(raw)
    policy["attachments"] += change
    save(tx, world, policy)
