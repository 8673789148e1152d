"""CopyObject, and the sources of copies."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from fogbank.services.context import Context, Input, Output
from fogbank.services.s3 import attributes, buckets, checksums, conditions, errors, objects, reading
from fogbank.services.s3.bodies import PUT_BYTES_MAX, commit, receive
from fogbank.services.s3.notices import emit
from fogbank.services.s3.records import StoredObject
from fogbank.services.s3.service import service
from fogbank.storage.kv import Reader, Writer

_DIRECTIVES = ("COPY", "REPLACE")


class SourceName(NamedTuple):
    bucket: str
    key: str
    version: str | None


class Source(NamedTuple):
    """An object and those of its bytes that are to be copied, as they lay at one moment."""

    name: SourceName
    found: StoredObject
    slices: list[reading.Slice]
    data: bytes | None


def parse_source(header: Any) -> SourceName:
    """The object that x-amz-copy-source names: `bucket/key`, percent-encoded, `?versionId=`."""
    text, _, query = str(header or "").partition("?versionId=")
    bucket, slash, key = unquote(text).removeprefix("/").partition("/")
    if not bucket or not slash or not key:
        raise errors.InvalidArgument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            "x-amz-copy-source",
            str(header or ""),
        )
    return SourceName(bucket, key, unquote(query) or None)


async def open_source(
    ctx: Context, request: Mapping[str, Any], choose: Callable[[int], tuple[int, int]]
) -> Source:
    """The source of a copy, when its conditions hold; `choose` is given its size."""
    name = parse_source(request.get("CopySource"))
    now_ms = ctx.clock.now_ms()
    wanted = {
        "Bucket": name.bucket,
        "Key": name.key,
        "VersionId": name.version,
        "ExpectedBucketOwner": request.get("ExpectedSourceBucketOwner"),
    }

    def work(tx: Reader) -> Source:
        bucket = buckets.require(tx, ctx, wanted)
        found = objects.require(tx, bucket, wanted)
        if found.storage_class in attributes.ARCHIVED:
            raise errors.InvalidObjectState(found.storage_class)
        conditions.check_copy_source(request, found, now_ms)
        start, stop = choose(found.size)
        if stop - start > PUT_BYTES_MAX:
            raise errors.InvalidRequest(
                "The specified copy source is larger than the maximum allowable size for a copy "
                f"source: {PUT_BYTES_MAX}"
            )
        data = reading.load(tx, ctx.blobs, found, start, stop)
        chosen = [] if data is not None else reading.slices(tx, found, start, stop)
        return Source(name, found, chosen, data)

    return await ctx.store.read(work)


@service.operation("CopyObject")
async def copy_object(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    bucket = await buckets.look_up(ctx, request)
    key = attributes.check_key(request.get("Key", ""))
    conditions.refuse_unknown_write_conditions(request)
    about = attributes.of_request(request, bucket)
    replace = _directive(request, "MetadataDirective", "metadata") == "REPLACE"
    replace_tags = _directive(request, "TaggingDirective", "tagging") == "REPLACE"
    given = request.get("ChecksumAlgorithm")
    algorithm = checksums.known(str(given), "x-amz-checksum-algorithm") if given else None
    source = await open_source(ctx, request, lambda size: (0, size))
    if source.name[:2] == (bucket.name, key) and not replace:
        _refuse_idle(request)
    algorithm = algorithm or next(iter(source.found.checksums), checksums.DEFAULT)
    headers, metadata = about.headers, about.metadata
    if not replace:
        redirect = about.headers.get("WebsiteRedirectLocation")
        headers = {**source.found.headers}
        # The redirect belongs to the key, not to its metadata, and is never copied along.
        headers.pop("WebsiteRedirectLocation", None)
        headers |= {"WebsiteRedirectLocation": redirect} if redirect else {}
        metadata = source.found.metadata
    chunks = reading.stream_of(ctx.blobs, source.slices, source.data)
    digests = checksums.Digests([algorithm])
    received = await receive(ctx, bucket.id, chunks, digests)
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> StoredObject:
        here = buckets.require(tx, ctx, request)
        conditions.check_write(request, objects.find(tx, here, key))
        new = StoredObject(
            digests.etag(),
            digests.size_bytes,
            now_ms,
            digests.values(),
            storage_class=about.storage_class,
            blob=received.attach(ctx, tx),
            headers=headers,
            metadata=metadata,
            tags=about.tags if replace_tags else source.found.tags,
        )
        objects.store(tx, ctx, here, key, new)
        emit(ctx, tx, here, key, "ObjectCreated:Copy", now_ms, new)
        return new

    new = await commit(ctx, received, work)
    return {
        "CopyObjectResult": {
            "ETag": f'"{new.etag}"',
            "LastModified": new.modified_ms // 1000,
            **checksums.output(new.checksums),
            "ChecksumType": new.checksum_type,
        },
        **attributes.ENCRYPTED,
    }


def _directive(request: Mapping[str, Any], member: str, what: str) -> str:
    value = request.get(member) or _DIRECTIVES[0]
    if value not in _DIRECTIVES:
        raise errors.InvalidArgument(
            f"Unknown {what} directive.", f"x-amz-{what}-directive", str(value)
        )
    return str(value)


def _refuse_idle(request: Mapping[str, Any]) -> None:
    if not any(
        request.get(member)
        for member in ("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption")
    ):
        raise errors.InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without "
            "changing the object's metadata, storage class, website redirect location or "
            "encryption attributes."
        )
