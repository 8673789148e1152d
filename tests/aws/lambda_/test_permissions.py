"""The resource policy and the tags of a function."""

import json
from typing import Any

import pytest

from tests.aws.lambda_.conftest import Deploy
from tests.aws.lambda_.test_functions import error_of


@pytest.fixture
def arn(deploy: Deploy) -> str:
    return str(deploy("f")["FunctionArn"])


def allow(functions: Any, sid: str, principal: str = "s3.amazonaws.com", **options: str) -> Any:
    answer = functions.add_permission(
        FunctionName="f",
        StatementId=sid,
        Action="lambda:InvokeFunction",
        Principal=principal,
        **options,
    )
    return json.loads(answer["Statement"])


def test_a_statement_has_the_form_of_aws(functions: Any, arn: str) -> None:
    statement = allow(
        functions, "s3", SourceArn="arn:aws:s3:::bucket", SourceAccount="111111111111"
    )
    assert statement == {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "111111111111"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
        },
    }


@pytest.mark.parametrize(
    ("principal", "written"),
    [
        ("*", "*"),
        ("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("arn:aws:iam::123456789012:user/ann", {"AWS": "arn:aws:iam::123456789012:user/ann"}),
    ],
)
def test_principals(functions: Any, arn: str, principal: str, written: Any) -> None:
    assert allow(functions, "sid", principal)["Principal"] == written


def test_the_policy_holds_the_statements_in_order(functions: Any, arn: str) -> None:
    first = allow(functions, "one")
    second = allow(functions, "two")
    answer = functions.get_policy(FunctionName="f")
    assert json.loads(answer["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "default",
        "Statement": [first, second],
    }
    assert len(answer["RevisionId"]) == 36


def test_a_second_statement_of_the_sid_is_refused(functions: Any, arn: str) -> None:
    allow(functions, "one")
    code, text, status = error_of(lambda: allow(functions, "one"))
    assert (code, status) == ("ResourceConflictException", 409)
    assert text.startswith("The statement id (one) provided already exists.")


def test_removed_statements_leave_no_policy(functions: Any, arn: str) -> None:
    allow(functions, "one")
    text = "Statement none is not found in resource policy."
    found = error_of(lambda: functions.remove_permission(FunctionName="f", StatementId="none"))
    assert found == ("ResourceNotFoundException", text, 404)
    functions.remove_permission(FunctionName="f", StatementId="one")
    text = "The resource you requested does not exist."
    found = error_of(lambda: functions.get_policy(FunctionName="f"))
    assert found == ("ResourceNotFoundException", text, 404)


def test_tags_are_added_and_taken_away(functions: Any, arn: str) -> None:
    functions.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    functions.tag_resource(Resource=arn, Tags={"b": "3"})
    functions.untag_resource(Resource=arn, TagKeys=["a", "none"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"b": "3"}
    assert functions.get_function(FunctionName="f")["Tags"] == {"b": "3"}


def test_versions_have_no_tags(functions: Any, arn: str) -> None:
    text = "Tags on function aliases and versions are not supported. Please specify a function ARN."
    found = error_of(lambda: functions.list_tags(Resource=f"{arn}:alias"))
    assert found == ("InvalidParameterValueException", text, 400)


def test_no_tags_at_all_are_refused(functions: Any, arn: str) -> None:
    text = "An error occurred and the request cannot be processed."
    found = error_of(lambda: functions.tag_resource(Resource=arn, Tags={}))
    assert found == ("InvalidParameterValueException", text, 400)
