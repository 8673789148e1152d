"""Access keys that the stack gave out, for whoever signs or checks a request."""

from dataclasses import asdict, dataclass

import orjson

from fogbank.storage.keys import pack, span, unpack
from fogbank.storage.kv import Reader, Writer

# An expired key is kept for a while, so that its user learns that it expired.
KEPT_EXPIRED_MS = 24 * 3600 * 1000
SWEPT_AT_ONCE_MAX = 16


@dataclass(frozen=True, slots=True)
class Credential:
    """`expires_at_ms` is None for a long-term key, which then has no session token either."""

    access_key: str
    secret: str
    session_token: str | None
    account: str
    arn: str
    user_id: str
    expires_at_ms: int | None


def save(tx: Writer, credential: Credential) -> None:
    tx.put(_key(credential.access_key), orjson.dumps(asdict(credential)))
    if credential.expires_at_ms is not None:
        tx.put(pack("credentials-expiry", credential.expires_at_ms, credential.access_key), b"")


def find(tx: Reader, access_key: str) -> Credential | None:
    raw = tx.get(_key(access_key))
    return None if raw is None else Credential(**orjson.loads(raw))


def remove(tx: Writer, access_key: str) -> None:
    tx.delete(_key(access_key))


def sweep(tx: Writer, now_ms: int) -> None:
    """Drop a few keys that expired long ago; as each new session does so, few are kept."""
    start, _ = span("credentials-expiry")
    stop = pack("credentials-expiry", max(0, now_ms - KEPT_EXPIRED_MS))
    stale = []
    for key, _value in tx.range(start, stop):
        stale.append(key)
        if len(stale) == SWEPT_AT_ONCE_MAX:
            break
    for key in stale:
        remove(tx, str(unpack(key)[-1]))
        tx.delete(key)


def _key(access_key: str) -> bytes:
    return pack("credentials", access_key)
