"""MOCK integrations, the part that needs no template language.

A request template that names a `statusCode`, integration responses chosen by it, header values
that are quoted literals, and response templates that are sent as they are. Templates with
directives or references (VTL) and other sources of values are refused by name when they are put.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from fogbank.services.apigateway.errors import NotBuilt
from fogbank.services.apigateway.gateway_responses import (
    CONFIGURATION_ERROR,
    UNSUPPORTED_MEDIA_TYPE,
    Refused,
)
from fogbank.services.apigateway.media import media_type
from fogbank.services.apigateway.parameters import is_literal

_VTL = re.compile(
    r"\$!?\{?!?[A-Za-z_]"
    r"|#\{?(?:set|if|elseif|else|end|foreach|break|stop|include|parse|macro|evaluate|define)\b"
    r"|##|#\*|#\[\["
)
# CDK writes `{ statusCode: 200 }`, which is no JSON and which AWS takes.
_LOOSE_STATUS = re.compile(r"""\{\s*["']?statusCode["']?\s*:\s*["']?(\d{3})["']?\s*[,}]""")
_JSON = "application/json"


def check_request_template(template: str) -> None:
    if _VTL.search(template):
        raise NotBuilt("VTL in requestTemplates")


def check_response_template(template: str) -> None:
    if _VTL.search(template):
        raise NotBuilt("VTL in responseTemplates")


def check_response_parameter(value: str) -> None:
    if not is_literal(value):
        raise NotBuilt("the responseParameters that are not a quoted literal")


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    pattern: re.Pattern[str] | None
    headers: tuple[tuple[bytes, bytes], ...]
    templates: dict[str, str]
    is_declared: bool


@dataclass(frozen=True, slots=True)
class Mock:
    """A compiled MOCK integration."""

    templates: dict[str, str]
    passthrough: str
    responses: tuple[_Response, ...] = field(default=())

    def answer(
        self, body: bytes, content_type: str | None, accept: str | None
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and body; raises Refused as AWS does for what cannot be answered."""
        status = _status_in(self._request(body, content_type))
        if status is None:
            raise Refused(CONFIGURATION_ERROR, "the request template gives no statusCode")
        response = self._chosen(str(status))
        template_type, template = _template_for(response.templates, accept)
        headers = list(response.headers)
        if not any(name.lower() == b"content-type" for name, _ in headers):
            headers.append((b"Content-Type", template_type.encode("latin-1", "replace")))
        return response.status, headers, template.encode()

    def _request(self, body: bytes, content_type: str | None) -> str:
        """The integration request: the template for the request's media type, else its body."""
        wanted = media_type(content_type) or _JSON
        template = self.templates.get(wanted)
        if template is not None:
            return template
        if self.passthrough == "NEVER" or (
            self.passthrough == "WHEN_NO_TEMPLATES" and self.templates
        ):
            raise Refused(UNSUPPORTED_MEDIA_TYPE)
        return body.decode("utf-8", "replace")

    def _chosen(self, status: str) -> _Response:
        """The response whose pattern matches the status, else the one without a pattern."""
        default: _Response | None = None
        for response in self.responses:
            if response.pattern is None:
                default = default or response
            elif response.pattern.fullmatch(status):
                return self._declared(response)
        if default is None:
            raise Refused(CONFIGURATION_ERROR, f"no integration response for status {status}")
        return self._declared(default)

    @staticmethod
    def _declared(response: _Response) -> _Response:
        if not response.is_declared:
            raise Refused(
                CONFIGURATION_ERROR,
                f"output mapping refers to an invalid method response: {response.status}",
            )
        return response


def compile_mock(method: dict[str, Any]) -> Mock:
    """The integration of a frozen method."""
    integration = method["methodIntegration"]
    declared = method.get("methodResponses", {})
    responses = tuple(
        _Response(
            int(status),
            _pattern(response.get("selectionPattern")),
            tuple(
                (name.removeprefix("method.response.header.").encode(), value[1:-1].encode())
                for name, value in response.get("responseParameters", {}).items()
            ),
            response.get("responseTemplates", {}),
            status in declared,
        )
        for status, response in integration.get("integrationResponses", {}).items()
    )
    templates = {
        name.lower(): text for name, text in integration.get("requestTemplates", {}).items()
    }
    return Mock(templates, integration["passthroughBehavior"], responses)


def _pattern(text: str | None) -> re.Pattern[str] | None:
    if not text:
        return None
    try:
        return re.compile(text)
    except re.error:
        return re.compile(re.escape(text))


def _status_in(text: str) -> int | None:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = _LOOSE_STATUS.search(text)
        return int(found[1]) if found else None
    status = parsed.get("statusCode") if isinstance(parsed, dict) else None
    if isinstance(status, str) and status.isascii() and status.isdigit() and len(status) == 3:
        return int(status)
    return status if isinstance(status, int) and not isinstance(status, bool) else None


def _template_for(templates: dict[str, str], accept: str | None) -> tuple[str, str]:
    """By Accept, else JSON's, else the first; without any, an empty body."""
    for wanted in (media_type(accept), _JSON):
        if wanted in templates:
            return wanted, templates[wanted]
    return next(iter(templates.items()), (_JSON, ""))
