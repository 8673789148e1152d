"""Global tables: a write in one region reaches every replica, and the last writer wins.

A change of an item is emitted with it, once for each other member, in order per item. A member
applies it if no later write of the item is known there, and does not emit it again. A write's
version is its time and its region, which decides between equal times, so that all members agree.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
"""

from base64 import b64decode
from functools import partial

import orjson

from fogbank.services.context import Context, World
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.changes import change_item
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.replica_groups import begin_trim
from fogbank.services.dynamodb.replicated import (
    Version,
    keep_version,
    version_of,
    versions_span,
)
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.tables import clear
from fogbank.storage.keys import after
from fogbank.storage.kv import Writer
from fogbank.storage.outbox import Event

# A version is needed while an older write may be under way, which its retries bound to minutes.
VERSION_LIFE_MS = 24 * 3600 * 1000
TRIM_SLICE = 1000


@service.consumer("dynamodb.replicate")
async def replicate(ctx: Context, event: Event) -> None:
    """The item is as it was written elsewhere, unless a later write is known here."""
    body = event.body["body"]
    there = ctx._replace(world=World(ctx.world.account, body["To"]))
    version = Version(body["AtMs"], body["From"])
    suffix = b64decode(body["Suffix"])
    new = None if body["Item"] is None else b64decode(body["Item"])

    def work(tx: Writer) -> None:
        raw = tx.get(schema.table_key(there.world, body["Table"]))
        table = None if raw is None else schema.compiled(raw)
        # The replica may have left the group, or been made anew, since the write.
        if table is None or table.id != body["TableId"] or body["From"] not in table.replicas:
            return
        if version < version_of(tx, table, suffix):
            return
        key = table.prefix + suffix
        moment = Moment(there, there.clock.now_ms(), is_replicated=True)
        change_item(tx, table, key, tx.get(key), new, moment)
        keep_version(tx, table, suffix, version)

    await ctx.store.write(work)


@service.consumer("dynamodb.sweepversions")
async def sweep_versions(ctx: Context, event: Event) -> None:
    """Nothing is left of the versions of a table that left its group."""
    start, stop = versions_span(ctx.world, event.body["body"]["TableId"])
    while await ctx.store.write(partial(clear, start=start, stop=stop)):
        continue


@service.consumer("dynamodb.trimversions")
async def trim_versions(ctx: Context, event: Event) -> None:
    """No version of more than a day ago is left; they are trimmed again in an hour."""
    body = event.body["body"]
    horizon_ms = ctx.clock.now_ms() - VERSION_LIFE_MS
    start, stop = versions_span(ctx.world, body["TableId"])
    following: bytes | None = start

    def work(tx: Writer) -> bytes | None:
        assert following is not None
        for count, (key, raw) in enumerate(tx.range(following, stop), 1):
            if Version.read(raw).at_ms < horizon_ms:
                tx.delete(key)
            if count >= TRIM_SLICE:
                return after(key)
        found = tx.get(schema.table_key(ctx.world, body["Table"]))
        record = None if found is None else orjson.loads(found)
        if record is not None and record["TableId"] == body["TableId"] and record.get("Replicas"):
            begin_trim(ctx, tx, record)
        return None

    while following is not None:
        following = await ctx.store.write(work)
