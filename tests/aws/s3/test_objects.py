"""Objects by boto3, and by plain HTTP where boto3 hides the fact."""

import base64
import hashlib
import io
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.stack import RunningStack

MB = 1024 * 1024


def error_of(call: Callable[..., Any], **request: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    response: dict[str, Any] = caught.value.response
    return response


KEYS = [
    "a/😀/",
    "file%2Fname",
    "test key//",
    "test%123",
    "test@key/",
    "/lead",
    "a+b",
    "..",
    "ü&<>'\"",
]


@pytest.mark.parametrize("key", KEYS)
def test_any_key_is_written_listed_and_read(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"test")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"test"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [one["Key"] for one in s3.list_objects(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_answer_to_a_put(s3: Any, bucket: str) -> None:
    answer = s3.put_object(Bucket=bucket, Key="a", Body=b"test")
    del answer["ResponseMetadata"]
    assert answer == {
        "ETag": '"098f6bcd4621d373cade4e832627b4f6"',
        "ChecksumCRC32": "2H9+DA==",
        "ChecksumType": "FULL_OBJECT",
        "ServerSideEncryption": "AES256",
    }


def test_an_answer_to_a_get(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"test")
    answer = s3.get_object(Bucket=bucket, Key="a")
    assert answer.pop("LastModified")
    assert answer.pop("Body").read() == b"test"
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    assert answer == {
        "AcceptRanges": "bytes",
        "ChecksumCRC32": "2H9+DA==",
        "ChecksumType": "FULL_OBJECT",
        "ContentLength": 4,
        "ContentType": "binary/octet-stream",
        "ETag": '"098f6bcd4621d373cade4e832627b4f6"',
        "Metadata": {},
        "ServerSideEncryption": "AES256",
    }


def test_everything_that_is_kept_with_an_object(s3: Any, bucket: str) -> None:
    kept = {
        "CacheControl": "max-age=74",
        "ContentDisposition": 'attachment; filename="foo.jpg"',
        "ContentEncoding": "identity",
        "ContentLanguage": "de-DE",
        "ContentType": "image/jpeg",
        "StorageClass": "STANDARD_IA",
        "WebsiteRedirectLocation": "/elsewhere",
        "Metadata": {"mixed-case": "Value", "b": "2"},
    }
    s3.put_object(Bucket=bucket, Key="a", Tagging="x=1&y=2", Expires=1445412480, **kept)
    head = s3.head_object(Bucket=bucket, Key="a")
    assert {name: head[name] for name in kept} == kept
    assert head["ResponseMetadata"]["HTTPHeaders"]["expires"] == "Wed, 21 Oct 2015 07:28:00 GMT"
    assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == [
        {"Key": "x", "Value": "1"},
        {"Key": "y", "Value": "2"},
    ]


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 300_000, 5 * MB + 17])
def test_a_body_of_any_size(s3: Any, bucket: str, size: int) -> None:
    body = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="a", Body=body)
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == body


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_every_checksum_is_stored_and_shown(s3: Any, bucket: str, algorithm: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"test", ChecksumAlgorithm=algorithm)
    got = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert listed["ChecksumAlgorithm"] == [algorithm]


def test_an_unseekable_stream_is_stored(s3: Any, bucket: str) -> None:
    body = os.urandom(3 * MB)
    s3.upload_fileobj(io.BytesIO(body), bucket, "a")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == body


def test_a_body_in_unsigned_chunks_with_a_trailer(
    stack: RunningStack, s3: Any, bucket: str
) -> None:
    def put(checksum: str) -> httpx.Response:
        framed = f"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n".encode()
        url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"})
        return httpx.put(
            url,
            content=framed,
            headers={
                "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                "x-amz-decoded-content-length": "5",
                "x-amz-trailer": "x-amz-checksum-crc32",
                "Content-Encoding": "aws-chunked",
            },
        )

    assert "<Code>BadDigest</Code>" in put("AAAAAA==").text
    answer = put("NhCmhg==")
    assert (answer.status_code, answer.headers["x-amz-checksum-crc32"]) == (200, "NhCmhg==")
    got = s3.get_object(Bucket=bucket, Key="a")
    assert got["Body"].read() == b"hello"
    assert "ContentEncoding" not in got


def test_a_content_md5_is_verified(s3: Any, bucket: str) -> None:
    right = base64.b64encode(hashlib.md5(b"test").digest()).decode()
    s3.put_object(Bucket=bucket, Key="a", Body=b"test", ContentMD5=right)
    error = error_of(s3.put_object, Bucket=bucket, Key="a", Body=b"other", ContentMD5=right)
    assert error["Error"]["Code"] == "BadDigest"


