"""Which service, account and region a request is for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.gateway.http import HttpRequest
from fogbank.gateway.identify import Identifier, Identity, path_style
from tests.gateway.requests import authorization, request


def identify(http: HttpRequest, form: bytes = b"") -> Identity:
    return Identifier("us-east-1").identify(http, form)


def test_the_credential_scope_names_service_and_region() -> None:
    found = identify(request(authorization=authorization("test", "lambda")))
    assert (found.service, found.region, found.access_key) == ("lambda", "eu-west-1", "test")


def test_an_access_key_of_12_digits_is_an_account() -> None:
    found = identify(request(authorization=authorization("123456789012", "s3")))
    assert found.account == "123456789012"


def test_any_other_access_key_belongs_to_the_default_account() -> None:
    for key in ("test", "1234567890123", "12345678901x", "١٢٣٤٥٦٧٨٩٠١٢"):
        found = identify(request(authorization=authorization(key, "s3")))
        assert found.account == "000000000000"


def test_a_presigned_query_names_service_and_region() -> None:
    scope = "test%2F20260101%2Feu-west-1%2Fs3%2Faws4_request"
    found = identify(request(target=f"/b/k?X-Amz-Credential={scope}&X-Amz-Expires=1"))
    assert (found.service, found.region, found.access_key) == ("s3", "eu-west-1", "test")


def test_a_presigned_query_of_version_2_is_for_s3() -> None:
    found = identify(request(target="/b/k?AWSAccessKeyId=123456789012&Signature=x&Expires=1"))
    assert (found.service, found.account) == ("s3", "123456789012")
    assert found.region == "us-east-1"


@pytest.mark.parametrize(
    ("http", "service"),
    [
        (request(authorization=authorization("test", "monitoring")), "cloudwatch"),
        (request("POST", x_amz_target="DynamoDB_20120810.GetItem"), "dynamodb"),
        (
            request(
                "POST",
                x_amz_target="DynamoDBStreams_20120810.ListStreams",
                authorization=authorization("test", "dynamodb"),
            ),
            "dynamodbstreams",
        ),
        (request(target="/?Action=GetCallerIdentity&Version=2011-06-15"), "sts"),
        (request(target="/2015-03-31/functions/f"), "lambda"),
        (request(target="/restapis"), "apigateway"),
        (request(target="/bucket/restapis"), "s3"),
        (request(target="/"), "s3"),
        (request(host="dynamodb.eu-west-1.amazonaws.com"), "dynamodb"),
        (request(host="s3.amazonaws.com"), "s3"),
        (request(host="s3.eu-west-1.amazonaws.com:443"), "s3"),
    ],
)
def test_the_service_is_told_by_what_the_request_says(http: HttpRequest, service: str) -> None:
    assert identify(http).service == service


def test_an_unsigned_form_names_its_service_in_the_body() -> None:
    http = request("POST", content_type="application/x-www-form-urlencoded")
    assert identify(http, b"Action=ListRoles&Version=2010-05-08").service == "iam"


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("photos.s3.amazonaws.com", "photos"),
        ("photos.s3.eu-west-1.amazonaws.com", "photos"),
        ("photos.s3-eu-west-1.amazonaws.com", "photos"),
        ("my.photos.s3.localhost:4566", "my.photos"),
        ("photos.localhost:4566", "photos"),
        ("photos.s3.localhost.localstack.cloud:4566", "photos"),
        ("s3.localhost.localstack.cloud:4566", None),
        ("localhost:4566", None),
        ("127.0.0.1:4566", None),
        ("[::1]:4566", None),
    ],
)
def test_the_host_may_name_a_bucket(host: str, bucket: str | None) -> None:
    found = identify(request(host=host))
    assert (found.service, found.host.bucket) == ("s3", bucket)


def test_a_bucket_in_the_host_moves_into_the_path() -> None:
    assert path_style(request(target="/a/b?x=1"), "photos").path == "/photos/a/b"


def test_a_host_of_a_region_names_the_region() -> None:
    assert identify(request(host="photos.s3.eu-west-1.amazonaws.com")).region == "eu-west-1"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_head_makes_identification_fail(host: str, credential: str, query: str) -> None:
    http = request("POST", host=host, authorization=f"AWS4-HMAC-SHA256 Credential={credential}")
    identify(http)
    identify(request(target=f"/?X-Amz-Credential={query}"))
    identify(request(target=f"/?Action={query}"), query.encode())
