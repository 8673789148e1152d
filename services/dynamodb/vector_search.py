"""SearchVectors: the items whose vectors are nearest to one that is given.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearchWorkingWith.html

The search is exact: it looks at every item of the table. AWS's is approximate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from heapq import nsmallest
from math import dist, fsum, hypot
from operator import mul
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema, stored, values
from fogbank.services.dynamodb.capacity import wanted
from fogbank.services.dynamodb.conditions import Node, condition
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.items import NAMES
from fogbank.services.dynamodb.operands import compare
from fogbank.services.dynamodb.paths import Projection, projection
from fogbank.services.dynamodb.schema import Table
from fogbank.services.dynamodb.scope import Scope, scope_of
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import ANY, INTEGER, STRING, check
from fogbank.services.dynamodb.values import Item, Value, kind_of
from fogbank.services.dynamodb.vector_cache import Entries, Entry, VectorCache, cache_of
from fogbank.services.dynamodb.vector_indexes import present, state
from fogbank.services.dynamodb.vector_rules import Definition, schema_names, vector_name
from fogbank.services.dynamodb.vectors import (
    BYTES_MIN,
    FLOAT_BYTES,
    Vector,
    fits,
    floats,
    projected,
)
from fogbank.storage.kv import Reader

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearch.Requirements.html
TOP_MAX = 100
ANSWER_BYTES_MAX = 16 * 1024 * 1024
KIND = "SearchConditionExpression"
_SINGLE_DIGITS = (6, 10)

_SHAPE = {
    "TableName!": STRING,
    "IndexName!": STRING,
    "SearchVector!": [ANY],
    "TopK!": INTEGER,
    "SearchConditionExpression": STRING,
    "ProjectionExpression": STRING,
    "ExpressionAttributeNames": NAMES,
    "ExpressionAttributeValues": {None: ANY},
    "ReturnConsumedCapacity": STRING,
}


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for. `pairs` are the attributes that must equal a value."""

    index: str
    vector: Vector
    top: int
    pairs: tuple[tuple[str, Value], ...]
    chosen: Projection | None
    scope: Scope


@dataclass(frozen=True, slots=True)
class Found:
    """The nearest items, each with its score, and how many vectors were looked at."""

    table: Table
    index: Definition
    search: Search
    nearest: list[tuple[float, Item]]
    examined: int


