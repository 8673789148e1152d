"""Access keys: found while they last, and swept some time after they expired."""

from fogbank.services import credentials
from fogbank.services.credentials import KEPT_EXPIRED_MS, Credential
from fogbank.storage.memory import MemoryStore


def credential(access_key: str, expires_at_ms: int | None) -> Credential:
    return Credential(access_key, "secret", "token", "111122223333", "arn", "id", expires_at_ms)


async def test_a_credential_comes_back_as_it_was_saved() -> None:
    store, saved = MemoryStore(), credential("ASIA1", 5)
    await store.write(lambda tx: credentials.save(tx, saved))
    assert await store.read(lambda tx: credentials.find(tx, "ASIA1")) == saved
    assert await store.read(lambda tx: credentials.find(tx, "ASIA2")) is None


async def test_only_what_expired_long_ago_is_swept() -> None:
    store, now_ms = MemoryStore(), 10 * KEPT_EXPIRED_MS
    kept = {
        "old": now_ms - KEPT_EXPIRED_MS - 1,
        "expired": now_ms - 1,
        "fresh": now_ms + 1,
        "lasting": None,
    }
    for name, expires_at_ms in kept.items():
        one = credential(name, expires_at_ms)
        await store.write(lambda tx, one=one: credentials.save(tx, one))  # type: ignore[misc]
    await store.write(lambda tx: credentials.sweep(tx, now_ms))
    found = [
        name
        for name in kept
        if await store.read(lambda tx, name=name: credentials.find(tx, name))  # type: ignore[misc]
    ]
    assert found == ["expired", "fresh", "lasting"]
