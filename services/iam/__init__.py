"""IAM: roles, users and policies, stored and not enforced."""

from fogbank.services.iam import attachments, inline, policies, roles, users
from fogbank.services.iam.service import service

__all__ = ["attachments", "inline", "policies", "roles", "service", "users"]
