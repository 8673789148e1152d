from fogbank.services.dynamodb import batches, items, reads, tables
from fogbank.services.dynamodb.service import service

__all__ = ["batches", "items", "reads", "service", "tables"]
