"""Objects: put, get and head."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, NamedTuple

from fogbank.services.context import Context, Input, Output
from fogbank.services.s3 import (
    attributes,
    buckets,
    checksums,
    conditions,
    errors,
    keys,
    ranges,
    reading,
)
from fogbank.services.s3.bodies import commit, receive_request
from fogbank.services.s3.notices import emit
from fogbank.services.s3.numbers import integer
from fogbank.services.s3.records import (
    COMPOSITE,
    STANDARD,
    Bucket,
    Part,
    StoredObject,
    from_bytes,
    object_of,
    to_bytes,
)
from fogbank.services.s3.service import service
from fogbank.storage.kv import Reader, Writer

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
PARTS_MAX = 10_000
# An object of more parts than this is looked up in a thread: each part is a read of its own.
BRIEF_PARTS_MAX = 16
_OVERRIDES = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}


def find(tx: Reader, bucket: Bucket, key: str) -> StoredObject | None:
    raw = tx.get(keys.object_(bucket.id, key))
    return None if raw is None else object_of(raw)


def require(tx: Reader, bucket: Bucket, request: Mapping[str, Any]) -> StoredObject:
    """The object that a request names; in a bucket without versions only "null" is a version."""
    version = request.get("VersionId")
    if version not in (None, "", "null"):
        raise errors.InvalidArgument("Invalid version id specified", "versionId", version)
    key = attributes.check_key(request.get("Key", ""))
    found = find(tx, bucket, key)
    if found is None:
        raise errors.NoSuchKey(key)
    return found


def store(tx: Writer, ctx: Context, bucket: Bucket, key: str, new: StoredObject) -> None:
    """`new` is the key's object; what it replaces gives its bytes back in this transaction."""
    replace(tx, ctx, bucket, key, find(tx, bucket, key), new)


def replace(
    tx: Writer, ctx: Context, bucket: Bucket, key: str, old: StoredObject | None, new: StoredObject
) -> None:
    """`store` of a caller that has looked up `old` in this transaction."""
    if old is not None:
        release(tx, ctx, old)
    tx.put(keys.object_(bucket.id, key), to_bytes(new))


def release(tx: Writer, ctx: Context, old: StoredObject) -> None:
    if old.blob is not None:
        ctx.blobs.release(tx, old.blob)
    if old.upload is not None:
        buckets.release_parts(tx, ctx, old.upload)


