"""Multipart uploads by boto3."""

import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MB = 1024 * 1024


def error_of(call: Callable[..., Any], **request: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error: dict[str, Any] = caught.value.response["Error"]
    return error


def test_a_large_file_goes_up_and_comes_down_in_parts(s3: Any, bucket: str) -> None:
    data = os.urandom(17 * MB + 3)
    config = TransferConfig(multipart_threshold=5 * MB, multipart_chunksize=5 * MB)
    s3.upload_fileobj(io.BytesIO(data), bucket, "big", Config=config)
    head = s3.head_object(Bucket=bucket, Key="big")
    assert (head["ContentLength"], head["ETag"][-3:]) == (len(data), '-4"')
    down = io.BytesIO()
    s3.download_fileobj(bucket, "big", down, Config=config)
    assert down.getvalue() == data


def test_a_large_file_is_copied_in_parts(s3: Any, bucket: str) -> None:
    data = os.urandom(11 * MB)
    config = TransferConfig(multipart_threshold=5 * MB, multipart_chunksize=5 * MB)
    s3.upload_fileobj(io.BytesIO(data), bucket, "big", Config=config)
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy", Config=config)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == data


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("CRC32", "COMPOSITE"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
        ("SHA256", "COMPOSITE"),
    ],
)
def test_an_upload_with_a_checksum(s3: Any, bucket: str, algorithm: str, kind: str) -> None:
    named = {"Bucket": bucket, "Key": "a"}
    created = s3.create_multipart_upload(**named, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    named["UploadId"] = created["UploadId"]
    parts = []
    for number, data in enumerate((b"a" * (5 * MB), b"b"), 1):
        part = s3.upload_part(**named, PartNumber=number, Body=data, ChecksumAlgorithm=algorithm)
        parts.append(
            {
                "PartNumber": number,
                "ETag": part["ETag"],
                f"Checksum{algorithm}": part[f"Checksum{algorithm}"],
            }
        )
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert done["ChecksumType"] == kind
    assert done[f"Checksum{algorithm}"].endswith("-2") == (kind == "COMPOSITE")
    # boto3 verifies what it reads against a checksum of the full object.
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a" * (5 * MB) + b"b"


def test_uploads_and_parts_are_listed_until_they_end(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "a"}
    upload_id = s3.create_multipart_upload(**named)["UploadId"]
    s3.upload_part(**named, UploadId=upload_id, PartNumber=7, Body=b"x")
    [upload] = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert (upload["Key"], upload["UploadId"]) == ("a", upload_id)
    listed = s3.list_parts(**named, UploadId=upload_id)
    assert [part["PartNumber"] for part in listed["Parts"]] == [7]
    s3.abort_multipart_upload(**named, UploadId=upload_id)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    error = error_of(s3.list_parts, **named, UploadId=upload_id)
    assert error["UploadId"] == upload_id


def test_the_particulars_of_a_part_that_is_too_small(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "a"}
    named["UploadId"] = s3.create_multipart_upload(**named)["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**named, PartNumber=number, Body=b"data")["ETag"],
        }
        for number in (1, 2)
    ]
    error = error_of(s3.complete_multipart_upload, **named, MultipartUpload={"Parts": parts})
    assert error == {
        "Code": "EntityTooSmall",
        "Message": "Your proposed upload is smaller than the minimum allowed size",
        "ProposedSize": "4",
        "MinSizeAllowed": "5242880",
        "PartNumber": "1",
        "ETag": "8d777f385d3dfec8815d20f7496026dc",
    }
    error = error_of(s3.complete_multipart_upload, **named)
    assert error["Message"] == "You must specify at least one part"


def test_a_part_is_read_by_its_number(s3: Any, bucket: str) -> None:
    config = TransferConfig(multipart_threshold=5 * MB, multipart_chunksize=5 * MB)
    s3.upload_fileobj(io.BytesIO(b"x" * (5 * MB) + b"test"), bucket, "a", Config=config)
    part = s3.get_object(Bucket=bucket, Key="a", PartNumber=2)
    assert (part["Body"].read(), part["PartsCount"]) == (b"test", 2)
    error = error_of(s3.get_object, Bucket=bucket, Key="a", PartNumber=10)
    assert (error["ActualPartCount"], error["PartNumberRequested"]) == ("2", "10")
