"""The one module that reads botocore's service models; it never imports botocore.

A model is read when its service is first used and its shapes are built when they are first
touched, so that start-up pays for none and a service costs a few megabytes at most.
"""

import gzip
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson

# Catalog name -> (folder of botocore's data, target prefix of the JSON protocols). Known here so
# that identifying a request loads no model; a test compares the table with the models.
SERVICES: dict[str, tuple[str, str | None]] = {
    "apigateway": ("apigateway", None),
    "dynamodb": ("dynamodb", "DynamoDB_20120810"),
    # Signed as dynamodb: only its target and its host tell it apart.
    "dynamodbstreams": ("dynamodbstreams", "DynamoDBStreams_20120810"),
    "iam": ("iam", None),
    "lambda": ("lambda", None),
    "logs": ("logs", "Logs_20140328"),
    "s3": ("s3", None),
    "sts": ("sts", None),
}
services_by_target_prefix = {prefix: name for name, (_, prefix) in SERVICES.items() if prefix}
by_signing_name = {name: name for name in SERVICES}

# Prose is two thirds of a model's bytes; cutting it first saves building its strings.
_PROSE = re.compile(rb'"documentation":"[^"\\]*(?:\\.[^"\\]*)*"')


class Member:
    """A structure's member, or the element of a list or map, with the traits of its use."""

    __slots__ = (
        "flattened",
        "location",
        "name",
        "service",
        "shape_name",
        "streaming",
        "timestamp_format",
        "wire",
        "xml_attribute",
        "xml_namespace",
    )

    def __init__(self, name: str, traits: dict[str, Any], service: "ServiceModel") -> None:
        shape = service.raw_shape(traits["shape"])
        self.name = name
        self.service = service
        self.shape_name: str = traits["shape"]
        self.location: str | None = traits.get("location")
        self.wire: str = traits.get("locationName") or shape.get("locationName") or name
        self.flattened = bool(traits.get("flattened", shape.get("flattened")))
        self.streaming = bool(traits.get("streaming", shape.get("streaming")))
        self.timestamp_format: str | None = traits.get(
            "timestampFormat", shape.get("timestampFormat")
        )
        self.xml_attribute = bool(traits.get("xmlAttribute"))
        self.xml_namespace: dict[str, str] | None = traits.get(
            "xmlNamespace", shape.get("xmlNamespace")
        )

    @property
    def shape(self) -> "Shape":
        return self.service.shape(self.shape_name)


class Shape:
    """A type of a model. `members`, `member`, `key` and `value` are filled as its type has them."""

    __slots__ = (
        "enum",
        "error",
        "eventstream",
        "key",
        "max",
        "member",
        "members",
        "min",
        "name",
        "pattern",
        "payload",
        "required",
        "type",
        "value",
    )

    def __init__(self, name: str, raw: dict[str, Any], service: "ServiceModel") -> None:
        self.name = name
        self.type: str = raw["type"]
        self.members = {
            member: Member(member, traits, service)
            for member, traits in raw.get("members", {}).items()
        }
        self.member = Member("member", raw["member"], service) if "member" in raw else None
        self.key = Member("key", raw["key"], service) if "key" in raw else None
        self.value = Member("value", raw["value"], service) if "value" in raw else None
        self.required: tuple[str, ...] = tuple(raw.get("required", ()))
        self.payload: str | None = raw.get("payload")
        self.eventstream = bool(raw.get("eventstream"))
        self.enum: tuple[str, ...] | None = tuple(raw["enum"]) if "enum" in raw else None
        self.pattern: str | None = raw.get("pattern")
        self.min: int | float | None = raw.get("min")
        self.max: int | float | None = raw.get("max")
        self.error: dict[str, Any] | None = (
            {**raw.get("error", {}), "fault": bool(raw.get("fault"))}
            if raw.get("exception")
            else None
        )


