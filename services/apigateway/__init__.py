"""API Gateway, REST APIs: the control plane's operations and the data plane that serves APIs."""

from fogbank.services.apigateway import (
    account,
    apis,
    deployments,
    integrations,
    methods,
    models,
    resources,
    stages,
    tags,
)
from fogbank.services.apigateway.service import service

__all__ = [
    "account",
    "apis",
    "deployments",
    "integrations",
    "methods",
    "models",
    "resources",
    "service",
    "stages",
    "tags",
]
