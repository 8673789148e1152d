from fogbank.services.sts.service import service

__all__ = ["service"]
