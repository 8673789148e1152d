from fogbank.services.s3.service import service

__all__ = ["service"]
