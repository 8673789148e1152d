from fogbank.services.logs.service import service

__all__ = ["service"]
