"""The Logs service's registry of operations; the modules beside it fill it."""

from fogbank.services.registry import Service

service = Service("logs")
