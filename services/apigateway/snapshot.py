"""Deployments and stages as the data plane uses them: compiled, immutable, found by their bytes.

A deployment is frozen, so what is compiled from it is kept under its id. A stage may be edited, so
what is compiled from it is kept under the bytes of its record: an edit is another key, and
nothing ever needs to be invalidated.
"""

import re
from dataclasses import dataclass
from typing import Any, TypeVar

from fogbank.services.apigateway.integrations import lambda_arn
from fogbank.services.apigateway.media import BinaryTypes
from fogbank.services.apigateway.mock import Mock, compile_mock
from fogbank.services.apigateway.parameters import Apply, compile_parameters
from fogbank.services.apigateway.proxy_event import Target
from fogbank.services.apigateway.records import Record, id_key, load, part_key
from fogbank.services.apigateway.router import Router
from fogbank.services.context import Stack, World
from fogbank.storage.kv import Reader

CACHED_MAX = 1024

K = TypeVar("K")
V = TypeVar("V")
_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function that a method invokes, in its own account and region."""

    arn: str
    world: World


@dataclass(frozen=True, slots=True)
class Plan:
    """One method of a deployment: everything that can be known before a request comes."""

    resource_id: str
    resource_path: str
    http_method: str
    is_key_required: bool
    timeout_s: float
    mock: Mock | None
    function_arn: str
    is_posted: bool
    has_credentials: bool
    parameters: list[Apply]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A compiled deployment."""

    api_id: str
    deployment_id: str
    world: World
    router: Router[Plan]
    binary: BinaryTypes
    is_disabled: bool
    compressed_from_bytes: int | None


@dataclass(frozen=True, slots=True)
class Stage:
    """A compiled stage: a snapshot with the stage's variables filled in."""

    name: str
    variables: dict[str, str] | None
    snapshot: Snapshot
    # By resource id: what an event says of the resource; by function ARN: the function.
    targets: dict[str, Target]
    functions: dict[str, Function | None]

    def target(self, plan: Plan) -> Target:
        target = self.targets.get(plan.resource_id)
        if target is None:
            snapshot = self.snapshot
            target = self.targets[plan.resource_id] = Target(
                snapshot.world.account,
                snapshot.api_id,
                snapshot.deployment_id,
                self.name,
                plan.resource_id,
                plan.resource_path,
                self.variables,
            )
        return target

    def function(self, plan: Plan) -> Function | None:
        """The function of `plan`, None where the variables in its ARN name none."""
        if plan.function_arn not in self.functions:
            variables = self.variables or {}
            arn = _STAGE_VARIABLE.sub(lambda found: variables.get(found[1], ""), plan.function_arn)
            parts = arn.split(":")
            is_whole = len(parts) in (7, 8) and all(parts[3:])
            function = Function(arn, World(parts[4], parts[3])) if is_whole else None
            self.functions[plan.function_arn] = function
        return self.functions[plan.function_arn]


def compile_snapshot(frozen: Record) -> Snapshot:
    """The data plane of a frozen deployment."""
    return Snapshot(
        frozen["apiId"],
        frozen["deploymentId"],
        World(frozen["account"], frozen["region"]),
        Router(
            (resource["path"], name, _plan(resource, method))
            for resource in frozen["resources"]
            for name, method in resource["methods"].items()
        ),
        BinaryTypes(frozenset(one.lower() for one in frozen.get("binaryMediaTypes", ()))),
        bool(frozen.get("disableExecuteApiEndpoint")),
        frozen.get("minimumCompressionSize"),
    )


def _plan(resource: Record, method: Record) -> Plan:
    integration = method["methodIntegration"]
    is_mock = integration["type"] == "MOCK"
    return Plan(
        resource["id"],
        resource["path"],
        method["httpMethod"],
        bool(method.get("apiKeyRequired")),
        integration["timeoutInMillis"] / 1000,
        compile_mock(method) if is_mock else None,
        "" if is_mock else lambda_arn(integration["uri"]),
        # Lambda takes invocations by POST only; AWS stores other methods and fails at each call.
        integration.get("httpMethod") == "POST",
        bool(integration.get("credentials")),
        [] if is_mock else compile_parameters(integration.get("requestParameters", {})),
    )


class Compiled:
    """What is compiled from the store so far; bounded, kept in the stack."""

    def __init__(self) -> None:
        self.stages: dict[bytes, Stage] = {}
        self.snapshots: dict[str, Snapshot] = {}
        # Ids of APIs are never used again, so where an API lives cannot change.
        self.stage_keys: dict[tuple[str, str], bytes] = {}
        self.permissions: dict[tuple[str, str], bool] = {}

    @classmethod
    def of(cls, stack: Stack) -> "Compiled":
        compiled: Compiled | None = stack.caches.get("apigateway")
        if compiled is None:
            compiled = stack.caches["apigateway"] = cls()
        return compiled

    def find(self, tx: Reader, api_id: str, stage: str) -> Stage | None:
        """The stage called `stage` of an API, wherever the API lives; None where there is none."""
        key = self.stage_keys.get((api_id, stage))
        if key is None:
            raw_home = tx.get(id_key(api_id))
            if raw_home is None:
                return None
            home: dict[str, Any] = load(raw_home)
            key = part_key(World(home["account"], home["region"]), api_id, "stage", stage)
        raw = tx.get(key)
        if raw is None:
            return None
        remember(self.stage_keys, (api_id, stage), key)
        found = self.stages.get(raw)
        if found is None:
            found = self._compile(tx, load(raw))
            remember(self.stages, raw, found)
        return found

    def _compile(self, tx: Reader, record: Record) -> Stage:
        world = World(record["account"], record["region"])
        name = f"{record['apiId']}/{record['deploymentId']}"
        snapshot = self.snapshots.get(name)
        if snapshot is None:
            key = part_key(world, record["apiId"], "snapshot", record["deploymentId"])
            raw = tx.get(key)
            # A stage keeps its deployment from being deleted.
            assert raw is not None, name
            snapshot = compile_snapshot(load(raw))
            remember(self.snapshots, name, snapshot)
        return Stage(record["stageName"], record.get("variables") or None, snapshot, {}, {})


def remember(cache: dict[K, V], key: K, value: V) -> None:
    """Keep `value`; a full cache starts anew."""
    if key not in cache and len(cache) >= CACHED_MAX:
        cache.clear()
    cache[key] = value
