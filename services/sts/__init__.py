"""STS: who calls, and temporary credentials."""

from fogbank.services.sts import identity, sessions
from fogbank.services.sts.service import service

__all__ = ["identity", "service", "sessions"]
