"""Parts of multipart uploads."""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.s3 import (
    attributes,
    buckets,
    checksums,
    copies,
    errors,
    keys,
    objects,
    ranges,
    reading,
    uploads,
)
from fogbank.services.s3.bodies import Received, body_of, commit, receive, receive_request
from fogbank.services.s3.numbers import integer, page_size
from fogbank.services.s3.records import Bucket, Part, Upload, from_bytes, owner, to_bytes
from fogbank.services.s3.service import service
from fogbank.storage.kv import Reader, Writer

PARTS_SHOWN_MAX = 1000


@service.operation("UploadPart")
async def upload_part(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html"""
    number = part_number(request)
    bucket, upload = await _look_up(ctx, request)
    attributes.refuse_unbuilt(request, bucket)
    claims = checksums.Claims(request, body_of(request))
    if upload.algorithm is not None and claims.algorithm not in (None, upload.algorithm):
        raise errors.InvalidRequest(
            "Checksum Type mismatch occurred, expected checksum Type: "
            f"{upload.algorithm.lower()}, actual checksum Type: {str(claims.algorithm).lower()}"
        )
    algorithm = upload.algorithm or checksums.DEFAULT
    received = await receive_request(ctx, bucket.id, request, (algorithm,))
    part = await _keep(ctx, request, number, algorithm, received)
    values = received.digests.values()
    # An upload without an algorithm echoes what the client sent, and keeps the default.
    shown = upload.algorithm or claims.algorithm
    return {
        "ETag": f'"{part.etag}"',
        **(checksums.output({shown: values[shown]}) if shown else {}),
        **attributes.ENCRYPTED,
    }


@service.operation("UploadPartCopy")
async def upload_part_copy(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html"""
    number = part_number(request)
    bucket, upload = await _look_up(ctx, request)
    attributes.refuse_unbuilt(request, bucket)
    header = request.get("CopySourceRange")
    source = await copies.open_source(
        ctx, request, lambda size: ranges.parse_copy(None if header is None else str(header), size)
    )
    algorithm = upload.algorithm or checksums.DEFAULT
    digests = checksums.Digests([algorithm])
    chunks = reading.stream_of(ctx.blobs, source.slices, source.data)
    received = await receive(ctx, bucket.id, chunks, digests)
    part = await _keep(ctx, request, number, algorithm, received)
    shown = checksums.output(part.checksums) if upload.algorithm else {}
    return {
        "CopyPartResult": {
            "ETag": f'"{part.etag}"',
            "LastModified": part.modified_ms // 1000,
            **shown,
        },
        **attributes.ENCRYPTED,
    }


def part_number(request: Input) -> int:
    number = integer(request, "PartNumber", "partNumber", 0)
    if not 1 <= number <= objects.PARTS_MAX:
        raise errors.InvalidArgument(
            f"Part number must be an integer between 1 and {objects.PARTS_MAX}, inclusive",
            "partNumber",
            str(number),
        )
    return number


async def _look_up(ctx: Context, request: Input) -> tuple[Bucket, Upload]:
    def work(tx: Reader) -> tuple[Bucket, Upload]:
        bucket = buckets.require(tx, ctx, request)
        return bucket, uploads.require(tx, bucket, request)

    return await ctx.store.read(work, brief=True)


async def _keep(
    ctx: Context, request: Input, number: int, algorithm: str, received: Received
) -> Part:
    """The part is the upload's part of that number; what it replaces gives its bytes back."""
    digests = received.digests
    now_ms = ctx.clock.now_ms()
    checksum = {algorithm: digests.values()[algorithm]}

    def work(tx: Writer) -> Part:
        upload = uploads.require(tx, buckets.require(tx, ctx, request), request)
        key = keys.part(upload.id, number)
        raw = tx.get(key)
        old = None if raw is None else from_bytes(Part, raw)
        if old is not None and old.blob is not None:
            ctx.blobs.release(tx, old.blob)
        blob = received.attach(ctx, tx)
        part = Part(digests.etag(), digests.size_bytes, now_ms, checksum, blob)
        tx.put(key, to_bytes(part))
        return part

    return await commit(ctx, received, work)


@service.operation("ListParts")
async def list_parts(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html"""
    most = page_size(request, "MaxParts", "max-parts", PARTS_SHOWN_MAX)
    marker = integer(request, "PartNumberMarker", "part-number-marker", 0)
    if not 0 <= marker <= 2**31 - 1:
        raise errors.InvalidArgument(
            "Argument part-number-marker must be an integer between 0 and 2147483647",
            "part-number-marker",
            str(marker),
        )

    def work(tx: Reader) -> tuple[Upload, list[tuple[int, Part]], bool]:
        upload = uploads.require(tx, buckets.require(tx, ctx, request), request)
        found: list[tuple[int, Part]] = []
        start, stop = keys.part(upload.id, marker + 1), keys.parts(upload.id)[1]
        for key, raw in tx.range(start, stop):
            if len(found) == most:
                return upload, found, True
            found.append((keys.number_of(key), from_bytes(Part, raw)))
        return upload, found, False

    upload, found, truncated = await ctx.store.read(work)
    answer: Output = {
        "Bucket": request["Bucket"],
        "Key": upload.key,
        "UploadId": upload.id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": found[-1][0] if found else 0,
        "MaxParts": most,
        "IsTruncated": truncated,
        "Initiator": uploads.initiator(upload),
        "Owner": owner(ctx.world.account),
        "StorageClass": upload.storage_class,
    }
    if upload.algorithm is not None:
        answer["ChecksumAlgorithm"] = upload.algorithm
        answer["ChecksumType"] = upload.checksum_type
    if found:
        answer["Parts"] = [_shown(upload, number, part) for number, part in found]
    return answer


def _shown(upload: Upload, number: int, part: Part) -> dict[str, Any]:
    return {
        "PartNumber": number,
        "LastModified": part.modified_ms // 1000,
        "ETag": f'"{part.etag}"',
        "Size": part.size,
        **(checksums.output(part.checksums) if upload.algorithm else {}),
    }
