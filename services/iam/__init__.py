from fogbank.services.iam.service import service

__all__ = ["service"]
