"""Conditional requests: which ones hold, and what S3 answers when they do not."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from fogbank.services.s3.errors import (
    ConditionalRequestConflict,
    HeaderNotImplemented,
    NoSuchKey,
    NotModified,
    PreconditionFailed,
)
from fogbank.services.s3.records import StoredObject

COPY_PREFIX = "x-amz-copy-source-"


def check_read(request: Mapping[str, Any], found: StoredObject, now_ms: int) -> None:
    """Return when `found` may be sent.

    If-Match outranks If-Unmodified-Since and If-None-Match outranks If-Modified-Since:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    failed = _failed_precondition(request, "", found)
    if failed is not None:
        raise PreconditionFailed(failed)
    if _not_modified(request, "", found, now_ms) is not None:
        raise NotModified(f'"{found.etag}"', http_date(found.modified_ms))


def check_copy_source(request: Mapping[str, Any], found: StoredObject, now_ms: int) -> None:
    """Return when `found` may be copied; a copy has no 304, everything is a 412."""
    failed = _failed_precondition(request, "CopySource", found)
    if failed is None:
        failed = _not_modified(request, "CopySource", found, now_ms)
    if failed is not None:
        raise PreconditionFailed(COPY_PREFIX + failed)


def refuse_unknown_write_conditions(request: Mapping[str, Any]) -> None:
    """Writes know `If-None-Match: *` and `If-Match: <etag>`, and one of them at a time.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    if_match, if_none_match = request.get("IfMatch"), request.get("IfNoneMatch")
    if if_match is not None and if_none_match is not None:
        raise HeaderNotImplemented(
            "If-Match,If-None-Match", "Multiple conditional request headers present in the request"
        )
    for header, bad in (
        ("If-None-Match", if_none_match is not None and if_none_match != "*"),
        ("If-Match", if_match == "*"),
    ):
        if bad:
            raise HeaderNotImplemented(
                header, f"We don't accept the provided value of {header} header for this API"
            )


def check_write(
    request: Mapping[str, Any], found: StoredObject | None, *, since_ms: int | None = None
) -> None:
    """Return when `found`, the object in place, may be replaced; called in the transaction.

    `since_ms` is when a multipart upload began: a change of the object since then is a conflict.
    """
    key = str(request.get("Key", ""))
    if request.get("IfNoneMatch") is not None and found is not None:
        raise PreconditionFailed("If-None-Match")
    if_match = request.get("IfMatch")
    if if_match is None:
        return
    if found is None:
        raise NoSuchKey(key)
    if since_ms is not None and found.modified_ms > since_ms:
        raise ConditionalRequestConflict("If-Match", key)
    if not _matches(if_match, found.etag):
        raise PreconditionFailed("If-Match")


def check_delete(if_match: str | None, key: str, found: StoredObject | None) -> None:
    """Return when `found` may be deleted; `If-Match: *` asks that it exists."""
    if if_match is None:
        return
    if found is None:
        raise NoSuchKey(key)
    if not _matches(if_match, found.etag):
        raise PreconditionFailed("If-Match")


def http_date(at_ms: int) -> str:
    return format_datetime(datetime.fromtimestamp(at_ms // 1000, UTC), usegmt=True)


def _failed_precondition(
    request: Mapping[str, Any], prefix: str, found: StoredObject
) -> str | None:
    if_match = request.get(prefix + "IfMatch")
    if if_match is not None:
        return None if _matches(if_match, found.etag) else "If-Match"
    since = _seconds(request.get(prefix + "IfUnmodifiedSince"))
    if since is not None and found.modified_ms // 1000 > since:
        return "If-Unmodified-Since"
    return None


def _not_modified(
    request: Mapping[str, Any], prefix: str, found: StoredObject, now_ms: int
) -> str | None:
    if_none_match = request.get(prefix + "IfNoneMatch")
    if if_none_match is not None:
        return "If-None-Match" if _matches(if_none_match, found.etag) else None
    since = _seconds(request.get(prefix + "IfModifiedSince"))
    # A date that lies in the future is no date that the caller can have seen: it is ignored.
    if since is not None and found.modified_ms // 1000 <= since <= now_ms // 1000:
        return "If-Modified-Since"
    return None


def _matches(header: str, etag: str) -> bool:
    """Clients leave the quotes out, and S3 lets them."""
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in str(header).split(",")]
    return "*" in tags or etag in tags


def _seconds(value: Any) -> int | None:
    return int(value.timestamp()) if isinstance(value, datetime) else None
