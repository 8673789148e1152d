"""What every driver promises, whatever it isolates and however it starts a runtime."""

import asyncio
import importlib.util
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from fogbank.functions.ports import FunctionThrottled, IsolationUnavailable
from fogbank.functions.service import FunctionPool, FunctionsConfig, Limits
from fogbank.storage.clock import SystemClock
from tests.functions.building import (
    Log,
    failure,
    invocation,
    run,
    until,
    value,
    version,
)

ECHO = "def handler(event, context):\n    return event\n"
WAYS = {
    "process-zygote": FunctionsConfig(driver="process", zygote=True),
    "process-sdk": FunctionsConfig(driver="process", sdk_zygote="always"),
    "process-exec": FunctionsConfig(driver="process", zygote=False),
    "sandbox-zygote": FunctionsConfig(driver="sandbox", zygote=True),
    "sandbox-sdk": FunctionsConfig(driver="sandbox", sdk_zygote="always"),
    "sandbox-exec": FunctionsConfig(driver="sandbox", zygote=False),
}


@pytest.fixture(params=WAYS)
async def functions(request: pytest.FixtureRequest) -> AsyncIterator[FunctionPool]:
    limits = Limits(concurrency_max=8, pause_after_s=60)
    pool = FunctionPool(replace(WAYS[request.param], limits=limits, blanks=1), SystemClock())
    try:
        await pool.start()
    except IsolationUnavailable as error:
        pytest.skip(str(error))
    yield pool
    await pool.close()


async def test_the_event_comes_back(functions: FunctionPool) -> None:
    event = {"text": "grün 🌫", "number": 1.5, "list": [None, True]}
    assert await value(functions, version(ECHO), event) == event


async def test_large_payloads_pass_both_ways(functions: FunctionPool) -> None:
    event = "x" * 5_000_000
    assert await value(functions, version(ECHO), event) == event


async def test_a_response_above_six_megabytes_is_an_error(functions: FunctionPool) -> None:
    built = version("def handler(event, context):\n    return 'x' * event\n")
    error = await failure(functions, built, 6_300_000)
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert await value(functions, built, 3) == "xxx"


async def test_an_exception_is_described_as_by_aws(functions: FunctionPool) -> None:
    source = (
        "class Odd(Exception):\n    pass\n\ndef handler(event, context):\n    raise Odd('no')\n"
    )
    request = invocation()
    outcome = await functions.invoke(version(source), request)
    error = json.loads(outcome.payload)
    assert outcome.error == "Unhandled"
    assert error["errorType"] == "Odd"
    assert error["errorMessage"] == "no"
    assert error["requestId"] == request.request_id
    assert len(error["stackTrace"]) == 1
    assert error["stackTrace"][0].endswith("in handler\n    raise Odd('no')\n")


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("import missing_thing", "Runtime.ImportModuleError", "No module named 'missing_thing'"),
        ("def other(): pass", "Runtime.HandlerNotFound", "Handler 'handler' missing on module"),
        ("def x(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'main'"),
        ("raise KeyError('boot')", "KeyError", "'boot'"),
        ("import sys\nsys.exit(4)", "Runtime.ExitError", "exit status 4"),
    ],
)
async def test_an_init_error_is_the_answer(
    functions: FunctionPool, source: str, kind: str, message: str
) -> None:
    error = await failure(functions, version(source))
    assert error["errorType"] == kind
    assert message in error["errorMessage"]


async def test_a_result_that_is_no_json_is_a_marshal_error(functions: FunctionPool) -> None:
    error = await failure(functions, version("def handler(event, context):\n    return {1}\n"))
    assert error["errorType"] == "Runtime.MarshalError"
    message = "Unable to marshal response: Object of type set is not JSON serializable"
    assert error["errorMessage"] == message


async def test_a_timeout_is_on_time_and_the_next_call_is_served(functions: FunctionPool) -> None:
    source = (
        "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'in time'\n"
    )
    built = version(source, timeout_s=1)
    assert await value(functions, built, 0) == "in time"
    request = invocation(30)
    started = time.monotonic()
    outcome = await functions.invoke(built, request)
    elapsed_s = time.monotonic() - started
    assert json.loads(outcome.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request.request_id} Error: Task timed out after 1.00 seconds",
    }
    assert 0.98 <= elapsed_s < 1.2
    assert await value(functions, built, 0) == "in time"


