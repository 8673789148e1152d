"""A function's resource policy: stored and answered in AWS's exact JSON, not enforced."""

import re
from functools import lru_cache
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.lambda_ import records
from fogbank.services.lambda_.errors import (
    InvalidParameterValueException,
    PolicyLengthExceededException,
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from fogbank.services.lambda_.functions import policy_key
from fogbank.services.lambda_.names import Target, parse
from fogbank.services.lambda_.service import service
from fogbank.storage.kv import Reader, Writer

POLICY_MAX_BYTES = 20_480

# {"revision": a UUID, "statements": [...]}
Policy = dict[str, Any]

_ACCOUNT = re.compile(r"\d{12}")


@service.operation("AddPermission")
async def add_permission(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html"""
    target = parse(ctx.world, request["FunctionName"], request.get("Qualifier"))
    statement = _statement(target, request)
    revision = ctx.ids.uuid()

    def work(tx: Writer) -> None:
        records.require(tx, target)
        policy = _load(tx, target) or {"revision": revision, "statements": []}
        _check_revision(policy, request)
        if any(known["Sid"] == statement["Sid"] for known in policy["statements"]):
            raise ResourceConflictException.statement(statement["Sid"])
        policy["statements"].append(statement)
        policy["revision"] = revision
        if len(orjson.dumps(_document(policy))) > POLICY_MAX_BYTES:
            raise PolicyLengthExceededException(POLICY_MAX_BYTES)
        tx.put(policy_key(target), orjson.dumps(policy))

    await ctx.store.write(work)
    return {"Statement": orjson.dumps(statement).decode()}


def _statement(target: Target, request: Input) -> dict[str, Any]:
    """The members in the order in which AWS writes them."""
    statement: dict[str, Any] = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(request["Principal"]),
        "Action": request["Action"],
        "Resource": target.qualified_arn,
    }
    conditions: dict[str, dict[str, str]] = {}
    for member, operator, key in (
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
    ):
        if request.get(member):
            conditions.setdefault(operator, {})[key] = request[member]
    if request.get("InvokedViaFunctionUrl") is not None:
        value = "true" if request["InvokedViaFunctionUrl"] else "false"
        conditions.setdefault("Bool", {})["lambda:InvokedViaFunctionUrl"] = value
    if conditions:
        statement["Condition"] = conditions
    return statement


def _principal(principal: str) -> str | dict[str, str]:
    if principal == "*":
        return principal
    if _ACCOUNT.fullmatch(principal):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    if principal.startswith("arn:"):
        return {"AWS": principal}
    if "." in principal:
        return {"Service": principal}
    raise InvalidParameterValueException(
        "The provided principal was invalid. Please check the principal and try again."
    )


@service.operation("GetPolicy")
async def get_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html"""
    target = parse(ctx.world, request["FunctionName"], request.get("Qualifier"))

    def work(tx: Reader) -> bytes:
        records.require_raw(tx, target)
        raw = tx.get(policy_key(target))
        if raw is None:
            raise ResourceNotFoundException.policy()
        return raw

    policy, revision = _rendered(await ctx.store.read(work, brief=True))
    return {"Policy": policy, "RevisionId": revision}


@lru_cache(maxsize=1024)
def _rendered(raw: bytes) -> tuple[str, str]:
    """A stored policy as GetPolicy answers it, and its revision; every request of an API asks."""
    policy = orjson.loads(raw)
    return orjson.dumps(_document(policy)).decode(), policy["revision"]


@service.operation("RemovePermission")
async def remove_permission(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html"""
    target = parse(ctx.world, request["FunctionName"], request.get("Qualifier"))
    sid, revision = request["StatementId"], ctx.ids.uuid()

    def work(tx: Writer) -> None:
        records.require(tx, target)
        policy = _load(tx, target)
        if policy is None:
            raise ResourceNotFoundException.no_policy()
        kept = [known for known in policy["statements"] if known["Sid"] != sid]
        if len(kept) == len(policy["statements"]):
            raise ResourceNotFoundException.statement(sid)
        _check_revision(policy, request)
        if kept:
            changed = {"revision": revision, "statements": kept}
            tx.put(policy_key(target), orjson.dumps(changed))
        else:
            tx.delete(policy_key(target))

    await ctx.store.write(work)
    return {}


def _load(tx: Reader, target: Target) -> Policy | None:
    raw = tx.get(policy_key(target))
    return None if raw is None else orjson.loads(raw)


def _document(policy: Policy) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Id": "default", "Statement": policy["statements"]}


def _check_revision(policy: Policy, request: Input) -> None:
    wanted = request.get("RevisionId")
    if wanted and wanted != policy["revision"]:
        raise PreconditionFailedException
