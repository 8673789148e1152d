"""What a request says of an object besides its bytes: headers, metadata, tags, storage class."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, NamedTuple

from fogbank.services.context import Output
from fogbank.services.errors import NotImplementedYet
from fogbank.services.s3 import errors, tags
from fogbank.services.s3.buckets import CANNED_ACLS, OWNERSHIPS
from fogbank.services.s3.records import STANDARD, Bucket

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
KEY_BYTES_MAX = 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
METADATA_BYTES_MAX = 2048
CONTENT_TYPE_DEFAULT = "binary/octet-stream"
STORAGE_CLASSES = {
    STANDARD,
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
}
# These must be restored before they can be read.
ARCHIVED = {"GLACIER", "DEEP_ARCHIVE"}
HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
)
ENCRYPTED: Output = {"ServerSideEncryption": "AES256"}
_LOCK_MEMBERS = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")
_ACL_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP")
CUSTOMER_KEY = ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5")


class Attributes(NamedTuple):
    storage_class: str
    headers: dict[str, str]
    metadata: dict[str, str]
    tags: list[list[str]]


def check_key(key: Any) -> str:
    text = str(key)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > KEY_BYTES_MAX:
        raise errors.KeyTooLongError(size, KEY_BYTES_MAX)
    return text


def of_request(request: Mapping[str, Any], bucket: Bucket) -> Attributes:
    """The attributes of the object that a request makes, validated in S3's way."""
    refuse_unbuilt(request, bucket)
    storage_class = str(request.get("StorageClass") or STANDARD)
    if storage_class not in STORAGE_CLASSES:
        raise errors.InvalidStorageClass(storage_class)
    return Attributes(
        storage_class,
        headers_of(request),
        metadata_of(request),
        tags.of_header(request.get("Tagging")),
    )


def headers_of(request: Mapping[str, Any]) -> dict[str, str]:
    """The headers that are kept and sent back, without the framing that was only for transfer."""
    kept: dict[str, str] = {}
    for name in HEADERS:
        value = request.get(name)
        if isinstance(value, datetime):
            value = format_datetime(value.astimezone(UTC), usegmt=True)
        if name == "ContentEncoding" and value is not None:
            codings = [coding.strip() for coding in str(value).split(",")]
            value = ",".join(coding for coding in codings if coding != "aws-chunked")
        if value:
            kept[name] = str(value)
    return kept


def metadata_of(request: Mapping[str, Any]) -> dict[str, str]:
    given = request.get("Metadata")
    if not isinstance(given, dict):
        return {}
    metadata = {str(name).lower(): str(value) for name, value in given.items()}
    size = sum(len(name) + len(value.encode()) for name, value in metadata.items())
    if size > METADATA_BYTES_MAX:
        raise errors.MetadataTooLarge(size, METADATA_BYTES_MAX)
    return metadata


def refuse_unbuilt(request: Mapping[str, Any], bucket: Bucket) -> None:
    """Raise for what a bucket does not allow, and for what is not built: by name, never ignored."""
    if any(request.get(name) for name in CUSTOMER_KEY):
        raise NotImplementedYet("s3", "server-side encryption with customer keys")
    encryption = request.get("ServerSideEncryption")
    if encryption in ("aws:kms", "aws:kms:dsse"):
        raise NotImplementedYet("s3", f"server-side encryption with {encryption}")
    if encryption not in (None, "AES256"):
        raise errors.InvalidArgument(
            "The encryption method specified is not supported",
            "x-amz-server-side-encryption",
            encryption,
        )
    if any(request.get(name) for name in _LOCK_MEMBERS):
        raise errors.InvalidRequest("Bucket is missing Object Lock Configuration")
    _check_acl(request, bucket)


def _check_acl(request: Mapping[str, Any], bucket: Bucket) -> None:
    acl = request.get("ACL")
    if acl is not None and acl not in CANNED_ACLS:
        raise errors.InvalidArgument("", "x-amz-acl", acl)
    grants = any(request.get(name) for name in _ACL_GRANTS)
    if acl in (None, "private", "bucket-owner-full-control") and not grants:
        return
    if bucket.ownership == OWNERSHIPS[0]:
        raise errors.AccessControlListNotSupported
    raise NotImplementedYet("s3", "object ACLs")
