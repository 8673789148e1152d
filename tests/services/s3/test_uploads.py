"""Multipart uploads over a store in memory."""

import base64
import hashlib
from typing import Any

import pytest

from fogbank.services.errors import AwsError
from fogbank.services.s3 import uploads
from fogbank.services.s3.checksums import Digests
from tests.services.s3.world import S3World

MB = 1024 * 1024
BIG = b"a" * (5 * MB + 1)
SMALL = b"a" * 10


async def refused(s3: S3World, operation: str, **request: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        await s3(operation, **request)
    return caught.value


async def begun(s3: S3World, *parts: bytes, **create: Any) -> dict[str, Any]:
    """What names an upload whose parts are `parts`."""
    created = await s3("CreateMultipartUpload", Bucket="photos", Key="a", **create)
    named = {"Bucket": "photos", "Key": "a", "UploadId": created["UploadId"]}
    for number, data in enumerate(parts, 1):
        await s3("UploadPart", **named, PartNumber=number, Body=data)
    return named


def told(*parts: bytes) -> dict[str, Any]:
    return {
        "Parts": [
            {"PartNumber": number, "ETag": hashlib.md5(data).hexdigest()}
            for number, data in enumerate(parts, 1)
        ]
    }


def digest(algorithm: str, data: bytes) -> str:
    digests = Digests([algorithm])
    digests.update(data)
    return digests.values()[algorithm]


async def test_an_upload_is_read_back_whole_and_by_range(s3: S3World) -> None:
    parts = [BIG, b"b" * (5 * MB), b"c" * 100_000]
    await s3.upload("photos", "a", *parts)
    whole = b"".join(parts)
    assert await s3.get("photos", "a") == whole
    edge = len(BIG)
    assert await s3.get("photos", "a", Range=f"bytes={edge - 2}-{edge + 1}") == b"aabb"
    assert await s3.get("photos", "a", Range="bytes=-3") == b"ccc"


async def test_the_tag_of_an_upload_is_made_of_those_of_its_parts(s3: S3World) -> None:
    answer = await s3.upload("photos", "a", BIG, SMALL)
    md5s = hashlib.md5(BIG).digest() + hashlib.md5(SMALL).digest()
    assert answer["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-2"'


async def test_completing_copies_nothing_and_deleting_drops_all(s3: S3World) -> None:
    named = await begun(s3, BIG, SMALL)
    before = s3.blob_keys()
    await s3("CompleteMultipartUpload", **named, MultipartUpload=told(BIG, SMALL))
    assert s3.blob_keys() == before
    await s3("DeleteObject", Bucket="photos", Key="a")
    await s3("DeleteBucket", Bucket="photos")
    assert s3.store._keys == []


async def test_parts_that_were_not_asked_for_are_dropped(s3: S3World) -> None:
    named = await begun(s3, BIG, SMALL, SMALL)
    await s3("CompleteMultipartUpload", **named, MultipartUpload=told(BIG))
    assert len(s3.blob_keys()) == 1


async def test_a_part_that_is_sent_again_replaces_the_first(s3: S3World) -> None:
    named = await begun(s3, SMALL)
    await s3("UploadPart", **named, PartNumber=1, Body=b"other")
    assert len(s3.blob_keys()) == 1
    await s3("CompleteMultipartUpload", **named, MultipartUpload=told(b"other"))
    assert await s3.get("photos", "a") == b"other"


async def test_completing_again_gives_the_same_answer(s3: S3World) -> None:
    named = await begun(s3, SMALL)
    first = await s3("CompleteMultipartUpload", **named, MultipartUpload=told(SMALL))
    again = await s3("CompleteMultipartUpload", **named, MultipartUpload=told(SMALL))
    assert again == first


async def test_an_upload_overwrites_an_object_and_is_overwritten(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a", Body=b"one")
    await s3.upload("photos", "a", SMALL)
    await s3.upload("photos", "a", SMALL)
    await s3("PutObject", Bucket="photos", Key="a", Body=b"two")
    assert len(s3.blob_keys()) == 1
    await s3("DeleteObject", Bucket="photos", Key="a")
    await s3("DeleteBucket", Bucket="photos")
    assert s3.store._keys == []


async def test_a_small_part_that_is_not_the_last_is_too_small(s3: S3World) -> None:
    named = await begun(s3, b"data", b"data")
    error = await refused(
        s3, "CompleteMultipartUpload", **named, MultipartUpload=told(b"data", b"data")
    )
    assert error.code == "EntityTooSmall"
    assert error.fields == {
        "ProposedSize": 4,
        "MinSizeAllowed": 5242880,
        "PartNumber": 1,
        "ETag": "8d777f385d3dfec8815d20f7496026dc",
    }


async def test_an_upload_without_parts_is_refused(s3: S3World) -> None:
    named = await begun(s3)
    error = await refused(s3, "CompleteMultipartUpload", **named)
    assert error.message == "You must specify at least one part"


async def test_a_part_with_another_tag_is_invalid(s3: S3World) -> None:
    named = await begun(s3, SMALL)
    error = await refused(s3, "CompleteMultipartUpload", **named, MultipartUpload=told(b"other"))
    assert error.code == "InvalidPart"
    assert error.fields["PartNumber"] == 1
    assert error.fields["UploadId"] == named["UploadId"]


async def test_parts_must_be_told_in_order(s3: S3World) -> None:
    named = await begun(s3, BIG, SMALL)
    parts = told(BIG, SMALL)
    parts["Parts"].reverse()
    error = await refused(s3, "CompleteMultipartUpload", **named, MultipartUpload=parts)
    assert error.code == "InvalidPartOrder"


@pytest.mark.parametrize("number", [0, 10_001, -1])
async def test_part_numbers_end_at_ten_thousand(s3: S3World, number: int) -> None:
    named = await begun(s3)
    error = await refused(s3, "UploadPart", **named, PartNumber=number, Body=b"x")
    assert error.message == "Part number must be an integer between 1 and 10000, inclusive"


async def test_an_unknown_upload_is_no_such_upload(s3: S3World) -> None:
    named = {"Bucket": "photos", "Key": "a", "UploadId": "fakeid"}
    for operation, more in (
        ("UploadPart", {"PartNumber": 1, "Body": b"x"}),
        ("ListParts", {}),
        ("AbortMultipartUpload", {}),
        ("CompleteMultipartUpload", {"MultipartUpload": told(b"x")}),
    ):
        error = await refused(s3, operation, **named, **more)
        assert (error.status, error.fields) == (404, {"UploadId": "fakeid"})


async def test_aborting_drops_the_parts(s3: S3World) -> None:
    named = await begun(s3, BIG, SMALL)
    await s3("AbortMultipartUpload", **named)
    assert s3.blob_keys() == []
    assert (await refused(s3, "ListParts", **named)).code == "NoSuchUpload"


async def test_the_default_checksum_is_combined_from_the_parts(s3: S3World) -> None:
    answer = await s3.upload("photos", "a", BIG, SMALL)
    assert answer["ChecksumCRC64NVME"] == digest("CRC64NVME", BIG + SMALL)
    assert answer["ChecksumType"] == "FULL_OBJECT"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
async def test_a_checksum_of_the_full_object(s3: S3World, algorithm: str) -> None:
    answer = await s3.upload(
        "photos", "a", BIG, SMALL, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT"
    )
    assert answer[f"Checksum{algorithm}"] == digest(algorithm, BIG + SMALL)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
async def test_a_composite_checksum(s3: S3World, algorithm: str) -> None:
    answer = await s3.upload("photos", "a", BIG, SMALL, ChecksumAlgorithm=algorithm)
    raw = b"".join(base64.b64decode(digest(algorithm, part)) for part in (BIG, SMALL))
    assert answer[f"Checksum{algorithm}"] == f"{digest(algorithm, raw)}-2"
    assert answer["ChecksumType"] == "COMPOSITE"
    part = await s3("GetObject", Bucket="photos", Key="a", PartNumber=2, ChecksumMode="ENABLED")
    assert part[f"Checksum{algorithm}"] == digest(algorithm, SMALL)
    assert part["ContentRange"] == f"bytes {len(BIG)}-{len(BIG) + 9}/{len(BIG) + 10}"
    assert part["PartsCount"] == 2


async def test_a_composite_upload_must_tell_the_checksums_of_its_parts(s3: S3World) -> None:
    named = await begun(s3, SMALL, ChecksumAlgorithm="SHA1")
    error = await refused(s3, "CompleteMultipartUpload", **named, MultipartUpload=told(SMALL))
    assert error.message == (
        "The upload was created using a sha1 checksum. The complete request must include the "
        "checksum for each part. It was missing for part 1 in the request."
    )


async def test_a_wrong_checksum_of_a_part_is_an_invalid_part(s3: S3World) -> None:
    named = await begun(s3, SMALL, ChecksumAlgorithm="SHA1")
    parts = told(SMALL)
    parts["Parts"][0]["ChecksumSHA1"] = digest("SHA1", b"other")
    error = await refused(s3, "CompleteMultipartUpload", **named, MultipartUpload=parts)
    assert error.code == "InvalidPart"


async def test_a_wrong_checksum_of_the_whole_is_a_bad_digest(s3: S3World) -> None:
    named = await begun(s3, SMALL, ChecksumAlgorithm="CRC32C", ChecksumType="FULL_OBJECT")
    error = await refused(
        s3,
        "CompleteMultipartUpload",
        **named,
        MultipartUpload=told(SMALL),
        ChecksumCRC32C="AAAAAA==",
    )
    assert error.message == "The crc32c you specified did not match the calculated checksum."


@pytest.mark.parametrize(("created", "mode"), [({}, "null"), ({"x": 1}, "FULL_OBJECT")])
async def test_the_checksum_mode_cannot_change(
    s3: S3World, created: dict[str, Any], mode: str
) -> None:
    create = {"ChecksumAlgorithm": "CRC32C", "ChecksumType": "FULL_OBJECT"} if created else {}
    named = await begun(s3, SMALL, **create)
    error = await refused(
        s3,
        "CompleteMultipartUpload",
        **named,
        MultipartUpload=told(SMALL),
        ChecksumType="COMPOSITE",
    )
    assert error.message == (
        f"The upload was created using the {mode} checksum mode. The complete request must use the "
        "same checksum mode."
    )


@pytest.mark.parametrize(
    "create",
    [
        {"ChecksumType": "COMPOSITE"},
        {"ChecksumAlgorithm": "SHA1", "ChecksumType": "FULL_OBJECT"},
        {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
        {"ChecksumAlgorithm": "ADLER"},
    ],
)
async def test_impossible_checksum_modes_are_refused(s3: S3World, create: dict[str, str]) -> None:
    error = await refused(s3, "CreateMultipartUpload", Bucket="photos", Key="a", **create)
    assert error.code == "InvalidRequest"


async def test_a_part_with_another_algorithm_is_refused(s3: S3World) -> None:
    named = await begun(s3, ChecksumAlgorithm="CRC32C")
    error = await refused(
        s3, "UploadPart", **named, PartNumber=1, Body=b"", ChecksumCRC32="AAAAAA=="
    )
    assert error.message == (
        "Checksum Type mismatch occurred, expected checksum Type: crc32c, actual checksum Type: "
        "crc32"
    )


async def test_an_upload_without_an_algorithm_echoes_the_clients(s3: S3World) -> None:
    named = await begun(s3)
    part = await s3("UploadPart", **named, PartNumber=1, Body=b"", ChecksumCRC32="AAAAAA==")
    assert part["ChecksumCRC32"] == "AAAAAA=="
    listed = await s3("ListParts", **named)
    assert "ChecksumCRC32" not in listed["Parts"][0]


async def test_parts_are_listed_in_pages(s3: S3World) -> None:
    named = await begun(s3, b"data", b"data")
    first = await s3("ListParts", **named, MaxParts=1)
    assert (first["IsTruncated"], first["NextPartNumberMarker"]) == (True, 1)
    second = await s3("ListParts", **named, MaxParts=1, PartNumberMarker=1)
    assert [part["PartNumber"] for part in second["Parts"]] == [2]
    assert second["IsTruncated"] is False
    beyond = await s3("ListParts", **named, PartNumberMarker=10)
    assert beyond["NextPartNumberMarker"] == 0
    assert "Parts" not in beyond


async def test_uploads_are_listed_by_key_and_age(s3: S3World) -> None:
    ids = []
    for key in ("b", "a", "a", "c/1", "c/2"):
        s3.clock.advance(1)
        ids.append((await s3("CreateMultipartUpload", Bucket="photos", Key=key))["UploadId"])
    listed = await s3("ListMultipartUploads", Bucket="photos", Delimiter="/")
    shown = [(upload["Key"], upload["UploadId"]) for upload in listed["Uploads"]]
    assert shown == [("a", ids[1]), ("a", ids[2]), ("b", ids[0])]
    assert listed["CommonPrefixes"] == [{"Prefix": "c/"}]
    after = await s3(
        "ListMultipartUploads", Bucket="photos", KeyMarker="a", UploadIdMarker=ids[1], MaxUploads=1
    )
    assert [upload["UploadId"] for upload in after["Uploads"]] == [ids[2]]
    assert after["IsTruncated"] is True


async def test_if_match_of_an_object_that_changed_meanwhile_is_a_conflict(s3: S3World) -> None:
    put = await s3("PutObject", Bucket="photos", Key="a", Body=b"test")
    s3.clock.advance(1)
    named = await begun(s3, SMALL)
    s3.clock.advance(1)
    await s3("PutObject", Bucket="photos", Key="a", Body=b"test")
    request = {**named, "MultipartUpload": told(SMALL), "IfMatch": put["ETag"]}
    error = await refused(s3, "CompleteMultipartUpload", **request)
    assert (error.status, error.code) == (409, "ConditionalRequestConflict")
    assert error.fields == {"Condition": "If-Match", "Key": "a"}
    await s3("DeleteObject", Bucket="photos", Key="a")
    assert (await refused(s3, "CompleteMultipartUpload", **request)).code == "NoSuchKey"


async def test_if_none_match_of_a_key_that_exists_fails(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a")
    named = await begun(s3, SMALL)
    error = await refused(
        s3,
        "CompleteMultipartUpload",
        **named,
        MultipartUpload=told(SMALL),
        IfNoneMatch="*",
    )
    assert error.fields == {"Condition": "If-None-Match"}


async def test_a_part_can_be_copied_from_a_range_of_an_upload(s3: S3World) -> None:
    await s3.upload("photos", "source", BIG, b"0123456789")
    named = await begun(s3, ChecksumAlgorithm="CRC32")
    last = len(BIG) + 4
    part = await s3(
        "UploadPartCopy",
        **named,
        PartNumber=1,
        CopySource="photos/source",
        CopySourceRange=f"bytes={len(BIG) - 1}-{last}",
    )
    assert part["CopyPartResult"]["ChecksumCRC32"] == digest("CRC32", b"a01234")
    parts = {"Parts": [{"PartNumber": 1, **part["CopyPartResult"]}]}
    await s3("CompleteMultipartUpload", **named, MultipartUpload=parts)
    assert await s3.get("photos", "a") == b"a01234"


async def test_an_object_of_many_parts_is_read_whole(
    s3: S3World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PART_BYTES_MIN", 1)
    parts = [b"%d," % number for number in range(40)]
    await s3.upload("photos", "a", *parts)
    assert await s3.get("photos", "a") == b"".join(parts)
    assert await s3.get("photos", "a", Range="bytes=2-5") == b"1,2,"
    assert await s3.get("photos", "a", PartNumber=40) == b"39,"
