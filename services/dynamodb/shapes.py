"""The JSON types of a request's members: what a handler reads has the type that it expects.

The gateway checks requests that come by HTTP against the model; a call from another service,
or a codec that lets something through, must not turn into a bug of ours either.
"""

from typing import Any

from fogbank.services.context import Input
from fogbank.services.dynamodb.errors import missing
from fogbank.services.dynamodb.values import unexpected

STRING, INTEGER, BOOLEAN, ANY = "string", "integer", "boolean", "any"

# A spec is a JSON type, [spec] for a list, {None: spec} for a map, {name: spec} for a structure.
# A name that ends in "!" is required.
Spec = Any


def check(request: Input, spec: Spec) -> None:
    """Every member of `request` that `spec` names has its type, or is None or absent."""
    _check(request, spec, "")


def _check(given: Any, spec: Spec, path: str) -> None:
    if isinstance(spec, str):
        if spec != ANY and not _is(given, spec):
            raise unexpected(given)
    elif isinstance(spec, list):
        if not isinstance(given, list):
            raise unexpected(given)
        for at, member in enumerate(given, 1):
            if member is None:
                raise missing(f"{path}.{at}.member")
            _check(member, spec[0], f"{path}.{at}.member")
    elif not isinstance(given, dict):
        raise unexpected(given)
    elif None in spec:
        for name, member in given.items():
            if not isinstance(name, str):
                raise unexpected(name)
            if member is None:
                raise missing(f"{path}.{name}.member")
            _check(member, spec[None], f"{path}.{name}.member")
    else:
        _check_members(given, spec, path)


def _check_members(given: dict[str, Any], spec: dict[str, Spec], path: str) -> None:
    for marked, inner in spec.items():
        name = marked.rstrip("!")
        member = given.get(name)
        if member is not None:
            _check(member, inner, _join(path, name) if not isinstance(inner, str) else "")
        elif marked != name:
            raise missing(_join(path, name))


def _join(path: str, name: str) -> str:
    lower = name[0].lower() + name[1:]
    return f"{path}.{lower}" if path else lower


def _is(given: Any, kind: str) -> bool:
    if kind == STRING:
        return isinstance(given, str)
    if kind == BOOLEAN:
        return isinstance(given, bool)
    return isinstance(given, int) and not isinstance(given, bool)
