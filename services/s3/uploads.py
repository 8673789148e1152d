"""Multipart uploads: begin, complete, abort and list them. Completing copies nothing.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.s3 import (
    attributes,
    buckets,
    checksums,
    conditions,
    crc,
    errors,
    keys,
    objects,
)
from fogbank.services.s3.listing import Page, Query, scan
from fogbank.services.s3.listings import Spelling
from fogbank.services.s3.notices import emit
from fogbank.services.s3.numbers import page_size
from fogbank.services.s3.records import (
    COMPOSITE,
    FULL_OBJECT,
    Bucket,
    Part,
    StoredObject,
    Upload,
    from_bytes,
    owner,
    owner_id,
    to_bytes,
)
from fogbank.services.s3.service import service
from fogbank.storage.kv import Reader, Writer

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
PART_BYTES_MIN = 5 * 1024 * 1024
UPLOADS_MAX = 1000
_FULL_OBJECT_ONLY = ("CRC64NVME",)
_COMPOSITE_ONLY = ("SHA1", "SHA256")


def require(tx: Reader, bucket: Bucket, request: Mapping[str, Any]) -> Upload:
    upload_id = str(request.get("UploadId") or "")
    raw = tx.get(keys.upload(bucket.id, str(request.get("Key", "")), upload_id))
    if raw is None:
        raise errors.NoSuchUpload(upload_id)
    return from_bytes(Upload, raw)


@service.operation("CreateMultipartUpload")
async def create_multipart_upload(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html"""
    bucket = await buckets.look_up(ctx, request)
    key = attributes.check_key(request.get("Key", ""))
    about = attributes.of_request(request, bucket)
    algorithm, checksum_type = _checksum_mode(request)
    now_ms = ctx.clock.now_ms()
    name = ctx.caller.arn.rpartition(":")[2].rpartition("/")[2]
    upload = Upload(
        # Ids begin with the time, so that a key's uploads are listed in the order of their start.
        f"{now_ms:012x}{ctx.ids.token(52)}",
        key,
        now_ms,
        [owner_id(ctx.world.account), name],
        algorithm,
        checksum_type,
        about.storage_class,
        about.headers,
        about.metadata,
        about.tags,
    )

    def work(tx: Writer) -> None:
        here = buckets.require(tx, ctx, request)
        tx.put(keys.upload(here.id, key, upload.id), to_bytes(upload))

    await ctx.store.write(work)
    return {
        "Bucket": bucket.name,
        "Key": key,
        "UploadId": upload.id,
        **attributes.ENCRYPTED,
        **_shown_mode(upload),
    }


