"""Policy documents: checked for their form, kept as they came, and answered as IAM writes them."""

from typing import Any
from urllib.parse import quote

import orjson

from fogbank.services.iam.errors import MalformedPolicyDocument

_ELEMENTS = frozenset({"Version", "Id", "Statement"})
_EFFECTS = ("Allow", "Deny")


def check(document: str) -> None:
    """Raises MalformedPolicyDocument for a document that is no policy at all.

    IAM is not enforced, so only what makes a document unreadable is refused.
    """
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise MalformedPolicyDocument.not_json() from None
    if not isinstance(parsed, dict) or not set(parsed) <= _ELEMENTS:
        raise MalformedPolicyDocument.syntax()
    statements = parsed.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    if not listed or not all(_is_statement(statement) for statement in listed):
        raise MalformedPolicyDocument.syntax()


def _is_statement(statement: Any) -> bool:
    return (
        isinstance(statement, dict)
        and statement.get("Effect") in _EFFECTS
        and ("Action" in statement or "NotAction" in statement)
    )


def encoded(document: str) -> str:
    """Percent-encoded as in RFC 3986, the form of every policy document in an answer."""
    return quote(document, safe="")
