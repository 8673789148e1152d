"""Signatures of version 4 and 2, with botocore's signers as the oracle."""

import hashlib
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.gateway import sigv2, sigv4
from fogbank.gateway.http import HttpRequest
from fogbank.gateway.sigv4 import Malformed
from tests.gateway.signed import ACCESS_KEY, SECRET, sign

KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
# What S3's clients put into a path: encoded bytes, slashes kept, no control characters.
PATHS = KEYS.map(lambda key: "/bucket/" + quote(key, safe="/~"))
PAIRS = st.lists(st.tuples(KEYS, st.text(max_size=8).filter(lambda t: t.isprintable())), max_size=4)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)


def query_of(pairs: list[tuple[str, str]]) -> str:
    encoded = "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in pairs)
    return "?" + encoded if encoded else ""


def is_valid(request: HttpRequest, *, raw_path: bool, body: bytes = b"") -> bool:
    presigned = request.header(b"authorization") is None
    signature = sigv4.of_query(request) if presigned else sigv4.of_header(request)
    given_hash = request.header(b"x-amz-content-sha256")
    if presigned:
        payload_hash = sigv4.UNSIGNED_PAYLOAD
    else:
        payload_hash = given_hash or hashlib.sha256(body).hexdigest()
    computed = sigv4.compute(request, signature, SECRET, payload_hash, raw_path=raw_path)
    return sigv4.matches(computed, signature)


@settings(max_examples=60, deadline=None)
@given(PATHS, PAIRS, VALUES)
def test_what_botocore_signs_for_s3_is_valid(
    path: str, pairs: list[tuple[str, str]], value: str
) -> None:
    request = sign("PUT", path + query_of(pairs), headers={"x-amz-meta-note": value}, body=b"x")
    assert is_valid(request, raw_path=True)


@settings(max_examples=60, deadline=None)
@given(PATHS, PAIRS, VALUES)
def test_what_botocore_signs_for_other_services_is_valid(
    path: str, pairs: list[tuple[str, str]], value: str
) -> None:
    request = sign(
        "POST", path + query_of(pairs), service="lambda", headers={"X-Thing": value}, body=b"{}"
    )
    assert is_valid(request, raw_path=False, body=b"{}")


@settings(max_examples=60, deadline=None)
@given(PATHS, PAIRS)
def test_what_botocore_presigns_is_valid(path: str, pairs: list[tuple[str, str]]) -> None:
    assert is_valid(sign("GET", path + query_of(pairs), expires_s=60), raw_path=True)


@settings(max_examples=40, deadline=None)
@given(PATHS)
def test_what_botocore_presigns_with_version_2_is_valid(path: str) -> None:
    request = sign("GET", path, expires_s=60, version=2)
    signature = sigv2.of_request(request)
    assert signature is not None
    assert signature.access_key == ACCESS_KEY
    text = sigv2.string_to_sign(request, signature, None)
    assert sigv2.matches(sigv2.sign(SECRET, text), signature)


def test_an_altered_path_is_not_valid() -> None:
    request = sign("GET", "/bucket/mine", expires_s=60)
    assert not is_valid(replace(request, path="/bucket/yours"), raw_path=True)


def test_an_altered_parameter_is_not_valid() -> None:
    request = sign("GET", "/bucket?prefix=a")
    assert not is_valid(replace(request, query="prefix=b"), raw_path=True)


def test_an_altered_method_is_not_valid() -> None:
    assert not is_valid(replace(sign("GET", "/bucket/key"), method="DELETE"), raw_path=True)


def test_an_altered_signed_header_is_not_valid() -> None:
    request = sign("PUT", "/bucket/key", headers={"x-amz-acl": "private"})
    altered = [
        (name, b"public-read" if name == b"x-amz-acl" else value) for name, value in request.headers
    ]
    assert not is_valid(replace(request, headers=altered, _lower=None), raw_path=True)


def test_header_names_of_any_case_are_the_same_header() -> None:
    request = sign("PUT", "/bucket/key", headers={"X-Amz-Meta-A": "1"})
    upper = [(name.upper(), value) for name, value in request.headers]
    assert is_valid(replace(request, headers=upper, _lower=None), raw_path=True)


def test_the_canonical_path_of_other_services_is_encoded_twice() -> None:
    assert sigv4.canonical_path("/a%20b//../c/", raw_path=False) == "/c/"
    assert sigv4.canonical_path("/a%20b", raw_path=False) == "/a%2520b"
    assert sigv4.canonical_path("/a%20b//../c/", raw_path=True) == "/a%20b//../c/"


@pytest.mark.parametrize(
    ("authorization", "text"),
    [
        ("AWS4-HMAC-SHA256", "missing Credential"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c", "missing SignedHeaders"),
        (
            "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3, SignedHeaders=host, Signature=0",
            "the Credential is mal-formed",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=AK/20260101/r/s3/aws4_request, SignedHeaders=host, "
            "Signature=0",
            "Invalid credential date",
        ),
    ],
)
def test_a_header_that_lacks_something_is_malformed(authorization: str, text: str) -> None:
    request = sign("GET", "/bucket")
    headers = [(b"authorization", authorization.encode()), (b"x-amz-date", b"20260102T000000Z")]
    with pytest.raises(Malformed, match=text):
        sigv4.of_header(replace(request, headers=headers, _lower=None))


@pytest.mark.parametrize(
    ("was", "becomes", "text"),
    [
        ("X-Amz-Expires=60", "X-Amz-Expires=604801", "must be less than a week"),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1", "must be non-negative"),
        ("X-Amz-Expires=60", "X-Amz-Expires=soon", "should be a number"),
        ("X-Amz-Expires=60", "X=60", "requires the X-Amz-Algorithm"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA", "only supports"),
        ("%2Faws4_request", "%2Faws5_request", "Error parsing the X-Amz-Credential"),
        ("T", "t", "ISO8601 Long Format"),
    ],
)
def test_a_presigned_url_that_lacks_something_is_malformed(
    was: str, becomes: str, text: str
) -> None:
    request = sign("GET", "/bucket/key", expires_s=60)
    query = request.query
    if was == "T":
        at = query.index("X-Amz-Date=") + len("X-Amz-Date=")
        query = query[: at + 8] + "t" + query[at + 9 :]
    else:
        query = query.replace(was, becomes)
    with pytest.raises(Malformed, match=text):
        sigv4.of_query(replace(request, query=query))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_header_makes_the_parser_fail_otherwise(authorization: bytes, date: bytes) -> None:
    headers = [(b"Authorization", b"AWS4-HMAC-SHA256 " + authorization), (b"X-Amz-Date", date)]
    request = replace(sign("GET", "/bucket"), headers=headers, _lower=None)
    with pytest.raises(Malformed):
        sigv4.of_header(request)