def _checksum_mode(request: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Algorithm and type of an upload's checksum; None where the client asks for none."""
    given, kind = request.get("ChecksumAlgorithm"), request.get("ChecksumType")
    if not given:
        if kind:
            raise errors.InvalidRequest(
                "The x-amz-checksum-type header can only be used with the "
                "x-amz-checksum-algorithm header."
            )
        return None, None
    algorithm = checksums.known(str(given), "x-amz-checksum-algorithm")
    default = FULL_OBJECT if algorithm in _FULL_OBJECT_ONLY else COMPOSITE
    if kind is not None and kind not in (FULL_OBJECT, COMPOSITE):
        raise errors.InvalidRequest("Value for x-amz-checksum-type header is invalid.")
    impossible = _FULL_OBJECT_ONLY if kind == COMPOSITE else _COMPOSITE_ONLY
    if kind is not None and algorithm in impossible:
        raise errors.InvalidRequest(
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum "
            "algorithm."
        )
    return algorithm, str(kind or default)


def _shown_mode(upload: Upload) -> Output:
    if upload.algorithm is None:
        return {}
    return {"ChecksumAlgorithm": upload.algorithm, "ChecksumType": upload.checksum_type}


@service.operation("CompleteMultipartUpload")
async def complete_multipart_upload(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html"""
    conditions.refuse_unknown_write_conditions(request)
    wanted = _wanted_parts(request)
    claims = checksums.claimed_composite(request)
    now_ms = ctx.clock.now_ms()

    def work(tx: Writer) -> StoredObject:
        bucket = buckets.require(tx, ctx, request)
        try:
            upload = require(tx, bucket, request)
        except errors.NoSuchUpload:
            # A client that lost the answer asks again, and S3 gives it the same answer.
            done = objects.find(tx, bucket, str(request.get("Key", "")))
            if done is not None and done.upload == request.get("UploadId"):
                return done
            raise
        return complete(tx, ctx, Completion(request, bucket, upload, wanted, claims, now_ms))

    new = await ctx.store.write(work)
    key = str(request.get("Key", ""))
    return {
        "Location": f"{ctx.stack.endpoint}/{request['Bucket']}/{quote(key, safe='')}",
        "Bucket": request["Bucket"],
        "Key": key,
        **objects.written(new),
    }


class WantedPart(NamedTuple):
    number: int
    etag: str
    checksums: dict[str, str]


class Completion(NamedTuple):
    """All that decides what an upload becomes."""

    request: Mapping[str, Any]
    bucket: Bucket
    upload: Upload
    wanted: list[WantedPart]
    claims: dict[str, str]
    now_ms: int


def complete(tx: Writer, ctx: Context, asked: Completion) -> StoredObject:
    """The upload is the key's object; parts that were not asked for give their bytes back."""
    upload, bucket = asked.upload, asked.bucket
    _check_mode(asked)
    parts = [_chosen(tx, upload, wanted) for wanted in asked.wanted]
    for wanted, part in list(zip(asked.wanted, parts, strict=True))[:-1]:
        if part.size < PART_BYTES_MIN:
            raise errors.EntityTooSmall(part.size, PART_BYTES_MIN, wanted.number, part.etag)
    size = sum(part.size for part in parts)
    claimed_size = asked.request.get("MpuObjectSize")
    if claimed_size is not None and str(claimed_size) != str(size):
        raise errors.InvalidRequest(
            f"The provided 'x-amz-mp-object-size' header value {claimed_size} does not match what "
            f"was computed: {size}"
        )
    value = _checksum(upload, parts)
    for algorithm, claim in asked.claims.items():
        if {algorithm: claim} != value:
            raise errors.BadDigest.of_checksum(next(iter(value)).lower())
    found = objects.find(tx, bucket, upload.key)
    conditions.check_write(asked.request, found, since_ms=upload.initiated_ms)
    md5s = b"".join(bytes.fromhex(part.etag) for part in parts)
    new = StoredObject(
        f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}",
        size,
        asked.now_ms,
        value,
        upload.checksum_type or FULL_OBJECT,
        upload.storage_class,
        upload=upload.id,
        parts=len(parts),
        headers=upload.headers,
        metadata=upload.metadata,
        tags=upload.tags,
    )
    objects.store(tx, ctx, bucket, upload.key, new)
    _drop_unwanted(tx, ctx, upload, {wanted.number for wanted in asked.wanted})
    sizes = [[wanted.number, part.size] for wanted, part in zip(asked.wanted, parts, strict=True)]
    tx.put(keys.manifest(upload.id), orjson.dumps(sizes))
    tx.delete(keys.upload(bucket.id, upload.key, upload.id))
    event = "ObjectCreated:CompleteMultipartUpload"
    emit(ctx, tx, bucket, upload.key, event, asked.now_ms, new)
    return new


def _wanted_parts(request: Mapping[str, Any]) -> list[WantedPart]:
    document = request.get("MultipartUpload")
    given = document.get("Parts") if isinstance(document, dict) else None
    if not given:
        raise errors.InvalidRequest("You must specify at least one part")
    wanted: list[WantedPart] = []
    for one in given if isinstance(given, list) else [None]:
        if not isinstance(one, dict) or one.get("ETag") is None:
            raise errors.MalformedXML
        try:
            number = int(one["PartNumber"])
        except (KeyError, TypeError, ValueError):
            raise errors.MalformedXML from None
        if wanted and number <= wanted[-1].number:
            raise errors.InvalidPartOrder(str(request.get("UploadId", "")))
        sums = {
            name: str(one[member])
            for name, member in checksums.MEMBERS.items()
            if one.get(member) is not None
        }
        wanted.append(WantedPart(number, str(one["ETag"]).strip('"'), sums))
    return wanted


def _check_mode(asked: Completion) -> None:
    upload = asked.upload
    kind = asked.request.get("ChecksumType")
    if kind is not None and kind != upload.checksum_type:
        mode = upload.checksum_type or "null"
        raise errors.InvalidRequest(
            f"The upload was created using the {mode} checksum mode. The complete request must use "
            "the same checksum mode."
        )
    if upload.checksum_type != COMPOSITE or upload.algorithm is None:
        return
    for wanted in asked.wanted:
        if not wanted.checksums:
            raise errors.InvalidRequest(
                f"The upload was created using a {upload.algorithm.lower()} checksum. The complete "
                "request must include the checksum for each part. It was missing for part "
                f"{wanted.number} in the request."
            )


def _chosen(tx: Reader, upload: Upload, wanted: WantedPart) -> Part:
    """The part that a client asks for; raises InvalidPart when it is not the one that is there."""
    missing = errors.InvalidPart(upload.id, wanted.number, wanted.etag)
    if not 1 <= wanted.number <= objects.PARTS_MAX:
        raise missing
    raw = tx.get(keys.part(upload.id, wanted.number))
    part = None if raw is None else from_bytes(Part, raw)
    if part is None or part.etag != wanted.etag:
        raise missing
    if any(part.checksums.get(name) != value for name, value in wanted.checksums.items()):
        raise missing
    return part


def _checksum(upload: Upload, parts: list[Part]) -> dict[str, str]:
    """The whole object's checksum from those of its parts."""
    algorithm = upload.algorithm or checksums.DEFAULT
    raws = [base64.b64decode(part.checksums[algorithm]) for part in parts]
    if upload.checksum_type == COMPOSITE:
        digest = checksums.ALGORITHMS[algorithm]()
        digest.update(b"".join(raws))
        return {algorithm: f"{base64.b64encode(digest.digest()).decode()}-{len(parts)}"}
    whole = 0
    for raw, part in zip(raws, parts, strict=True):
        whole = crc.combine(algorithm, whole, int.from_bytes(raw, "big"), part.size)
    return {algorithm: base64.b64encode(whole.to_bytes(len(raws[0]), "big")).decode()}


def _drop_unwanted(tx: Writer, ctx: Context, upload: Upload, numbers: set[int]) -> None:
    for key, raw in list(tx.range(*keys.parts(upload.id))):
        if keys.number_of(key) not in numbers:
            part = from_bytes(Part, raw)
            if part.blob is not None:
                ctx.blobs.release(tx, part.blob)
            tx.delete(key)


@service.operation("AbortMultipartUpload")
async def abort_multipart_upload(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html"""
    if request.get("IfMatchInitiatedTime") is not None:
        raise errors.HeaderNotImplemented("x-amz-if-match-initiated-time")

    def work(tx: Writer) -> None:
        bucket = buckets.require(tx, ctx, request)
        upload = require(tx, bucket, request)
        buckets.release_parts(tx, ctx, upload.id)
        tx.delete(keys.upload(bucket.id, upload.key, upload.id))

    await ctx.store.write(work)
    return {}


@service.operation("ListMultipartUploads")
async def list_multipart_uploads(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html"""
    spell = Spelling(request)
    most = page_size(request, "MaxUploads", "max-uploads", UPLOADS_MAX)
    key_marker = str(request.get("KeyMarker") or "")
    id_marker = str(request.get("UploadIdMarker") or "") if key_marker else ""
    prefix, delimiter = str(request.get("Prefix") or ""), str(request.get("Delimiter") or "")
    query = Query(prefix, delimiter, key_marker, most, id_marker)

    def item(key: str, raw: bytes) -> Upload:
        return from_bytes(Upload, raw)

    def work(tx: Reader) -> Page[Upload]:
        bucket = buckets.require(tx, ctx, request)
        return scan(tx, ("s3", "upload", bucket.id), query, item)

    page = await ctx.store.read(work)
    last = page.items[-1] if page.items else None
    answer: Output = {
        "Bucket": request["Bucket"],
        "KeyMarker": spell(key_marker),
        "UploadIdMarker": id_marker,
        # Observed: a page that ends with a common prefix names no next marker for it.
        "NextKeyMarker": spell(last.key) if last else "",
        "NextUploadIdMarker": last.id if last else "",
        "MaxUploads": most,
        "IsTruncated": page.truncated,
        **spell.shown(),
    }
    if prefix:
        answer["Prefix"] = spell(prefix)
    if delimiter:
        answer["Delimiter"] = spell(delimiter)
    if page.items:
        answer["Uploads"] = [_shown(ctx, upload, spell) for upload in page.items]
    if page.common_prefixes:
        answer["CommonPrefixes"] = [{"Prefix": spell(name)} for name in page.common_prefixes]
    return answer


def _shown(ctx: Context, upload: Upload, spell: Spelling) -> dict[str, Any]:
    return {
        "UploadId": upload.id,
        "Key": spell(upload.key),
        "Initiated": upload.initiated_ms // 1000,
        "StorageClass": upload.storage_class,
        "Owner": owner(ctx.world.account),
        "Initiator": initiator(upload),
        **_shown_mode(upload),
    }


def initiator(upload: Upload) -> dict[str, str]:
    return {"ID": upload.initiator[0], "DisplayName": upload.initiator[1]}
