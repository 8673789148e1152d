"""The lines of an import's source objects, as items.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Format.html
"""

import csv
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from fogbank.services.dynamodb.values import Item

# A record that is longer holds no item: items have at most 400 KB.
RECORD_BYTES_MAX = 16 * 1024 * 1024
_GZIP_WINDOW_BITS = 31


class BadRecord(Exception):
    """The record is no item; those behind it can still be read."""


class BadObject(Exception):
    """The object cannot be read from here on."""


@dataclass(slots=True)
class Columns:
    """How the fields of a CSV record become attributes; `names` may come from the first record."""

    names: list[str] | None
    types: dict[str, str]
    delimiter: str = ","
    from_header: bool = field(init=False)

    def __post_init__(self) -> None:
        self.from_header = self.names is None


async def unpacked(chunks: AsyncIterator[bytes], compression: str) -> AsyncIterator[bytes]:
    """The object's content; raises BadObject when it is not compressed as it should be."""
    if compression == "NONE":
        async for chunk in chunks:
            yield chunk
        return
    opened = zlib.decompressobj(_GZIP_WINDOW_BITS)
    started = False
    async for chunk in chunks:
        data = chunk
        while data:
            started = True
            try:
                piece = opened.decompress(data, RECORD_BYTES_MAX)
            except zlib.error:
                raise BadObject from None
            if piece:
                yield piece
            data = opened.unconsumed_tail
            if opened.eof:
                # Files that were joined are several streams, one behind the other.
                data, opened = opened.unused_data, zlib.decompressobj(_GZIP_WINDOW_BITS)
                started = bool(data)
    if started:
        raise BadObject


async def records(chunks: AsyncIterator[bytes], *, quoted: bool = False) -> AsyncIterator[bytes]:
    """Lines that are not blank, without their ends; a `quoted` line may hold line breaks."""
    rest = b""
    held = b""
    async for chunk in chunks:
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            held += line
            if quoted and held.count(b'"') % 2:
                held += b"\n"
                continue
            record, held = held.rstrip(b"\r"), b""
            if record.strip():
                yield record
        if len(rest) + len(held) > RECORD_BYTES_MAX:
            raise BadObject
    last = (held + rest).rstrip(b"\r")
    if last.strip():
        yield last


def json_item(record: bytes) -> Any:
    """The item of a line of DynamoDB JSON; raises BadObject when the line is no JSON."""
    try:
        line = orjson.loads(record)
    except orjson.JSONDecodeError:
        raise BadObject from None
    if not isinstance(line, dict) or not isinstance(line.get("Item"), dict):
        raise BadRecord
    return line["Item"]


def csv_item(columns: Columns, record: bytes) -> Item | None:
    """The item of a CSV record; None for the header. All but keys are strings."""
    try:
        text = record.decode()
    except UnicodeDecodeError:
        raise BadRecord from None
    try:
        (values,) = csv.reader([text], delimiter=columns.delimiter, strict=True)
    except (csv.Error, ValueError):
        raise BadRecord from None
    if columns.names is None:
        columns.names = values
        return None
    if len(values) != len(columns.names):
        raise BadRecord
    return {
        name: {columns.types.get(name, "S"): value}
        for name, value in zip(columns.names, values, strict=True)
    }


def reader(format_: str, options: dict[str, Any], types: dict[str, str]) -> Callable[[bytes], Any]:
    """What makes the item of a record; one for each object, for it may learn from the first."""
    if format_ == "DYNAMODB_JSON":
        return json_item
    given = options.get("Csv") or {}
    columns = Columns(given.get("HeaderList"), types, given.get("Delimiter") or ",")
    return lambda record: csv_item(columns, record)
