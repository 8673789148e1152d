"""Whatever a request holds, an operation answers or refuses it; it never breaks."""

import base64
import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.errors import AwsError
from fogbank.services.s3 import service
from tests.services.s3.world import FUNCTION, S3World

MEMBERS: dict[str, list[Any]] = {
    "ACL": ["private", "public-read"],
    "Bucket": ["photos", "missing", "Bad_Name"],
    "BucketRegion": ["us-east-1", "nowhere"],
    "ChecksumAlgorithm": ["CRC32", "SHA256", "ADLER", "XXHASH3"],
    "ChecksumCRC32": ["AAAAAA==", "x"],
    "ChecksumMode": ["ENABLED", "x"],
    "ChecksumType": ["COMPOSITE", "FULL_OBJECT", "x"],
    "Body": [b"", b"hello"],
    "ContentMD5": ["x", base64.b64encode(bytes(16)).decode()],
    "ContinuationToken": ["YQ", "%"],
    "CopySource": ["photos/a", "photos", "photos/a?versionId=x", "%ff/%ff"],
    "CopySourceIfMatch": ["*", "x"],
    "CopySourceIfModifiedSince": [datetime(2020, 1, 1, tzinfo=UTC)],
    "CopySourceRange": ["bytes=0-0", "bytes=9-", "x"],
    "CreateBucketConfiguration": [
        {"LocationConstraint": "EU"},
        {"LocationConstraint": []},
        {"Tags": [{}]},
        {"Tags": 1},
    ],
    "Delete": [{"Objects": [{"Key": "a"}]}, {"Objects": [None]}, {"Objects": []}],
    "Delimiter": ["/", "", "\x00"],
    "EncodingType": ["url", "x"],
    "ExpectedBucketOwner": ["000000000000", "x"],
    "IfMatch": ["*", '"x"'],
    "IfNoneMatch": ["*", "x"],
    "IfModifiedSince": [datetime(2020, 1, 1, tzinfo=UTC)],
    "IfUnmodifiedSince": [datetime(2020, 1, 1, tzinfo=UTC)],
    "Key": ["a", "b/c", "k" * 1025, "\U0001f600"],
    "KeyMarker": ["a", ""],
    "Marker": ["a", ""],
    "MaxBuckets": [0, 1, "x"],
    "MaxKeys": [0, 1, -1, "x", 10**30],
    "MaxParts": [0, 1, -1],
    "MaxUploads": [0, 1, -1],
    "Metadata": [{"a": "1"}, {"a": 1}, []],
    "MetadataDirective": ["COPY", "REPLACE", "x"],
    "MultipartUpload": [
        {"Parts": [{"PartNumber": 1, "ETag": "x"}]},
        {"Parts": [{"PartNumber": "x", "ETag": "x"}]},
        {"Parts": [{"PartNumber": 2**40, "ETag": "x"}]},
        {"Parts": {}},
        {"Parts": [1]},
    ],
    "NotificationConfiguration": [
        {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": FUNCTION, "Events": ["x"]}]},
        {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": FUNCTION, "Events": 1}]},
        {
            "LambdaFunctionConfigurations": [
                {
                    "LambdaFunctionArn": FUNCTION,
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [1]}},
                }
            ]
        },
        {"LambdaFunctionConfigurations": 1},
    ],
    "ObjectAttributes": [["ETag", "ObjectParts"], "Checksum", ["x"], [1]],
    "ObjectOwnership": ["ObjectWriter", "x"],
    "PartNumber": [0, 1, 10_000, 10_001, "x", 2**70],
    "PartNumberMarker": [0, -1, 2**70, "x"],
    "Prefix": ["a", "\x00", "\U0010ffff"],
    "Range": ["bytes=0-0", "bytes=-1", "bytes=99999999999999999999-", "x"],
    "ResponseExpires": [datetime(2020, 1, 1, tzinfo=UTC), "x"],
    "StartAfter": ["a"],
    "StorageClass": ["STANDARD", "GLACIER", "x"],
    "Tagging": ["a=1", "a=1&a=2", "&&", {"TagSet": [{"Key": "a", "Value": "b"}]}, {"TagSet": [1]}],
    "UploadId": ["x", ""],
    "UploadIdMarker": ["x"],
    "VersionId": ["null", "x", ""],
    "VersionIdMarker": ["x"],
}
strange = st.sampled_from([None, "", "x", 0, -1, True, [], {}, [None], {"x": 1}, "ü" * 300])


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    request: dict[str, Any] = {"Bucket": "photos", "Key": "a"}
    names = draw(st.lists(st.sampled_from(sorted(MEMBERS)), max_size=6, unique=True))
    for name in names:
        usual = st.sampled_from(MEMBERS[name])
        request[name] = draw(st.one_of(usual, usual, strange))
    return request


@pytest.mark.parametrize("operation", sorted(service.operations))
@settings(deadline=None, max_examples=30)
@given(request=requests(), made=st.booleans())
async def test_an_operation_answers_or_refuses(
    operation: str, request: dict[str, Any], made: bool
) -> None:
    s3 = S3World()
    await s3("CreateBucket", Bucket="photos")
    if made:
        await s3("PutObject", Bucket="photos", Key="a", Body=b"hello")
        upload = await s3("CreateMultipartUpload", Bucket="photos", Key="a")
        if request.get("UploadId") == "x":
            request = {**request, "UploadId": upload["UploadId"]}
    with contextlib.suppress(AwsError):
        await s3(operation, **request)
