"""Managed policies with their versions."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]


def document(action: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def iam(client: Client) -> Any:
    return client("iam")


@pytest.fixture
def arn(iam: Any) -> str:
    policy = iam.create_policy(PolicyName="p", PolicyDocument=document("s3:GetObject"))["Policy"]
    return str(policy["Arn"])


def test_a_new_policy_has_version_one(iam: Any, arn: str, account: str) -> None:
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert arn == f"arn:aws:iam::{account}:policy/p"
    assert policy["PolicyId"].startswith("ANPA")
    assert (policy["DefaultVersionId"], policy["AttachmentCount"]) == ("v1", 0)
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(document("s3:GetObject"))
    assert version["IsDefaultVersion"] is True


def test_a_missing_policy_is_no_such_entity(iam: Any, account: str) -> None:
    missing = f"arn:aws:iam::{account}:policy/none"
    with pytest.raises(ClientError, match=f"Policy {missing} was not found."):
        iam.get_policy(PolicyArn=missing)


def test_names_of_policies_are_unique(iam: Any, arn: str) -> None:
    with pytest.raises(ClientError, match="A policy called p already exists"):
        iam.create_policy(PolicyName="p", PolicyDocument=document("s3:*"))


def test_the_newest_version_is_listed_first(iam: Any, arn: str) -> None:
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("s3:*"), SetAsDefault=True)
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in versions] == [
        ("v2", True),
        ("v1", False),
    ]


def test_a_policy_has_at_most_five_versions(iam: Any, arn: str) -> None:
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("s3:*"))
    with pytest.raises(ClientError) as caught:
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("s3:*"))
    assert caught.value.response["Error"]["Code"] == "LimitExceeded"


def test_an_attached_policy_cannot_be_deleted(iam: Any, arn: str) -> None:
    iam.create_user(UserName="u")
    iam.attach_user_policy(UserName="u", PolicyArn=arn)
    with pytest.raises(ClientError, match="Cannot delete a policy attached to entities"):
        iam.delete_policy(PolicyArn=arn)
    iam.detach_user_policy(UserName="u", PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    with pytest.raises(ClientError, match="was not found"):
        iam.get_policy(PolicyArn=arn)


def test_local_policies_are_listed_apart_from_those_of_aws(iam: Any, arn: str) -> None:
    assert [one["Arn"] for one in iam.list_policies(Scope="Local")["Policies"]] == [arn]
    of_aws = [one["Arn"] for one in iam.list_policies(Scope="AWS")["Policies"]]
    assert "arn:aws:iam::aws:policy/AdministratorAccess" in of_aws and arn not in of_aws
