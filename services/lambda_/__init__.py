"""AWS Lambda: functions, their versions, permissions and invocations."""

from fogbank.services.lambda_ import (
    asynchronous,
    downloads,
    functions,
    invocations,
    permissions,
    tags,
    unset,
    updates,
    versions,
)
from fogbank.services.lambda_.service import service

__all__ = [
    "asynchronous",
    "downloads",
    "functions",
    "invocations",
    "permissions",
    "service",
    "tags",
    "unset",
    "updates",
    "versions",
]
