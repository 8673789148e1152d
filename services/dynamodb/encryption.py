"""Server-side encryption as tables describe it, and how often its key may be changed.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/EncryptionAtRest.html
"""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from fogbank.services.context import Context
from fogbank.services.dynamodb.errors import LimitExceededException, invalid
from fogbank.services.dynamodb.schema import Record

Wanted = dict[str, Any]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
WINDOW_MS = 24 * 3600 * 1000
CHANGES_AT_ONCE = 4
INTERVAL_MS = 6 * 3600 * 1000


def check_encryption(wanted: Wanted | None) -> None:
    """The members of an SSESpecification go together."""
    if wanted is None:
        return
    kind, key = wanted.get("SSEType"), wanted.get("KMSMasterKeyId")
    if wanted.get("Enabled") is False:
        for name, value in (("SSEType", kind), ("KMSMasterKeyId", key)):
            if value is not None:
                raise invalid(f"{name} can not be specified if Enabled is false")
    if kind == "AES256":
        raise invalid("SSEType AES256 is not supported")
    if key is not None and kind is None:
        raise invalid("SSEType KMS is required if KMSMasterKeyId is specified")


def set_encryption(ctx: Context, record: Record, wanted: Wanted | None) -> None:
    """The record describes the key that the specification names; AWS owned keys are not shown."""
    if wanted is None:
        return
    if not enables(wanted):
        record.pop("SSEDescription", None)
        return
    record["SSEDescription"] = {
        "Status": "ENABLED",
        "SSEType": "KMS",
        "KMSMasterKeyArn": _key_arn(ctx, wanted),
    }


def enables(wanted: Wanted) -> bool:
    """A type without `Enabled` is enough."""
    enabled = wanted.get("Enabled")
    return bool(wanted.get("SSEType")) if enabled is None else bool(enabled)


def _key_arn(ctx: Context, wanted: Wanted) -> str:
    # Without a key of the caller's, AWS makes one for the account and region.
    managed = blake2b(repr(ctx.world).encode(), digest_size=16).hexdigest()
    key: str = wanted.get("KMSMasterKeyId") or str(UUID(managed, version=4))
    if key.startswith("arn:"):
        return key
    return ctx.world.arn("kms", key if key.startswith("alias/") else f"key/{key}")


def change_encryption(ctx: Context, record: Record, wanted: Wanted | None, now_ms: int) -> None:
    """The same for a table that exists: what changes nothing is refused, and so is too much.

    A key that is named otherwise than by its ARN counts as a change, though it be the same.
    """
    if wanted is None:
        return
    old = record.get("SSEDescription")
    _check_changes(record, now_ms)
    if not enables(wanted) and old is None:
        raise invalid("Table is already encrypted by default")
    if old is not None and wanted.get("KMSMasterKeyId") == old["KMSMasterKeyArn"]:
        raise invalid(
            "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter "
            "if you want to change Master Key"
        )
    set_encryption(ctx, record, wanted)
    record.setdefault("EncryptionChangesMs", []).append(now_ms)


def _check_changes(record: Record, now_ms: int) -> None:
    """The quota is looked at before the key."""
    changes = [at for at in record.get("EncryptionChangesMs") or () if now_ms < at + WINDOW_MS]
    if changes:
        record["EncryptionChangesMs"] = changes
    if len(changes) < CHANGES_AT_ONCE or now_ms >= changes[-1] + INTERVAL_MS:
        return
    end_ms = changes[0] + WINDOW_MS
    # The last sentence is known of another observation than the first ones.
    raise LimitExceededException(
        "Subscriber limit exceeded: Encryption mode changes are limited in the 24h window ending "
        f"at {_moment(end_ms)}. After the first {CHANGES_AT_ONCE} change, each subsequent change "
        f"in the same window can be performed at most once every {INTERVAL_MS // 1000} seconds. "
        f"Number of updates today: {len(changes)}. Last change at {_moment(changes[-1])}. Next "
        f"changes can be made at {_moment(min(end_ms, changes[-1] + INTERVAL_MS))}."
    )


def _moment(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
