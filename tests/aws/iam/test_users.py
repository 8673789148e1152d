"""Users and the access keys that the gateway knows them by."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.stack import RunningStack

Client = Callable[..., Any]


@pytest.fixture
def iam(client: Client) -> Any:
    iam = client("iam")
    iam.create_user(UserName="ann", Path="/staff/")
    return iam


def test_a_user_has_an_id_and_an_arn_with_its_path(iam: Any, account: str) -> None:
    user = iam.get_user(UserName="ann")["User"]
    assert user["Arn"] == f"arn:aws:iam::{account}:user/staff/ann"
    assert user["UserId"].startswith("AIDA")
    assert [one["UserName"] for one in iam.list_users()["Users"]] == ["ann"]


def test_an_access_key_is_its_user(stack: RunningStack, iam: Any, account: str) -> None:
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    identity = boto3.client(
        "sts",
        endpoint_url=stack.endpoint,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    ).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{account}:user/staff/ann"
    assert identity["Account"] == account


def test_a_user_has_at_most_two_keys(iam: Any) -> None:
    for _ in range(2):
        iam.create_access_key(UserName="ann")
    with pytest.raises(ClientError, match="Cannot exceed quota for AccessKeysPerUser: 2"):
        iam.create_access_key(UserName="ann")
    assert len(iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]) == 2


def test_a_user_with_keys_cannot_be_deleted(iam: Any) -> None:
    key = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    with pytest.raises(ClientError, match="must delete access keys first"):
        iam.delete_user(UserName="ann")
    iam.delete_access_key(UserName="ann", AccessKeyId=key)
    iam.delete_user(UserName="ann")
    with pytest.raises(ClientError, match="The user with name ann cannot be found"):
        iam.get_user(UserName="ann")
