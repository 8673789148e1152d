"""Buckets: their names, their owners, and the door that every other operation goes through."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.errors import AccessDenied, NotImplementedYet
from fogbank.services.s3 import errors, keys, tags
from fogbank.services.s3.numbers import integer
from fogbank.services.s3.records import Bucket, Part, Upload, bucket_of, from_bytes, owner, to_bytes
from fogbank.services.s3.service import service
from fogbank.storage.keys import after, pack, text_span, unpack
from fogbank.storage.kv import Reader, Writer

LEGACY_REGION = "us-east-1"
BUCKETS_MAX = 10_000
OWNERSHIPS = ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
CANNED_ACLS = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
    "log-delivery-write",
)
_NAME = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_LIKE_IP = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_REGION = re.compile(r"(af|ap|ca|cn|eu|il|me|mx|sa|us)(-gov)?-[a-z]+-\d")
_ACCOUNT = re.compile(r"\d{12}")


def require(tx: Reader, ctx: Context, request: Mapping[str, Any]) -> Bucket:
    """The bucket that a request names; raises NoSuchBucket, or AccessDenied when it is not theirs.

    Bucket policies and ACLs could open a bucket to others; none can be set yet.
    """
    name = str(request.get("Bucket", ""))
    expected = request.get("ExpectedBucketOwner")
    if expected is not None and not _ACCOUNT.fullmatch(str(expected)):
        raise errors.InvalidBucketOwnerAWSAccountID(str(expected))
    bucket = find(tx, name)
    if bucket is None:
        raise errors.NoSuchBucket(name)
    if bucket.account != ctx.world.account or expected not in (None, bucket.account):
        raise AccessDenied
    return bucket


async def look_up(ctx: Context, request: Mapping[str, Any]) -> Bucket:
    return await ctx.store.read(lambda tx: require(tx, ctx, request), brief=True)


def find(tx: Reader, name: str) -> Bucket | None:
    raw = tx.get(keys.bucket(name))
    return None if raw is None else bucket_of(raw)


def check_name(name: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
    if (
        not _NAME.fullmatch(name)
        or ".." in name
        or _LIKE_IP.fullmatch(name)
        or name.startswith(_RESERVED_PREFIXES)
        or name.endswith(_RESERVED_SUFFIXES)
    ):
        raise errors.InvalidBucketName(name)


def check_location(constraint: str | None, endpoint_region: str) -> str:
    """The region that a bucket is made in; the endpoint of us-east-1 makes buckets anywhere."""
    if endpoint_region == LEGACY_REGION:
        if constraint is None:
            return LEGACY_REGION
        if constraint == LEGACY_REGION or not (constraint == "EU" or _REGION.fullmatch(constraint)):
            raise errors.InvalidLocationConstraint(constraint)
        return "eu-west-1" if constraint == "EU" else constraint
    region = "eu-west-1" if constraint == "EU" else constraint
    if constraint is not None and constraint != "EU" and not _REGION.fullmatch(constraint):
        raise errors.InvalidLocationConstraint(constraint)
    if region != endpoint_region:
        raise errors.IllegalLocationConstraintException(constraint or "unspecified")
    return endpoint_region


@service.operation("CreateBucket")
async def create_bucket(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html"""
    name = str(request.get("Bucket", ""))
    check_name(name)
    if request.get("ObjectLockEnabledForBucket") in (True, "true"):
        raise NotImplementedYet("s3", "CreateBucket with object lock")
    ownership = request.get("ObjectOwnership")
    if ownership is not None and ownership not in OWNERSHIPS:
        raise errors.InvalidArgument(
            f"Invalid x-amz-object-ownership header: {ownership}", "x-amz-object-ownership"
        )
    _check_acl(request, ownership or OWNERSHIPS[0])
    configuration = request.get("CreateBucketConfiguration")
    configuration = configuration if isinstance(configuration, dict) else {}
    if "Location" in configuration or "Bucket" in configuration:
        raise NotImplementedYet("s3", "CreateBucket of a directory bucket")
    constraint = configuration.get("LocationConstraint") or None
    region = check_location(None if constraint is None else str(constraint), ctx.world.region)
    wanted = Bucket(
        ctx.ids.hex(10),
        name,
        ctx.world.account,
        region,
        ctx.clock.now_ms(),
        constraint,
        ownership or OWNERSHIPS[0],
        tags.of_set(configuration.get("Tags") or []),
    )
    await ctx.store.write(lambda tx: create(tx, ctx, wanted))
    return {"Location": _location(ctx, name), "BucketArn": arn(name)}


def create(tx: Writer, ctx: Context, wanted: Bucket) -> None:
    found = find(tx, wanted.name)
    if found is None:
        tx.put(keys.bucket(wanted.name), to_bytes(wanted))
        tx.put(keys.owned(wanted.account, wanted.name), b"")
        return
    if found.account != wanted.account:
        raise errors.BucketAlreadyExists(wanted.name)
    # Only in us-east-1 a second creation succeeds, and changes nothing.
    legacy = found.region == wanted.region == ctx.world.region == LEGACY_REGION
    if not legacy or wanted.tags:
        raise errors.BucketAlreadyOwnedByYou(wanted.name)


