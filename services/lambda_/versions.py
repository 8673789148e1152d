"""Published versions: a function's code and configuration as they were, never changed again."""

import hashlib
from collections.abc import Iterator

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.lambda_ import records
from fogbank.services.lambda_.errors import (
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceNotFoundException,
)
from fogbank.services.lambda_.names import LATEST, Target, parse
from fogbank.services.lambda_.records import Record
from fogbank.services.lambda_.service import service
from fogbank.storage.blobs import BlobRef
from fogbank.storage.keys import span
from fogbank.storage.kv import Reader, Writer

PAGE_MAX = 50


@service.operation("PublishVersion")
async def publish_version(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html"""
    target = parse(ctx.world, request["FunctionName"])
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> Record:
        record = records.require(tx, target)
        records.refuse_while_changing(record, now_ms)
        if request.get("RevisionId") not in (None, "", records.revision(record, now_ms)):
            raise PreconditionFailedException
        wanted, current = request.get("CodeSha256"), record["config"]["CodeSha256"]
        if wanted and wanted != current:
            raise InvalidParameterValueException(
                f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST "
                f"({current}). Please try again with the CodeSHA256 in $LATEST."
            )
        published = publish(tx, ctx, record, request.get("Description"))
        records.save(tx, ctx.world, record)
        return published

    return records.configuration(await ctx.store.write(work), now_ms)


def publish(tx: Writer, ctx: Context, record: Record, description: str | None = None) -> Record:
    """A version made of `record`, whose count goes up; the last one where nothing changed since."""
    config = record["config"]
    target = Target(ctx.world, config["FunctionName"], None)
    digest = _digest(record)
    last = next(_all_of(tx, target, back=True), None)
    if last is not None and last["digest"] == digest:
        return last
    number = record["versions"] = record.get("versions", 0) + 1
    version: Record = {
        **record,
        "config": {
            **config,
            "Version": str(number),
            "FunctionArn": f"{target.arn}:{number}",
            "Description": config["Description"] if description is None else description,
        },
        # A version whose function is still changing is being created as long as that lasts.
        "kind": "create",
        "revisions": [ctx.ids.uuid(), ctx.ids.uuid()],
        "tags": {},
        "digest": digest,
    }
    tx.put(records.version_key(ctx.world, target.name, number), orjson.dumps(version))
    return version


def _digest(record: Record) -> str:
    """What a version is made of, in short."""
    facts = {name: value for name, value in record["config"].items() if name != "LastModified"}
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _all_of(tx: Reader, target: Target, *, back: bool = False) -> Iterator[Record]:
    """The published versions of a function, in order of number."""
    world = target.world
    bounds = span("lambda", world.account, world.region, "version", target.name)
    for _, raw in tx.range(*bounds, reverse=back):
        yield orjson.loads(raw)


@service.operation("ListVersionsByFunction")
async def list_versions_by_function(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_ListVersionsByFunction.html"""
    target = parse(ctx.world, request["FunctionName"])
    limit = min(int(request.get("MaxItems") or PAGE_MAX), PAGE_MAX)
    marker = request.get("Marker") or ""
    now_ms = ctx.clock.now_ms()
    if marker and not (marker.isascii() and marker.isdecimal() and len(marker) < 16):
        raise InvalidParameterValueException("Invalid marker")

    def work(tx: Reader) -> list[Record]:
        return [records.require(tx, target), *_all_of(tx, target)]

    found = [records.listed(record, now_ms) for record in await ctx.store.read(work)]
    found[0]["FunctionArn"] += f":{LATEST}"
    start = int(marker or 0)
    answer: Output = {"Versions": found[start : start + limit]}
    if start + limit < len(found):
        answer["NextMarker"] = str(start + limit)
    return answer


def delete(tx: Writer, ctx: Context, target: Target) -> None:
    """The one version that `target` names is gone."""
    key = records.stored_key(target)
    raw = None if key is None else tx.get(key)
    if raw is None or key is None:
        raise ResourceNotFoundException.function(target.qualified_arn)
    tx.delete(key)
    code = orjson.loads(raw)["code"]
    latest = records.find(tx, target)
    if latest is None or latest["code"] != code:
        release(tx, ctx, target, code)


def delete_all(tx: Writer, ctx: Context, target: Target, latest: Record) -> None:
    """Every version is gone, and with the function's own record all of its packages."""
    packages = [latest["code"]]
    for version in list(_all_of(tx, target)):
        if version["code"] not in packages:
            packages.append(version["code"])
    world = target.world
    tx.delete_range(*span("lambda", world.account, world.region, "version", target.name))
    for ref in packages:
        ctx.blobs.release(tx, ref)


def release(tx: Writer, ctx: Context, target: Target, ref: BlobRef) -> None:
    """The package is given up, unless a version still runs it."""
    if all(version["code"] != ref for version in _all_of(tx, target)):
        ctx.blobs.release(tx, ref)
