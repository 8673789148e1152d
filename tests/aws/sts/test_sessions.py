"""Temporary credentials are real: the gateway knows them and maps them to their account."""

import datetime
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.stack import RunningStack

Client = Callable[..., Any]


def test_plain_keys_are_the_root_of_their_account(client: Client, account: str) -> None:
    answer = client("sts").get_caller_identity()
    assert answer["Account"] == answer["UserId"] == account
    assert answer["Arn"] == f"arn:aws:iam::{account}:root"


def test_a_session_is_who_it_says(stack: RunningStack, client: Client, account: str) -> None:
    given = client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/path/worker", RoleSessionName="me"
    )
    assert given["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account}:assumed-role/worker/me"
    session = boto3.client(
        "sts",
        endpoint_url=stack.endpoint,
        region_name="us-east-1",
        aws_access_key_id=given["Credentials"]["AccessKeyId"],
        aws_secret_access_key=given["Credentials"]["SecretAccessKey"],
        aws_session_token=given["Credentials"]["SessionToken"],
    ).get_caller_identity()
    assert session["Arn"] == given["AssumedRoleUser"]["Arn"]
    assert session["UserId"] == given["AssumedRoleUser"]["AssumedRoleId"]
    assert session["Account"] == account


def test_a_session_carries_the_id_of_its_role(client: Client, account: str) -> None:
    role = client("iam").create_role(
        RoleName="r",
        AssumeRolePolicyDocument='{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}',
    )["Role"]
    given = client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="me")
    assert given["AssumedRoleUser"]["AssumedRoleId"] == f"{role['RoleId']}:me"


def test_a_session_lasts_an_hour_by_default(client: Client, account: str) -> None:
    given = client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/r", RoleSessionName="me"
    )
    left = given["Credentials"]["Expiration"] - datetime.datetime.now(datetime.UTC)
    assert 3500 < left.total_seconds() <= 3600


@pytest.mark.parametrize(
    "arn",
    [
        "nothing-valid-in-here",
        "arn:a:::something/test-role",
        "arn:a::::something/test-role",
        "arn::b:::something/test-role",
        "arn:a:a::aaaaaaaaaa:",
    ],
)
def test_what_is_no_role_is_invalid(client: Client, arn: str) -> None:
    with pytest.raises(ClientError) as caught:
        client("sts").assume_role(RoleArn=arn, RoleSessionName="me")
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert caught.value.response["Error"]["Message"] == f"{arn} is invalid"


def test_a_session_name_has_its_alphabet(client: Client, account: str) -> None:
    with pytest.raises(ClientError) as caught:
        client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/r", RoleSessionName="Session1:2"
        )
    assert caught.value.response["Error"] == {
        "Type": "Sender",
        "Code": "ValidationError",
        "Message": "1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to "
        "satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
    }


def test_a_session_is_no_longer_than_its_role_allows(client: Client) -> None:
    role = client("iam").create_role(
        RoleName="r",
        AssumeRolePolicyDocument='{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}',
    )["Role"]
    with pytest.raises(ClientError, match="exceeds the MaxSessionDuration set for this role"):
        client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="me", DurationSeconds=7200)


def test_get_session_token_keeps_the_identity(
    stack: RunningStack, client: Client, account: str
) -> None:
    given = client("sts").get_session_token()["Credentials"]
    identity = boto3.client(
        "sts",
        endpoint_url=stack.endpoint,
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    ).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{account}:root"
