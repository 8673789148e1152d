"""DynamoDB: tables, items, expressions, indexes, transactions, streams and time to live."""

from fogbank.services.dynamodb import (
    account,
    backups,
    batches,
    items,
    partiql,
    policies,
    reads,
    recovery,
    restores,
    table_updates,
    tables,
    tags,
    transactions,
    ttl,
)
from fogbank.services.dynamodb.service import service

__all__ = [
    "account",
    "backups",
    "batches",
    "items",
    "partiql",
    "policies",
    "reads",
    "recovery",
    "restores",
    "service",
    "table_updates",
    "tables",
    "tags",
    "transactions",
    "ttl",
]
