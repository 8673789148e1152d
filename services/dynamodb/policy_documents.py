"""Policy documents of tables and streams: what is wrong with one, and its canonical form.

Documents that mean the same are one document: they are compared, and given back, in one form.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-considerations.html
"""

import re
from typing import Any

import orjson

from fogbank.services.dynamodb.errors import ValidationException, invalid

Document = dict[str, Any]

POLICY_BYTES_MAX = 20 * 1024
# What a document without one is given back with.
OLDEST_VERSION = "2008-10-17"
_MEMBERS = (
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource"),
    *("NotResource", "Condition"),
)
# The order is known of Effect only.
_REQUIRED = (
    ("Effect",),
    ("Principal", "NotPrincipal"),
    ("Action", "NotAction"),
    ("Resource", "NotResource"),
)
_ACCOUNT = re.compile(r"[0-9]{12}")


def _faulty(text: str) -> ValidationException:
    return invalid(f"Invalid policy document: {text}")


def parsed(text: str) -> Document:
    """The document in its canonical form, without a version if it came without."""
    if len(text.encode(errors="surrogatepass")) > POLICY_BYTES_MAX:
        raise invalid(f"Maximum policy size of {POLICY_BYTES_MAX} bytes exceeded")
    try:
        given = orjson.loads(text)
    except ValueError:
        raise _faulty("This policy contains invalid Json") from None
    if given is None:
        raise _faulty("This text appears not to be a policy")
    if not isinstance(given, dict):
        raise _faulty("This policy contains invalid Json")
    if "Statement" not in given:
        lines = text.split("\n")
        raise _faulty(f"Syntax error at position ({len(lines)},{len(lines[-1]) + 1})")
    statements = given["Statement"]
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise _faulty("Could not parse the policy: Statement is empty!")
    version = {"Version": given["Version"]} if "Version" in given else {}
    others = {name: given[name] for name in ("Id",) if name in given}
    document = {**version, **others, "Statement": [_statement(one) for one in statements]}
    ids = [one["Sid"] for one in document["Statement"] if "Sid" in one]
    if len(set(map(str, ids))) < len(ids):
        raise _faulty("The Statement Ids in the policy are not unique")
    for one in document["Statement"]:
        _check_bounds(one)
    return document


def _statement(given: Any) -> Document:
    if not isinstance(given, dict):
        raise _faulty("Could not parse the policy: Statement is empty!")
    for names in _REQUIRED:
        if all(given.get(name) is None for name in names):
            raise _faulty(f"Missing required field {names[0]}")
    statement = {name: given[name] for name in _MEMBERS if given.get(name) is not None}
    if isinstance(statement["Effect"], str):
        statement["Effect"] = statement["Effect"].capitalize()
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in statement:
            statement[name] = _single(statement[name])
    for name in ("Principal", "NotPrincipal"):
        if isinstance(statement.get(name), dict):
            statement[name] = {
                kind: _principals(who) if kind == "AWS" else _single(who)
                for kind, who in statement[name].items()
            }
    return statement


def _single(value: Any) -> Any:
    """A list of one is its element."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _principals(given: Any) -> Any:
    """An account is its root, and each principal is there once."""
    many = given if isinstance(given, list) else [given]
    roots = [
        f"arn:aws:iam::{one}:root" if isinstance(one, str) and _ACCOUNT.fullmatch(one) else one
        for one in many
    ]
    return _single(list({orjson.dumps(one): one for one in roots}.values()))


def _check_bounds(statement: Document) -> None:
    everybody = statement.get("Principal") in ("*", {"AWS": "*"})
    if everybody and statement["Effect"] == "Allow" and "Condition" not in statement:
        raise ValidationException(
            "Resource-based policy grants unbounded access in one or more elements. Please revise "
            "the policy to ensure least-privilege form of access"
        )


def shown(document: Document) -> str:
    """The document as it is given back: minified, with a version."""
    return orjson.dumps({"Version": OLDEST_VERSION, **document}).decode()
