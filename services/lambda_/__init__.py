from fogbank.services.lambda_.service import service

__all__ = ["service"]
