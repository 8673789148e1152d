"""ListObjectVersions of buckets without versions: every object is its key's null version.

Tools that empty a bucket list versions, whether there are any or not.
"""

from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.s3 import buckets
from fogbank.services.s3.errors import InvalidArgument
from fogbank.services.s3.listing import Page, Query, scan
from fogbank.services.s3.listings import KEYS_MAX, Spelling, entry, text_of
from fogbank.services.s3.numbers import page_size
from fogbank.services.s3.service import service
from fogbank.storage.kv import Reader

NULL = "null"


@service.operation("ListObjectVersions")
async def list_object_versions(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html"""
    spell = Spelling(request)
    most = page_size(request, "MaxKeys", "max-keys", KEYS_MAX)
    prefix, delimiter = text_of(request, "Prefix"), text_of(request, "Delimiter")
    key_marker = text_of(request, "KeyMarker")
    version_marker = request.get("VersionIdMarker")
    if version_marker is not None and not key_marker:
        raise InvalidArgument(
            "A version-id marker cannot be specified without a key marker.",
            "version-id-marker",
            str(version_marker),
        )
    query = Query(prefix, delimiter, key_marker, most)

    def item(key: str, raw: bytes) -> dict[str, Any]:
        return entry(ctx, key, raw, spell, with_owner=True) | {"IsLatest": True, "VersionId": NULL}

    def work(tx: Reader) -> Page[dict[str, Any]]:
        bucket = buckets.require(tx, ctx, request)
        return scan(tx, ("s3", "object", bucket.id), query, item)

    page = await ctx.store.read(work)
    answer: Output = {
        "Name": request.get("Bucket"),
        "Prefix": spell(prefix),
        "KeyMarker": spell(key_marker),
        "VersionIdMarker": str(version_marker or ""),
        "MaxKeys": most,
        "IsTruncated": page.truncated,
        **spell.shown(),
    }
    if delimiter:
        answer["Delimiter"] = spell(delimiter)
    if page.items:
        answer["Versions"] = page.items
    if page.common_prefixes:
        answer["CommonPrefixes"] = [{"Prefix": spell(name)} for name in page.common_prefixes]
    if page.truncated and page.last is not None:
        answer["NextKeyMarker"] = spell(page.last)
        if page.last not in page.common_prefixes:
            answer["NextVersionIdMarker"] = NULL
    return answer
