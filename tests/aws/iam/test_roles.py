"""Roles, their policies and tags."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceArn": "arn%3Aaws%3As3"}},
        }
    ],
}
INLINE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/a%20b +c"}],
}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture
def iam(client: Client) -> Any:
    return client("iam")


@pytest.fixture
def role(iam: Any) -> Any:
    return iam.create_role(
        RoleName="worker", Path="/app/", AssumeRolePolicyDocument=json.dumps(TRUST)
    )["Role"]


def error_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, str, int]:
    response = caught.value.response
    error = response["Error"]
    return error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_new_role_has_an_id_and_an_arn_with_its_path(role: Any, account: str) -> None:
    assert role["Arn"] == f"arn:aws:iam::{account}:role/app/worker"
    assert role["RoleId"].startswith("AROA") and len(role["RoleId"]) == 21
    assert role["AssumeRolePolicyDocument"] == TRUST
    assert set(role) == {
        *("Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument")
    }


def test_get_role_says_more_than_create_role(iam: Any, role: Any) -> None:
    found = iam.get_role(RoleName="worker")["Role"]
    assert found == {**role, "MaxSessionDuration": 3600, "RoleLastUsed": {}}


def test_a_role_is_global(client: Client, role: Any) -> None:
    assert (
        client("iam", region="eu-west-1").get_role(RoleName="worker")["Role"]["Arn"] == role["Arn"]
    )


def test_a_missing_role_is_no_such_entity(iam: Any) -> None:
    with pytest.raises(ClientError) as caught:
        iam.get_role(RoleName="X")
    assert error_of(caught) == ("NoSuchEntity", "The role with name X cannot be found.", 404)


def test_a_second_role_of_the_name_is_refused(iam: Any, role: Any) -> None:
    with pytest.raises(ClientError) as caught:
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))
    text = "Role with name worker already exists."
    assert error_of(caught) == ("EntityAlreadyExists", text, 409)


def test_a_trust_policy_that_is_not_json_is_malformed(iam: Any) -> None:
    with pytest.raises(ClientError) as caught:
        iam.create_role(RoleName="r", AssumeRolePolicyDocument="{")
    assert error_of(caught)[0] == "MalformedPolicyDocument"


def test_an_inline_policy_comes_back_as_it_was(iam: Any, role: Any) -> None:
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=json.dumps(INLINE))
    answer = iam.get_role_policy(RoleName="worker", PolicyName="p")
    assert answer["PolicyDocument"] == INLINE
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == ["p"]


def test_a_missing_inline_policy_is_no_such_entity(iam: Any, role: Any) -> None:
    with pytest.raises(ClientError) as caught:
        iam.get_role_policy(RoleName="worker", PolicyName="p")
    text = "The role policy with name p cannot be found."
    assert error_of(caught) == ("NoSuchEntity", text, 404)


def test_a_role_with_policies_cannot_be_deleted(iam: Any, role: Any) -> None:
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=json.dumps(INLINE))
    with pytest.raises(ClientError) as caught:
        iam.delete_role(RoleName="worker")
    text = "Cannot delete entity, must delete policies first."
    assert error_of(caught) == ("DeleteConflict", text, 409)
    iam.delete_role_policy(RoleName="worker", PolicyName="p")
    iam.attach_role_policy(RoleName="worker", PolicyArn=BASIC)
    with pytest.raises(ClientError, match="must detach all policies first"):
        iam.delete_role(RoleName="worker")
    iam.detach_role_policy(RoleName="worker", PolicyArn=BASIC)
    iam.delete_role(RoleName="worker")
    with pytest.raises(ClientError, match="cannot be found"):
        iam.get_role(RoleName="worker")


def test_policies_of_aws_can_be_attached_and_read(iam: Any, role: Any) -> None:
    iam.attach_role_policy(RoleName="worker", PolicyArn=BASIC)
    iam.attach_role_policy(RoleName="worker", PolicyArn=BASIC)
    attached = iam.list_attached_role_policies(RoleName="worker")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}]
    policy = iam.get_policy(PolicyArn=BASIC)["Policy"]
    assert (policy["AttachmentCount"], policy["Path"]) == (1, "/service-role/")


def test_an_unknown_policy_cannot_be_attached(iam: Any, role: Any, account: str) -> None:
    arn = f"arn:aws:iam::{account}:policy/none"
    with pytest.raises(ClientError) as caught:
        iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    text = f"Policy {arn} does not exist or is not attachable."
    assert error_of(caught) == ("NoSuchEntity", text, 404)


def test_roles_are_listed_in_pages_and_by_path(iam: Any, role: Any) -> None:
    for name in ("a", "b", "c"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}))
    assert [[one["RoleName"] for one in page["Roles"]] for page in pages] == [
        ["a", "b"],
        ["c", "worker"],
    ]
    assert [one["RoleName"] for one in iam.list_roles(PathPrefix="/app/")["Roles"]] == ["worker"]


def test_a_role_can_be_changed(iam: Any, role: Any) -> None:
    iam.update_role(RoleName="worker", Description="does it", MaxSessionDuration=7200)
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=json.dumps(INLINE))
    found = iam.get_role(RoleName="worker")["Role"]
    assert (found["Description"], found["MaxSessionDuration"]) == ("does it", 7200)
    assert found["AssumeRolePolicyDocument"] == INLINE


def test_tags_of_a_role(iam: Any, role: Any) -> None:
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    iam.tag_role(RoleName="worker", Tags=tags)
    assert iam.list_role_tags(RoleName="worker")["Tags"] == tags
    iam.untag_role(RoleName="worker", TagKeys=["a", "none"])
    assert iam.get_role(RoleName="worker")["Role"]["Tags"] == tags[1:]


def test_a_role_has_no_instance_profiles(iam: Any, role: Any) -> None:
    assert iam.list_instance_profiles_for_role(RoleName="worker")["InstanceProfiles"] == []
