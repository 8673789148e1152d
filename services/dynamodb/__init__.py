from fogbank.services.dynamodb import items, tables
from fogbank.services.dynamodb.service import service

__all__ = ["items", "service", "tables"]
