"""Event records: what a bucket's notification configuration asks to be told, in AWS's words.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

import orjson

from fogbank.services import events
from fogbank.services.context import Context
from fogbank.services.s3 import keys
from fogbank.services.s3.records import Bucket, StoredObject
from fogbank.storage.keys import pack
from fogbank.storage.kv import Writer

TOPIC = "s3.notification"
# What AWS was observed to send for objects made and removed; tagging and ACLs are 2.3, and the
# documentation shows 2.5 and later.
VERSION = "2.1"
VERSION_OF_CHANGES = "2.3"
_SEQUENCE = pack("s3", "sequencer")


@dataclass(frozen=True, slots=True)
class Rule:
    """Tell `function` of the events whose name begins so, of keys that begin and end so."""

    id: str
    function: str
    events: tuple[str, ...]
    prefix: str
    suffix: str

    def wants(self, event: str, key: str) -> bool:
        return (
            any(covers(pattern, f"s3:{event}") for pattern in self.events)
            and key.startswith(self.prefix)
            and key.endswith(self.suffix)
        )


def covers(pattern: str, event: str) -> bool:
    """`s3:ObjectCreated:*` covers every event of its kind."""
    return pattern == event or (pattern.endswith("*") and event.startswith(pattern[:-1]))


@lru_cache(maxsize=256)
def rules_of(raw: bytes) -> tuple[Rule, ...]:
    """The rules of a stored configuration, remembered by its bytes."""
    return tuple(
        Rule(
            one["Id"],
            one["LambdaFunctionArn"],
            tuple(one["Events"]),
            *filter_of(one),
        )
        for one in orjson.loads(raw)["LambdaFunctionConfigurations"]
    )


def filter_of(configuration: dict[str, Any]) -> tuple[str, str]:
    """Prefix and suffix of a validated configuration."""
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    found = {rule["Name"].lower(): rule["Value"] for rule in rules}
    return found.get("prefix", ""), found.get("suffix", "")


def emit(
    ctx: Context,
    tx: Writer,
    bucket: Bucket,
    key: str,
    event: str,
    now_ms: int,
    new: StoredObject | None,
) -> None:
    """Part of `tx`: one event for each rule that wants to know of `event` ("ObjectCreated:Put")."""
    raw = tx.get(keys.notification(bucket.id))
    if raw is None:
        return
    wanting = [rule for rule in rules_of(raw) if rule.wants(event, key)]
    if not wanting:
        return
    sequencer = f"{tx.sequence(_SEQUENCE):018X}"
    for rule in wanting:
        record = _record(ctx, bucket, rule, event, now_ms)
        record["s3"]["object"] = _object(key, event, new, sequencer)
        events.emit(
            ctx, tx, TOPIC, f"{bucket.name}/{key}", {"function": rule.function, "record": record}
        )


def _record(ctx: Context, bucket: Bucket, rule: Rule, event: str, now_ms: int) -> dict[str, Any]:
    changes = event.startswith(("ObjectTagging", "ObjectAcl"))
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    return {
        "eventVersion": VERSION_OF_CHANGES if changes else VERSION,
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%S}.{now_ms % 1000:03d}Z",
        "eventName": event,
        "userIdentity": {"principalId": f"AWS:{ctx.caller.user_id}"},
        # The stack listens on loopback unless told otherwise, and a handler knows no sockets.
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-request-id": ctx.request_id,
            "x-amz-id-2": _host_id(ctx.request_id),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": rule.id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": _principal(bucket.account)},
                "arn": f"arn:aws:s3:::{bucket.name}",
            },
        },
    }


def _object(key: str, event: str, new: StoredObject | None, sequencer: str) -> dict[str, str | int]:
    """Removed objects have no size and no tag; changes of tags and ACLs have no sequencer."""
    shown: dict[str, str | int] = {"key": quote_plus(key, safe="/*-._")}
    if event.startswith("ObjectCreated") and new is not None:
        shown["size"] = new.size
    if new is not None:
        shown["eTag"] = new.etag
        if new.version is not None:
            shown["versionId"] = new.version
    if event.startswith(("ObjectCreated", "ObjectRemoved")):
        shown["sequencer"] = sequencer
    return shown


def _host_id(request_id: str) -> str:
    return base64.b64encode(hashlib.sha384(request_id.encode()).digest()).decode()


def _principal(account: str) -> str:
    """The principal id of an account: 14 capitals and digits, always the same ones."""
    return "A" + base64.b32encode(hashlib.sha256(account.encode()).digest()).decode()[:13]
