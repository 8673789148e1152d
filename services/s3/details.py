"""GetObjectAttributes: what is known of an object, and of the parts that it was made of."""

from collections.abc import Mapping
from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.errors import NotImplementedYet
from fogbank.services.s3 import attributes, buckets, checksums, errors, keys, objects, reading
from fogbank.services.s3.numbers import integer, page_size
from fogbank.services.s3.records import COMPOSITE, Part, StoredObject, from_bytes
from fogbank.services.s3.service import service
from fogbank.storage.kv import Reader

PARTS_MAX = 1000
ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


@service.operation("GetObjectAttributes")
async def get_object_attributes(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html"""
    if any(request.get(name) for name in attributes.CUSTOMER_KEY):
        raise NotImplementedYet("s3", "server-side encryption with customer keys")
    wanted = _wanted(request)
    most = page_size(request, "MaxParts", "max-parts", PARTS_MAX)
    marker = integer(request, "PartNumberMarker", "part-number-marker", 0)

    def work(tx: Reader) -> Output:
        found = objects.require(tx, buckets.require(tx, ctx, request), request)
        answer: Output = {"LastModified": found.modified_ms // 1000}
        if "ETag" in wanted:
            answer["ETag"] = found.etag
        if "Checksum" in wanted:
            # Here a composite checksum is shown without the number of its parts.
            sums = {name: value.partition("-")[0] for name, value in found.checksums.items()}
            answer["Checksum"] = checksums.output(sums) | {"ChecksumType": found.checksum_type}
        if "ObjectParts" in wanted and found.upload is not None:
            answer["ObjectParts"] = _parts(tx, found, found.upload, marker, most)
        if "StorageClass" in wanted:
            answer["StorageClass"] = found.storage_class
        if "ObjectSize" in wanted:
            answer["ObjectSize"] = found.size
        return answer

    return await ctx.store.read(work)


def _wanted(request: Mapping[str, Any]) -> set[str]:
    given = request.get("ObjectAttributes") or []
    # The codec splits the header at its commas; a caller inside the stack may not have.
    names = ",".join(map(str, given)) if isinstance(given, list) else str(given)
    wanted = {name.strip() for name in names.split(",")}
    if not wanted or not wanted <= set(ATTRIBUTES):
        raise errors.InvalidArgument(
            "Invalid attribute name specified.", "x-amz-object-attributes", names
        )
    return wanted


def _parts(
    tx: Reader, found: StoredObject, upload_id: str, marker: int, most: int
) -> dict[str, Any]:
    """The number of parts, and for composite checksums, which are made of them, each part."""
    if found.checksum_type != COMPOSITE:
        return {"TotalPartsCount": found.parts}
    shown: list[dict[str, Any]] = []
    truncated = False
    for ordinal, (number, _, _) in enumerate(reading.layout(tx, upload_id), 1):
        if ordinal <= marker:
            continue
        if len(shown) == most:
            truncated = True
            break
        raw = tx.get(keys.part(upload_id, number))
        if raw is None:
            raise errors.InternalError
        part = from_bytes(Part, raw)
        shown.append({"PartNumber": ordinal, "Size": part.size, **checksums.output(part.checksums)})
    answer: dict[str, Any] = {
        "TotalPartsCount": found.parts,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1]["PartNumber"] if shown else 0,
        "MaxParts": most,
        "IsTruncated": truncated,
    }
    if shown:
        answer["Parts"] = shown
    return answer
