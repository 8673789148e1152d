"""Functions: created, read, changed, listed and deleted."""

import base64
import hashlib
import re
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.lambda_.conftest import ECHO, Client, Deploy, package

Raised = Callable[..., tuple[str, str, int]]


def error_of(call: Callable[[], Any]) -> tuple[str, str, int]:
    """The code, the text and the status with which AWS refuses `call`."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    error = response["Error"]
    return error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_new_function_is_pending_with_all_defaults(deploy: Deploy, account: str) -> None:
    answer = deploy("f")
    arn = f"arn:aws:lambda:us-east-1:{account}:function:f"
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    runtime = answer.pop("RuntimeVersionConfig")["RuntimeVersionArn"]
    assert runtime.startswith("arn:aws:lambda:us-east-1::runtime:")
    modified = answer.pop("LastModified")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", modified)
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.pop("RevisionId"))
    digest = hashlib.sha256(package(ECHO)).digest()
    assert answer.pop("CodeSha256") == base64.b64encode(digest).decode()
    assert answer == {
        "Architectures": ["x86_64"],
        "CodeSize": len(package(ECHO)),
        "Description": "",
        "EphemeralStorage": {"Size": 512},
        "FunctionArn": arn,
        "FunctionName": "f",
        "Handler": "index.handler",
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
        "MemorySize": 128,
        "PackageType": "Zip",
        "Role": f"arn:aws:iam::{account}:role/worker",
        "Runtime": "python3.11",
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "Timeout": 3,
        "TracingConfig": {"Mode": "PassThrough"},
        "Version": "$LATEST",
    }


def test_waiters_end_at_their_first_look(functions: Any, deploy: Deploy) -> None:
    created = deploy("f")
    functions.get_waiter("function_active_v2").wait(
        FunctionName="f", WaiterConfig={"MaxAttempts": 1}
    )
    found = functions.get_function(FunctionName="f")["Configuration"]
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful")
    assert found["RevisionId"] != created["RevisionId"]
    assert "StateReason" not in found


def test_the_code_can_be_downloaded(functions: Any, deploy: Deploy) -> None:
    deploy("f")
    code = functions.get_function(FunctionName="f")["Code"]
    assert code["RepositoryType"] == "S3"
    with urllib.request.urlopen(code["Location"]) as answer:
        assert answer.read() == package(ECHO)


def test_the_code_can_come_from_a_bucket(
    client: Client, functions: Any, deploy: Deploy, account: str
) -> None:
    bucket = f"code-{account}"
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_object(Bucket=bucket, Key="f.zip", Body=package(ECHO))
    answer = deploy("f", Code={"S3Bucket": bucket, "S3Key": "f.zip"})
    assert answer["CodeSize"] == len(package(ECHO))


def test_code_that_is_not_in_the_bucket_is_said_so(
    client: Client, functions: Any, deploy: Deploy, account: str
) -> None:
    bucket = f"code-{account}"
    client("s3").create_bucket(Bucket=bucket)
    code, text, status = error_of(lambda: deploy("f", Code={"S3Bucket": bucket, "S3Key": "none"}))
    assert (code, status) == ("InvalidParameterValueException", 400)
    assert text == (
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
        "S3 Error Message: The specified key does not exist."
    )


def test_a_second_function_of_the_name_is_refused(deploy: Deploy) -> None:
    deploy("f")
    text = "Function already exist: f"
    assert error_of(lambda: deploy("f")) == ("ResourceConflictException", text, 409)


def test_a_missing_function_is_named_by_its_arn(functions: Any, account: str) -> None:
    text = f"Function not found: arn:aws:lambda:us-east-1:{account}:function:none"
    for call in (
        functions.get_function,
        functions.get_function_configuration,
        functions.delete_function,
        functions.invoke,
        functions.get_function_code_signing_config,
        functions.get_function_concurrency,
    ):
        found = error_of(lambda call=call: call(FunctionName="none"))  # type: ignore[misc]
        assert found == ("ResourceNotFoundException", text, 404)


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (
            {"Runtime": "PYTHON3.9"},
            "InvalidParameterValueException",
            "Value PYTHON3.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            "value set: [nodejs20.x, python3.14, ",
        ),
        (
            {"Role": "r1"},
            "ValidationException",
            "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ",
        ),
        (
            {"Code": {"ZipFile": b"this is not a zip file"}},
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            {"Architectures": ["x86_64", "arm64"]},
            "ValidationException",
            "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to "
            "satisfy constraint: Member must have length less than or equal to 1",
        ),
        (
            {"FunctionName": "a" * 65},
            "InvalidParameterValueException",
            f"1 validation error detected: Value '{'a' * 65}' at 'functionName' failed to satisfy "
            "constraint: Member must have length less than or equal to 64",
        ),
        (
            {"FunctionName": "invalid:function:name"},
            "ValidationException",
            "1 validation error detected: Value 'invalid:function:name' at 'functionName' failed "
            "to satisfy constraint: Member must satisfy regular expression pattern: ",
        ),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            "for modification. Reserved keys used in this request: AWS_REGION",
        ),
        (
            {"Environment": {"Variables": {"SMALL": "ok", "LARGE": "x" * 4096}}},
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided exceeded the 4KB limit. String measured: "
            '{"SMALL":"ok","LARGE":"xxx',
        ),
    ],
)
def test_a_bad_function_is_refused_in_the_words_of_aws(
    deploy: Deploy, options: dict[str, Any], code: str, text: str
) -> None:
    found_code, found_text, status = error_of(lambda: deploy(**{"name": "f", **options}))
    assert (found_code, status) == (code, 400)
    assert found_text.startswith(text)


def test_an_arn_of_another_region_is_not_reachable(functions: Any, account: str) -> None:
    arn = f"arn:aws:lambda:ap-southeast-1:{account}:function:f"
    text = "Functions from 'ap-southeast-1' are not reachable in this region ('us-east-1')"
    found = error_of(lambda: functions.get_function(FunctionName=arn))
    assert found == ("ResourceNotFoundException", text, 404)


def test_an_arn_of_another_account_is_denied(functions: Any) -> None:
    arn = "arn:aws:lambda:us-east-1:999999999999:function:f"
    code, _, status = error_of(lambda: functions.get_function(FunctionName=arn))
    assert (code, status) == ("AccessDeniedException", 403)


def test_a_function_has_many_names(functions: Any, deploy: Deploy, account: str) -> None:
    arn = deploy("f")["FunctionArn"]
    for name in ("f", "function:f", f"{account}:function:f", arn, f"us-east-1:{account}:f"):
        found = functions.get_function_configuration(FunctionName=name)
        assert found["FunctionArn"] == arn
    for options in ({"FunctionName": "f:$LATEST"}, {"FunctionName": "f", "Qualifier": "$LATEST"}):
        found = functions.get_function_configuration(**options)
        assert found["FunctionArn"] == f"{arn}:$LATEST"


def test_two_qualifiers_must_agree(functions: Any) -> None:
    text = "The derived qualifier from the function name does not match the specified qualifier."
    found = error_of(lambda: functions.get_function(FunctionName="f:a", Qualifier="b"))
    assert found == ("InvalidParameterValueException", text, 400)


def test_an_update_of_the_configuration_keeps_the_rest(functions: Any, deploy: Deploy) -> None:
    deploy("f", MemorySize=256, Environment={"Variables": {"MODE": "1"}})
    functions.get_function(FunctionName="f")
    answer = functions.update_function_configuration(
        FunctionName="f", Timeout=10, Description="new", Runtime="python3.12"
    )
    assert answer["LastUpdateStatus"] == "InProgress"
    assert answer["LastUpdateStatusReasonCode"] == "Creating"
    assert (answer["MemorySize"], answer["Environment"]) == (256, {"Variables": {"MODE": "1"}})
    found = functions.get_function_configuration(FunctionName="f")
    assert (found["Timeout"], found["Runtime"]) == (10, "python3.12")
    assert found["LastUpdateStatus"] == "Successful"


def test_an_update_during_an_update_is_a_conflict(functions: Any, deploy: Deploy) -> None:
    arn = deploy("f")["FunctionArn"]
    functions.get_function(FunctionName="f")
    functions.update_function_configuration(FunctionName="f", Timeout=10)
    text = (
        "The operation cannot be performed at this time. "
        f"An update is in progress for resource: {arn}"
    )
    found = error_of(lambda: functions.update_function_configuration(FunctionName="f", Timeout=9))
    assert found == ("ResourceConflictException", text, 409)


def test_an_update_may_depend_on_the_revision(functions: Any, deploy: Deploy) -> None:
    deploy("f")
    current = functions.get_function_configuration(FunctionName="f")["RevisionId"]
    code, _, status = error_of(
        lambda: functions.update_function_configuration(
            FunctionName="f", Timeout=9, RevisionId="00000000-0000-0000-0000-000000000000"
        )
    )
    assert (code, status) == ("PreconditionFailedException", 412)
    functions.update_function_configuration(FunctionName="f", Timeout=9, RevisionId=current)


def test_new_code_has_a_new_hash(functions: Any, deploy: Deploy) -> None:
    before = deploy("f")["CodeSha256"]
    functions.get_function(FunctionName="f")
    code = package("def handler(event, context): return 2")
    answer = functions.update_function_code(FunctionName="f", ZipFile=code)
    assert answer["CodeSha256"] != before and answer["CodeSize"] == len(code)
    assert answer["LastUpdateStatus"] == "InProgress"


def test_functions_are_listed_in_pages_without_state(functions: Any, deploy: Deploy) -> None:
    for name in ("c", "a", "b"):
        deploy(name)
    pages = list(
        functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    )
    names = [[one["FunctionName"] for one in page["Functions"]] for page in pages]
    assert names == [["a", "b"], ["c"]]
    assert "State" not in pages[0]["Functions"][0]


def test_a_deleted_function_is_gone(functions: Any, deploy: Deploy) -> None:
    deploy("f")
    answer = functions.delete_function(FunctionName="f")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(lambda: functions.get_function(FunctionName="f"))[2] == 404
    deploy("f")


def test_latest_cannot_be_deleted_alone(functions: Any, deploy: Deploy) -> None:
    deploy("f")
    text = "$LATEST version cannot be deleted without deleting the function."
    found = error_of(lambda: functions.delete_function(FunctionName="f", Qualifier="$LATEST"))
    assert found == ("InvalidParameterValueException", text, 400)


def test_functions_of_another_region_are_not_seen(client: Client, deploy: Deploy) -> None:
    deploy("f")
    assert client("lambda", region="eu-west-1").list_functions()["Functions"] == []


def test_what_terraform_reads_of_a_plain_function(functions: Any, deploy: Deploy) -> None:
    arn = deploy("f")["FunctionArn"]
    signing = functions.get_function_code_signing_config(FunctionName="f")
    assert signing["FunctionName"] == "f" and "CodeSigningConfigArn" not in signing
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(
        FunctionName="f"
    )
    (version,) = functions.list_versions_by_function(FunctionName="f")["Versions"]
    assert (version["Version"], version["FunctionArn"]) == ("$LATEST", f"{arn}:$LATEST")


def test_what_a_function_does_not_have_is_told_as_by_aws(
    functions: Any, deploy: Deploy, account: str
) -> None:
    arn = deploy("f")["FunctionArn"]
    text = f"The function {arn}:$LATEST doesn't have an EventInvokeConfig"
    found = error_of(lambda: functions.get_function_event_invoke_config(FunctionName="f"))
    assert found == ("ResourceNotFoundException", text, 404)
    text = "The resource you requested does not exist."
    found = error_of(lambda: functions.get_function_url_config(FunctionName="f"))
    assert found == ("ResourceNotFoundException", text, 404)
    assert functions.list_aliases(FunctionName="f")["Aliases"] == []
    recursion = functions.get_function_recursion_config(FunctionName="f")
    assert recursion["RecursiveLoop"] == "Terminate"
