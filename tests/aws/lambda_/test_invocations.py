"""Functions run: answers, errors, logs, identity and the trace, with the driver in force."""

import base64
import json
import re
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.lambda_.conftest import Client, Deploy, package
from tests.aws.lambda_.test_functions import error_of
from tests.stack import RunningStack

WAIT_S = 15.0

CALLS_BACK = """
import boto3
def handler(event, context):
    identity = boto3.client("sts").get_caller_identity()
    return [identity["Account"], identity["Arn"]]
"""
FAILS = """
def handler(event, context):
    raise ValueError("no luck")
"""
CONTEXT = """
import os
def handler(event, context):
    names = [
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_REGION",
        "AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_EXECUTION_ENV", "_HANDLER", "AWS_LAMBDA_INITIALIZATION_TYPE", "MINE", "TZ",
    ]
    return {
        "env": {name: os.environ.get(name) for name in names},
        "arn": context.invoked_function_arn,
        "request_id": context.aws_request_id,
        "client": context.client_context.custom if context.client_context else None,
        "stream": context.log_stream_name,
    }
"""


def run(functions: Any, event: Any = None, **options: Any) -> Any:
    answer = functions.invoke(
        **{"FunctionName": "f", "Payload": json.dumps(event).encode(), **options}
    )
    return json.loads(answer["Payload"].read())


