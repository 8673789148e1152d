"""Copies over a store in memory."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fogbank.services.errors import AwsError
from fogbank.services.s3.copies import parse_source
from tests.services.s3.world import S3World


async def refused(s3: S3World, **request: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        await s3("CopyObject", **request)
    return caught.value


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("b/k", ("b", "k", None)),
        ("/b/k", ("b", "k", None)),
        ("b/a%2Fb%20c/", ("b", "a/b c/", None)),
        ("b//k", ("b", "/k", None)),
        ("b/k?versionId=null", ("b", "k", "null")),
        ("b/%C3%BC", ("b", "ü", None)),
    ],
)
def test_the_source_of_a_copy(header: str, name: tuple[str, str, str | None]) -> None:
    assert parse_source(header) == name


@pytest.mark.parametrize("header", ["", "b", "b/", "/", None])
def test_a_source_without_a_key_is_refused(header: str | None) -> None:
    with pytest.raises(AwsError) as caught:
        parse_source(header)
    assert caught.value.fields["ArgumentName"] == "x-amz-copy-source"


@pytest.fixture
async def source(s3: S3World) -> S3World:
    await s3(
        "PutObject",
        Bucket="photos",
        Key="source",
        Body=b"test",
        ContentType="text/plain",
        Metadata={"key": "value"},
        Tagging="a=1",
        ChecksumSHA1="qUqP5cyxm6YcTAhz05Hph5gvu9M=",
        WebsiteRedirectLocation="/x",
        StorageClass="STANDARD_IA",
    )
    return s3


COPY = {"Bucket": "photos", "Key": "copy", "CopySource": "photos/source"}


async def test_a_copy_keeps_metadata_tags_and_the_kind_of_checksum(source: S3World) -> None:
    answer = await source("CopyObject", **COPY)
    assert answer["CopyObjectResult"]["ChecksumSHA1"] == "qUqP5cyxm6YcTAhz05Hph5gvu9M="
    head = await source("HeadObject", Bucket="photos", Key="copy")
    assert (head["ContentType"], head["Metadata"]) == ("text/plain", {"key": "value"})
    assert head["TagCount"] == 1
    assert await source.get("photos", "copy") == b"test"


async def test_a_copy_has_neither_the_redirect_nor_the_storage_class(source: S3World) -> None:
    await source("CopyObject", **COPY)
    head = await source("HeadObject", Bucket="photos", Key="copy")
    assert "WebsiteRedirectLocation" not in head
    assert "StorageClass" not in head


async def test_a_copy_can_replace_metadata_and_tags(source: S3World) -> None:
    await source(
        "CopyObject",
        **COPY,
        MetadataDirective="REPLACE",
        Metadata={"new": "one"},
        TaggingDirective="REPLACE",
    )
    head = await source("HeadObject", Bucket="photos", Key="copy")
    assert (head["ContentType"], head["Metadata"]) == ("binary/octet-stream", {"new": "one"})
    assert "TagCount" not in head


async def test_a_copy_of_an_upload_is_one_plain_object(s3: S3World) -> None:
    await s3.upload("photos", "source", b"x" * (5 << 20), b"y", ChecksumAlgorithm="SHA256")
    answer = await s3("CopyObject", **COPY)
    result = answer["CopyObjectResult"]
    assert "-" not in result["ETag"]
    assert result["ChecksumType"] == "FULL_OBJECT"
    assert (await s3.get("photos", "copy"))[-2:] == b"xy"


async def test_a_copy_onto_itself_must_change_something(source: S3World) -> None:
    same = {"Bucket": "photos", "Key": "source", "CopySource": "photos/source"}
    error = await refused(source, **same)
    assert str(error.message).startswith("This copy request is illegal because it is trying")
    await source("CopyObject", **same, MetadataDirective="REPLACE")
    await source("CopyObject", **same, StorageClass="STANDARD")
    assert await source.get("photos", "source") == b"test"


async def test_an_unknown_directive_is_refused(source: S3World) -> None:
    error = await refused(source, **COPY, MetadataDirective="MERGE")
    assert error.fields == {
        "ArgumentName": "x-amz-metadata-directive",
        "ArgumentValue": "MERGE",
    }


async def test_a_missing_source_is_told(s3: S3World) -> None:
    error = await refused(s3, **COPY)
    assert (error.code, error.fields) == ("NoSuchKey", {"Key": "source"})


@pytest.mark.parametrize(
    ("conditions", "failed"),
    [
        ({"CopySourceIfMatch": "other"}, "If-Match"),
        ({"CopySourceIfNoneMatch": "098f6bcd4621d373cade4e832627b4f6"}, "If-None-Match"),
        ({"CopySourceIfModifiedSince": 0}, "If-Modified-Since"),
        ({"CopySourceIfUnmodifiedSince": -10}, "If-Unmodified-Since"),
        ({"CopySourceIfModifiedSince": 1000}, None),
        ({"CopySourceIfMatch": "*", "CopySourceIfUnmodifiedSince": -10}, None),
    ],
)
async def test_conditions_on_the_source(
    source: S3World, conditions: dict[str, Any], failed: str | None
) -> None:
    now = datetime.fromtimestamp(source.clock.now_ms() / 1000, UTC)
    given: dict[str, Any] = {
        name: now + timedelta(seconds=value) if isinstance(value, int) else value
        for name, value in conditions.items()
    }
    if failed is None:
        await source("CopyObject", **COPY, **given)
        return
    error = await refused(source, **COPY, **given)
    assert (error.status, error.fields) == (412, {"Condition": f"x-amz-copy-source-{failed}"})
