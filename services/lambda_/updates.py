"""Changes of a function's code and configuration."""

from fogbank.services.context import Context, Input, Output
from fogbank.services.lambda_ import packages, records, settings, versions
from fogbank.services.lambda_.errors import PreconditionFailedException, ResourceNotFoundException
from fogbank.services.lambda_.names import Target, parse
from fogbank.services.lambda_.service import service
from fogbank.storage.kv import Writer


@service.operation("UpdateFunctionCode")
async def update_function_code(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html"""
    target = parse(ctx.world, request["FunctionName"])
    await ctx.store.read(lambda tx: records.require(tx, target), brief=True)
    package = await packages.receive(ctx, request, "UpdateFunctionCode")
    dry_run = bool(request.get("DryRun"))

    def work(tx: Writer) -> records.Record:
        record = _changeable(tx, ctx, target, request)
        record["config"].update(packages.members(package))
        if request.get("Architectures"):
            chosen = [name for name in request["Architectures"] if name]
            record["config"]["Architectures"] = chosen or record["config"]["Architectures"]
        if dry_run:
            return record
        replaced, record["code"] = record["code"], ctx.blobs.attach(tx, package.staged)
        versions.release(tx, ctx, target, replaced)
        records.begin(record, "update", ctx)
        published = versions.publish(tx, ctx, record) if request.get("Publish") else record
        records.save(tx, ctx.world, record)
        return published

    try:
        record = await ctx.store.write(work)
    finally:
        await ctx.blobs.discard(package.staged)
    return records.configuration(record, record["settled_ms"] - (0 if dry_run else 1))


@service.operation("UpdateFunctionConfiguration")
async def update_function_configuration(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html"""
    target = parse(ctx.world, request["FunctionName"])

    def work(tx: Writer) -> records.Record:
        record = _changeable(tx, ctx, target, request)
        settings.change(record["config"], ctx.world, request)
        return _changed(tx, ctx, record)

    record = await ctx.store.write(work)
    return records.configuration(record, record["settled_ms"] - 1)


def _changeable(tx: Writer, ctx: Context, target: Target, request: Input) -> records.Record:
    if target.qualifier is not None:
        raise ResourceNotFoundException.function(target.qualified_arn)
    record = records.require(tx, target)
    now_ms = ctx.clock.now_ms()
    records.refuse_while_changing(record, now_ms)
    wanted = request.get("RevisionId")
    if wanted and wanted != records.revision(record, now_ms):
        raise PreconditionFailedException
    return record


def _changed(tx: Writer, ctx: Context, record: records.Record) -> records.Record:
    records.begin(record, "update", ctx)
    records.save(tx, ctx.world, record)
    return record
