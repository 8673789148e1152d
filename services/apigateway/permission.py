"""Whether a function's resource policy lets API Gateway invoke it for one method.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
"""

import re
from collections.abc import Callable
from typing import Any

import orjson

PRINCIPAL = "apigateway.amazonaws.com"
_ACTIONS = frozenset({"lambda:invokefunction", "lambda:invoke*", "lambda:*", "*"})


def permits(policy: str, source_arn: str, source_account: str) -> bool:
    """Whether `policy` (its JSON) allows the invocation; a denial wins over every allowance."""
    allowed = False
    statements = orjson.loads(policy).get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        if not _applies(statement, source_arn, source_account):
            continue
        if statement.get("Effect") == "Deny":
            return False
        allowed = allowed or statement.get("Effect") == "Allow"
    return allowed


def _applies(statement: dict[str, Any], source_arn: str, source_account: str) -> bool:
    actions = _listed(statement.get("Action"))
    if not any(action.lower() in _ACTIONS for action in actions):
        return False
    if not _names_us(statement.get("Principal")):
        return False
    facts = {"aws:sourcearn": source_arn, "aws:sourceaccount": source_account}
    for operator, keys in (statement.get("Condition") or {}).items():
        test = _OPERATORS.get(operator.lower())
        for key, values in keys.items():
            fact = facts.get(key.lower())
            if test is None or fact is None:
                return False
            if not any(test(value, fact) for value in _listed(values)):
                return False
    return True


def _names_us(principal: Any) -> bool:
    if isinstance(principal, dict):
        services, accounts = _listed(principal.get("Service")), _listed(principal.get("AWS"))
        return PRINCIPAL in services or "*" in accounts
    return _listed(principal) == ["*"]


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def arn_like(pattern: str, arn: str) -> bool:
    """IAM's ArnLike: each of the six parts is matched on its own; `*` and `?` are wildcards."""
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    if len(patterns) != 6 or len(parts) != 6:
        return pattern == "*"
    return all(string_like(*pair) for pair in zip(patterns, parts, strict=True))


def string_like(pattern: str, text: str) -> bool:
    expression = "".join(
        {"*": ".*", "?": "."}.get(character) or re.escape(character) for character in pattern
    )
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _equal(pattern: str, text: str) -> bool:
    return pattern == text


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "arnlike": arn_like,
    "arnequals": arn_like,
    "stringlike": string_like,
    "stringequals": _equal,
}
