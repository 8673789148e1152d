"""What a bucket answers when it is asked for settings that nobody made: AWS's own defaults.

Deploy tools read all of these. None can be changed yet: their Put operations are not registered.
"""

from collections.abc import Callable
from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.s3 import buckets, errors, objects, tags
from fogbank.services.s3.records import Bucket, owner
from fogbank.services.s3.service import service
from fogbank.storage.kv import Reader

# No setting, no field.
_EMPTY = ("GetBucketVersioning", "GetBucketAccelerateConfiguration", "GetBucketLogging")
_NOT_CONFIGURED: dict[str, Callable[[str], errors.NotConfigured]] = {
    "GetBucketPolicy": errors.NoSuchBucketPolicy,
    "GetBucketPolicyStatus": errors.NoSuchBucketPolicy,
    "GetBucketCors": errors.NoSuchCORSConfiguration,
    "GetBucketWebsite": errors.NoSuchWebsiteConfiguration,
    "GetBucketLifecycleConfiguration": errors.NoSuchLifecycleConfiguration,
    "GetBucketReplication": errors.ReplicationConfigurationNotFoundError,
    "GetObjectLockConfiguration": errors.ObjectLockConfigurationNotFoundError,
}
_ENCRYPTION = {
    "ServerSideEncryptionConfiguration": {
        "Rules": [
            {
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                "BucketKeyEnabled": False,
            }
        ]
    }
}
_NO_PUBLIC_ACCESS = {
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
}


def _register(operation: str, answer: Callable[[Bucket], Output]) -> None:
    """`operation` looks the bucket up and gives what `answer` makes of it."""

    @service.operation(operation)
    async def handler(ctx: Context, request: Input) -> Output:
        return answer(await buckets.look_up(ctx, request))

    handler.__doc__ = f"https://docs.aws.amazon.com/AmazonS3/latest/API/API_{operation}.html"


def _refusing(error: Callable[[str], errors.NotConfigured]) -> Callable[[Bucket], Output]:
    def refuse(bucket: Bucket) -> Output:
        raise error(bucket.name)

    return refuse


def _tagging(bucket: Bucket) -> Output:
    if not bucket.tags:
        raise errors.NoSuchTagSet(bucket.name)
    return {"TagSet": tags.to_set(bucket.tags)}


def _ownership(bucket: Bucket) -> Output:
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": bucket.ownership}]}}


def _owned_alone(bucket: Bucket) -> Output:
    """The ACL of everything: its owner may do all, and nobody else anything."""
    whose = owner(bucket.account)
    grant: dict[str, Any] = {
        "Grantee": {**whose, "Type": "CanonicalUser"},
        "Permission": "FULL_CONTROL",
    }
    return {"Owner": whose, "Grants": [grant]}


for _name in _EMPTY:
    _register(_name, lambda bucket: {})
for _name, _error in _NOT_CONFIGURED.items():
    _register(_name, _refusing(_error))
_register("GetBucketRequestPayment", lambda bucket: {"Payer": "BucketOwner"})
_register("GetBucketEncryption", lambda bucket: dict(_ENCRYPTION))
_register("GetPublicAccessBlock", lambda bucket: dict(_NO_PUBLIC_ACCESS))
_register("GetBucketOwnershipControls", _ownership)
_register("GetBucketTagging", _tagging)
_register("GetBucketAcl", _owned_alone)


@service.operation("GetObjectAcl")
async def get_object_acl(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html"""

    def work(tx: Reader) -> Bucket:
        bucket = buckets.require(tx, ctx, request)
        objects.require(tx, bucket, request)
        return bucket

    return _owned_alone(await ctx.store.read(work, brief=True))
