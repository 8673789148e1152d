from fogbank.services.apigateway.service import service

__all__ = ["service"]
