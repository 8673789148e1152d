"""S3: buckets, objects, multipart uploads, notifications."""

from fogbank.services.s3 import buckets, deletions, listings, objects
from fogbank.services.s3.service import service

__all__ = ["buckets", "deletions", "listings", "objects", "service"]
