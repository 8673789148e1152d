"""Buckets and listings by boto3."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def error_of(call: Callable[..., Any], **request: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error: dict[str, Any] = caught.value.response["Error"]
    return error


def test_a_bucket_is_made_found_and_deleted(s3: Any) -> None:
    name = f"test-{uuid.uuid4()}"
    made = s3.create_bucket(Bucket=name)
    assert (made["Location"], made["BucketArn"]) == (f"/{name}", f"arn:aws:s3:::{name}")
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == [name]
    s3.delete_bucket(Bucket=name)
    assert error_of(s3.head_bucket, Bucket=name) == {"Code": "404", "Message": "Not Found"}


def test_a_bucket_in_another_region(client: Callable[..., Any]) -> None:
    s3 = client("s3", region="eu-central-1")
    name = f"test-{uuid.uuid4()}"
    error = error_of(s3.create_bucket, Bucket=name)
    assert error["Code"] == "IllegalLocationConstraintException"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-central-1"


def test_the_location_of_a_bucket_in_us_east_1_is_none(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None


def test_a_bucket_with_objects_is_not_deleted(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a")
    assert error_of(s3.delete_bucket, Bucket=bucket) == {
        "Code": "BucketNotEmpty",
        "Message": "The bucket you tried to delete is not empty",
        "BucketName": bucket,
    }


def test_a_bucket_without_settings_answers_as_awss(s3: Any, bucket: str) -> None:
    error = error_of(s3.get_bucket_policy, Bucket=bucket)
    assert error == {
        "Code": "NoSuchBucketPolicy",
        "Message": "The bucket policy does not exist",
        "BucketName": bucket,
    }
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    grants = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert grants[0]["Grantee"]["Type"] == "CanonicalUser"
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }


def test_what_cannot_be_set_yet_says_so_by_name(s3: Any, bucket: str) -> None:
    error = error_of(s3.put_bucket_policy, Bucket=bucket, Policy="{}")
    assert error["Code"] == "NotImplemented"
    assert "PutBucketPolicy" in error["Message"]


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_the_paginators_of_boto3_see_each_entry_once(s3: Any, bucket: str, operation: str) -> None:
    keys = ["a/1", "a/2", "b/1", "c", "d é", "e+f"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key)
    pages = list(
        s3.get_paginator(operation).paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 1}, Delimiter="/"
        )
    )
    found = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]
    found += [one["Key"] for page in pages for one in page.get("Contents", [])]
    assert found == ["a/", "b/", "c", "d é", "e+f"]
    pages = s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 4})
    assert [one["Key"] for page in pages for one in page["Contents"]] == keys
