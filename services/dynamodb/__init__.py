from fogbank.services.dynamodb.service import service

__all__ = ["service"]
