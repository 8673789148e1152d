"""Who belongs to a global table: its members, and how one leaves."""

from typing import Any

import orjson

from fogbank.services.context import Context, Input, World
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.errors import ValidationException, invalid
from fogbank.services.dynamodb.schema import Record
from fogbank.services.events import emit
from fogbank.storage.kv import Reader, Writer

DAY_MS = 24 * 3600 * 1000
TRIM_PERIOD_MS = 3600 * 1000
# What UpdateTable changes for all members at once.
SHARED = frozenset(
    (
        *("BillingMode", "GlobalSecondaryIndexUpdates", "SSESpecification", "TableClass"),
        *("OnDemandThroughput", "WarmThroughput", "VectorIndexUpdates"),
    )
)


def at(ctx: Context, region: str) -> Context:
    return ctx._replace(world=World(ctx.world.account, region))


def members(tx: Reader, ctx: Context, record: Record) -> list[tuple[Context, Record]]:
    """The other members of the table's group, each as its own region has it."""
    found: list[tuple[Context, Record]] = []
    for region, replica in (record.get("Replicas") or {}).items():
        there = at(ctx, region)
        raw = tx.get(schema.table_key(there.world, record["TableName"]))
        member = None if raw is None else orjson.loads(raw)
        if member is not None and member["TableId"] == replica["TableId"]:
            found.append((there, member))
    return found


def leave(ctx: Context, tx: Writer, record: Record, now_ms: int) -> None:
    """The member is in no group any more, and the others know; for a table that is deleted."""
    if not record.get("Replicas"):
        return
    here = ctx.world.region
    others = members(tx, ctx, record)
    for _, member in others:
        source = member.get("SourcedFrom") or {}
        if source.get("Region") == here and now_ms < source["AtMs"] + DAY_MS:
            raise ValidationException(
                "Replica cannot be deleted because it has acted as a source region for new "
                "replica(s) being added to the table in the last 24 hours."
            )
    for where, member in others:
        member["Replicas"].pop(here, None)
        if not member["Replicas"]:
            del member["Replicas"]
            forget_versions(where, tx, member)
        schema.save(tx, where.world, member)
    del record["Replicas"]
    forget_versions(ctx, tx, record)


def begin_trim(ctx: Context, tx: Writer, record: Record) -> None:
    """Versions of the member's items are forgotten when they are old."""
    body = {"Table": record["TableName"], "TableId": record["TableId"]}
    due_ms = ctx.clock.now_ms() + TRIM_PERIOD_MS
    emit(ctx, tx, "dynamodb.trimversions", record["TableId"], body, due_ms=due_ms)


def forget_versions(ctx: Context, tx: Writer, record: Record) -> None:
    """No version is left of a table that is no member any more."""
    body = {"TableId": record["TableId"]}
    emit(ctx, tx, "dynamodb.sweepversions", record["TableId"], body)


def check_settings(record: Record, request: Input) -> None:
    """An UpdateTable of a member is one that AWS allows of a replica."""
    if not record.get("Replicas"):
        return
    stream: dict[str, Any] | None = request.get("StreamSpecification")
    if stream is not None and not stream["StreamEnabled"]:
        raise invalid("Disabling Stream is not allowed for a Global Table replica.")
    if request.get("BillingMode") == "PROVISIONED":
        raise ValidationException(
            "Table write capacity should either be Pay-Per-Request or AutoScaled."
        )
    if (request.get("SSESpecification") or {}).get("KMSMasterKeyId"):
        raise invalid("KMSMasterKeyId must be specified for each replica.")
