"""UpdateStage's operations: plain fields, variables and the settings of methods.

https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateStage-Patch
Method settings (logging, throttling, caching) are kept and answered; nothing acts on them yet.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

from fogbank.services.apigateway.errors import BadRequestException, NotBuilt
from fogbank.services.apigateway.patch import is_true, segments_of
from fogbank.services.apigateway.records import Record

_SETTING_DEFAULTS: Record = {
    "metricsEnabled": False,
    "dataTraceEnabled": False,
    "throttlingBurstLimit": 5000,
    "throttlingRateLimit": 10000.0,
    "cachingEnabled": False,
    "cacheTtlInSeconds": 300,
    "cacheDataEncrypted": False,
    "requireAuthorizationForCacheControl": True,
    "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
}
_LOG_LEVELS = ("OFF", "ERROR", "INFO")
_STRATEGIES = (
    "FAIL_WITH_403",
    "SUCCEED_WITH_RESPONSE_HEADER",
    "SUCCEED_WITHOUT_RESPONSE_HEADER",
)
# AWS's list, with the commas as AWS has them.
_KNOWN_PATHS = (
    "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId,"
    " /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format,"
    " /{resourcePath}/{httpMethod}/metrics/enabled,"
    " /{resourcePath}/{httpMethod}/logging/dataTrace,"
    " /{resourcePath}/{httpMethod}/logging/loglevel,"
    " /{resourcePath}/{httpMethod}/throttling/burstLimit"
    "/{resourcePath}/{httpMethod}/throttling/rateLimit"
    "/{resourcePath}/{httpMethod}/caching/ttlInSeconds,"
    " /{resourcePath}/{httpMethod}/caching/enabled,"
    " /{resourcePath}/{httpMethod}/caching/dataEncrypted,"
    " /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl,"
    " /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy,"
    " /*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel,"
    " /*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds,"
    " /*/*/caching/enabled, /*/*/caching/dataEncrypted,"
    " /*/*/caching/requireAuthorizationForCacheControl,"
    " /*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name},"
    " /tracingEnabled"
)


def _integer(value: str) -> int:
    if not value.isdecimal():
        raise BadRequestException(f"Invalid integer value: {value}")
    return int(value)


def _rate(value: str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = math.nan
    if not 0 <= rate < math.inf:
        raise BadRequestException(f"Invalid number value: {value}")
    return rate


def _one_of(allowed: tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in allowed:
            raise BadRequestException(
                f"Invalid value: {value}. Must be one of: [{', '.join(allowed)}]"
            )
        return value

    return check


_SETTINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "metrics/enabled": ("metricsEnabled", is_true),
    "logging/dataTrace": ("dataTraceEnabled", is_true),
    "logging/loglevel": ("loggingLevel", _one_of(_LOG_LEVELS)),
    "throttling/burstLimit": ("throttlingBurstLimit", _integer),
    "throttling/rateLimit": ("throttlingRateLimit", _rate),
    "caching/ttlInSeconds": ("cacheTtlInSeconds", _integer),
    "caching/enabled": ("cachingEnabled", is_true),
    "caching/dataEncrypted": ("cacheDataEncrypted", is_true),
    "caching/requireAuthorizationForCacheControl": (
        "requireAuthorizationForCacheControl",
        is_true,
    ),
    "caching/unauthorizedCacheControlHeaderStrategy": (
        "unauthorizedCacheControlHeaderStrategy",
        _one_of(_STRATEGIES),
    ),
}
_PLAIN = ("deploymentId", "description", "clientCertificateId", "documentationVersion")


def patched_stage(stage: Record, operations: list[dict[str, Any]]) -> Record:
    """A copy of `stage` with `operations` applied in order."""
    result = copy.deepcopy(stage)
    for operation in operations:
        path = str(operation.get("path") or "")
        _apply(result, str(operation.get("op")), path, operation.get("value"))
    return result


def _apply(stage: Record, op: str, path: str, value: str | None) -> None:
    name, *rest = segments_of(path)
    if name == "canarySettings" or op == "copy":
        raise NotBuilt("the canary releases")
    if op not in ("add", "remove", "replace"):
        raise BadRequestException(f"Invalid {op} operation with path: {path}")
    if name == "variables" and len(rest) == 1:
        _variable(stage, rest[0], op, value)
    elif op == "remove":
        _remove(stage, path)
    elif name == "accessLogSettings":
        _access_log(stage, rest, value)
    elif not rest:
        _plain(stage, name, op, path, value)
    else:
        _method_setting(stage, path, value)


def _variable(stage: Record, name: str, op: str, value: str | None) -> None:
    variables = stage.setdefault("variables", {})
    if op == "remove":
        variables.pop(name, None)
    else:
        variables[name] = value or ""
    if not variables:
        del stage["variables"]


def _plain(stage: Record, name: str, op: str, path: str, value: str | None) -> None:
    if name not in (*_PLAIN, "tracingEnabled", "cacheClusterEnabled", "cacheClusterSize"):
        raise _unknown(path)
    if op != "replace":
        raise BadRequestException(f"Invalid {op} operation with path: {path}")
    if name == "cacheClusterEnabled" and is_true(value):
        raise NotBuilt("the stage cache")
    if name in ("tracingEnabled", "cacheClusterEnabled"):
        stage[name] = is_true(value)
    elif value or name == "deploymentId":
        stage[name] = value or ""
    else:
        stage.pop(name, None)


def _access_log(stage: Record, rest: list[str], value: str | None) -> None:
    if rest not in (["destinationArn"], ["format"]):
        raise BadRequestException(
            "Invalid accessLogSettings path. Must be one of :"
            " [/accessLogSettings/destinationArn, /accessLogSettings/format]"
        )
    if not value:
        raise BadRequestException("Access Log value must not be empty")
    stage.setdefault("accessLogSettings", {})[rest[0]] = value


def _remove(stage: Record, path: str) -> None:
    """Take away all settings of a method, or the whole access log."""
    named = path[1:]
    if named == "accessLogSettings":
        stage.pop("accessLogSettings", None)
        return
    key = named.removeprefix("~1")
    if key not in stage["methodSettings"]:
        raise BadRequestException(
            f"Cannot remove method setting {named} because there is no method setting"
            " for this method "
        )
    del stage["methodSettings"][key]


def _method_setting(stage: Record, path: str, value: str | None) -> None:
    """`/{resource path}/{method}/{group}/{setting}`; the key is the path as it is escaped."""
    raw = path[1:].split("/")
    found = _SETTINGS.get("/".join(raw[2:])) if len(raw) == 4 else None
    if found is None:
        raise _unknown(path)
    key = f"{raw[0].removeprefix('~1')}/{raw[1]}"
    settings = stage["methodSettings"].setdefault(key, dict(_SETTING_DEFAULTS))
    settings[found[0]] = found[1](value or "")


def _unknown(path: str) -> BadRequestException:
    return BadRequestException(
        f"Invalid method setting path: {path}. Must be one of: [{_KNOWN_PATHS}]"
    )
