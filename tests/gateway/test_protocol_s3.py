"""Where S3 departs from its model: which operation a request is, and what its answer looks like."""

import pytest

from fogbank.gateway import models
from fogbank.gateway.http import HttpResponse
from fogbank.gateway.protocols import rest_xml
from fogbank.services.errors import AwsError
from tests.gateway.wire import request_of

S3 = models.load("s3")


def answer(operation: str, output: dict[str, object]) -> HttpResponse:
    return rest_xml.serialize(S3.operations[operation], output, "request-1")


@pytest.mark.parametrize(
    ("method", "path", "query", "operation"),
    [
        ("GET", "/", "", "ListBuckets"),
        ("GET", "/", "x-id=ListBuckets", "ListBuckets"),
        ("PUT", "/b", "", "CreateBucket"),
        ("PUT", "/b/", "", "CreateBucket"),
        ("HEAD", "/b/", "", "HeadBucket"),
        ("GET", "/b", "", "ListObjects"),
        ("GET", "/b", "prefix=a", "ListObjects"),
        ("GET", "/b/", "list-type=2&prefix=a", "ListObjectsV2"),
        ("GET", "/b", "list-type=1", "ListObjects"),
        ("GET", "/b", "location", "GetBucketLocation"),
        ("GET", "/b", "location=", "GetBucketLocation"),
        ("GET", "/b", "versions", "ListObjectVersions"),
        ("GET", "/b", "uploads", "ListMultipartUploads"),
        ("GET", "/b", "notification", "GetBucketNotificationConfiguration"),
        ("PUT", "/b", "notification=", "PutBucketNotificationConfiguration"),
        ("GET", "/b", "lifecycle", "GetBucketLifecycleConfiguration"),
        ("GET", "/b", "analytics", "ListBucketAnalyticsConfigurations"),
        ("GET", "/b", "analytics&id=a", "GetBucketAnalyticsConfiguration"),
        ("POST", "/b/", "delete=", "DeleteObjects"),
        ("PUT", "/b/k", "x-id=PutObject", "PutObject"),
        ("GET", "/b/k", "x-id=GetObject&versionId=1", "GetObject"),
        ("GET", "/b/k", "X-Amz-Signature=a&response-content-type=b", "GetObject"),
        ("GET", "/b/k", "uploadId=u", "ListParts"),
        ("GET", "/b/k", "acl", "GetObjectAcl"),
        ("GET", "/b/k", "attributes", "GetObjectAttributes"),
        ("PUT", "/b/k", "tagging", "PutObjectTagging"),
        ("PUT", "/b/k", "partNumber=1&uploadId=u", "UploadPart"),
        ("POST", "/b/k", "uploads=", "CreateMultipartUpload"),
        ("POST", "/b/k", "uploads", "CreateMultipartUpload"),
        ("POST", "/b/k", "uploadId=u", "CompleteMultipartUpload"),
        ("DELETE", "/b/k", "uploadId=u", "AbortMultipartUpload"),
        ("DELETE", "/b/k", "", "DeleteObject"),
        ("HEAD", "/b/k/", "", "HeadObject"),
    ],
)
def test_the_query_says_which_operation_it_is(
    method: str, path: str, query: str, operation: str
) -> None:
    assert rest_xml.route(S3, request_of(method, path, query), b"").name == operation


@pytest.mark.parametrize(
    ("query", "operation"), [("", "CopyObject"), ("partNumber=1&uploadId=u", "UploadPartCopy")]
)
def test_a_copy_source_makes_a_copy(query: str, operation: str) -> None:
    request = request_of("PUT", "/b/k", query, headers={"X-Amz-Copy-Source": "b/k"})
    assert rest_xml.route(S3, request, b"").name == operation


@pytest.mark.parametrize(
    ("path", "bucket", "key"),
    [
        ("/b/k", "b", "k"),
        ("/b//k", "b", "/k"),
        ("/b/a//b/", "b", "a//b/"),
        ("/b/a%2Fb%20c+d", "b", "a/b c+d"),
        ("/b/%E6%97%A5", "b", "日"),
        ("/b/a/../c", "b", "a/../c"),
    ],
)
def test_a_key_is_all_that_follows_the_bucket(path: str, bucket: str, key: str) -> None:
    request = request_of("GET", path)
    found = rest_xml.parse(S3.operations["GetObject"], request, b"")
    assert (found["Bucket"], found["Key"]) == (bucket, key)


def test_a_key_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(AwsError) as caught:
        rest_xml.parse(S3.operations["GetObject"], request_of("GET", "/b/%FF"), b"")
    assert caught.value.code == "InvalidURI"


def test_a_conditional_date_that_cannot_be_read_is_ignored() -> None:
    request = request_of("GET", "/b/k", headers={"If-Modified-Since": "yesterday"})
    assert "IfModifiedSince" not in rest_xml.parse(S3.operations["GetObject"], request, b"")