class OperationModel:
    """One operation: how its request is recognised, and the shapes of its two halves.

    `compiled` is where codecs and constraints keep what they make of it, at its first use.
    """

    __slots__ = (
        "compiled",
        "constants",
        "deprecated",
        "errors",
        "host_prefix",
        "input_name",
        "input_root",
        "method",
        "name",
        "output_name",
        "path",
        "result_wrapper",
        "service",
        "status",
    )

    def __init__(self, raw: dict[str, Any], service: "ServiceModel") -> None:
        http = raw["http"]
        path, _, query = http["requestUri"].partition("?")
        self.name: str = raw["name"]
        self.service = service
        self.method: str = http["method"]
        self.path: str = path
        self.constants = {
            name: value for name, _, value in (part.partition("=") for part in query.split("&"))
        }
        self.constants.pop("", None)
        self.status: int = http.get("responseCode", 200)
        self.input_name: str | None = raw.get("input", {}).get("shape")
        self.input_root: str | None = raw.get("input", {}).get("locationName")
        self.output_name: str | None = raw.get("output", {}).get("shape")
        self.result_wrapper: str | None = raw.get("output", {}).get("resultWrapper")
        self.errors: tuple[str, ...] = tuple(error["shape"] for error in raw.get("errors", ()))
        self.deprecated = bool(raw.get("deprecated"))
        self.host_prefix: str | None = raw.get("endpoint", {}).get("hostPrefix")
        self.compiled: dict[str, Any] = {}

    @property
    def input(self) -> Shape | None:
        return self.service.shape(self.input_name) if self.input_name else None

    @property
    def output(self) -> Shape | None:
        return self.service.shape(self.output_name) if self.output_name else None

    @property
    def streams_input(self) -> bool:
        """Whether the payload goes to the handler as it arrives, as a Body."""
        found = self.compiled.get("streams_input")
        if found is None:
            shape = self.input
            found = (
                shape is not None
                and shape.payload is not None
                and shape.members[shape.payload].streaming
            )
            self.compiled["streams_input"] = found
        return bool(found)


class ServiceModel:
    """A service as its model describes it. `protocol` is the first one that we speak."""

    def __init__(self, name: str, raw: dict[str, Any]) -> None:
        metadata = raw["metadata"]
        self.name = name
        self.protocol: str = metadata["protocol"]
        self.json_version: str = metadata.get("jsonVersion", "1.0")
        self.target_prefix: str | None = metadata.get("targetPrefix")
        self.signing_name: str = metadata.get("signingName", metadata["endpointPrefix"])
        self.api_version: str = metadata["apiVersion"]
        self.xml_namespace: str | None = metadata.get("xmlNamespace")
        self.full_name: str = metadata["serviceFullName"]
        self.query_compatible = "awsQueryCompatible" in metadata
        self.compiled: dict[str, Any] = {}
        self._raw_shapes: dict[str, dict[str, Any]] = raw["shapes"]
        self._shapes: dict[str, Shape] = {}
        self.operations = {
            operation: OperationModel(each, self) for operation, each in raw["operations"].items()
        }

    def raw_shape(self, name: str) -> dict[str, Any]:
        return self._raw_shapes[name]

    def shape(self, name: str) -> Shape:
        shape = self._shapes.get(name)
        if shape is None:
            shape = self._shapes[name] = Shape(name, self._raw_shapes[name], self)
        return shape

    def error_shape(self, code: str) -> Shape | None:
        """The shape of the error that AWS calls `code`, by its name or by its wire code."""
        raw = self._raw_shapes.get(code)
        if raw is not None and raw.get("exception"):
            return self.shape(code)
        for name, each in self._raw_shapes.items():
            if each.get("exception") and each.get("error", {}).get("code") == code:
                return self.shape(name)
        return None


@cache
def load(service: str) -> ServiceModel:
    """The model of `service`, by our catalog's name for it; LookupError where there is none."""
    folder = SERVICES[service][0] if service in SERVICES else service
    return ServiceModel(service, _read(folder))


def _read(folder: str) -> dict[str, Any]:
    versions = sorted(path for path in (_data() / folder).glob("*") if path.is_dir())
    if not versions:
        raise LookupError(f"botocore has no model of {folder}")
    raw: dict[str, Any] = orjson.loads(
        _PROSE.sub(b'"documentation":0', _text(versions[-1], "service-2"))
    )
    return raw


def _text(folder: Path, stem: str) -> bytes:
    packed = folder / f"{stem}.json.gz"
    return _unpacked(packed if packed.exists() else folder / f"{stem}.json")


def _unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


@cache
def _data() -> Path:
    # find_spec of a top-level package locates it without executing it.
    spec = importlib.util.find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise LookupError("botocore is not installed; it holds the service models")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def shapes_within(shape: Shape) -> Iterator[Shape]:
    """`shape` and every shape that it can contain, each once; a map's keys are not among them."""
    seen: set[str] = set()
    stack = [shape]
    while stack:
        each = stack.pop()
        if each.name in seen:
            continue
        seen.add(each.name)
        yield each
        uses = [*each.members.values(), each.member, each.value]
        stack.extend(use.shape for use in uses if use is not None)
