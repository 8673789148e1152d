"""A function's configuration: defaults, limits and refusals, in AWS's words."""

import hashlib
import re
from typing import Any

import orjson

from fogbank.services.context import Input, World
from fogbank.services.errors import NotImplementedYet, ValidationException
from fogbank.services.lambda_.errors import InvalidParameterValueException

MEMORY_MIN_MB, MEMORY_MAX_MB = 128, 10_240
TIMEOUT_MIN_S, TIMEOUT_MAX_S = 1, 900
ENVIRONMENT_MAX_BYTES = 4096

# The order is that of AWS's error text, recorded in March 2026; then what the model adds to it.
OFFERED_RUNTIMES = (
    *("nodejs20.x", "python3.14", "provided.al2023", "python3.12", "python3.13", "nodejs24.x"),
    *("nodejs22.x", "java25", "python3.10", "python3.11", "java21", "ruby3.3", "ruby3.4"),
    *("ruby3.2", "python3.8", "python3.9", "java17", "nodejs16.x", "dotnet10", "dotnet8"),
    *("java11", "dotnet6", "nodejs18.x", "provided.al2", "java8.al2"),
)
_RUNTIME = re.compile(
    r"nodejs(\d+\.x|4\.3(-edge)?|6\.10|8\.10)?|python\d\.\d+|java\d+(\.al2(023)?)?"
    r"|dotnet(\d+|core\d\.\d)"
    r"|ruby\d\.\d|go1\.x|provided(\.al2(023)?)?"
)
_ROLE_PATTERN = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
_ROLE = re.compile(_ROLE_PATTERN)

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
RESERVED_VARIABLES = frozenset(
    (
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION"),
        *("AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE"),
        *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
        *("AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN"),
    )
)

# Kept and answered as they came; a request without them leaves them out.
_PLAIN = ("Description", "Handler", "Timeout", "MemorySize", "Role", "KMSKeyArn")
_NOT_BUILT = ("Layers", "FileSystemConfigs", "ImageConfig", "CapacityProviderConfig")


def created(world: World, name: str, request: Input) -> dict[str, Any]:
    """The configuration of a new function with AWS's defaults, without its code's members."""
    if not request.get("Runtime") or not request.get("Handler"):
        raise InvalidParameterValueException(
            "Runtime and Handler are mandatory parameters for functions created with "
            "deployment packages."
        )
    config: dict[str, Any] = {
        "FunctionName": name,
        "FunctionArn": world.arn("lambda", f"function:{name}"),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "PackageType": "Zip",
        "Version": "$LATEST",
        "Architectures": [name for name in request.get("Architectures") or () if name]
        or ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "LoggingConfig": _logging(name, {}),
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "TracingConfig": {"Mode": "PassThrough"},
    }
    change(config, world, request)
    return config


def change(config: dict[str, Any], world: World, request: Input) -> None:
    """Apply what `request` sets to `config`; what it leaves out stays."""
    for member in _NOT_BUILT:
        if request.get(member):
            raise NotImplementedYet("lambda", f"functions with {member}")
    _check(request)
    for member in _PLAIN:
        if request.get(member) is not None:
            config[member] = request[member]
    if request.get("Runtime"):
        config["Runtime"] = request["Runtime"]
        arn = hashlib.sha256(str(request["Runtime"]).encode()).hexdigest()
        config["RuntimeVersionConfig"] = {
            "RuntimeVersionArn": f"arn:aws:lambda:{world.region}::runtime:{arn}"
        }
    if request.get("Environment") is not None:
        given = request["Environment"].get("Variables") or {}
        variables = {name: value for name, value in given.items() if value is not None}
        check_variables(variables)
        config["Environment"] = {"Variables": variables}
    if request.get("EphemeralStorage"):
        config["EphemeralStorage"] = {"Size": request["EphemeralStorage"].get("Size", 512)}
    if request.get("TracingConfig"):
        config["TracingConfig"] = {"Mode": request["TracingConfig"].get("Mode") or "PassThrough"}
    if request.get("SnapStart"):
        config["SnapStart"] = {
            "ApplyOn": request["SnapStart"].get("ApplyOn") or "None",
            "OptimizationStatus": "Off",
        }
    if request.get("LoggingConfig"):
        config["LoggingConfig"] = _logging(
            config["FunctionName"], {**config["LoggingConfig"], **request["LoggingConfig"]}
        )
    if request.get("DeadLetterConfig") is not None:
        _set_or_drop(config, "DeadLetterConfig", request["DeadLetterConfig"], "TargetArn")
    if request.get("VpcConfig") is not None:
        _set_or_drop(config, "VpcConfig", request["VpcConfig"], "SubnetIds")


def _set_or_drop(config: dict[str, Any], member: str, value: Any, essential: str) -> None:
    """An empty target or subnet list takes the setting away."""
    if value.get(essential):
        config[member] = value
    else:
        config.pop(member, None)


def _logging(name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/api/API_LoggingConfig.html"""
    log_format = wanted.get("LogFormat") or "Text"
    answer = {
        "LogFormat": log_format,
        "LogGroup": wanted.get("LogGroup") or f"/aws/lambda/{name}",
    }
    if log_format == "JSON":
        answer["ApplicationLogLevel"] = wanted.get("ApplicationLogLevel") or "INFO"
        answer["SystemLogLevel"] = wanted.get("SystemLogLevel") or "INFO"
    return answer


def _check(request: Input) -> None:
    role = request.get("Role")
    if role is not None and not _ROLE.fullmatch(role):
        raise ValidationException(
            f"1 validation error detected: Value '{role}' at 'role' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_ROLE_PATTERN}"
        )
    runtime = request.get("Runtime")
    if runtime and not _RUNTIME.fullmatch(runtime):
        raise InvalidParameterValueException(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            f"value set: [{', '.join(OFFERED_RUNTIMES)}] or be a valid ARN"
        )
    for member, name, low, high in (
        ("MemorySize", "memorySize", MEMORY_MIN_MB, MEMORY_MAX_MB),
        ("Timeout", "timeout", TIMEOUT_MIN_S, TIMEOUT_MAX_S),
    ):
        value = request.get(member)
        if value is not None and not low <= value <= high:
            rule = (
                f"greater than or equal to {low}"
                if value < low
                else f"less than or equal to {high}"
            )
            raise ValidationException(
                f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy "
                f"constraint: Member must have value {rule}"
            )


def check_variables(variables: dict[str, str]) -> None:
    """Raises when a function may not have these environment variables."""
    reserved = [name for name in variables if name in RESERVED_VARIABLES]
    if reserved:
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = orjson.dumps(variables)
    if len(measured) > ENVIRONMENT_MAX_BYTES:
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided exceeded the 4KB limit. String measured: "
            f"{measured.decode()}"
        )
