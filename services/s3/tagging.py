"""Tags of objects."""

import dataclasses

from fogbank.services.context import Context, Input, Output
from fogbank.services.s3 import buckets, errors, keys, objects, tags
from fogbank.services.s3.notices import emit
from fogbank.services.s3.records import to_bytes
from fogbank.services.s3.service import service
from fogbank.storage.kv import Writer


@service.operation("PutObjectTagging")
async def put_object_tagging(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html"""
    document = request.get("Tagging")
    if not isinstance(document, dict):
        raise errors.MalformedXML
    pairs = tags.of_set(document.get("TagSet") or [], most=tags.OBJECT_TAGS_MAX)
    await _replace(ctx, request, pairs, "ObjectTagging:Put")
    return {}


@service.operation("DeleteObjectTagging")
async def delete_object_tagging(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html"""
    await _replace(ctx, request, [], "ObjectTagging:Delete")
    return {}


@service.operation("GetObjectTagging")
async def get_object_tagging(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html"""
    found = await ctx.store.read(
        lambda tx: objects.require(tx, buckets.require(tx, ctx, request), request), brief=True
    )
    return {"TagSet": tags.to_set(found.tags)}


async def _replace(ctx: Context, request: Input, pairs: list[list[str]], event: str) -> None:
    """The object has these tags; everything else of it, its date included, is as it was."""
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> None:
        bucket = buckets.require(tx, ctx, request)
        key = str(request.get("Key", ""))
        new = dataclasses.replace(objects.require(tx, bucket, request), tags=pairs)
        tx.put(keys.object_(bucket.id, key), to_bytes(new))
        emit(ctx, tx, bucket, key, event, now_ms, new)

    await ctx.store.write(work)
