"""S3: buckets, objects, listings, multipart uploads, notifications."""

from fogbank.services.s3 import (
    buckets,
    copies,
    deletions,
    details,
    listings,
    notifications,
    objects,
    parts,
    settings,
    tagging,
    uploads,
    versions,
)
from fogbank.services.s3.service import service

__all__ = [
    "buckets",
    "copies",
    "deletions",
    "details",
    "listings",
    "notifications",
    "objects",
    "parts",
    "service",
    "settings",
    "tagging",
    "uploads",
    "versions",
]