def test_max_keys_that_is_no_number_is_an_invalid_argument() -> None:
    with pytest.raises(AwsError) as caught:
        rest_xml.parse(S3.operations["ListObjects"], request_of("GET", "/b", "max-keys=x"), b"")
    assert caught.value.code == "InvalidArgument"
    assert caught.value.fields == {"ArgumentName": "max-keys", "ArgumentValue": "x"}


def test_an_empty_document_that_is_required_is_missing() -> None:
    with pytest.raises(AwsError) as caught:
        rest_xml.parse(S3.operations["DeleteObjects"], request_of("POST", "/b", "delete"), b"")
    assert caught.value.code == "MissingRequestBodyError"


def test_headers_may_come_in_the_query_of_a_presigned_url() -> None:
    query = "X-Amz-Signature=s&x-amz-meta-Colour=red&x-amz-acl=private&x-amz-tagging=a%3Db"
    request = request_of("PUT", "/b/k", query, headers={"x-amz-acl": "public-read"})
    found = rest_xml.parse(S3.operations["PutObject"], request, b"")
    found.pop("Body")
    assert found == {
        "Bucket": "b",
        "Key": "k",
        "ACL": "public-read",
        "Tagging": "a=b",
        "Metadata": {"colour": "red"},
    }


def test_metadata_names_are_lower_case_and_repeated_ones_joined() -> None:
    request = request_of("PUT", "/b/k", headers={"x-amz-meta-Colour": "red"})
    request.headers.append((b"X-Amz-Meta-colour", b"blue"))
    found = rest_xml.parse(S3.operations["PutObject"], request, b"")
    assert found["Metadata"] == {"colour": "red,blue"}


@pytest.mark.parametrize(
    ("output", "tail"),
    [
        ({}, b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'),
        (
            {"LocationConstraint": "eu-west-1"},
            b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1'
            b"</LocationConstraint>",
        ),
    ],
)
def test_a_buckets_location_is_the_element_itself(output: dict[str, object], tail: bytes) -> None:
    body = answer("GetBucketLocation", output).body
    assert isinstance(body, bytes)
    assert body.endswith(tail)


@pytest.mark.parametrize(
    ("operation", "output", "root"),
    [
        ("ListBuckets", {"Buckets": []}, b"ListAllMyBucketsResult"),
        ("ListObjectsV2", {"Name": "b"}, b"ListBucketResult"),
        ("CreateMultipartUpload", {"UploadId": "u"}, b"InitiateMultipartUploadResult"),
        ("CompleteMultipartUpload", {"Key": "k"}, b"CompleteMultipartUploadResult"),
        ("CopyObject", {"CopyObjectResult": {"ETag": '"e"'}}, b"CopyObjectResult"),
        ("UploadPartCopy", {"CopyPartResult": {"ETag": '"e"'}}, b"CopyPartResult"),
        ("DeleteObjects", {}, b"DeleteResult"),
        ("GetBucketNotificationConfiguration", {}, b"NotificationConfiguration"),
        ("GetBucketVersioning", {}, b"VersioningConfiguration"),
    ],
)
def test_the_root_of_an_answer_is_named_as_aws_names_it(
    operation: str, output: dict[str, object], root: bytes
) -> None:
    response = answer(operation, output)
    assert isinstance(response.body, bytes)
    assert b'<%s xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' % root in response.body
    assert (b"Content-Type", b"application/xml") in response.headers


def test_a_partial_answer_is_206() -> None:
    output: dict[str, object] = {"ContentRange": "bytes 0-1/2", "ContentLength": 1, "Body": b"a"}
    assert answer("GetObject", output).status == 206
    assert answer("HeadObject", {"ContentRange": "bytes 0-1/2"}).status == 206


def test_dates_are_http_dates_in_headers_and_have_milliseconds_in_documents() -> None:
    at = 1767225600.5
    headers = answer("GetObject", {"LastModified": at, "Body": b""}).headers
    assert (b"Last-Modified", b"Thu, 01 Jan 2026 00:00:00 GMT") in headers
    body = answer("ListObjects", {"Contents": [{"Key": "k", "LastModified": at}]}).body
    assert isinstance(body, bytes)
    assert b"<LastModified>2026-01-01T00:00:00.500Z</LastModified>" in body


def test_an_answer_without_members_has_no_body() -> None:
    assert answer("PutObject", {"ETag": '"e"'}).body is None
    assert answer("DeleteBucket", {}).status == 204
    assert answer("PutBucketPolicy", {}).status == 204


def test_a_policy_is_answered_as_it_was_put() -> None:
    response = answer("GetBucketPolicy", {"Policy": '{"a": "<"}'})
    assert response.body == b'{"a": "<"}'
    assert (b"Content-Type", b"application/json") in response.headers
