"""Access keys that the stack gave out, for whoever signs or checks a request."""

from dataclasses import asdict, dataclass

import orjson

from fogbank.storage.keys import pack
from fogbank.storage.kv import Reader, Writer


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


def find(tx: Reader, access_key: str) -> Credential | None:
    raw = tx.get(_key(access_key))
    return None if raw is None else Credential(**orjson.loads(raw))


def remove(tx: Writer, access_key: str) -> None:
    tx.delete(_key(access_key))


def _key(access_key: str) -> bytes:
    return pack("credentials", access_key)
