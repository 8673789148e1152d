"""Exports and imports as they lie in the store: by id, by client token, and listed in pages."""

from binascii import unhexlify
from typing import Any

import orjson

from fogbank.services.context import Context, World
from fogbank.services.dynamodb.backup_errors import AccessDenied
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.storage.keys import after, pack, span
from fogbank.storage.kv import Reader, Writer

Task = dict[str, Any]

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListImports.html
LISTED_MS = 90 * 24 * 3600 * 1000
PAGE_MAX = 25
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
TOKEN_LIFE_MS = 8 * 3600 * 1000
_TOKEN_BYTES_MIN = 56


def task_key(world: World, kind: str, task_id: str) -> bytes:
    """`kind` is "export", "import" or "bulk"."""
    return pack("dynamodb", world.account, world.region, kind, task_id)


def save(tx: Writer, world: World, kind: str, task: Task) -> None:
    tx.put(task_key(world, kind, task["Id"]), orjson.dumps(task))


def load(tx: Reader, world: World, kind: str, task_id: str) -> Task | None:
    raw = tx.get(task_key(world, kind, task_id))
    return None if raw is None else orjson.loads(raw)


def find(tx: Reader, ctx: Context, kind: str, arn: str) -> Task | None:
    """The task of an ARN; None when there is none in this region."""
    word = kind.capitalize()
    parts = arn.split(":", 5)
    names = parts[5].split("/") if len(parts) == 6 else []
    if len(names) != 4 or (names[0], names[2]) != ("table", kind) or parts[0] != "arn":
        raise ValidationException(f"Invalid {word} ARN")
    if parts[4] != ctx.world.account:
        raise AccessDenied
    task = load(tx, ctx.world, kind, names[3])
    return task if task is not None and task["Arn"] == arn else None


def _token_key(world: World, kind: str, token: str) -> bytes:
    return pack("dynamodb", world.account, world.region, f"{kind}-token", token)


def of_token(tx: Reader, ctx: Context, kind: str, token: str | None, now_ms: int) -> Task | None:
    """The task that was made with this client token in the last eight hours."""
    raw = None if token is None else tx.get(_token_key(ctx.world, kind, token))
    task = None if raw is None else load(tx, ctx.world, kind, raw.decode())
    return task if task is not None and now_ms < task["StartMs"] + TOKEN_LIFE_MS else None


def keep_token(tx: Writer, ctx: Context, kind: str, token: str, task_id: str) -> None:
    tx.put(_token_key(ctx.world, kind, token), task_id.encode())


def page(
    tx: Reader, ctx: Context, kind: str, limit: int, token: str | None, arn: str | None
) -> tuple[list[Task], str | None]:
    """Those of the last ninety days, of one table when `arn` is given, and how to go on."""
    start, stop = span("dynamodb", ctx.world.account, ctx.world.region, kind)
    if token is not None:
        start = after(task_key(ctx.world, kind, last_of(kind, token)))
    oldest_ms = ctx.clock.now_ms() - LISTED_MS
    found: list[Task] = []
    for _, raw in tx.range(start, stop) if start < stop else ():
        task = orjson.loads(raw)
        if task["StartMs"] < oldest_ms or arn not in (None, task["TableArn"]):
            continue
        if len(found) == limit:
            return found, next_token(kind, found[-1]["Id"])
        found.append(task)
    return found, None


def next_token(kind: str, task_id: str) -> str:
    """How to go on behind that task: pairs of hexadecimal digits, in eights."""
    content = orjson.dumps([kind, task_id])
    content = content.ljust(max(_TOKEN_BYTES_MIN, -(-len(content) // 8) * 8))
    return content.hex()


def last_of(kind: str, token: str) -> str:
    """The task behind which to go on."""
    try:
        of_kind, task_id = orjson.loads(unhexlify(token))
    except (ValueError, TypeError):
        of_kind, task_id = None, None
    if of_kind != kind or not isinstance(task_id, str):
        raise ValidationException(f"Invalid Request: Provided nextToken is invalid: {token}")
    return task_id
