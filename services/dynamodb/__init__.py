from fogbank.services.dynamodb import (
    batches,
    items,
    reads,
    table_updates,
    tables,
    tags,
    transactions,
    ttl,
)
from fogbank.services.dynamodb.service import service

__all__ = [
    "batches",
    "items",
    "reads",
    "service",
    "table_updates",
    "tables",
    "tags",
    "transactions",
    "ttl",
]
