"""GetObjectAttributes over a store in memory."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.s3.world import S3World

BIG = b"a" * (5 * 1024 * 1024)


async def test_what_is_known_of_a_plain_object(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a", Body=b"123456789")
    answer = await s3(
        "GetObjectAttributes",
        Bucket="photos",
        Key="a",
        ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"],
    )
    assert answer == {
        "LastModified": 1_700_000_000,
        "ETag": "25f9e794323b453885f5181f1b624d0b",
        "Checksum": {"ChecksumCRC64NVME": "rosUhgp5mIg=", "ChecksumType": "FULL_OBJECT"},
        "StorageClass": "STANDARD",
        "ObjectSize": 9,
    }


async def test_the_parts_of_a_composite_upload_are_listed_in_pages(s3: S3World) -> None:
    await s3.upload("photos", "a", BIG, b"x", ChecksumAlgorithm="SHA1")
    request: dict[str, Any] = {"Bucket": "photos", "Key": "a"}
    request["ObjectAttributes"] = ["ObjectParts", "Checksum"]
    answer = await s3("GetObjectAttributes", **request, MaxParts=1, PartNumberMarker=1)
    parts = answer["ObjectParts"]
    assert (parts["TotalPartsCount"], parts["IsTruncated"]) == (2, False)
    assert [(part["PartNumber"], part["Size"]) for part in parts["Parts"]] == [(2, 1)]
    assert "-" not in answer["Checksum"]["ChecksumSHA1"]


async def test_an_upload_with_a_checksum_of_the_whole_tells_only_how_many_parts(
    s3: S3World,
) -> None:
    await s3.upload("photos", "a", BIG, b"x")
    answer = await s3(
        "GetObjectAttributes", Bucket="photos", Key="a", ObjectAttributes="ObjectParts"
    )
    assert answer["ObjectParts"] == {"TotalPartsCount": 2}


async def test_an_unknown_attribute_is_refused(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a")
    with pytest.raises(AwsError) as caught:
        await s3("GetObjectAttributes", Bucket="photos", Key="a", ObjectAttributes=["Colour"])
    assert caught.value.code == "InvalidArgument"
