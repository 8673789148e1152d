"""Buckets over a store in memory."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from fogbank.services.s3.buckets import check_location, check_name
from tests.services.s3.world import S3World

OTHER = "111111111111"


async def refused(s3: S3World, operation: str, **request: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        await s3(operation, **request)
    return caught.value


@pytest.mark.parametrize("name", ["abc", "a-b.c", "1a2", "a" * 63, "a--b"])
def test_a_good_name(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Abc",
        "a_b",
        "-abc",
        "abc-",
        "a..b",
        "192.168.0.1",
        "xn--abc",
        "sthree-abc",
        "abc-s3alias",
        "abc--x-s3",
        "",
        "ü" * 4,
    ],
)
def test_a_bad_name_is_told(name: str) -> None:
    with pytest.raises(AwsError) as caught:
        check_name(name)
    assert (caught.value.code, caught.value.fields) == ("InvalidBucketName", {"BucketName": name})


@pytest.mark.parametrize(
    ("constraint", "endpoint", "region"),
    [
        (None, "us-east-1", "us-east-1"),
        ("eu-west-2", "us-east-1", "eu-west-2"),
        ("EU", "us-east-1", "eu-west-1"),
        ("EU", "eu-west-1", "eu-west-1"),
        ("eu-west-2", "eu-west-2", "eu-west-2"),
    ],
)
def test_where_a_bucket_is_made(constraint: str | None, endpoint: str, region: str) -> None:
    assert check_location(constraint, endpoint) == region


@pytest.mark.parametrize(
    ("constraint", "endpoint", "code", "said"),
    [
        ("us-east-1", "us-east-1", "InvalidLocationConstraint", "not valid"),
        ("nowhere", "us-east-1", "InvalidLocationConstraint", "not valid"),
        (None, "eu-west-2", "IllegalLocationConstraintException", "The unspecified location"),
        ("eu-west-1", "eu-west-2", "IllegalLocationConstraintException", "The eu-west-1 location"),
        ("EU", "eu-west-2", "IllegalLocationConstraintException", "The EU location constraint"),
    ],
)
def test_where_a_bucket_cannot_be_made(
    constraint: str | None, endpoint: str, code: str, said: str
) -> None:
    with pytest.raises(AwsError) as caught:
        check_location(constraint, endpoint)
    assert caught.value.code == code
    assert said in str(caught.value.message)


async def test_making_ones_bucket_again_succeeds_only_in_us_east_1(s3: S3World) -> None:
    assert (await s3("CreateBucket", Bucket="photos"))["Location"] == "/photos"
    where = {"LocationConstraint": "eu-west-2"}
    request: dict[str, Any] = {"Bucket": "europe", "CreateBucketConfiguration": where}
    await s3("CreateBucket", region="eu-west-2", **request)
    error = await refused(s3, "CreateBucket", region="eu-west-2", **request)
    assert (error.status, error.code) == (409, "BucketAlreadyOwnedByYou")


async def test_another_accounts_name_is_taken(s3: S3World) -> None:
    error = await refused(s3, "CreateBucket", Bucket="photos", account=OTHER)
    assert (error.status, error.code) == (409, "BucketAlreadyExists")


async def test_a_bucket_tells_its_region(s3: S3World) -> None:
    where = {"LocationConstraint": "EU"}
    await s3("CreateBucket", Bucket="europe", CreateBucketConfiguration=where)
    assert (await s3("HeadBucket", Bucket="europe"))["BucketRegion"] == "eu-west-1"
    assert await s3("GetBucketLocation", Bucket="europe") == {"LocationConstraint": "EU"}
    assert await s3("GetBucketLocation", Bucket="photos") == {}


async def test_a_missing_bucket_is_no_such_bucket(s3: S3World) -> None:
    for operation in ("HeadBucket", "ListObjectsV2", "DeleteBucket", "GetBucketPolicy"):
        error = await refused(s3, operation, Bucket="nothing")
        assert (error.code, error.fields) == ("NoSuchBucket", {"BucketName": "nothing"})


@pytest.mark.parametrize("owner", ["abcd", "0000", "0000000000020", "aa000000000$"])
async def test_an_expected_owner_must_be_an_account(s3: S3World, owner: str) -> None:
    error = await refused(s3, "HeadBucket", Bucket="photos", ExpectedBucketOwner=owner)
    assert error.code == "InvalidBucketOwnerAWSAccountID"
    assert str(error.message).endswith(f"... [{owner}]")


async def test_another_expected_owner_is_denied(s3: S3World) -> None:
    error = await refused(s3, "HeadBucket", Bucket="photos", ExpectedBucketOwner=OTHER)
    assert error.code == "AccessDenied"


async def test_a_bucket_with_objects_is_not_deleted(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a")
    error = await refused(s3, "DeleteBucket", Bucket="photos")
    assert (error.status, error.code) == (409, "BucketNotEmpty")


async def test_a_bucket_takes_its_unfinished_uploads_along(s3: S3World) -> None:
    upload = await s3("CreateMultipartUpload", Bucket="photos", Key="a")
    await s3(
        "UploadPart",
        Bucket="photos",
        Key="a",
        UploadId=upload["UploadId"],
        PartNumber=1,
        Body=b"x",
    )
    await s3("DeleteBucket", Bucket="photos")
    assert s3.store._keys == []


async def test_buckets_are_listed_by_name_for_their_owner(s3: S3World) -> None:
    await s3("CreateBucket", Bucket="books")
    await s3("CreateBucket", Bucket="others", account=OTHER)
    answer = await s3("ListBuckets")
    assert [bucket["Name"] for bucket in answer["Buckets"]] == ["books", "photos"]
    assert "BucketRegion" not in answer["Buckets"][0]
    assert len(answer["Owner"]["ID"]) == 64


async def test_buckets_are_listed_in_pages(s3: S3World) -> None:
    await s3("CreateBucket", Bucket="books")
    first = await s3("ListBuckets", MaxBuckets=1)
    assert [(one["Name"], one["BucketRegion"]) for one in first["Buckets"]] == [
        ("books", "us-east-1")
    ]
    second = await s3("ListBuckets", MaxBuckets=1, ContinuationToken=first["ContinuationToken"])
    assert [one["Name"] for one in second["Buckets"]] == ["photos"]
    assert "ContinuationToken" not in second


async def test_buckets_are_listed_by_prefix_and_region(s3: S3World) -> None:
    answer = await s3("ListBuckets", Prefix="ph", BucketRegion="us-east-1")
    assert [one["Name"] for one in answer["Buckets"]] == ["photos"]
    assert (await s3("ListBuckets", BucketRegion="eu-west-2"))["Buckets"] == []
    error = await refused(s3, "ListBuckets", BucketRegion="nowhere")
    assert error.message == "Argument value nowhere is not a valid AWS Region"


async def test_an_ownership_that_does_not_exist_is_refused(s3: S3World) -> None:
    error = await refused(s3, "CreateBucket", Bucket="books", ObjectOwnership="RandomValue")
    assert error.message == "Invalid x-amz-object-ownership header: RandomValue"
    assert error.fields == {"ArgumentName": "x-amz-object-ownership"}


async def test_a_bucket_can_be_made_with_tags(s3: S3World) -> None:
    tags = [{"Key": "team", "Value": "blue"}]
    request: dict[str, Any] = {"Bucket": "books", "CreateBucketConfiguration": {"Tags": tags}}
    await s3("CreateBucket", **request)
    assert await s3("GetBucketTagging", Bucket="books") == {"TagSet": tags}
    error = await refused(s3, "CreateBucket", **request)
    assert error.code == "BucketAlreadyOwnedByYou"


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("GetBucketPolicy", "NoSuchBucketPolicy"),
        ("GetBucketPolicyStatus", "NoSuchBucketPolicy"),
        ("GetBucketCors", "NoSuchCORSConfiguration"),
        ("GetBucketWebsite", "NoSuchWebsiteConfiguration"),
        ("GetBucketLifecycleConfiguration", "NoSuchLifecycleConfiguration"),
        ("GetBucketReplication", "ReplicationConfigurationNotFoundError"),
        ("GetBucketTagging", "NoSuchTagSet"),
        ("GetObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"),
    ],
)
async def test_what_was_never_set_is_a_404_of_its_own(
    s3: S3World, operation: str, code: str
) -> None:
    error = await refused(s3, operation, Bucket="photos")
    assert (error.status, error.code, error.fields) == (404, code, {"BucketName": "photos"})


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("GetBucketEncryption", "ServerSideEncryptionConfiguration"),
        ("GetPublicAccessBlock", "PublicAccessBlockConfiguration"),
        ("GetBucketOwnershipControls", "OwnershipControls"),
        ("GetBucketRequestPayment", "Payer"),
        ("GetBucketAcl", "Grants"),
    ],
)
async def test_some_settings_have_defaults(s3: S3World, operation: str, member: str) -> None:
    assert (await s3(operation, Bucket="photos"))[member]


@pytest.mark.parametrize(
    "operation",
    [
        "GetBucketVersioning",
        "GetBucketAccelerateConfiguration",
        "GetBucketLogging",
        "GetBucketNotificationConfiguration",
    ],
)
async def test_some_unset_settings_are_empty(s3: S3World, operation: str) -> None:
    assert await s3(operation, Bucket="photos") == {}
