"""CloudWatch Logs: groups, streams and events, searched by patterns."""

from fogbank.services.logs import events, groups, streams, tags
from fogbank.services.logs.service import service

__all__ = ["events", "groups", "service", "streams", "tags"]
