"""The S3 service: modules by resource register their operations here."""

from fogbank.services.registry import Service

service = Service("s3")
