"""What roles and users have in common: where they stand, their paths, tags and pages.

IAM is global: the region is no part of any key.
"""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output, World
from fogbank.services.iam.errors import InvalidInput, LimitExceeded, NoSuchEntity, ValidationError
from fogbank.services.ids import UPPER_AND_DIGITS
from fogbank.storage.keys import pack, span, unpack
from fogbank.storage.kv import Reader, Writer

PAGE_DEFAULT = 100
TAGS_MAX = 50

Entity = dict[str, Any]


def key_of(world: World, kind: str, name: str) -> bytes:
    return pack("iam", world.account, kind, name)


def find(tx: Reader, world: World, kind: str, name: str) -> Entity | None:
    raw = tx.get(key_of(world, kind, name))
    return None if raw is None else orjson.loads(raw)


def require(tx: Reader, world: World, kind: str, name: str) -> Entity:
    found = find(tx, world, kind, name)
    if found is None:
        raise NoSuchEntity.named(kind, name)
    return found


def save(tx: Writer, world: World, kind: str, name: str, entity: Entity) -> None:
    tx.put(key_of(world, kind, name), orjson.dumps(entity))


def all_of(tx: Reader, world: World, kind: str, after: str = "") -> Iterator[tuple[str, Entity]]:
    """(name, entity) in order of name, behind `after`."""
    start, stop = span("iam", world.account, kind)
    length = len(start)
    if after:
        start = key_of(world, kind, after) + b"\xff"
    for key, raw in tx.range(start, stop):
        yield str(unpack(key[length:])[0]), orjson.loads(raw)


def new_id(ctx: Context, prefix: str) -> str:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"""
    return prefix + ctx.ids.token(17, UPPER_AND_DIGITS)


def arn_of(world: World, kind: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{world.account}:{kind}{path}{name}"


def page(
    request: Input, found: Iterator[tuple[str, Any]], member: str, answer: Callable[[Any], Any]
) -> Output:
    """One page of a list; the marker is the last name that it holds."""
    limit = int(request.get("MaxItems") or PAGE_DEFAULT)
    listed: list[Any] = []
    last = ""
    for name, item in found:
        if len(listed) == limit:
            return {member: listed, "IsTruncated": True, "Marker": _marker(last)}
        listed.append(answer(item))
        last = name
    return {member: listed, "IsTruncated": False}


async def page_of(
    ctx: Context, request: Input, kind: str, member: str, answer: Callable[[Entity], Any]
) -> Output:
    """One page of the entities of a kind whose path begins as the request says."""
    prefix, behind = request.get("PathPrefix") or "/", after(request)

    def work(tx: Reader) -> Output:
        found = (
            (name, entity)
            for name, entity in all_of(tx, ctx.world, kind, behind)
            if entity["path"].startswith(prefix)
        )
        return page(request, found, member, answer)

    return await ctx.store.read(work)


def after(request: Input) -> str:
    """The name that the page before ended with."""
    marker = request.get("Marker")
    if not marker:
        return ""
    try:
        return bytes.fromhex(marker).decode()
    except ValueError:
        raise ValidationError.marker() from None


def _marker(name: str) -> str:
    return name.encode().hex()


def rest_of(items: dict[str, Any], request: Input) -> Iterator[tuple[str, Any]]:
    """The items of a small collection that come after the request's marker, in order."""
    behind = after(request)
    return ((name, items[name]) for name in sorted(items) if name > behind)


def set_tags(entity: Entity, tags: list[dict[str, str]]) -> None:
    """Add `tags`, as IAM takes them, to those of `entity`."""
    names = [tag["Key"].lower() for tag in tags]
    if len(set(names)) != len(names):
        raise InvalidInput.duplicate_tags()
    entity["tags"].update((tag["Key"], tag["Value"]) for tag in tags)
    if len(entity["tags"]) > TAGS_MAX:
        raise LimitExceeded.tags()


def tags_of(entity: Entity) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in entity["tags"].items()]
