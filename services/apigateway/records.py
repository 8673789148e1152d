"""What the control plane keeps: one JSON document per key.

| key after `apigateway`, account, region | what |
|---|---|
| `rest-api`, id | the API as GetRestApi answers it |
| `of`, id, `resource`, resource id | a resource with its methods, integrations and responses |
| `of`, id, `model`, name | a model |
| `of`, id, `deployment`, deployment id | a deployment as GetDeployment answers it |
| `of`, id, `snapshot`, deployment id | the API as it was deployed; never changes |
| `of`, id, `stage`, name | a stage, with the account and region of its API |
| `account` | the account's settings |

`apigateway`, `ids`, id leads from an API's id, which is global, to its account and region.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from fogbank.services.apigateway.errors import NotFoundException
from fogbank.services.context import Context, World
from fogbank.storage.keys import pack, span
from fogbank.storage.kv import Reader, Writer

Record = dict[str, Any]

PAGE_DEFAULT = 25
PAGE_MAX = 500


def api_key(world: World, api_id: str) -> bytes:
    return pack("apigateway", world.account, world.region, "rest-api", api_id)


def part_key(world: World, api_id: str, kind: str, name: str) -> bytes:
    return pack("apigateway", world.account, world.region, "of", api_id, kind, name)


def parts_span(world: World, api_id: str, *kind: str) -> tuple[bytes, bytes]:
    return span("apigateway", world.account, world.region, "of", api_id, *kind)


def id_key(api_id: str) -> bytes:
    return pack("apigateway", "ids", api_id)


def dump(record: Record) -> bytes:
    return orjson.dumps(record)


def load(raw: bytes) -> Record:
    record: Record = orjson.loads(raw)
    return record


def require_api(tx: Reader, world: World, api_id: str) -> Record:
    raw = tx.get(api_key(world, api_id))
    if raw is None:
        raise NotFoundException.api(world.account, api_id)
    return load(raw)


def require_part(
    tx: Reader, world: World, api_id: str, kind: str, name: str, missing: NotFoundException
) -> Record:
    """The part called `name`; raises `missing` where there is none, or no such API."""
    raw = tx.get(part_key(world, api_id, kind, name))
    if raw is None:
        raise missing
    return load(raw)


def put_part(tx: Writer, world: World, api_id: str, kind: str, name: str, record: Record) -> None:
    tx.put(part_key(world, api_id, kind, name), dump(record))


def parts(tx: Reader, world: World, api_id: str, kind: str) -> Iterator[Record]:
    return (load(raw) for _, raw in tx.range(*parts_span(world, api_id, kind)))


def page(
    records: list[Record], name: str, request: dict[str, Any]
) -> tuple[list[Record], str | None]:
    """`records` after the request's `position`, at most `limit`, and the position of the next page.

    A position is the name of the last record that was shown, so it holds when others are deleted.
    """
    position, limit = request.get("position"), request.get("limit")
    if position:
        records = [record for record in records if record[name] > position]
    size = min(limit, PAGE_MAX) if isinstance(limit, int) and limit > 0 else PAGE_DEFAULT
    shown = records[:size]
    return shown, shown[-1][name] if len(records) > size else None


def paged(records: list[Record], name: str, request: dict[str, Any]) -> dict[str, Any]:
    items, position = page(records, name, request)
    return {"items": items, "position": position} if position else {"items": items}


def now_s(ctx: Context) -> int:
    return ctx.clock.now_ms() // 1000
