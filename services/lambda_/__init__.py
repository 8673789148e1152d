from fogbank.services.lambda_ import (
    asynchronous,
    functions,
    invocations,
    permissions,
    tags,
    updates,
)
from fogbank.services.lambda_.service import service

__all__ = [
    "asynchronous",
    "functions",
    "invocations",
    "permissions",
    "service",
    "tags",
    "updates",
]
