"""Resource policies of tables and streams: kept and shown; requests are not judged by them."""

from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.errors import (
    PolicyNotFoundException,
    ResourceNotFoundException,
    ValidationException,
    invalid,
)
from fogbank.services.dynamodb.policy_documents import Document, parsed, shown
from fogbank.services.dynamodb.resource_arns import resource_of
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import BOOLEAN, STRING, check
from fogbank.services.dynamodb.stream_records import stream_key
from fogbank.storage.kv import Reader, Writer

NO_POLICY = "NO_POLICY"

# Under its key a policy's document and revision lie; of a deleted one the revision alone.
Kept = dict[str, Any]

_PUT_SHAPE = {
    "ResourceArn!": STRING,
    "Policy!": STRING,
    "ExpectedRevisionId": STRING,
    "ConfirmRemoveSelfResourceAccess": BOOLEAN,
}
_DELETE_SHAPE = {"ResourceArn!": STRING, "ExpectedRevisionId": STRING}
_GET_SHAPE = {"ResourceArn!": STRING}


def _require(tx: Reader, ctx: Context, arn: str) -> bytes:
    """The store's key of the policy of a table or stream that exists."""
    resource = resource_of(arn)
    if resource.account != ctx.world.account:
        raise ValidationException(
            "This action is only supported by accounts that match the resource owner\u2019s "
            "account."
        )
    if (resource.region, resource.partition) != (ctx.world.region, "aws"):
        raise invalid(f"Invalid resource Arn: {arn}")
    schema.describe_load(tx, ctx.world, resource.table, ctx.clock.now_ms())
    label = resource.stream
    if label is not None and tx.get(stream_key(ctx.world, resource.table, label)) is None:
        raise ResourceNotFoundException(f"Stream: {label} not found for Table: {resource.table}")
    return schema.policy_key(ctx.world, resource.table, arn)


def _kept(tx: Reader, key: bytes) -> Kept | None:
    raw = tx.get(key)
    kept: Kept | None = None if raw is None else orjson.loads(raw)
    return kept


def _check_revision(request: Input, old: Kept | None, table: str) -> None:
    """The policy is at the revision that the request expects."""
    expected = request.get("ExpectedRevisionId")
    if expected is None:
        return
    if expected == NO_POLICY:
        if old is not None and "Document" in old:
            raise PolicyNotFoundException(
                "Requested policy update expecting none to be present for table "
                f"{table}, but a policy exists with revision id {old['RevisionId']}."
            )
    elif old is None:
        # The end of this text is not known.
        raise PolicyNotFoundException(
            f"Requested update for policy with revision id {expected}, but table {table} has no "
            "associated policy."
        )
    elif old["RevisionId"] != expected or "Document" not in old:
        raise PolicyNotFoundException(
            f"Requested update for policy with revision id {expected}, but the policy associated "
            f"to target table {table} has revision id {old['RevisionId']}."
        )


def _revision(now_ms: int, old: Kept | None) -> str:
    """The time of the change; later than that of the last one."""
    return str(max(now_ms, 0 if old is None else int(old["RevisionId"]) + 1))


def put_first(ctx: Context, tx: Writer, record: schema.Record, policy: Document) -> None:
    """A new table has the policy with which it is made."""
    kept = {"Document": policy, "RevisionId": str(record["CreatedMs"])}
    key = schema.policy_key(ctx.world, record["TableName"], record["TableArn"])
    tx.put(key, orjson.dumps(kept))


@service.operation("PutResourcePolicy")
async def put_resource_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html"""
    check(request, _PUT_SHAPE)
    arn, policy = request["ResourceArn"], parsed(request["Policy"])
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> str:
        key = _require(tx, ctx, arn)
        old = _kept(tx, key)
        _check_revision(request, old, resource_of(arn).table)
        if old is not None and old.get("Document") == policy:
            return str(old["RevisionId"])
        revision = _revision(now_ms, old)
        tx.put(key, orjson.dumps({"Document": policy, "RevisionId": revision}))
        return revision

    return {"RevisionId": await ctx.store.write(work)}


@service.operation("GetResourcePolicy")
async def get_resource_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetResourcePolicy.html"""
    check(request, _GET_SHAPE)
    arn = request["ResourceArn"]

    def work(tx: Reader) -> Kept | None:
        return _kept(tx, _require(tx, ctx, arn))

    kept = await ctx.store.read(work, brief=True)
    if kept is None or "Document" not in kept:
        raise PolicyNotFoundException(arn)
    return {"Policy": shown(kept["Document"]), "RevisionId": kept["RevisionId"]}


@service.operation("DeleteResourcePolicy")
async def delete_resource_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteResourcePolicy.html

    The answer is the revision that is gone; of a policy that was deleted before, the deletion's.
    """
    check(request, _DELETE_SHAPE)
    arn = request["ResourceArn"]
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> str | None:
        key = _require(tx, ctx, arn)
        old = _kept(tx, key)
        _check_revision(request, old, resource_of(arn).table)
        if old is not None and "Document" in old:
            tx.put(key, orjson.dumps({"RevisionId": _revision(now_ms, old)}))
        return None if old is None else str(old["RevisionId"])

    revision = await ctx.store.write(work)
    return {} if revision is None else {"RevisionId": revision}
