"""The ARNs by which policies and tags name a table or a stream, and what is wrong with others."""

import re
from dataclasses import dataclass

from fogbank.services.dynamodb.errors import invalid

_RESOURCE = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):dynamodb:(?P<region>[^:]+):(?P<account>[0-9]+)"
    r":table/(?P<table>[a-zA-Z0-9_.-]{3,255})(?:/(?P<kind>index|stream)/(?P<part>[^/]+))?"
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A table, or its stream of the label, as an ARN names it; it need not be there."""

    arn: str
    partition: str
    region: str
    account: str
    table: str
    stream: str | None


def resource_of(arn: str) -> Resource:
    if not arn.startswith("arn:"):
        raise invalid(f"ARNs must start with 'arn:': {arn}")
    found = _RESOURCE.fullmatch(arn)
    if found is None:
        raise invalid(f"Provided Arn is not a DynamoDB resource arn: {arn}")
    if found["kind"] == "index":
        raise invalid(
            "Invalid resource arn provided, only table or stream is accepted. Provided resource "
            f"arn: {arn}"
        )
    return Resource(
        arn, found["partition"], found["region"], found["account"], found["table"], found["part"]
    )
