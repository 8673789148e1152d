"""Where S3 keeps what in the store, so that every listing is one scan of a range.

| key | holds |
|---|---|
| s3, bucket, name | the bucket's record; names are global |
| s3, owned, account, name | nothing: an account's buckets in order of name |
| s3, notification, bucket id | the notification configuration |
| s3, object, bucket id, key | the record of the key's current version |
| s3, upload, bucket id, key, upload id | a multipart upload in progress |
| s3, part, upload id, number | a part: of an upload in progress or of a completed object |
| s3, manifest, upload id | the sizes of a completed object's parts, in order |

Versions: an object record has a slot for its version id, and `object` only ever holds current
versions, so that listings stay dense; older ones have their own range, `version`, ordered by key
and newest first, when versioning is built.
"""

from fogbank.storage.keys import pack, span, unpack

# A fixed beginning is packed once: pack(a, b) == pack(a) + pack(b).
_BUCKET = pack("s3", "bucket")
_NOTIFICATION = pack("s3", "notification")
_OBJECT = pack("s3", "object")
_UPLOAD = pack("s3", "upload")
_PART = pack("s3", "part")
_MANIFEST = pack("s3", "manifest")


def bucket(name: str) -> bytes:
    return _BUCKET + pack(name)


def owned(account: str, name: str) -> bytes:
    return pack("s3", "owned", account, name)


def notification(bucket_id: str) -> bytes:
    return _NOTIFICATION + pack(bucket_id)


def object_(bucket_id: str, key: str) -> bytes:
    return _OBJECT + pack(bucket_id, key)


def objects(bucket_id: str) -> tuple[bytes, bytes]:
    return span("s3", "object", bucket_id)


def upload(bucket_id: str, key: str, upload_id: str) -> bytes:
    return _UPLOAD + pack(bucket_id, key, upload_id)


def uploads(bucket_id: str) -> tuple[bytes, bytes]:
    return span("s3", "upload", bucket_id)


def part(upload_id: str, number: int) -> bytes:
    return _PART + pack(upload_id, number)


def parts(upload_id: str) -> tuple[bytes, bytes]:
    return span("s3", "part", upload_id)


def manifest(upload_id: str) -> bytes:
    return _MANIFEST + pack(upload_id)


def number_of(part_key: bytes) -> int:
    """The part number in the key of a part."""
    number = unpack(part_key)[3]
    assert isinstance(number, int)
    return number
