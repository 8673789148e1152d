"""DeleteObject and DeleteObjects."""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.errors import AwsError
from fogbank.services.s3 import attributes, buckets, conditions, errors, keys, objects
from fogbank.services.s3.notices import emit
from fogbank.services.s3.records import Bucket
from fogbank.services.s3.service import service
from fogbank.storage.kv import Writer

DELETE_KEYS_MAX = 1000
# Headers that only directory buckets know.
_DIRECTORY_ONLY = {
    "IfMatchLastModifiedTime": "x-amz-if-match-last-modified-time",
    "IfMatchSize": "x-amz-if-match-size",
}


@service.operation("DeleteObject")
async def delete_object(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html"""
    for member, header in _DIRECTORY_ONLY.items():
        if request.get(member) is not None:
            raise errors.HeaderNotImplemented(header)
    version = request.get("VersionId")
    key = attributes.check_key(request.get("Key", ""))
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> None:
        bucket = buckets.require(tx, ctx, request)
        if version not in (None, "", "null"):
            raise errors.InvalidArgument("Invalid version id specified", "versionId", version)
        delete(tx, ctx, bucket, key, request.get("IfMatch"), now_ms)

    await ctx.store.write(work)
    return {}


def delete(
    tx: Writer, ctx: Context, bucket: Bucket, key: str, if_match: str | None, now_ms: int
) -> None:
    """The key has no object; that it had none is no error."""
    old = objects.find(tx, bucket, key)
    conditions.check_delete(if_match, key, old)
    if old is None:
        return
    objects.release(tx, ctx, old)
    tx.delete(keys.object_(bucket.id, key))
    emit(ctx, tx, bucket, key, "ObjectRemoved:Delete", now_ms, None)


@service.operation("DeleteObjects")
async def delete_objects(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""
    wanted = request.get("Delete")
    given = wanted.get("Objects") if isinstance(wanted, dict) else None
    if (
        not isinstance(wanted, dict)
        or not isinstance(given, list)
        or not 1 <= len(given) <= DELETE_KEYS_MAX
        or not all(isinstance(one, dict) and one.get("Key") for one in given)
    ):
        raise errors.MalformedXML
    quiet = wanted.get("Quiet") in (True, "true")
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        bucket = buckets.require(tx, ctx, request)
        deleted: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for one in given:
            shown = {name: one[name] for name in ("Key", "VersionId") if one.get(name)}
            try:
                _delete_one(tx, ctx, bucket, one, now_ms)
            except AwsError as error:
                failed.append(shown | {"Code": error.code, "Message": error.message})
            else:
                deleted.append(shown)
        return deleted, failed

    deleted, failed = await ctx.store.write(work)
    answer: Output = {}
    if deleted and not quiet:
        answer["Deleted"] = deleted
    if failed:
        answer["Errors"] = failed
    return answer


def _delete_one(tx: Writer, ctx: Context, bucket: Bucket, one: dict[str, Any], now_ms: int) -> None:
    key = attributes.check_key(one["Key"])
    version = one.get("VersionId")
    if version not in (None, "", "null"):
        raise errors.NoSuchVersion(key, str(version))
    delete(tx, ctx, bucket, key, one.get("ETag"), now_ms)