async def test_memory_above_the_limit_ends_the_function(functions: FunctionPool) -> None:
    source = "def handler(event, context):\n    return len(bytearray(event << 20))\n"
    built = version(source, memory_mb=128)
    error = await failure(functions, built, 400)
    assert error["errorType"] == "Runtime.OutOfMemory"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert await value(functions, built, 4) == 4 << 20


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("ctypes.string_at(0)", "Runtime exited with error: signal: segmentation fault"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.abort()", "Runtime exited with error: signal: aborted"),
    ],
)
async def test_a_crash_is_described(functions: FunctionPool, body: str, reason: str) -> None:
    source = f"import ctypes, os, sys\ndef handler(event, context):\n    {body}\n"
    error = await failure(functions, version(source))
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith(f" Error: {reason}")


async def test_the_process_sees_its_variables_and_nothing_else(functions: FunctionPool) -> None:
    source = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    seen = await value(
        functions, version(source, environment={"COLOUR": "grey", "AWS_REGION": "x"})
    )
    assert seen["COLOUR"] == "grey"
    assert seen["AWS_REGION"] == "x"
    assert seen["AWS_DEFAULT_REGION"] == "eu-west-3"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "probe"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11"
    assert seen["TZ"] == ":UTC"
    assert seen["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert not {"HOME", "USER", "VIRTUAL_ENV", "SHELL", "PWD"} & set(seen)


async def test_the_context_has_awss_attributes(functions: FunctionPool) -> None:
    source = """
import os
def handler(event, context):
    return {
        "id": context.aws_request_id, "name": context.function_name,
        "version": context.function_version, "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb, "group": context.log_group_name,
        "stream": context.log_stream_name, "left": context.get_remaining_time_in_millis(),
        "custom": context.client_context.custom, "identity": context.identity.cognito_identity_id,
    }
"""
    client = json.dumps({"custom": {"a": "b"}})
    request = invocation(client_context=client)
    outcome = await functions.invoke(version(source, timeout_s=7, log_group="/g"), request)
    seen = json.loads(outcome.payload)
    assert 6000 < seen.pop("left") <= 7000
    assert seen == {
        "id": request.request_id,
        "name": "probe",
        "version": "$LATEST",
        "arn": request.invoked_arn,
        "memory": "512",
        "group": "/g",
        "stream": outcome.log_stream,
        "custom": {"a": "b"},
        "identity": None,
    }


async def test_output_stands_between_start_and_report(functions: FunctionPool) -> None:
    source = """
import logging, os, sys
print("at init")
def handler(event, context):
    print("out")
    print("err", file=sys.stderr)
    logging.getLogger().setLevel("INFO")
    logging.info("two\\nlines")
    os.write(1, b"no newline")
"""
    log = Log()
    request = invocation()
    outcome = await functions.invoke(version(source, log=log), request)
    await until(lambda: any(line.startswith("REPORT") for line in log.lines))
    request_id = request.request_id
    assert log.lines[0].startswith("INIT_START Runtime Version: python:3.11.v")
    assert log.lines[1:5] == [
        "at init\n",
        f"START RequestId: {request_id} Version: $LATEST\n",
        "out\n",
        "err\n",
    ]
    assert re.fullmatch(rf"\[INFO\]\t20.*Z\t{request_id}\ttwo\nlines\n", log.lines[5])
    assert log.lines[6:8] == ["no newline\n", f"END RequestId: {request_id}\n"]
    report = (
        rf"REPORT RequestId: {request_id}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 512 MB\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t\n"
    )
    assert re.fullmatch(report, log.lines[8])
    assert log.streams == {outcome.log_stream}
    assert outcome.log_tail.decode() == "".join(log.lines[2:])


async def test_the_tail_is_the_last_four_kilobytes(functions: FunctionPool) -> None:
    source = "def handler(event, context):\n    for n in range(2000):\n        print('line', n)\n"
    outcome = await run(functions, version(source))
    assert len(outcome.log_tail) == 4096
    assert b"line 1999\nEND RequestId" in outcome.log_tail


async def test_invocations_at_once_run_in_environments_of_their_own(
    functions: FunctionPool,
) -> None:
    source = """
import time, uuid
me = uuid.uuid4().hex
def handler(event, context):
    time.sleep(0.3)
    return me
"""
    built = version(source)
    calls = [value(functions, built) for _ in range(4)]
    assert len(set(await asyncio.gather(*calls))) == 4


async def test_more_at_once_than_the_limit_are_throttled(functions: FunctionPool) -> None:
    built = version("import time\ndef handler(event, context):\n    time.sleep(0.5)\n")
    calls = [run(functions, built) for _ in range(9)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in done if isinstance(one, Exception)] == [FunctionThrottled]


async def test_a_warm_environment_keeps_globals_and_tmp(functions: FunctionPool) -> None:
    source = """
import os, tempfile
calls = 0
place = os.path.join(tempfile.gettempdir(), "fogbank-contract-" + os.urandom(8).hex())
def handler(event, context):
    global calls
    calls += 1
    with open(place, "a") as file:
        file.write("x")
    size = os.path.getsize(place)
    if size == 2:
        os.unlink(place)
    return [calls, size]
"""
    built = version(source)
    assert await value(functions, built) == [1, 1]
    first = await run(functions, built)
    assert json.loads(first.payload) == [2, 2]
    assert first.init_ms is None


async def test_retired_environments_end(functions: FunctionPool) -> None:
    source = "import uuid\nme = uuid.uuid4().hex\ndef handler(event, context):\n    return me\n"
    built = version(source)
    first = await value(functions, built)
    functions.retire(built.key)
    assert await value(functions, built) != first


async def test_each_environment_has_its_own_randomness(functions: FunctionPool) -> None:
    built = "import random\nn = random.random()\ndef handler(event, context):\n    return n\n"
    assert await value(functions, version(built)) != await value(functions, version(built))


async def test_the_sdk_is_there(functions: FunctionPool) -> None:
    source = "import boto3\ndef handler(event, context):\n    return boto3.__name__\n"
    assert await value(functions, version(source)) == "boto3"


async def test_the_packages_own_modules_come_first(functions: FunctionPool) -> None:
    files = {
        "main.py": "import boto3\ndef handler(event, context):\n    return boto3.mine\n",
        "boto3.py": "mine = True\n",
    }
    assert await value(functions, version(files)) is True


async def test_a_shell_script_is_a_runtime(functions: FunctionPool) -> None:
    script = """#!/bin/sh
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while :; do
  event=$(curl -sS -D "/tmp/head.$$" "$api/next")
  id=$(grep -i '^Lambda-Runtime-Aws-Request-Id:' "/tmp/head.$$" | tr -d '\\r' | cut -d' ' -f2)
  rm -f "/tmp/head.$$"
  echo "handling $_HANDLER"
  curl -sS -o /dev/null -d "{\\"you sent\\": $event}" "$api/$id/response"
done
"""
    log = Log()
    built = version(
        {"bootstrap": script},
        modes={"bootstrap": 0o755},
        runtime="provided.al2023",
        handler="some.thing",
        log=log,
    )
    assert await value(functions, built, [1]) == {"you sent": [1]}
    assert await value(functions, built, 2) == {"you sent": 2}
    assert "handling some.thing\n" in log.lines


async def test_a_missing_bootstrap_is_named(functions: FunctionPool) -> None:
    error = await failure(functions, version({"x": ""}, runtime="provided.al2023"))
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert "Couldn't find valid bootstrap(s)" in error["errorMessage"]


async def test_a_wrapper_starts_the_runtime(functions: FunctionPool) -> None:
    script = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'
    files = {
        "main.py": "import os\ndef handler(event, context):\n    return os.environ['WRAPPED']\n",
        "wrap": script,
    }
    root = "/var/task" if functions.isolation()["driver"] == "sandbox" else ""
    if not root:
        pytest.skip("outside a sandbox no path of the package is known beforehand")
    environment = {"AWS_LAMBDA_EXEC_WRAPPER": f"{root}/wrap"}
    built = version(files, modes={"wrap": 0o755}, environment=environment)
    assert await value(functions, built) == "yes"


def _tree(package: Path, name: str) -> dict[str, bytes]:
    return {
        f"{name}/{path.relative_to(package)}": path.read_bytes()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


async def test_awss_own_runtime_client_runs_unmodified(functions: FunctionPool) -> None:
    files: dict[str, str | bytes] = {
        "main.py": """
import logging
def handler(event, context):
    logging.getLogger().setLevel("INFO")
    logging.info("with awslambdaric")
    if event == "fail":
        raise ValueError("as asked")
    import sys
    return ["awslambdaric" in sys.modules, event, context.aws_request_id]
"""
    }
    for name in ("awslambdaric", "simplejson", "snapshot_restore_py"):
        found = importlib.util.find_spec(name)
        assert found is not None and found.origin is not None
        files.update(_tree(Path(found.origin).parent, name))
    native = importlib.util.find_spec("runtime_client")
    assert native is not None and native.origin is not None
    files[Path(native.origin).name] = Path(native.origin).read_bytes()  # noqa: ASYNC240
    log = Log()
    built = version(files, log=log)
    request = invocation({"a": 1})
    outcome = await functions.invoke(built, request)
    assert json.loads(outcome.payload) == [True, {"a": 1}, request.request_id]
    error = await failure(functions, built, "fail")
    assert [error["errorType"], error["errorMessage"]] == ["ValueError", "as asked"]
    assert "\twith awslambdaric\n" in log.text()
    assert log.text().count("END RequestId") == 2
