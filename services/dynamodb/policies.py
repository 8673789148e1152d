"""Resource policies of tables and streams: kept and shown; requests are not judged by them."""

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.errors import PolicyNotFoundException, ValidationException
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import BOOLEAN, STRING, check
from fogbank.services.dynamodb.stream_records import stream_key
from fogbank.services.dynamodb.tags import table_name
from fogbank.storage.kv import Reader, Writer

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-considerations.html
POLICY_BYTES_MAX = 20 * 1024
NO_POLICY = "NO_POLICY"

_PUT_SHAPE = {
    "ResourceArn!": STRING,
    "Policy!": STRING,
    "ExpectedRevisionId": STRING,
    "ConfirmRemoveSelfResourceAccess": BOOLEAN,
}
_DELETE_SHAPE = {"ResourceArn!": STRING, "ExpectedRevisionId": STRING}
_GET_SHAPE = {"ResourceArn!": STRING}


def _require(tx: Reader, ctx: Context, arn: str, operation: str) -> bytes:
    """The store's key of the policy of a table or stream that exists."""
    name = table_name(ctx, arn, operation)
    schema.describe_load(tx, ctx.world, name, ctx.clock.now_ms())
    parts = arn.split("/")
    if len(parts) == 4 and parts[2] == "stream":
        if tx.get(stream_key(ctx.world, name, parts[3])) is None:
            raise PolicyNotFoundException(arn)
    elif len(parts) != 2:
        raise ValidationException(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    return schema.policy_key(ctx.world, name, arn)


def _check_revision(request: Input, old: dict[str, str] | None, table: str) -> None:
    """The policy is at the revision that the request expects."""
    expected = request.get("ExpectedRevisionId")
    if expected is None:
        return
    if expected == NO_POLICY:
        if old is not None:
            raise PolicyNotFoundException(
                "Requested policy update expecting none to be present for table "
                f"{table}, but a policy exists with revision id {old['RevisionId']}."
            )
    elif old is None or old["RevisionId"] != expected:
        present = "none" if old is None else old["RevisionId"]
        raise PolicyNotFoundException(
            f"Requested update for policy with revision id {expected}, but the policy associated "
            f"to target table {table} has revision id {present}."
        )


@service.operation("PutResourcePolicy")
async def put_resource_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html"""
    check(request, _PUT_SHAPE)
    arn, policy = request["ResourceArn"], request["Policy"]
    _check_document(policy)
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> str:
        key = _require(tx, ctx, arn, "PutResourcePolicy")
        raw = tx.get(key)
        old = None if raw is None else orjson.loads(raw)
        _check_revision(request, old, arn.split("/")[1])
        if old is not None and old["Policy"] == policy:
            return str(old["RevisionId"])
        revision = str(max(now_ms, 0 if old is None else int(old["RevisionId"]) + 1))
        tx.put(key, orjson.dumps({"Policy": policy, "RevisionId": revision}))
        return revision

    return {"RevisionId": await ctx.store.write(work)}


def _check_document(policy: str) -> None:
    if len(policy.encode(errors="surrogatepass")) > POLICY_BYTES_MAX:
        raise ValidationException("Policy exceeds the maximum allowed size of 20 KB")
    try:
        document = orjson.loads(policy)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "Statement" not in document:
        raise ValidationException("Invalid policy document: it is not a policy in JSON")


@service.operation("GetResourcePolicy")
async def get_resource_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetResourcePolicy.html"""
    check(request, _GET_SHAPE)
    arn = request["ResourceArn"]

    def work(tx: Reader) -> bytes | None:
        return tx.get(_require(tx, ctx, arn, "GetResourcePolicy"))

    raw = await ctx.store.read(work, brief=True)
    if raw is None:
        raise PolicyNotFoundException(arn)
    answer: Output = orjson.loads(raw)
    return answer


@service.operation("DeleteResourcePolicy")
async def delete_resource_policy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteResourcePolicy.html"""
    check(request, _DELETE_SHAPE)
    arn = request["ResourceArn"]

    def work(tx: Writer) -> str | None:
        key = _require(tx, ctx, arn, "DeleteResourcePolicy")
        raw = tx.get(key)
        old = None if raw is None else orjson.loads(raw)
        _check_revision(request, old, arn.split("/")[1])
        tx.delete(key)
        return None if old is None else str(old["RevisionId"])

    revision = await ctx.store.write(work)
    return {} if revision is None else {"RevisionId": revision}
