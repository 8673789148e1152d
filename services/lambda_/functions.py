"""Functions: created, read, listed and deleted."""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.lambda_ import packages, records, settings, versions
from fogbank.services.lambda_.compiled import compiler_of
from fogbank.services.lambda_.downloads import location
from fogbank.services.lambda_.errors import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from fogbank.services.lambda_.names import LATEST, NAME_LENGTH_MAX, Target, parse
from fogbank.services.lambda_.service import service
from fogbank.storage.keys import pack
from fogbank.storage.kv import Reader, Writer

PAGE_DEFAULT = 50


@service.operation("CreateFunction")
async def create_function(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""
    target = _new_target(ctx, request)
    if request.get("PackageType", "Zip") != "Zip":
        await packages.receive(ctx, {"ImageUri": "image"}, "CreateFunction")
    config = settings.created(ctx.world, target.name, request)
    package = await packages.receive(ctx, request.get("Code") or {}, "CreateFunction")
    config.update(packages.members(package))
    record: records.Record = {
        "config": config,
        "tags": {key: value or "" for key, value in (request.get("Tags") or {}).items()},
        "reserved": None,
        "versions": 0,
    }
    records.begin(record, "create", ctx)

    def work(tx: Writer) -> records.Record:
        if records.find(tx, target) is not None:
            raise ResourceConflictException.exists(target.name)
        created = {**record, "code": ctx.blobs.attach(tx, package.staged)}
        published = versions.publish(tx, ctx, created) if request.get("Publish") else created
        records.save(tx, ctx.world, created)
        return published

    try:
        answered = await ctx.store.write(work)
    finally:
        await ctx.blobs.discard(package.staged)
    ctx.stack.functions.expect(config["Runtime"], uses_sdk=package.uses_sdk)
    return records.configuration(answered, record["settled_ms"] - 1)


def _new_target(ctx: Context, request: Input) -> Target:
    name = request["FunctionName"]
    if ":" not in name and len(name) > NAME_LENGTH_MAX:
        raise InvalidParameterValueException(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy "
            f"constraint: Member must have length less than or equal to {NAME_LENGTH_MAX}"
        )
    return Target(ctx.world, parse(ctx.world, name).name, None)


@service.operation("GetFunction")
async def get_function(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html"""
    target = parse(ctx.world, request["FunctionName"], request.get("Qualifier"))
    record = await settled(ctx, target)
    answer: Output = {
        "Configuration": _as_asked(record, target, ctx.clock.now_ms()),
        "Code": {"RepositoryType": "S3", "Location": await location(ctx, record)},
    }
    if record["tags"]:
        answer["Tags"] = record["tags"]
    if record["reserved"] is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": record["reserved"]}
    return answer


@service.operation("GetFunctionConfiguration")
async def get_function_configuration(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html"""
    target = parse(ctx.world, request["FunctionName"], request.get("Qualifier"))
    record = await settled(ctx, target)
    return _as_asked(record, target, ctx.clock.now_ms())


async def settled(ctx: Context, target: Target) -> records.Record:
    """The record of `target`, once a transition that is under way has ended.

    AWS answers at once, and SDK waiters come again after one to five seconds. To hold the answer
    for the few milliseconds that a transition takes here spares each deployment that wait.
    """
    record = await ctx.store.read(lambda tx: records.require_version(tx, target), brief=True)
    while not records.is_settled(record, ctx.clock.now_ms()):
        await ctx.clock.sleep(max(1, record["settled_ms"] - ctx.clock.now_ms()) / 1000)
        record = await ctx.store.read(lambda tx: records.require_version(tx, target), brief=True)
    return record


def _as_asked(record: records.Record, target: Target, now_ms: int) -> dict[str, Any]:
    """The configuration, whose ARN is qualified where the request was."""
    answer = records.configuration(record, now_ms)
    if target.qualifier is not None:
        answer["FunctionArn"] = target.qualified_arn
    return answer


@service.operation("ListFunctions")
async def list_functions(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html"""
    limit = min(int(request.get("MaxItems") or PAGE_DEFAULT), PAGE_DEFAULT)
    after = request.get("Marker") or ""
    now_ms = ctx.clock.now_ms()
    every_version = request.get("FunctionVersion") == "ALL"

    def work(tx: Reader) -> Output:
        found: list[dict[str, Any]] = []
        for record in records.all_of(tx, ctx.world, after):
            if len(found) == limit:
                return {"Functions": found, "NextMarker": found[-1]["FunctionName"]}
            config = records.listed(record, now_ms)
            if every_version:
                config["FunctionArn"] += f":{LATEST}"
            found.append(config)
        return {"Functions": found}

    return await ctx.store.read(work)


@service.operation("DeleteFunction")
async def delete_function(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html"""
    target = parse(ctx.world, request["FunctionName"], request.get("Qualifier"))
    if target.qualifier == LATEST:
        raise InvalidParameterValueException(
            "$LATEST version cannot be deleted without deleting the function."
        )

    def work(tx: Writer) -> None:
        record = records.find(tx, target)
        if record is None:
            raise ResourceNotFoundException.function(target.qualified_arn)
        if target.qualifier is not None:
            versions.delete(tx, ctx, target)
            return
        tx.delete(records.key_of(ctx.world, target.name))
        tx.delete(policy_key(target))
        versions.delete_all(tx, ctx, target, record)

    await ctx.store.write(work)
    compiler_of(ctx.stack).retire_all(target.qualified_arn)
    return {"StatusCode": 204}


def policy_key(target: Target) -> bytes:
    world = target.world
    return pack("lambda", world.account, world.region, "policy", target.name)
