"""ListObjects and ListObjectsV2."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.s3 import buckets
from fogbank.services.s3.errors import InvalidArgument
from fogbank.services.s3.listing import Page, Query, scan
from fogbank.services.s3.numbers import page_size
from fogbank.services.s3.records import FULL_OBJECT, STANDARD, owner
from fogbank.services.s3.service import service
from fogbank.storage.kv import Reader

KEYS_MAX = 1000
# What AWS leaves as it is besides letters and digits; a space becomes a plus.
_SAFE = "/*-._"


class Spelling:
    """How a listing spells keys: as they are, or percent-encoded when the client asks for it."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.type = request.get("EncodingType")
        if self.type not in (None, "url"):
            raise InvalidArgument(
                "Invalid Encoding Method specified in Request", "encoding-type", self.type
            )

    def __call__(self, text: str) -> str:
        return text if self.type is None else quote_plus(text, safe=_SAFE)

    def shown(self) -> Output:
        return {} if self.type is None else {"EncodingType": self.type}


@service.operation("ListObjects")
async def list_objects(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html"""
    spell = Spelling(request)
    most = page_size(request, "MaxKeys", "max-keys", KEYS_MAX)
    marker = str(request.get("Marker") or "")
    query = Query(text_of(request, "Prefix"), text_of(request, "Delimiter"), marker, most)
    page = await _page(ctx, request, query, spell, with_owner=True)
    answer = _answer(request, page, query, spell) | {"Marker": spell(marker)}
    # Without a delimiter the client goes on from the last key, which it knows.
    if page.truncated and query.delimiter and page.last is not None:
        answer["NextMarker"] = spell(page.last)
    return answer


@service.operation("ListObjectsV2")
async def list_objects_v2(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
    spell = Spelling(request)
    most = page_size(request, "MaxKeys", "max-keys", KEYS_MAX)
    token = request.get("ContinuationToken")
    start_after = text_of(request, "StartAfter")
    behind = start_after if token is None else _place(str(token))
    query = Query(text_of(request, "Prefix"), text_of(request, "Delimiter"), behind, most)
    with_owner = request.get("FetchOwner") in (True, "true")
    page = await _page(ctx, request, query, spell, with_owner=with_owner)
    answer = _answer(request, page, query, spell) | {"KeyCount": len(page)}
    if token is not None:
        answer["ContinuationToken"] = token
    if start_after:
        answer["StartAfter"] = spell(start_after)
    if page.truncated and page.last is not None:
        answer["NextContinuationToken"] = _token(page.last)
    return answer


async def _page(
    ctx: Context, request: Input, query: Query, spell: Spelling, *, with_owner: bool
) -> Page[dict[str, Any]]:
    def item(key: str, raw: bytes) -> dict[str, Any]:
        return entry(ctx, key, raw, spell, with_owner=with_owner)

    def work(tx: Reader) -> Page[dict[str, Any]]:
        bucket = buckets.require(tx, ctx, request)
        return scan(tx, ("s3", "object", bucket.id), query, item)

    return await ctx.store.read(work)


def entry(
    ctx: Context, key: str, raw: bytes, spell: Spelling, *, with_owner: bool
) -> dict[str, Any]:
    """What a listing says of an object."""
    # The fields as they are stored: a page has a thousand, and no other part of them is shown.
    found = orjson.loads(raw)
    shown = {
        "Key": spell(key),
        # AWS tells whole seconds. Then `aws s3 sync` sends a file again that was written and sent
        # within one second, which is rare with a cloud and usual with a stack on one's machine.
        "LastModified": found["modified_ms"] / 1000,
        "ETag": f'"{found["etag"]}"',
        "ChecksumAlgorithm": list(found["checksums"]),
        "ChecksumType": found.get("checksum_type", FULL_OBJECT),
        "Size": found["size"],
        "StorageClass": found.get("storage_class", STANDARD),
    }
    if with_owner:
        shown["Owner"] = owner(ctx.world.account)
    return shown


def _answer(request: Input, page: Page[dict[str, Any]], query: Query, spell: Spelling) -> Output:
    answer: Output = {
        "Name": request.get("Bucket"),
        "Prefix": spell(query.prefix),
        "MaxKeys": query.most,
        "IsTruncated": page.truncated,
        **spell.shown(),
    }
    if query.delimiter:
        answer["Delimiter"] = spell(query.delimiter)
    if page.items:
        answer["Contents"] = page.items
    if page.common_prefixes:
        answer["CommonPrefixes"] = [{"Prefix": spell(name)} for name in page.common_prefixes]
    return answer


def text_of(request: Mapping[str, Any], member: str) -> str:
    return str(request.get(member) or "")


def _token(last: str) -> str:
    """Opaque to clients: the place in the listing, not a cursor that the server would keep."""
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def _place(token: str) -> str:
    try:
        if not token:
            raise ValueError
        return base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidArgument(
            "The continuation token provided is incorrect", "continuation-token"
        ) from None
