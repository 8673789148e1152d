"""Fogbank: S3, API Gateway, DynamoDB and Lambda for one machine, behind one port."""

__version__ = "0.1.0"