@service.operation("SearchVectors")
async def search_vectors(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_SearchVectors.html

    The order of the checks is that of a Query: the request, its expressions, the table, the index.
    """
    check(request, _SHAPE)
    name = schema.named(ctx, request["TableName"], "SearchVectors")
    search = _search_of(request)
    key = schema.table_key(ctx.world, name)
    now_ms = ctx.clock.now_ms()
    told = wanted(request) is not None
    # On the reader's thread: both the search and the making of a large answer take long.
    cache = cache_of(ctx)
    answer = await ctx.store.read(
        lambda tx: _answer(_nearest(tx, key, search, cache, now_ms), told)
    )
    return {"__raw__": answer}


def _answer(found: Found, told: bool) -> bytes:
    """The answer as JSON; `told` whether it says what was consumed."""
    results = [
        orjson.dumps({"Item": _shown(found, item), "Score": score}) for score, item in found.nearest
    ]
    size_bytes = sum(map(len, results))
    if size_bytes > ANSWER_BYTES_MAX:
        raise ValidationException(
            "The results are larger than 16 MB; reduce TopK or use a narrower projection"
        )
    capacity = b""
    if told:
        vectors_bytes = found.examined * found.index["Dimensions"] * FLOAT_BYTES
        request_bytes = float(max(BYTES_MIN, vectors_bytes + size_bytes))
        capacity = b',"ConsumedCapacity":' + orjson.dumps(
            {"VectorSearchRequestBytes": request_bytes}
        )
    return b'{"SearchResults":[' + b",".join(results) + b"]" + capacity + b"}"


def _search_of(request: Input) -> Search:
    scope = scope_of(request, (KIND, "ProjectionExpression"))
    top = request["TopK"]
    if not 1 <= top <= TOP_MAX:
        raise ValidationException(
            f"Provided TopK value '{top}' is out of valid range. The value must be between 1 and "
            f"{TOP_MAX} inclusive"
        )
    numbers = [values.value(member)[0] for member in request["SearchVector"]]
    for number in numbers:
        if "N" not in number or not fits(number):
            raise ValidationException(
                "Search vector contains invalid values. All values in the search vector must be a "
                "32-bit floating-point number attribute"
            )
    text = request.get(KIND)
    pairs = () if text is None else tuple(_pairs(text, scope))
    chosen = None
    if request.get("ProjectionExpression") is not None:
        chosen = scope.use(projection(request["ProjectionExpression"]))
    scope.finish()
    return Search(request["IndexName"], tuple(floats(numbers)), top, pairs, chosen, scope)


def _refused(text: str) -> ValidationException:
    return ValidationException(f"Invalid {KIND}: {text}")


def _pairs(text: str, scope: Scope) -> list[tuple[str, Value]]:
    """The attributes of the condition, each with the value that it must equal."""
    compiled = condition(text, KIND)
    found = [_pair(node, scope) for node in _conjuncts(compiled.root)]
    scope.use(compiled)
    names = [scope.resolve((name,))[0] for name, _ in found]
    if len(set(names)) < len(names):
        raise _refused(f"{KIND} must only contain one condition per attribute")
    return [(str(name), scope.values[value]) for name, (_, value) in zip(names, found, strict=True)]


def _conjuncts(node: Node) -> list[Node]:
    if node.kind == "and":
        return [inner for part in node.parts for inner in _conjuncts(part)]
    return [node]


def _pair(node: Node, scope: Scope) -> tuple[str, str]:
    """The name and the value of an equality, both as the expression has them."""
    if node.kind != "compare" or node.parts[0] != "=":
        raise _refused(f"Invalid comparator used in {KIND}")
    sides: list[Node] = list(node.parts[1:])
    sides.sort(key=lambda side: side.kind)
    if [side.kind for side in sides] != ["path", "value"]:
        raise _refused(f"Invalid comparator used in {KIND}")
    name, *deeper = sides[0].parts
    if deeper:
        # AWS's text is not known; its model allows top-level attributes of the schema only.
        raise _refused(f"{KIND} can only contain attributes of the SearchSchema")
    return str(name), str(sides[1].parts[0])


def _nearest(tx: Reader, key: bytes, search: Search, cache: VectorCache, now_ms: int) -> Found:
    table = schema.load(tx, key, now_ms)
    index = _index_of(table, search, now_ms)
    _check_fit(table, index, search)
    distance = _DISTANCES[index["DistanceFunction"]](search.vector)
    entries = Entries(index, cache)
    examined = 0
    scored: list[tuple[float, int, bytes]] = []
    for at, (_, raw) in enumerate(tx.range(*schema.items_span(table.world, table.id))):
        entry = entries.of(raw)
        if entry is None or not _holds(entry.attributes, search.pairs):
            continue
        examined += 1
        scored.append((distance(entry), at, raw))
        if len(scored) > 2 * TOP_MAX:
            scored = nsmallest(search.top, scored)
    sign = -1.0 if index["DistanceFunction"] == "DOT_PRODUCT" else 1.0
    nearest = [
        (sign * score + 0.0, stored.open_(raw)) for score, _, raw in nsmallest(search.top, scored)
    ]
    return Found(table, index, search, nearest, examined)


def _index_of(table: Table, search: Search, now_ms: int) -> Definition:
    for index in present(table.record, now_ms):
        if index["IndexName"] != search.index:
            continue
        status, backfilling = state(table.record, index, now_ms)
        if backfilling:
            raise ValidationException(f"Cannot search backfilling vector index: {search.index}")
        if status == "ACTIVE":
            return index
    raise ValidationException(f"The table does not have the specified index: {search.index}")


def _check_fit(table: Table, index: Definition, search: Search) -> None:
    """The vector is as long as the index's, the condition within its search schema."""
    if len(search.vector) != index["Dimensions"]:
        raise ValidationException(
            f"Input search vector dimension {len(search.vector)} does not match vector index "
            f"dimension {index['Dimensions']}"
        )
    conditions = dict(search.pairs)
    if any(name not in conditions for name in schema_names(index, "HASH")):
        raise ValidationException(f"{KIND} must be provided when SearchSchema has a HASH key")
    for name, value in search.pairs:
        if name not in schema_names(index):
            raise ValidationException(
                f"{KIND} must not contain any attributes that is not in SearchSchema. "
                f"Invalid attribute: {name}"
            )
        if kind_of(value) != table.types[name]:
            raise ValidationException(
                "One or more parameter values were invalid: Condition parameter type does not "
                "match schema type"
            )


def _holds(item: Item, pairs: tuple[tuple[str, Value], ...]) -> bool:
    return all(name in item and compare("=", item[name], value) for name, value in pairs)


Distance = Callable[[Entry], float]


def _product_of(one: Vector, two: Vector) -> float:
    return fsum(map(mul, one, two))


# Python 3.12 has it built in, in extended precision.
_product: Callable[[Vector, Vector], float] = getattr(math, "sumprod", _product_of)


def _cosine(wanted_: Vector) -> Distance:
    """0 for the same direction, 2 for the opposite; a vector of zeros has none: 1."""
    length = hypot(*wanted_)

    def distance(entry: Entry) -> float:
        lengths = length * entry.length
        if not lengths:
            return 1.0
        return min(2.0, max(0.0, 1.0 - _product(wanted_, entry.vector) / lengths))

    return distance


def _euclidean(wanted_: Vector) -> Distance:
    return lambda entry: dist(wanted_, entry.vector)


def _opposed_product(wanted_: Vector) -> Distance:
    """The dot product's opposite: what is nearest is least, as with the others."""
    return lambda entry: -_product(wanted_, entry.vector)


_DISTANCES: dict[str, Callable[[Vector], Distance]] = {
    "COSINE": _cosine,
    "EUCLIDEAN": _euclidean,
    "DOT_PRODUCT": _opposed_product,
}


def _shown(found: Found, item: Item) -> Item:
    """What the result has of the item: the vector only when the projection names it."""
    search = found.search
    kept: dict[str, Any] = projected(found.table, found.index, item)
    if search.chosen is None:
        return kept
    name = vector_name(found.index)
    if name in search.chosen.top_names(search.scope):
        kept[name] = {"L": [{"N": _single(one)} for one in floats(item[name]["L"])]}
    return search.chosen.of(kept, search.scope)


def _single(number: float) -> str:
    """The shortest decimal of a number of single precision, in DynamoDB's form."""
    texts = (f"{number:.{digits}g}" for digits in range(*_SINGLE_DIGITS))
    text = next((one for one in texts if floats([{"N": one}])[0] == number), repr(number))
    normal, _ = values.value({"N": text})
    return str(normal["N"])
