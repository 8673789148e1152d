"""An item as it lies in the store: a format byte, its size by AWS's rule, its DynamoDB JSON."""

from struct import Struct
from typing import cast

import orjson

from fogbank.services.dynamodb.values import Item

_HEAD = Struct(">BI")
HEAD_BYTES = _HEAD.size
_FORMAT = 1


def seal(item: Item, size_bytes: int) -> bytes:
    """Equal items have equal bytes: members are sorted, values are in their one form."""
    return _HEAD.pack(_FORMAT, size_bytes) + orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def size_of(raw: bytes) -> int:
    return int.from_bytes(raw[1:HEAD_BYTES], "big")


def json_of(raw: bytes) -> bytes:
    """The item as a client gets it: spliced into an answer without being decoded."""
    return raw[HEAD_BYTES:]


def open_(raw: bytes) -> Item:
    return cast(Item, orjson.loads(raw[HEAD_BYTES:]))
