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


# What a member is in Python and, where that does not say all, the spec of what is in it.
_Member = tuple[type, Spec | None]
_Compiled = tuple[tuple[str, ...], dict[str, _Member]]
# Specs are constants of their modules: one entry each.
_structures: dict[int, tuple[Spec, _Compiled]] = {}
_TYPES = {STRING: str, INTEGER: int, BOOLEAN: bool}


def check(request: Input, spec: Spec) -> None:
    """Every member of `request` that `spec` names has its type, or is None or absent."""
    _check_members(request, spec, "")


def _check(given: Any, spec: Spec, path: str) -> None:
    if isinstance(spec, str):
        if spec != ANY and type(given) is not _TYPES[spec]:
            raise unexpected(given)
    elif isinstance(spec, list):
        if not isinstance(given, list):
            raise unexpected(given)
        for at, member in enumerate(given, 1):
            if member is None:
                raise missing(f"{path}.{at}.member")
            _check(member, spec[0], f"{path}.{at}.member")
    elif None not in spec:
        _check_members(given, spec, path)
    elif not isinstance(given, dict):
        raise unexpected(given)
    elif spec[None] != ANY:
        for name, member in given.items():
            if not isinstance(name, str):
                raise unexpected(name)
            if member is None:
                raise missing(f"{path}.{name}.member")
            _check(member, spec[None], f"{path}.{name}.member")


def _check_members(given: Any, spec: dict[str, Spec], path: str) -> None:
    if not isinstance(given, dict):
        raise unexpected(given)
    required, known = _structure(spec)
    for name in required:
        if given.get(name) is None:
            raise missing(_join(path, name))
    for name, member in given.items():
        expected = known.get(name)
        if expected is None or member is None:
            continue
        kind, inner = expected
        if type(member) is not kind:
            raise unexpected(member)
        if inner is not None:
            _check(member, inner, _join(path, name))


def _structure(spec: dict[str, Spec]) -> _Compiled:
    found = _structures.get(id(spec))
    if found is None:
        known = {marked.rstrip("!"): inner for marked, inner in spec.items()}
        required = tuple(marked[:-1] for marked in spec if marked[-1] == "!")
        members = {name: _member(inner) for name, inner in known.items() if inner != ANY}
        found = _structures[id(spec)] = (spec, (required, members))
    return found[1]


def _member(spec: Spec) -> _Member:
    if isinstance(spec, str):
        return _TYPES[spec], None
    if isinstance(spec, list):
        return list, spec
    return dict, None if spec.get(None) == ANY else spec


def _join(path: str, name: str) -> str:
    lower = name[0].lower() + name[1:]
    return f"{path}.{lower}" if path else lower