def wait_for(condition: Callable[[], Any]) -> Any:
    """What `condition` returns once it is true."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
    raise AssertionError("it did not happen in time")


def logged(client: Client, group: str = "/aws/lambda/f") -> list[str]:
    try:
        events = client("logs").filter_log_events(logGroupName=group)["events"]
    except ClientError:
        return []
    return [event["message"] for event in events]


def test_a_function_answers_its_event(functions: Any, deploy: Deploy) -> None:
    deploy("f")
    answer = functions.invoke(FunctionName="f", Payload=b'{"a": [1, "\xc3\xa9"]}')
    assert json.loads(answer["Payload"].read()) == {"a": [1, "é"]}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer and "LogResult" not in answer


def test_no_payload_is_an_empty_object(functions: Any, deploy: Deploy) -> None:
    deploy("f")
    assert json.loads(functions.invoke(FunctionName="f")["Payload"].read()) == {}


def test_the_environment_is_that_of_aws(functions: Any, deploy: Deploy) -> None:
    arn = deploy("f", CONTEXT, MemorySize=256, Environment={"Variables": {"MINE": "yes"}})[
        "FunctionArn"
    ]
    client_context = base64.b64encode(b'{"custom": {"who": "me"}}').decode()
    answer = functions.invoke(
        FunctionName="f", Payload=b"{}", ClientContext=client_context, LogType="Tail"
    )
    told = json.loads(answer["Payload"].read())
    assert told["env"] == {
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "_HANDLER": "index.handler",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "MINE": "yes",
        "TZ": ":UTC",
    }
    assert (told["arn"], told["client"]) == (arn, {"who": "me"})
    assert told["request_id"] == answer["ResponseMetadata"]["RequestId"]


def test_the_qualifier_shows_in_the_invoked_arn(functions: Any, deploy: Deploy) -> None:
    arn = deploy("f", CONTEXT)["FunctionArn"]
    assert run(functions, FunctionName=f"{arn}:$LATEST")["arn"] == f"{arn}:$LATEST"


def test_an_error_of_the_function_is_in_the_payload(functions: Any, deploy: Deploy) -> None:
    deploy("f", FAILS)
    answer = functions.invoke(FunctionName="f", Payload=b"{}")
    document = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert document["errorMessage"] == "no luck" and document["errorType"] == "ValueError"
    assert document["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert document["stackTrace"][0].startswith('  File "/var/task/index.py", line 3, in handler')


def test_the_tail_has_the_lines_of_this_run(functions: Any, deploy: Deploy) -> None:
    deploy("f")
    answer = functions.invoke(FunctionName="f", Payload=b'"hi"', LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert lines[:3] == [
        f"START RequestId: {request_id} Version: $LATEST",
        "got hi",
        f"END RequestId: {request_id}",
    ]
    assert re.fullmatch(
        rf"REPORT RequestId: {request_id}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t",
        lines[3],
    )


def test_lines_are_in_the_logs_when_the_answer_is_out(
    functions: Any, deploy: Deploy, client: Client
) -> None:
    deploy("f")
    for number in range(5):
        functions.invoke(FunctionName="f", Payload=json.dumps(number).encode())
        assert f"got {number}\n" in logged(client)
    kinds = [line.split(" ")[0] for line in logged(client)]
    assert kinds[:5] == ["INIT_START", "START", "got", "END", "REPORT"]
    (stream,) = client("logs").describe_log_streams(logGroupName="/aws/lambda/f")["logStreams"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])


def test_a_log_group_can_be_chosen(functions: Any, deploy: Deploy, client: Client) -> None:
    deploy("f", LoggingConfig={"LogGroup": "mine"})
    functions.invoke(FunctionName="f", Payload=b"7")
    assert "got 7\n" in logged(client, "mine")


def test_the_logs_outlive_the_stack(tmp_path: Any) -> None:
    stack = RunningStack(tmp_path).start()
    try:
        functions = stack.client("lambda")
        functions.create_function(
            FunctionName="f",
            Runtime="python3.11",
            Handler="index.handler",
            Role="arn:aws:iam::000000000000:role/worker",
            Code={"ZipFile": package("def handler(event, context):\n    print('last words')")},
        )
        functions.invoke(FunctionName="f")
        assert stack.stop() == 0
        stack.start()
        events = stack.client("logs").filter_log_events(logGroupName="/aws/lambda/f")["events"]
        assert "last words\n" in [event["message"] for event in events]
        assert stack.client("lambda").invoke(FunctionName="f")["StatusCode"] == 200
    finally:
        stack.stop()


def test_a_function_is_its_role(functions: Any, deploy: Deploy, account: str) -> None:
    deploy("f", CALLS_BACK, Timeout=30)
    arn = f"arn:aws:sts::{account}:assumed-role/worker/f"
    assert run(functions) == [account, arn]


def test_a_role_of_a_made_up_account_does_not_lead_away(
    functions: Any, deploy: Deploy, account: str
) -> None:
    deploy("f", CALLS_BACK, Timeout=30, Role="arn:aws:iam::123456789012:role/any")
    assert run(functions)[0] == account


def test_the_calls_of_a_function_are_its_children(
    functions: Any, deploy: Deploy, stack: RunningStack
) -> None:
    deploy("f", CALLS_BACK, Timeout=30)
    functions.invoke(FunctionName="f", Payload=b"{}")
    with urllib.request.urlopen(f"{stack.endpoint}/_fogbank/traces") as answer:
        traces = json.loads(answer.read())["traces"]
    roots = [span for trace in traces for span in trace["spans"]]
    root = next(one for one in roots if one["name"] == "lambda.Invoke")
    run_of = next(one for one in root["children"] if one["kind"] == "invoke")
    assert (run_of["name"], run_of["detail"]["cold"]) == ("f", True)
    assert "START RequestId" in run_of["detail"]["log"]
    assert "sts.GetCallerIdentity" in [child["name"] for child in run_of["children"]]


def test_new_code_runs_from_then_on(functions: Any, deploy: Deploy) -> None:
    deploy("f", "def handler(event, context): return 1")
    assert run(functions) == 1
    code = package("def handler(event, context): return 2")
    functions.update_function_code(FunctionName="f", ZipFile=code)
    assert run(functions) == 2


def test_new_variables_are_seen_from_then_on(functions: Any, deploy: Deploy) -> None:
    code = "import os\ndef handler(event, context): return os.environ.get('MODE')"
    deploy("f", code)
    assert run(functions) is None
    changed = {"Variables": {"MODE": "b"}}
    functions.update_function_configuration(FunctionName="f", Environment=changed)
    assert run(functions) == "b"


def test_tags_do_not_cost_a_cold_start(functions: Any, deploy: Deploy) -> None:
    arn = deploy("f", "n = 0\ndef handler(event, context):\n global n\n n += 1\n return n")[
        "FunctionArn"
    ]
    assert run(functions) == 1
    functions.tag_resource(Resource=arn, Tags={"a": "1"})
    assert run(functions) == 2


def test_a_timeout_is_told_in_the_words_of_aws(functions: Any, deploy: Deploy) -> None:
    deploy("f", "import time\ndef handler(event, context): time.sleep(30)", Timeout=1)
    answer = functions.invoke(FunctionName="f", Payload=b"{}")
    document = json.loads(answer["Payload"].read())
    assert document["errorType"] == "Sandbox.Timedout"
    assert document["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")


def test_a_dry_run_runs_nothing(functions: Any, deploy: Deploy, client: Client) -> None:
    deploy("f")
    answer = functions.invoke(FunctionName="f", InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert logged(client) == []


def test_an_event_is_accepted_and_runs_later(
    functions: Any, deploy: Deploy, client: Client
) -> None:
    deploy("f")
    answer = functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'"later"')
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    wait_for(lambda: "got later\n" in logged(client))
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert any(request_id in line for line in logged(client))


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"n\x87r", "Invalid UTF-8 start byte 0x87\n at [{source}; line: 1, column: 3]"),
        (
            b"\x99\xeb",
            "Unexpected character ((CTRL-CHAR, code 153)): expected a valid value (JSON String, "
            "Number, Array, Object or token 'null', 'true' or 'false')\n at [{source}; line: 1, "
            "column: 1]",
        ),
    ],
)
def test_a_payload_must_be_json(functions: Any, deploy: Deploy, payload: bytes, fault: str) -> None:
    deploy("f")
    source = "Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)"
    text = "Could not parse request body into json: Could not parse payload into json: "
    text += fault.replace("{source}", source)
    found = error_of(lambda: functions.invoke(FunctionName="f", Payload=payload))
    assert found == ("InvalidRequestContentException", text, 400)


def test_a_payload_has_its_limit(functions: Any, deploy: Deploy) -> None:
    deploy("f", "def handler(event, context): return len(event)")
    assert run(functions, "x" * 6_000_000) == 6_000_000
    code, text, status = error_of(
        lambda: functions.invoke(FunctionName="f", Payload=b'"%s"' % (b"x" * 6_291_456))
    )
    assert (code, status) == ("RequestTooLargeException", 413)
    assert text == "Request must be smaller than 6291456 bytes for the InvokeFunction operation"


def test_a_strange_name_breaks_the_pattern(functions: Any, account: str) -> None:
    name = f"arn:aws:lambda:us-east-1:{account}@function:f"
    code, text, status = error_of(lambda: functions.invoke(FunctionName=name))
    assert (code, status) == ("ValidationException", 400)
    assert text == (
        f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)"
        "?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"
        "([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
    )


def test_a_missing_alias_is_named(functions: Any, deploy: Deploy) -> None:
    arn = deploy("f")["FunctionArn"]
    found = error_of(lambda: functions.invoke(FunctionName="f:none"))
    assert found == ("ResourceNotFoundException", f"Function not found: {arn}:none", 404)
