"""`--auth strict`: only what a known key signed, and nothing altered or late, comes in."""

import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.stack import RunningStack

KEY, SECRET = "AKIAFOGBANKSTRICT001", "the-secret"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    root = tmp_path_factory.mktemp("strict")
    accounts = root / "accounts.toml"
    accounts.write_text(
        f'[[account]]\nid = "222222222222"\naccess_key = "{KEY}"\nsecret = "{SECRET}"\n'
    )
    stack = RunningStack(root, "--auth", "strict", "--accounts", str(accounts)).start()
    client(stack, "s3").create_bucket(Bucket="strict")
    yield stack
    stack.stop()


def client(
    stack: RunningStack, service: str, key: str = KEY, secret: str = SECRET, **more: Any
) -> Any:
    config = Config(retries={"total_max_attempts": 1}, **more.pop("config", {}))
    return boto3.client(
        service,
        endpoint_url=stack.endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=config,
        **more,
    )


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize("service", ["sts", "dynamodb", "lambda", "s3", "apigateway", "logs"])
def test_a_known_key_comes_in(strict: RunningStack, service: str) -> None:
    calls = {
        "sts": "get_caller_identity",
        "dynamodb": "list_tables",
        "lambda": "list_functions",
        "s3": "list_buckets",
        "apigateway": "get_rest_apis",
        "logs": "describe_log_groups",
    }
    answer = getattr(client(strict, service), calls[service])()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_the_account_is_the_one_in_the_file(strict: RunningStack) -> None:
    assert client(strict, "sts").get_caller_identity()["Account"] == "222222222222"


@pytest.mark.parametrize(
    ("service", "call", "unknown", "mismatch"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("dynamodb", "list_tables", "UnrecognizedClientException", "InvalidSignatureException"),
        ("lambda", "list_functions", "UnrecognizedClientException", "InvalidSignatureException"),
    ],
)
def test_a_wrong_key_and_a_wrong_secret_are_told_apart(
    strict: RunningStack, service: str, call: str, unknown: str, mismatch: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(client(strict, service, key="AKIANOBODYKNOWSTHIS0"), call)()
    assert code_of(error) == unknown
    with pytest.raises(ClientError) as error:
        getattr(client(strict, service, secret="wrong"), call)()
    assert code_of(error) == mismatch


@pytest.mark.parametrize(
    ("method", "path", "headers", "text"),
    [
        ("GET", "/strict", {}, "AccessDenied"),
        ("POST", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, "MissingAuthentication"),
        ("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", {}, "MissingAuthentication"),
    ],
)
def test_nobody_comes_in_unsigned(
    strict: RunningStack, method: str, path: str, headers: dict[str, str], text: str
) -> None:
    answer = httpx.request(method, strict.endpoint + path, headers=headers)
    assert answer.status_code in (400, 403)
    assert text in answer.text


@pytest.mark.parametrize("key", ["plain", "with space/ünïcode+%25~!*'()", "a//b/../c"])
@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_objects_of_any_name_are_put_got_and_presigned(
    strict: RunningStack, key: str, version: str
) -> None:
    s3 = client(strict, "s3", config={"signature_version": version})
    s3.put_object(Bucket="strict", Key=key, Body=b"body", Metadata={"a": "1  2"})
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "strict", "Key": key})
    with urllib.request.urlopen(url) as answer:  # httpx would resolve the dots in the path
        assert answer.read() == b"body"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_an_altered_presigned_url_is_refused(strict: RunningStack, version: str) -> None:
    s3 = client(strict, "s3", config={"signature_version": version})
    s3.put_object(Bucket="strict", Key="mine", Body=b"body")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "strict", "Key": "mine"})
    answer = httpx.get(url.replace("/mine", "/yours"))
    assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
    assert "<StringToSign>" in answer.text


def test_an_expired_presigned_url_is_refused(strict: RunningStack) -> None:
    s3 = client(strict, "s3", config={"signature_version": "s3"})
    params = {"Bucket": "strict", "Key": "mine"}
    answer = httpx.get(s3.generate_presigned_url("get_object", Params=params, ExpiresIn=-10))
    assert (answer.status_code, "Request has expired" in answer.text) == (403, True)


def test_a_body_that_was_not_signed_is_refused_and_not_kept(strict: RunningStack) -> None:
    s3 = client(strict, "s3")

    def alter(request: Any, **_: Any) -> None:
        request.body = b"other"

    s3.meta.events.register("before-send.s3.PutObject", alter)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="strict", Key="altered", Body=b"right", ChecksumAlgorithm="CRC32")
    assert code_of(error) in ("XAmzContentSHA256Mismatch", "BadDigest")
    listed = client(strict, "s3").list_objects_v2(Bucket="strict", Prefix="altered")
    assert listed["KeyCount"] == 0


def test_temporary_credentials_come_in_with_their_token_only(strict: RunningStack) -> None:
    given = client(strict, "sts").assume_role(
        RoleArn="arn:aws:iam::222222222222:role/anything", RoleSessionName="session"
    )["Credentials"]
    pair = (given["AccessKeyId"], given["SecretAccessKey"])
    assumed = client(strict, "sts", *pair, aws_session_token=given["SessionToken"])
    assert "assumed-role/anything/session" in assumed.get_caller_identity()["Arn"]
    with pytest.raises(ClientError) as error:
        client(strict, "sts", *pair).get_caller_identity()
    assert code_of(error) == "InvalidClientTokenId"
