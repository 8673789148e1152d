"""The objects in S3 that exports and bulk puts write."""

from base64 import b64encode
from hashlib import md5
from typing import Any

from fogbank.services.body import Body
from fogbank.services.context import Context


async def put_object(ctx: Context, given: dict[str, Any], key: str, data: bytes) -> str:
    """The object is in the bucket, encrypted as `given` says; its ETag without quotes."""
    put: dict[str, Any] = {
        "Bucket": given["S3Bucket"],
        "Key": key,
        "Body": Body.of(data),
        "ContentLength": len(data),
    }
    if given.get("S3BucketOwner"):
        put["ExpectedBucketOwner"] = given["S3BucketOwner"]
    if given.get("S3SseAlgorithm") == "KMS":
        put["ServerSideEncryption"] = "aws:kms"
        if given.get("S3SseKmsKeyId"):
            put["SSEKMSKeyId"] = given["S3SseKmsKeyId"]
    answer = await ctx.call("s3", "PutObject", put)
    return str(answer["ETag"]).strip('"')


def digest(data: bytes) -> str:
    """The MD5 of an object, as manifests have it."""
    return b64encode(md5(data, usedforsecurity=False).digest()).decode()
