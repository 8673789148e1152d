"""DynamoDB: tables, items, expressions, indexes, transactions, streams and time to live."""

from fogbank.services.dynamodb import (
    account,
    batches,
    items,
    partiql,
    policies,
    reads,
    recovery,
    table_updates,
    tables,
    tags,
    transactions,
    ttl,
)
from fogbank.services.dynamodb.service import service

__all__ = [
    "account",
    "batches",
    "items",
    "partiql",
    "policies",
    "reads",
    "recovery",
    "service",
    "table_updates",
    "tables",
    "tags",
    "transactions",
    "ttl",
]
