"""Parameter mapping of AWS_PROXY integrations: parts of the request, renamed for the function.

https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
"""

import re
from collections.abc import Callable

from fogbank.services.apigateway.errors import BadRequestException, NotBuilt
from fogbank.services.apigateway.proxy_event import Facts, Lists

_TARGET = re.compile(r"integration\.request\.(header|querystring|path)\.(.+)")
_SOURCE = re.compile(r"method\.request\.(header|querystring|path)\.(.+)")
# Mapping to one of these makes AWS answer 500 at every call.
FORBIDDEN_HEADERS = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "expect",
        "proxy-authenticate",
        "te",
        "transfer-encoding",
    }
)

Apply = Callable[[Facts], None]


class Unmappable(Exception):
    """The mapping names a header that an integration's request cannot have."""


def check_request_parameters(parameters: dict[str, str]) -> None:
    """Raise for what is no mapping, or for a source that is not built."""
    for target, source in parameters.items():
        if not _TARGET.fullmatch(target):
            raise BadRequestException.mapping(target)
        if _SOURCE.fullmatch(source) or is_literal(source):
            continue
        if source.startswith(("context.", "stageVariables.", "method.request.")):
            raise NotBuilt(f"the mapping source {source.split('.')[0]} in requestParameters")
        raise BadRequestException.mapping(source)


def is_literal(value: str) -> bool:
    return len(value) >= 2 and value[0] == value[-1] == "'"


def compile_parameters(parameters: dict[str, str]) -> list[Apply]:
    """One step per mapping; each changes the facts of a request before its event is built."""
    steps: list[Apply] = []
    for target, source in parameters.items():
        found = _TARGET.fullmatch(target)
        if found is None:
            continue
        steps.append(_step(found[1], found[2], source))
    return steps


def _step(kind: str, name: str, source: str) -> Apply:
    read = _reader(source)

    def apply(facts: Facts) -> None:
        value = read(facts)
        if kind == "header" and name.lower() in FORBIDDEN_HEADERS:
            raise Unmappable(name)
        if value is None:
            return
        if kind == "header":
            facts.headers = _replaced(facts.headers, name, value)
        elif kind == "querystring":
            facts.query = {**facts.query, name: [value]}
        # A path parameter changes the integration's URI, which for a function has none.

    return apply


def _reader(source: str) -> Callable[[Facts], str | None]:
    if is_literal(source):
        literal = source[1:-1]
        return lambda facts: literal
    found = _SOURCE.fullmatch(source)
    if found is None:
        return lambda facts: None
    kind, name = found[1], found[2]
    if kind == "path":
        return lambda facts: (facts.path_parameters or {}).get(name)
    if kind == "querystring":
        return lambda facts: facts.query.get(name, [None])[-1]
    lower = name.lower()
    return lambda facts: facts.sent.get(lower)


def _replaced(headers: Lists, name: str, value: str) -> Lists:
    lower = name.lower()
    kept = {known: values for known, values in headers.items() if known.lower() != lower}
    kept[name] = [value]
    return kept
