"""Users and their access keys, which the gateway knows from then on."""

import base64
from typing import Any

from fogbank.services import credentials
from fogbank.services.context import Context, Input, Output
from fogbank.services.credentials import Credential
from fogbank.services.iam import entities
from fogbank.services.iam.entities import Entity
from fogbank.services.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
    ValidationError,
)
from fogbank.services.iam.service import service
from fogbank.services.ids import UPPER_AND_DIGITS
from fogbank.storage.kv import Writer

ACCESS_KEYS_MAX = 2
_SECRET_BYTES = 30


@service.operation("CreateUser")
async def create_user(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html"""
    name, path = request["UserName"], request.get("Path") or "/"
    user: Entity = {
        "name": name,
        "path": path,
        "id": entities.new_id(ctx, "AIDA"),
        "arn": entities.arn_of(ctx.world, "user", path, name),
        "createdS": ctx.clock.now_ms() // 1000,
        "tags": {},
        "inline": {},
        "attached": {},
        "keys": {},
    }
    entities.set_tags(user, request.get("Tags") or [])

    def work(tx: Writer) -> None:
        if entities.find(tx, ctx.world, "user", name) is not None:
            raise EntityAlreadyExists.named("User", name)
        entities.save(tx, ctx.world, "user", name, user)

    await ctx.store.write(work)
    return {"User": _answer(user)}


def _listed(user: Entity) -> dict[str, Any]:
    return {
        "Path": user["path"],
        "UserName": user["name"],
        "UserId": user["id"],
        "Arn": user["arn"],
        "CreateDate": user["createdS"],
    }


def _answer(user: Entity) -> dict[str, Any]:
    answer = _listed(user)
    if user["tags"]:
        answer["Tags"] = entities.tags_of(user)
    return answer


@service.operation("GetUser")
async def get_user(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html"""
    name = request.get("UserName")
    if not name:
        kind, _, name = ctx.caller.arn.rpartition(":")[2].partition("/")
        if kind != "user":
            raise ValidationError("Must specify userName when calling with non-User credentials")
        name = name.rpartition("/")[2]
    user = await ctx.store.read(lambda tx: entities.require(tx, ctx.world, "user", name))
    return {"User": _answer(user)}


@service.operation("ListUsers")
async def list_users(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html"""
    return await entities.page_of(ctx, request, "user", "Users", _listed)


@service.operation("DeleteUser")
async def delete_user(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html"""
    name = request["UserName"]

    def work(tx: Writer) -> None:
        user = entities.require(tx, ctx.world, "user", name)
        for member, conflict in (
            ("keys", DeleteConflict.keys_first),
            ("attached", DeleteConflict.detach_first),
            ("inline", DeleteConflict.policies_first),
        ):
            if user[member]:
                raise conflict()
        tx.delete(entities.key_of(ctx.world, "user", name))

    await ctx.store.write(work)
    return {}


@service.operation("CreateAccessKey")
async def create_access_key(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html"""
    name = _user_name(ctx, request)
    access_key = "AKIA" + ctx.ids.token(16, UPPER_AND_DIGITS)
    secret = base64.b64encode(ctx.ids.random_bytes(_SECRET_BYTES)).decode()
    key = {"status": "Active", "createdS": ctx.clock.now_ms() // 1000}

    def work(tx: Writer) -> None:
        user = entities.require(tx, ctx.world, "user", name)
        if len(user["keys"]) >= ACCESS_KEYS_MAX:
            raise LimitExceeded.access_keys()
        user["keys"][access_key] = key
        entities.save(tx, ctx.world, "user", name, user)
        account = ctx.world.account
        credentials.save(
            tx, Credential(access_key, secret, None, account, user["arn"], user["id"], None)
        )

    await ctx.store.write(work)
    answer = {**_key_answer(name, access_key, key), "SecretAccessKey": secret}
    return {"AccessKey": answer}


def _user_name(ctx: Context, request: Input) -> str:
    """The user that is named, or else the one who calls."""
    return request.get("UserName") or ctx.caller.arn.rpartition("/")[2]


def _key_answer(name: str, access_key: str, key: dict[str, Any]) -> dict[str, Any]:
    return {
        "UserName": name,
        "AccessKeyId": access_key,
        "Status": key["status"],
        "CreateDate": key["createdS"],
    }


@service.operation("ListAccessKeys")
async def list_access_keys(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html"""
    name = _user_name(ctx, request)
    user = await ctx.store.read(lambda tx: entities.require(tx, ctx.world, "user", name))
    return {
        "AccessKeyMetadata": [_key_answer(name, *pair) for pair in user["keys"].items()],
        "IsTruncated": False,
    }


@service.operation("DeleteAccessKey")
async def delete_access_key(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html"""
    name, access_key = _user_name(ctx, request), request["AccessKeyId"]

    def work(tx: Writer) -> None:
        user = entities.require(tx, ctx.world, "user", name)
        if user["keys"].pop(access_key, None) is None:
            raise NoSuchEntity.access_key(access_key)
        entities.save(tx, ctx.world, "user", name, user)
        credentials.remove(tx, access_key)

    await ctx.store.write(work)
    return {}
