"""The operations of API Gateway's REST APIs; the other modules register theirs here."""

from fogbank.services.registry import Service

service = Service("apigateway")
