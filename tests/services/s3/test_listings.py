"""Listings over a store in memory."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.s3.world import S3World

KEYS = ["a/1", "a/2", "b", "c d/ü", "e=1"]


@pytest.fixture
async def filled(s3: S3World) -> S3World:
    for key in KEYS:
        await s3("PutObject", Bucket="photos", Key=key, Body=b"x")
    return s3


def keys(answer: dict[str, Any]) -> list[str]:
    return [one["Key"] for one in answer.get("Contents", [])]


def folders(answer: dict[str, Any]) -> list[str]:
    return [one["Prefix"] for one in answer.get("CommonPrefixes", [])]


async def test_an_entry_says_what_aws_says(filled: S3World) -> None:
    answer = await filled("ListObjectsV2", Bucket="photos", MaxKeys=1)
    assert answer["Contents"] == [
        {
            "Key": "a/1",
            "LastModified": 1_700_000_000,
            "ETag": '"9dd4e461268c8034f5c8564e155c67a6"',
            "ChecksumAlgorithm": ["CRC64NVME"],
            "ChecksumType": "FULL_OBJECT",
            "Size": 1,
            "StorageClass": "STANDARD",
        }
    ]
    assert (answer["KeyCount"], answer["MaxKeys"], answer["IsTruncated"]) == (1, 1, True)


async def test_an_empty_bucket(s3: S3World) -> None:
    assert await s3("ListObjectsV2", Bucket="photos") == {
        "Name": "photos",
        "Prefix": "",
        "KeyCount": 0,
        "MaxKeys": 1000,
        "IsTruncated": False,
    }
    assert (await s3("ListObjects", Bucket="photos"))["Marker"] == ""


async def test_the_owner_is_told_on_demand(filled: S3World) -> None:
    with_owner = await filled("ListObjectsV2", Bucket="photos", FetchOwner=True)
    assert len(with_owner["Contents"][0]["Owner"]["ID"]) == 64
    assert "Owner" in (await filled("ListObjects", Bucket="photos"))["Contents"][0]


async def test_pages_go_on_by_token(filled: S3World) -> None:
    found: list[str] = []
    request: dict[str, Any] = {"Bucket": "photos", "Delimiter": "/", "MaxKeys": 1}
    while True:
        page = await filled("ListObjectsV2", **request)
        found += keys(page) + folders(page)
        assert page["KeyCount"] == 1
        if not page["IsTruncated"]:
            break
        request["ContinuationToken"] = page["NextContinuationToken"]
    assert found == ["a/", "b", "c d/", "e=1"]


async def test_pages_of_the_first_version_go_on_by_marker(filled: S3World) -> None:
    page = await filled("ListObjects", Bucket="photos", Delimiter="/", MaxKeys=1)
    assert page["NextMarker"] == "a/"
    page = await filled("ListObjects", Bucket="photos", Delimiter="/", MaxKeys=1, Marker="a/")
    assert keys(page) == ["b"]
    plain = await filled("ListObjects", Bucket="photos", MaxKeys=2)
    assert plain["IsTruncated"] is True
    assert "NextMarker" not in plain


async def test_names_are_encoded_on_demand(filled: S3World) -> None:
    answer = await filled("ListObjectsV2", Bucket="photos", EncodingType="url", Prefix="c d/")
    assert (keys(answer), answer["Prefix"]) == (["c+d/%C3%BC"], "c+d/")
    assert answer["EncodingType"] == "url"
    answer = await filled("ListObjectsV2", Bucket="photos", EncodingType="url", StartAfter="d=")
    assert (keys(answer), answer["StartAfter"]) == (["e%3D1"], "d%3D")


@pytest.mark.parametrize("value", ["", "value"])
@pytest.mark.parametrize("operation", ["ListObjects", "ListObjectsV2", "ListMultipartUploads"])
async def test_another_encoding_is_refused(s3: S3World, operation: str, value: str) -> None:
    with pytest.raises(AwsError) as caught:
        await s3(operation, Bucket="photos", EncodingType=value)
    assert caught.value.message == "Invalid Encoding Method specified in Request"
    assert caught.value.fields == {"ArgumentName": "encoding-type", "ArgumentValue": value}


async def test_a_page_of_nothing(filled: S3World) -> None:
    answer = await filled("ListObjectsV2", Bucket="photos", MaxKeys=0)
    assert (answer["IsTruncated"], answer["KeyCount"]) == (False, 0)


async def test_more_than_a_thousand_are_never_sent(filled: S3World) -> None:
    assert (await filled("ListObjectsV2", Bucket="photos", MaxKeys=5000))["MaxKeys"] == 1000


async def test_a_negative_page_is_refused(s3: S3World) -> None:
    with pytest.raises(AwsError) as caught:
        await s3("ListObjectsV2", Bucket="photos", MaxKeys=-1)
    assert caught.value.message == "Argument maxKeys must be an integer between 0 and 2147483647"


@pytest.mark.parametrize("token", ["", "%%%", "ä"])
async def test_a_token_that_is_none_of_ours_is_refused(s3: S3World, token: str) -> None:
    with pytest.raises(AwsError) as caught:
        await s3("ListObjectsV2", Bucket="photos", ContinuationToken=token)
    assert caught.value.message == "The continuation token provided is incorrect"


async def test_a_folder_costs_one_seek(s3: S3World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        await s3("PutObject", Bucket="photos", Key=f"many/{number}")
    await s3("PutObject", Bucket="photos", Key="z")
    read: list[bytes] = []

    async def counted(work: Any, *, brief: bool = False) -> Any:
        class Counting:
            def __init__(self, tx: Any) -> None:
                self.get = tx.get
                self.tx = tx

            def range(self, start: bytes, stop: bytes, **hints: Any) -> Any:
                for pair in self.tx.range(start, stop):
                    read.append(pair[0])
                    yield pair

        return await plain(lambda tx: work(Counting(tx)), brief=brief)

    plain = s3.store.read
    monkeypatch.setattr(s3.store, "read", counted)
    answer = await s3("ListObjectsV2", Bucket="photos", Delimiter="/")
    assert (folders(answer), keys(answer)) == (["many/"], ["z"])
    assert len(read) == 2


async def test_objects_are_listed_as_null_versions(filled: S3World) -> None:
    answer = await filled("ListObjectVersions", Bucket="photos", Delimiter="/", MaxKeys=2)
    assert folders(answer) == ["a/"]
    [version] = answer["Versions"]
    assert (version["Key"], version["VersionId"], version["IsLatest"]) == ("b", "null", True)
    assert (answer["NextKeyMarker"], answer["NextVersionIdMarker"]) == ("b", "null")
    rest = await filled(
        "ListObjectVersions", Bucket="photos", KeyMarker="b", VersionIdMarker="null"
    )
    assert [one["Key"] for one in rest["Versions"]] == ["c d/ü", "e=1"]


async def test_a_version_marker_needs_a_key_marker(s3: S3World) -> None:
    with pytest.raises(AwsError) as caught:
        await s3("ListObjectVersions", Bucket="photos", VersionIdMarker="null")
    assert caught.value.message == "A version-id marker cannot be specified without a key marker."