def test_a_range_is_partial_content(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    answer = s3.get_object(Bucket=bucket, Key="a", Range="bytes=2-4")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (answer["ContentRange"], answer["Body"].read()) == ("bytes 2-4/10", b"234")
    error = error_of(s3.get_object, Bucket=bucket, Key="a", Range="bytes=100-200")
    assert error["Error"] == {
        "Code": "InvalidRange",
        "Message": "The requested range is not satisfiable",
        "RangeRequested": "bytes=100-200",
        "ActualObjectSize": "10",
    }


def test_conditional_reads(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"data")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="a")["LastModified"]
    error = error_of(s3.get_object, Bucket=bucket, Key="a", IfMatch='"other"')
    assert error["Error"] == {
        "Code": "PreconditionFailed",
        "Message": "At least one of the pre-conditions you specified did not hold",
        "Condition": "If-Match",
    }
    for condition in ({"IfNoneMatch": etag}, {"IfModifiedSince": modified}):
        error = error_of(s3.get_object, Bucket=bucket, Key="a", **condition)
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 304
        assert error["ResponseMetadata"]["HTTPHeaders"]["etag"] == etag


def test_a_missing_key_is_told_by_get_and_by_head(s3: Any, bucket: str) -> None:
    error = error_of(s3.get_object, Bucket=bucket, Key="nothing")
    assert error["Error"] == {
        "Code": "NoSuchKey",
        "Message": "The specified key does not exist.",
        "Key": "nothing",
    }
    error = error_of(s3.head_object, Bucket=bucket, Key="nothing")
    assert error["Error"] == {"Code": "404", "Message": "Not Found"}


def test_of_many_racing_writers_one_wins(s3: Any, bucket: str) -> None:
    gate = threading.Barrier(16)

    def put(number: int) -> bool:
        gate.wait()
        try:
            s3.put_object(Bucket=bucket, Key="lock", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        won = list(threads.map(put, range(16)))
    assert won.count(True) == 1
    stored = s3.get_object(Bucket=bucket, Key="lock")["Body"].read()
    assert stored == b"%d" % won.index(True)


def test_an_object_is_replaced_only_when_it_is_the_one_seen(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"one")["ETag"]
    s3.put_object(Bucket=bucket, Key="a", Body=b"two", IfMatch=etag)
    error = error_of(s3.put_object, Bucket=bucket, Key="a", Body=b"three", IfMatch=etag)
    assert error["Error"]["Condition"] == "If-Match"
    error = error_of(s3.put_object, Bucket=bucket, Key="b", Body=b"", IfMatch=etag)
    assert error["Error"]["Code"] == "NoSuchKey"


def test_another_condition_on_a_put_is_not_implemented(s3: Any, bucket: str) -> None:
    error = error_of(s3.put_object, Bucket=bucket, Key="a", IfNoneMatch='"etag"')
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert error["Error"]["Header"] == "If-None-Match"


def test_keys_are_deleted_in_one_request(s3: Any, bucket: str) -> None:
    for key in ("a%2Fb", "a/😀", "keep"):
        s3.put_object(Bucket=bucket, Key=key)
    objects = [{"Key": "a%2Fb"}, {"Key": "a/😀"}, {"Key": "missing"}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert answer["Deleted"] == objects
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["keep"]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "keep"}], "Quiet": True})
    assert "Deleted" not in quiet


def test_a_copy_by_its_encoded_name(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="sü urce+/1", Body=b"test", Metadata={"a": "1"})
    source = {"Bucket": bucket, "Key": "sü urce+/1"}
    answer = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert answer["CopyObjectResult"]["ETag"] == '"098f6bcd4621d373cade4e832627b4f6"'
    got = s3.get_object(Bucket=bucket, Key="copy")
    assert (got["Body"].read(), got["Metadata"]) == (b"test", {"a": "1"})


def test_a_copy_onto_itself_without_a_change_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a")
    same = {"Bucket": bucket, "Key": "a", "CopySource": f"{bucket}/a"}
    assert error_of(s3.copy_object, **same)["Error"]["Code"] == "InvalidRequest"
    s3.copy_object(**same, MetadataDirective="REPLACE", Metadata={"a": "1"})
    assert s3.head_object(Bucket=bucket, Key="a")["Metadata"] == {"a": "1"}


def test_presigned_urls_write_and_read(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "a b/ü"}
    url = s3.generate_presigned_url("put_object", Params={**named, "ContentType": "text/plain"})
    put = httpx.put(url, content=b"hello", headers={"Content-Type": "text/plain"})
    assert put.status_code == 200
    url = s3.generate_presigned_url(
        "get_object", Params={**named, "ResponseContentDisposition": "attachment"}
    )
    got = httpx.get(url)
    assert (got.content, got.headers["content-type"]) == (b"hello", "text/plain")
    assert got.headers["content-disposition"] == "attachment"


def test_a_presigned_url_can_be_read_by_range(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    got = httpx.get(url, headers={"Range": "bytes=-3"})
    assert (got.status_code, got.content) == (206, b"789")


def test_another_account_sees_nothing(stack: RunningStack, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a")
    stranger = stack.client("s3", account="999999999999")
    error = error_of(stranger.get_object, Bucket=bucket, Key="a")
    assert error["Error"] == {"Code": "AccessDenied", "Message": "Access Denied"}
    assert bucket not in [one["Name"] for one in stranger.list_buckets()["Buckets"]]


def test_a_put_without_a_length_is_refused(stack: RunningStack, s3: Any, bucket: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"})
    answer = httpx.put(url, content=iter([b"hello"]))
    assert (answer.status_code, "MissingContentLength" in answer.text) == (411, True)