def arn(name: str) -> str:
    return f"arn:aws:s3:::{name}"


def _location(ctx: Context, name: str) -> str:
    if ctx.world.region == LEGACY_REGION:
        return f"/{name}"
    return f"{ctx.stack.endpoint}/{name}"


def _check_acl(request: Mapping[str, Any], ownership: str) -> None:
    acl = request.get("ACL")
    if acl is not None and acl not in CANNED_ACLS:
        raise errors.InvalidArgument("", "x-amz-acl", acl)
    grants = any(request.get(name) for name in request if name.startswith("Grant"))
    if acl in (None, "private") and not grants:
        return
    if ownership == OWNERSHIPS[0]:
        raise errors.InvalidBucketAclWithObjectOwnership
    raise NotImplementedYet("s3", "CreateBucket with an ACL")


@service.operation("HeadBucket")
async def head_bucket(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html"""
    bucket = await look_up(ctx, request)
    return {
        "BucketRegion": bucket.region,
        "BucketArn": arn(bucket.name),
        "AccessPointAlias": False,
    }


@service.operation("GetBucketLocation")
async def get_bucket_location(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html"""
    bucket = await look_up(ctx, request)
    return {} if bucket.location is None else {"LocationConstraint": bucket.location}


@service.operation("DeleteBucket")
async def delete_bucket(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html"""
    await ctx.store.write(lambda tx: delete(tx, ctx, request))
    return {}


def delete(tx: Writer, ctx: Context, request: Mapping[str, Any]) -> None:
    """The bucket is gone, and with it its unfinished multipart uploads."""
    bucket = require(tx, ctx, request)
    if next(iter(tx.range(*keys.objects(bucket.id))), None) is not None:
        raise errors.BucketNotEmpty(bucket.name)
    for _, raw in list(tx.range(*keys.uploads(bucket.id))):
        release_parts(tx, ctx, from_bytes(Upload, raw).id)
    tx.delete_range(*keys.uploads(bucket.id))
    tx.delete(keys.notification(bucket.id))
    tx.delete(keys.owned(bucket.account, bucket.name))
    tx.delete(keys.bucket(bucket.name))


def release_parts(tx: Writer, ctx: Context, upload_id: str) -> None:
    """Every part of an upload, or of the object that it became, is gone."""
    for _, raw in list(tx.range(*keys.parts(upload_id))):
        part = from_bytes(Part, raw)
        if part.blob is not None:
            ctx.blobs.release(tx, part.blob)
    tx.delete_range(*keys.parts(upload_id))
    tx.delete(keys.manifest(upload_id))


@service.operation("ListBuckets")
async def list_buckets(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html"""
    region = request.get("BucketRegion")
    if region is not None and not _REGION.fullmatch(str(region)):
        raise errors.InvalidArgument(
            f"Argument value {region} is not a valid AWS Region", "bucket-region"
        )
    most = integer(request, "MaxBuckets", "max-buckets", BUCKETS_MAX)
    if not 1 <= most <= BUCKETS_MAX:
        raise errors.InvalidArgument(
            f"Argument max-buckets must be an integer between 1 and {BUCKETS_MAX}",
            "max-buckets",
            most,
        )
    prefix = str(request.get("Prefix") or "")
    start = _resume(request.get("ContinuationToken"))

    def work(tx: Reader) -> tuple[list[Bucket], bool]:
        found: list[Bucket] = []
        for bucket in _owned(tx, ctx.world.account, prefix, start):
            if region is not None and bucket.region != region:
                continue
            if len(found) == most:
                return found, True
            found.append(bucket)
        return found, False

    found, truncated = await ctx.store.read(work)
    # Observed: the region is told only to those that ask in the newer, paged way.
    paged = any(
        request.get(name) is not None
        for name in ("MaxBuckets", "Prefix", "BucketRegion", "ContinuationToken")
    )
    shown: list[dict[str, Any]] = [
        {
            "Name": bucket.name,
            "CreationDate": bucket.created_ms // 1000,
            "BucketArn": arn(bucket.name),
        }
        | ({"BucketRegion": bucket.region} if paged else {})
        for bucket in found
    ]
    answer: Output = {"Buckets": shown, "Owner": owner(ctx.world.account)}
    if prefix:
        answer["Prefix"] = prefix
    if truncated:
        answer["ContinuationToken"] = base64.urlsafe_b64encode(found[-1].name.encode()).decode()
    return answer


def _owned(tx: Reader, account: str, prefix: str, after_name: str | None) -> Iterator[Bucket]:
    start, stop = text_span("s3", "owned", account, begins=prefix)
    if after_name is not None:
        start = max(start, after(pack("s3", "owned", account, after_name)))
    for key, _ in tx.range(start, stop):
        bucket = find(tx, str(unpack(key)[3]))
        if bucket is not None:
            yield bucket


def _resume(token: Any) -> str | None:
    if token is None:
        return None
    try:
        return base64.b64decode(str(token), b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise errors.InvalidArgument(
            "The continuation token provided is incorrect", "continuation-token"
        ) from error