@service.operation("PutObject")
async def put_object(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html"""
    bucket = await buckets.look_up(ctx, request)
    key = attributes.check_key(request.get("Key", ""))
    conditions.refuse_unknown_write_conditions(request)
    about = attributes.of_request(request, bucket)
    if request.get("WriteOffsetBytes") is not None:
        raise errors.HeaderNotImplemented("x-amz-write-offset-bytes")
    received = await receive_request(ctx, bucket.id, request)
    digests = received.digests
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> StoredObject:
        here = buckets.require(tx, ctx, request)
        old = find(tx, here, key)
        conditions.check_write(request, old)
        new = StoredObject(
            digests.etag(),
            digests.size_bytes,
            now_ms,
            digests.values(),
            storage_class=about.storage_class,
            blob=received.attach(ctx, tx),
            headers=about.headers,
            metadata=about.metadata,
            tags=about.tags,
        )
        replace(tx, ctx, here, key, old, new)
        emit(ctx, tx, here, key, "ObjectCreated:Put", now_ms, new)
        return new

    reads = (
        keys.bucket(request["Bucket"]),
        keys.object_(bucket.id, key),
        keys.notification(bucket.id),
    )
    return written(await commit(ctx, received, work, reads))


def written(new: StoredObject) -> Output:
    """What S3 answers to a write."""
    return {
        "ETag": f'"{new.etag}"',
        **checksums.output(new.checksums),
        "ChecksumType": new.checksum_type,
        **attributes.ENCRYPTED,
    }


class View(NamedTuple):
    """What of an object a request is to be sent: bytes `start` to `stop`.

    `partial` makes it a 206; `part` is the checksums of the part that was asked for, when S3 knows
    them; `data` are the bytes where they were in the store itself.
    """

    found: StoredObject
    start: int
    stop: int
    partial: bool
    part: dict[str, str] | None
    parts_count: int | None
    slices: list[reading.Slice]
    data: bytes | None


@service.operation("GetObject")
async def get_object(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
    now_ms = ctx.clock.now_ms()

    def work(tx: Reader, parts_most: int) -> View | None:
        bucket = buckets.require(tx, ctx, request)
        found = require(tx, bucket, request)
        if found.storage_class in attributes.ARCHIVED:
            raise errors.InvalidObjectState(found.storage_class)
        conditions.check_read(request, found, now_ms)
        return None if found.parts > parts_most else view(tx, ctx, request, found, body=True)

    seen = await ctx.store.read(lambda tx: work(tx, BRIEF_PARTS_MAX), brief=True)
    if seen is None:
        seen = await ctx.store.read(lambda tx: work(tx, PARTS_MAX))
        assert seen is not None, "no object has more parts than an upload can have"
    body: Any = seen.data
    if body is None:
        body = await reading.opened(ctx.blobs, seen.slices)
    return described(request, seen) | {"Body": body}


@service.operation("HeadObject")
async def head_object(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html"""
    now_ms = ctx.clock.now_ms()

    def work(tx: Reader) -> View:
        bucket = buckets.require(tx, ctx, request)
        found = require(tx, bucket, request)
        conditions.check_read(request, found, now_ms)
        return view(tx, ctx, request, found, body=False)

    return described(request, await ctx.store.read(work, brief=True))


def view(
    tx: Reader, ctx: Context, request: Mapping[str, Any], found: StoredObject, *, body: bool
) -> View:
    """The part of `found` that a request is after, by Range or by partNumber."""
    start, stop, partial = 0, found.size, False
    part: dict[str, str] | None = None
    parts_count: int | None = None
    header = request.get("Range")
    if request.get("PartNumber") is not None:
        number = integer(request, "PartNumber", "partNumber", 0)
        if header is not None:
            raise errors.InvalidRequest(
                "Cannot specify both Range header and partNumber query parameter"
            )
        if not 1 <= number <= PARTS_MAX:
            raise errors.InvalidArgument(
                "Part number must be an integer between 1 and 10000, inclusive",
                "partNumber",
                str(number),
            )
        if number > max(found.parts, 1):
            raise errors.InvalidPartNumber(number, max(found.parts, 1))
        partial = True
        if found.upload is not None:
            parts_count = found.parts
            start, stop, part = _part(tx, found, found.upload, number)
    else:
        wanted = ranges.parse(None if header is None else str(header), found.size)
        if wanted is not None:
            start, stop = wanted
            partial = True
    data = reading.load(tx, ctx.blobs, found, start, stop) if body else None
    chosen = reading.slices(tx, found, start, stop) if body and data is None else []
    return View(found, start, stop, partial, part, parts_count, chosen, data)


def _part(
    tx: Reader, found: StoredObject, upload_id: str, ordinal: int
) -> tuple[int, int, dict[str, str]]:
    for at, (number, begin, end) in enumerate(reading.layout(tx, upload_id), 1):
        if at == ordinal:
            raw = tx.get(keys.part(upload_id, number))
            if raw is None:
                raise errors.InternalError
            # Only composite checksums are made of those of the parts; others are not shown.
            shown = found.checksum_type == COMPOSITE
            return begin, end, from_bytes(Part, raw).checksums if shown else {}
    raise errors.InternalError


def described(request: Mapping[str, Any], seen: View) -> Output:
    """The headers of an object, in model member names."""
    found = seen.found
    answer: Output = {
        "AcceptRanges": "bytes",
        "ContentType": attributes.CONTENT_TYPE_DEFAULT,
        **found.headers,
        "LastModified": found.modified_ms // 1000,
        "ContentLength": seen.stop - seen.start,
        "ETag": f'"{found.etag}"',
        "Metadata": found.metadata,
        **attributes.ENCRYPTED,
    }
    for member, name in _OVERRIDES.items():
        value = request.get(member)
        if isinstance(value, datetime):
            value = format_datetime(value.astimezone(UTC), usegmt=True)
        if value is not None:
            answer[name] = value
    if seen.partial and found.size:
        answer["ContentRange"] = f"bytes {seen.start}-{seen.stop - 1}/{found.size}"
    if found.storage_class != STANDARD:
        answer["StorageClass"] = found.storage_class
    if seen.parts_count is not None:
        answer["PartsCount"] = seen.parts_count
    if found.tags:
        answer["TagCount"] = len(found.tags)
    answer.update(_checksums(request, seen))
    return answer


def _checksums(request: Mapping[str, Any], seen: View) -> Output:
    """Shown on demand, and only where they are of the bytes that are sent."""
    if str(request.get("ChecksumMode", "")).upper() != "ENABLED":
        return {}
    found = seen.found
    if seen.part is not None:
        shown = seen.part
    else:
        shown = found.checksums if seen.stop - seen.start == found.size else {}
    return {**checksums.output(shown), "ChecksumType": found.checksum_type} if shown else {}
