"""Event records: what a bucket's notification configuration asks to be told, in which words."""

from fogbank.services.context import Context
from fogbank.services.s3.records import Bucket, StoredObject
from fogbank.storage.kv import Writer


def emit(
    ctx: Context,
    tx: Writer,
    bucket: Bucket,
    key: str,
    event: str,
    now_ms: int,
    new: StoredObject | None,
) -> None:
    """Part of `tx`."""
