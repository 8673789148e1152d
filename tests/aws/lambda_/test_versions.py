"""Published versions never change; $LATEST goes on."""

import json
import urllib.request
from typing import Any

import pytest

from tests.aws.lambda_.conftest import Deploy, package
from tests.aws.lambda_.test_functions import error_of


def telling(text: str) -> str:
    return (
        "def handler(event, context):\n"
        f"    return [{text!r}, context.function_version, context.invoked_function_arn]\n"
    )


def run(functions: Any, **options: Any) -> Any:
    answer = functions.invoke(**{"FunctionName": "f", **options})
    return [answer["ExecutedVersion"], *json.loads(answer["Payload"].read())]


@pytest.fixture
def arn(functions: Any, deploy: Deploy) -> str:
    arn = deploy("f", telling("one"), Description="plain")["FunctionArn"]
    functions.get_function(FunctionName="f")
    return str(arn)


def publish(functions: Any, **options: Any) -> Any:
    functions.get_function(FunctionName="f")
    return functions.publish_version(FunctionName="f", **options)


def test_a_version_is_active_at_once_with_its_own_arn(functions: Any, arn: str) -> None:
    answer = publish(functions, Description="first")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (answer["Version"], answer["FunctionArn"]) == ("1", f"{arn}:1")
    assert (answer["State"], answer["LastUpdateStatus"]) == ("Active", "Successful")
    assert answer["Description"] == "first"


def test_a_version_keeps_its_code(functions: Any, arn: str) -> None:
    publish(functions)
    functions.update_function_code(FunctionName="f", ZipFile=package(telling("two")))
    assert run(functions) == ["$LATEST", "two", "$LATEST", arn]
    assert run(functions, Qualifier="1") == ["1", "one", "1", f"{arn}:1"]
    assert run(functions, FunctionName=f"{arn}:1") == ["1", "one", "1", f"{arn}:1"]
    code = functions.get_function(FunctionName="f", Qualifier="1")["Code"]["Location"]
    with urllib.request.urlopen(code) as answer:
        assert answer.read() == package(telling("one"))


def test_nothing_new_makes_no_new_version(functions: Any, arn: str) -> None:
    assert [publish(functions)["Version"] for _ in range(2)] == ["1", "1"]
    functions.update_function_configuration(FunctionName="f", Timeout=9)
    assert publish(functions)["Version"] == "2"


def test_numbers_are_not_given_twice(functions: Any, arn: str) -> None:
    publish(functions)
    functions.delete_function(FunctionName="f", Qualifier="1")
    text = f"Function not found: {arn}:1"
    found = error_of(lambda: functions.get_function(FunctionName="f", Qualifier="1"))
    assert found == ("ResourceNotFoundException", text, 404)
    assert publish(functions)["Version"] == "2"
    assert run(functions)[1] == "one"


def test_versions_are_listed_behind_latest(functions: Any, arn: str) -> None:
    publish(functions)
    functions.update_function_configuration(FunctionName="f", Timeout=9)
    publish(functions)
    pages = functions.get_paginator("list_versions_by_function").paginate(
        FunctionName="f", PaginationConfig={"PageSize": 2}
    )
    names = [[one["FunctionArn"] for one in page["Versions"]] for page in pages]
    assert names == [[f"{arn}:$LATEST", f"{arn}:1"], [f"{arn}:2"]]


def test_a_hash_may_be_demanded(functions: Any, arn: str) -> None:
    code, text, status = error_of(lambda: publish(functions, CodeSha256="other"))
    assert (code, status) == ("InvalidParameterValueException", 400)
    assert text.startswith("CodeSHA256 (other) is different from current CodeSHA256 in $LATEST")


def test_creation_and_update_can_publish(functions: Any, deploy: Deploy) -> None:
    created = deploy("f", telling("one"), Publish=True)
    assert (created["Version"], created["State"]) == ("1", "Pending")
    functions.get_function(FunctionName="f")
    updated = functions.update_function_code(
        FunctionName="f", ZipFile=package(telling("two")), Publish=True
    )
    assert updated["FunctionArn"].endswith(":f:2")
    assert (updated["State"], updated["StateReasonCode"]) == ("Pending", "Creating")
    assert [run(functions, Qualifier=number)[1] for number in ("1", "2")] == ["one", "two"]


def test_a_deleted_function_takes_its_versions_with_it(
    functions: Any, arn: str, deploy: Deploy
) -> None:
    publish(functions)
    functions.delete_function(FunctionName="f")
    deploy("f")
    assert len(functions.list_versions_by_function(FunctionName="f")["Versions"]) == 1
