"""Objects over a store in memory."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fogbank.services.body import Body
from fogbank.services.errors import AwsError
from fogbank.services.s3.checksums import Digests
from fogbank.storage.blobs import BlobStoreFull
from tests.services.s3.world import S3World

MB = 1024 * 1024


async def refused(s3: S3World, operation: str, **request: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        await s3(operation, **request)
    return caught.value


async def in_chunks(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def test_an_object_is_read_back(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a", Body=b"hello")
    assert await s3.get("photos", "a") == b"hello"


async def test_an_empty_object_has_no_blob(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a")
    assert await s3.get("photos", "a") == b""
    assert s3.blob_keys() == []


async def test_a_large_object_is_read_back_by_range(s3: S3World) -> None:
    data = bytes(range(256)) * 4096
    await s3("PutObject", Bucket="photos", Key="a", Body=Body(in_chunks(data), length=len(data)))
    assert await s3.get("photos", "a") == data
    assert await s3.get("photos", "a", Range="bytes=65530-65545") == data[65530:65546]
    assert await s3.get("photos", "a", Range="bytes=-3") == data[-3:]


async def test_overwriting_gives_the_old_bytes_back(s3: S3World) -> None:
    for body in (b"one", b"two", b"three"):
        await s3("PutObject", Bucket="photos", Key="a", Body=body)
    assert len(s3.blob_keys()) == 1


async def test_deleting_gives_the_bytes_back(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a", Body=b"one")
    await s3("DeleteObject", Bucket="photos", Key="a")
    assert s3.blob_keys() == []


async def test_the_default_checksum_is_of_the_full_object(s3: S3World) -> None:
    answer = await s3("PutObject", Bucket="photos", Key="a", Body=b"123456789")
    # The check value of CRC-64/NVME.
    assert answer["ChecksumCRC64NVME"] == "rosUhgp5mIg="
    assert answer["ChecksumType"] == "FULL_OBJECT"
    assert answer["ServerSideEncryption"] == "AES256"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
async def test_a_wrong_checksum_is_refused_and_leaves_nothing(s3: S3World, algorithm: str) -> None:
    wrong = Digests([algorithm]).values()[algorithm]
    error = await refused(
        s3, "PutObject", Bucket="photos", Key="a", Body=b"x", **{f"Checksum{algorithm}": wrong}
    )
    assert error.code == "BadDigest"
    assert s3.blob_keys() == []


async def test_a_wrong_checksum_in_a_trailer_is_refused(s3: S3World) -> None:
    body = Body(in_chunks(b"hello"), length=5, trailers={"x-amz-checksum-crc32": "AAAAAA=="})
    error = await refused(
        s3, "PutObject", Bucket="photos", Key="a", Body=body, ChecksumAlgorithm="CRC32"
    )
    assert error.code == "BadDigest"


async def test_the_announcement_of_a_trailer_says_what_is_computed(s3: S3World) -> None:
    trailers = {"x-amz-checksum-sha1": "qvTGHdzF6KLavt4PO0gs2a6pQ00="}
    body = Body(in_chunks(b"hello"), length=5, trailers=trailers, announced=(*trailers,))
    answer = await s3("PutObject", Bucket="photos", Key="a", Body=body)
    assert answer["ChecksumSHA1"] == "qvTGHdzF6KLavt4PO0gs2a6pQ00="


async def test_a_trailer_that_is_announced_must_come(s3: S3World) -> None:
    body = Body(in_chunks(b"hello"), length=5, announced=("x-amz-checksum-crc32",))
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", Body=body)
    assert error.code == "MalformedTrailerError"


async def test_an_unknown_checksum_in_a_trailer_is_refused(s3: S3World) -> None:
    body = Body(in_chunks(b"hello"), length=5, announced=("x-amz-checksum-adler",))
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", Body=body)
    assert error.message == "The value specified in the x-amz-trailer header is not supported"


async def test_a_right_checksum_in_a_trailer_is_stored(s3: S3World) -> None:
    body = Body(in_chunks(b"hello"), length=5, trailers={"x-amz-checksum-crc32": "NhCmhg=="})
    answer = await s3("PutObject", Bucket="photos", Key="a", Body=body, ChecksumAlgorithm="CRC32")
    assert answer["ChecksumCRC32"] == "NhCmhg=="


@pytest.mark.parametrize("given", ["", "000", "not base64", "MTIz", "dGVzdC1zdHJpbmc="])
async def test_a_malformed_content_md5_is_an_invalid_digest(s3: S3World, given: str) -> None:
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", Body=b"x", ContentMD5=given)
    assert (error.code, error.message) == (
        "InvalidDigest",
        "The Content-MD5 you specified was invalid.",
    )
    assert error.fields == {"Content-MD5": given}


async def test_a_wrong_content_md5_names_both_digests(s3: S3World) -> None:
    error = await refused(
        s3,
        "PutObject",
        Bucket="photos",
        Key="a",
        Body=b"x",
        ContentMD5="CYketZBSTjX8czcs3cXVlg==",
    )
    assert error.code == "BadDigest"
    assert error.fields == {
        "ExpectedDigest": "09891eb590524e35fc73372cddc5d596",
        "CalculatedDigest": "ndTkYSaMgDT1yFZOFVxnpg==",
    }


async def test_two_checksums_at_once_are_refused(s3: S3World) -> None:
    error = await refused(
        s3,
        "PutObject",
        Bucket="photos",
        Key="a",
        Body=b"",
        ChecksumCRC32="AAAAAA==",
        ChecksumCRC32C="AAAAAA==",
    )
    assert error.code == "InvalidRequest"


async def test_a_body_that_is_shorter_than_announced_is_refused(s3: S3World) -> None:
    body = Body(in_chunks(b"hello"), length=6)
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", Body=body)
    assert error.code == "IncompleteBody"
    assert s3.blob_keys() == []


async def test_a_body_of_unknown_length_is_refused(s3: S3World) -> None:
    body = Body(in_chunks(b"hello"))
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", Body=body)
    assert (error.status, error.code) == (411, "MissingContentLength")


async def test_a_put_that_breaks_off_leaves_nothing(s3: S3World) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * MB
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await s3("PutObject", Bucket="photos", Key="a", Body=Body(broken(), length=2 * MB))
    assert s3.blob_keys() == []


async def test_a_put_that_is_cancelled_discards_what_it_staged(
    s3: S3World, monkeypatch: pytest.MonkeyPatch
) -> None:
    discarded: list[Any] = []
    writing = asyncio.Event()

    async def hang(work: Any, **given: Any) -> None:
        writing.set()
        await asyncio.Event().wait()

    async def discard(staged: Any) -> None:
        discarded.append(staged)

    monkeypatch.setattr(s3.store, "write", hang)
    monkeypatch.setattr(s3.blobs, "discard", discard)
    async with asyncio.TaskGroup() as group:
        putting = group.create_task(s3("PutObject", Bucket="photos", Key="a", Body=b"x"))
        await writing.wait()
        putting.cancel()
    assert len(discarded) == 1


async def test_metadata_and_headers_come_back(s3: S3World) -> None:
    kept = {
        "CacheControl": "max-age=1",
        "ContentDisposition": "inline",
        "ContentLanguage": "de",
        "ContentType": "text/plain",
        "Expires": "Wed, 21 Oct 2015 07:28:00 GMT",
        "WebsiteRedirectLocation": "/b",
    }
    await s3("PutObject", Bucket="photos", Key="a", Metadata={"Who": "me"}, **kept)
    head = await s3("HeadObject", Bucket="photos", Key="a")
    assert kept.items() <= head.items()
    assert head["Metadata"] == {"who": "me"}


async def test_the_framing_of_a_transfer_is_no_content_encoding(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a", ContentEncoding="gzip,aws-chunked")
    await s3("PutObject", Bucket="photos", Key="b", ContentEncoding="aws-chunked")
    assert (await s3("HeadObject", Bucket="photos", Key="a"))["ContentEncoding"] == "gzip"
    assert "ContentEncoding" not in await s3("HeadObject", Bucket="photos", Key="b")


async def test_a_response_header_can_be_overridden(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a", ContentType="text/plain")
    answer = await s3("GetObject", Bucket="photos", Key="a", ResponseContentType="image/png")
    assert answer["ContentType"] == "image/png"


async def test_an_object_without_a_type_is_a_binary_stream(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a")
    assert (await s3("HeadObject", Bucket="photos", Key="a"))["ContentType"] == (
        "binary/octet-stream"
    )


async def test_metadata_above_two_kilobytes_is_refused(s3: S3World) -> None:
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", Metadata={"a": "x" * 2048})
    assert error.code == "MetadataTooLarge"
    assert error.fields == {"Size": 2049, "MaxSizeAllowed": 2048}


async def test_a_key_above_a_kilobyte_is_refused(s3: S3World) -> None:
    error = await refused(s3, "PutObject", Bucket="photos", Key="ü" * 513)
    assert error.code == "KeyTooLongError"
    assert error.fields == {"Size": 1026, "MaxSizeAllowed": 1024}


async def test_if_none_match_star_lets_only_the_first_write_through(s3: S3World) -> None:
    request = {"Bucket": "photos", "Key": "a", "IfNoneMatch": "*"}
    results = await asyncio.gather(
        *(s3("PutObject", **request, Body=b"%d" % number) for number in range(20)),
        return_exceptions=True,
    )
    failed = [result for result in results if isinstance(result, AwsError)]
    assert len(failed) == 19
    assert {(error.code, error.fields["Condition"]) for error in failed} == {
        ("PreconditionFailed", "If-None-Match")
    }
    assert len(s3.blob_keys()) == 1


async def test_if_match_replaces_only_the_object_that_was_seen(s3: S3World) -> None:
    first = await s3("PutObject", Bucket="photos", Key="a", Body=b"one")
    await s3("PutObject", Bucket="photos", Key="a", Body=b"two", IfMatch=first["ETag"])
    error = await refused(
        s3, "PutObject", Bucket="photos", Key="a", Body=b"three", IfMatch=first["ETag"]
    )
    assert (error.code, error.fields) == ("PreconditionFailed", {"Condition": "If-Match"})


async def test_if_match_of_a_missing_key_is_no_such_key(s3: S3World) -> None:
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", IfMatch="x")
    assert (error.status, error.code) == (404, "NoSuchKey")


@pytest.mark.parametrize(
    ("conditions", "header"),
    [
        ({"IfNoneMatch": "abc"}, "If-None-Match"),
        ({"IfMatch": "*"}, "If-Match"),
        ({"IfMatch": "a", "IfNoneMatch": "*"}, "If-Match,If-None-Match"),
    ],
)
async def test_other_write_conditions_are_not_implemented(
    s3: S3World, conditions: dict[str, str], header: str
) -> None:
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", **conditions)
    assert (error.status, error.code) == (501, "NotImplemented")
    assert error.fields["Header"] == header


def at(s3: S3World, seconds: int) -> datetime:
    return datetime.fromtimestamp(s3.clock.now_ms() / 1000, UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("conditions", "answer"),
    [
        ({"IfMatch": "{etag}"}, "ok"),
        ({"IfMatch": "other"}, "PreconditionFailed"),
        ({"IfNoneMatch": "{etag}"}, "304"),
        ({"IfNoneMatch": "other"}, "ok"),
        ({"IfUnmodifiedSince": -10}, "PreconditionFailed"),
        ({"IfUnmodifiedSince": 0}, "ok"),
        ({"IfModifiedSince": 0}, "304"),
        ({"IfModifiedSince": -10}, "ok"),
        ({"IfModifiedSince": 1000}, "ok"),
        ({"IfMatch": "{etag}", "IfUnmodifiedSince": -10}, "ok"),
        ({"IfNoneMatch": "other", "IfModifiedSince": 0}, "ok"),
        ({"IfNoneMatch": "{etag}", "IfModifiedSince": -10}, "304"),
        ({"IfMatch": "other", "IfNoneMatch": "{etag}"}, "PreconditionFailed"),
    ],
)
@pytest.mark.parametrize("operation", ["GetObject", "HeadObject"])
async def test_conditional_reads_follow_the_order_of_precedence(
    s3: S3World, operation: str, conditions: dict[str, Any], answer: str
) -> None:
    put = await s3("PutObject", Bucket="photos", Key="a", Body=b"x")
    given: dict[str, Any] = {
        name: at(s3, value) if isinstance(value, int) else value.format(etag=put["ETag"])
        for name, value in conditions.items()
    }
    if answer == "ok":
        await s3(operation, Bucket="photos", Key="a", **given)
    else:
        error = await refused(s3, operation, Bucket="photos", Key="a", **given)
        assert error.code == answer


async def test_not_modified_tells_the_validators(s3: S3World) -> None:
    put = await s3("PutObject", Bucket="photos", Key="a", Body=b"x")
    error = await refused(s3, "GetObject", Bucket="photos", Key="a", IfNoneMatch=put["ETag"])
    assert error.headers == {
        "ETag": put["ETag"],
        "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
    }


async def test_checksums_are_told_on_demand_and_only_of_the_whole(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a", Body=b"0123456789")
    request = {"Bucket": "photos", "Key": "a", "ChecksumMode": "ENABLED"}
    assert "ChecksumCRC64NVME" in await s3("GetObject", **request)
    assert "ChecksumCRC64NVME" in await s3("GetObject", **request, Range="bytes=-15")
    assert "ChecksumCRC64NVME" not in await s3("GetObject", **request, Range="bytes=0-8")
    del request["ChecksumMode"]
    assert "ChecksumCRC64NVME" not in await s3("GetObject", **request)


async def test_part_one_of_a_plain_object_is_all_of_it(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a", Body=b"test-123")
    answer = await s3("GetObject", Bucket="photos", Key="a", PartNumber=1)
    assert answer["ContentRange"] == "bytes 0-7/8"
    assert "PartsCount" not in answer
    error = await refused(s3, "GetObject", Bucket="photos", Key="a", PartNumber=2)
    assert error.fields == {"PartNumberRequested": 2, "ActualPartCount": 1}


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
async def test_archived_objects_must_be_restored_first(s3: S3World, storage_class: str) -> None:
    await s3("PutObject", Bucket="photos", Key="a", StorageClass=storage_class)
    error = await refused(s3, "GetObject", Bucket="photos", Key="a")
    assert (error.code, error.fields) == ("InvalidObjectState", {"StorageClass": storage_class})
    assert (await s3("HeadObject", Bucket="photos", Key="a"))["StorageClass"] == storage_class


async def test_an_unknown_storage_class_is_refused(s3: S3World) -> None:
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", StorageClass="OUTPOSTS")
    assert error.fields == {"StorageClassRequested": "OUTPOSTS"}


async def test_another_accounts_object_is_denied(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a")
    error = await refused(s3, "GetObject", account="111111111111", Bucket="photos", Key="a")
    assert (error.status, error.code) == (403, "AccessDenied")


async def test_a_version_that_cannot_be_is_an_invalid_argument(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a")
    for operation in ("GetObject", "HeadObject", "DeleteObject"):
        error = await refused(s3, operation, Bucket="photos", Key="a", VersionId="x")
        assert error.fields == {"ArgumentName": "versionId", "ArgumentValue": "x"}
    assert await s3("HeadObject", Bucket="photos", Key="a", VersionId="null")


async def test_deleting_what_is_not_there_succeeds(s3: S3World) -> None:
    assert await s3("DeleteObject", Bucket="photos", Key="nothing") == {}


async def test_many_keys_are_deleted_at_once(s3: S3World) -> None:
    await s3("PutObject", Bucket="photos", Key="a", Body=b"x")
    objects = [{"Key": "a"}, {"Key": "missing"}, {"Key": "b", "VersionId": "wrong"}]
    answer = await s3("DeleteObjects", Bucket="photos", Delete={"Objects": objects})
    assert answer == {
        "Deleted": [{"Key": "a"}, {"Key": "missing"}],
        "Errors": [
            {
                "Key": "b",
                "VersionId": "wrong",
                "Code": "NoSuchVersion",
                "Message": "The specified version does not exist.",
            }
        ],
    }


async def test_a_quiet_delete_tells_only_errors(s3: S3World) -> None:
    request = {"Objects": [{"Key": "a"}], "Quiet": True}
    assert await s3("DeleteObjects", Bucket="photos", Delete=request) == {}


async def test_more_than_a_thousand_keys_are_malformed(s3: S3World) -> None:
    objects = [{"Key": str(number)} for number in range(1001)]
    error = await refused(s3, "DeleteObjects", Bucket="photos", Delete={"Objects": objects})
    assert error.code == "MalformedXML"


async def test_what_is_not_built_is_refused_by_name(s3: S3World) -> None:
    for member, value in (
        ("SSECustomerKey", "x"),
        ("ServerSideEncryption", "aws:kms"),
        ("ChecksumXXHASH64", "x"),
    ):
        error = await refused(s3, "PutObject", Bucket="photos", Key="a", **{member: value})
        assert (error.status, error.code) == (501, "NotImplemented")


async def test_a_public_acl_is_refused_by_a_bucket_that_enforces_its_owner(s3: S3World) -> None:
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", ACL="public-read")
    assert error.code == "AccessControlListNotSupported"
    await s3("PutObject", Bucket="photos", Key="a", ACL="bucket-owner-full-control")


async def test_a_full_disk_is_an_answer_that_clients_take_for_passing(
    s3: S3World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(chunks: AsyncIterator[bytes], *, key_name: str) -> None:
        raise BlobStoreFull

    monkeypatch.setattr(s3.blobs, "stage", full)
    body = Body(in_chunks(b"x" * MB), length=MB)
    error = await refused(s3, "PutObject", Bucket="photos", Key="a", Body=body)
    assert (error.status, error.code) == (503, "ServiceUnavailable")


async def test_a_blob_that_is_missing_is_an_internal_error(s3: S3World) -> None:
    body = Body(in_chunks(b"x" * MB), length=MB)
    await s3("PutObject", Bucket="photos", Key="a", Body=body)
    [blob] = s3.blob_keys()
    await s3.store.write(lambda tx: tx.delete(blob))
    assert (await refused(s3, "GetObject", Bucket="photos", Key="a")).code == "InternalError"
    copy = {"Bucket": "photos", "Key": "b", "CopySource": "photos/a"}
    assert (await refused(s3, "CopyObject", **copy)).code == "InternalError"
