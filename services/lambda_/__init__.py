from fogbank.services.lambda_ import (
    asynchronous,
    concurrency,
    downloads,
    functions,
    invocations,
    permissions,
    tags,
    updates,
    versions,
)
from fogbank.services.lambda_.service import service

__all__ = [
    "asynchronous",
    "concurrency",
    "downloads",
    "functions",
    "invocations",
    "permissions",
    "service",
    "tags",
    "updates",
    "versions",
]
