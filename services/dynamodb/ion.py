"""Items as Amazon Ion: the lines that exports write, and the values that imports read.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Format.html

The library is an extra of the package and imported with the first use: few stacks ever see Ion.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from importlib import import_module
from itertools import islice
from typing import Any

from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.import_formats import RECORD_BYTES_MAX, BadObject, BadRecord
from fogbank.services.dynamodb.values import Item, Value

# Values that a thread parses before the loop sees them.
BATCH_VALUES = 100
_SETS = {"$dynamodb_SS": "SS", "$dynamodb_NS": "NS", "$dynamodb_BS": "BS"}


async def require(format_: str | None) -> None:
    """The library is there if `format_` is ION; raises ValidationException if not.

    It is imported on a thread: that takes longer than the loop may stand still.
    """
    if format_ != "ION":
        return
    try:
        await asyncio.to_thread(import_module, "amazon.ion.simpleion")
    except ImportError:
        raise ValidationException(
            "Invalid Request: the format ION is not installed: pip install 'fogbank[ion]'"
        ) from None


def line(members: dict[str, Any]) -> bytes:
    """One line of a file: the version marker and a struct, whose values `plain` made."""
    from amazon.ion import simpleion

    return str(simpleion.dumps(members, binary=False)).encode() + b"\n"


def plain(item: Item) -> dict[str, Any]:
    """The item as the values that Ion has for it."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: Value) -> Any:
    (kind, member), *_ = value.items()
    if kind in ("SS", "NS", "BS"):
        return _annotated(f"$dynamodb_{kind}", [_plain({kind[0]: one}) for one in member])
    return _WRITERS[kind](member)


def _annotated(annotation: str, members: list[Any]) -> Any:
    from amazon.ion.core import IonType
    from amazon.ion.simple_types import IonPyList

    return IonPyList.from_value(IonType.LIST, members, annotations=(annotation,))


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "S": str,
    "N": Decimal,
    "B": b64decode,
    "BOOL": bool,
    "NULL": lambda member: None,
    "L": lambda members: [_plain(one) for one in members],
    "M": plain,
}


class _Source:
    """A file for the parser's thread, whose content comes in chunks on the event loop."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.read_bytes = 0
        self.error: BaseException | None = None
        self._chunks = chunks
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._ended = False
        self._values: Any = None
        # Its thread waits for chunks, which other threads read: it must not be one of theirs.
        self._thread = ThreadPoolExecutor(1, "ion")

    def close(self) -> None:
        self._thread.shutdown(wait=False)

    async def taken(self) -> tuple[list[Any], bool]:
        """What `take` returns, of a thread; none is left behind by a caller that is cancelled."""
        taking = self._loop.run_in_executor(self._thread, self.take)
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            self._ended = True
            await asyncio.wait([taking])
            raise

    def take(self) -> tuple[list[Any], bool]:
        """Some further values, and whether they are the last; `error` says of what is broken."""
        from amazon.ion import simpleion

        found: list[Any] = []
        try:
            if self._values is None:
                loaded: Any = simpleion.load(
                    self,
                    single_value=False,
                    parse_eagerly=False,
                    text_buffer_size_limit=RECORD_BYTES_MAX,
                )
                self._values = iter(loaded)
            found += islice(self._values, BATCH_VALUES)
        except Exception as error:
            if self.error is None:
                self.error = BadObject(str(error))
            return found, True
        return found, len(found) < BATCH_VALUES

    def read(self, size: int = -1) -> bytes:
        while not self._rest and not self._ended:
            try:
                found = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            except BaseException as error:
                # The parser turns whatever it meets into an error of its own.
                self.error = error
                raise
            self._ended = found is None
            self._rest = found or b""
        taken = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(taken) :]
        self.read_bytes += len(taken)
        return taken

    async def _next(self) -> bytes | None:
        return await anext(self._chunks, None)


async def structs(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[Any, int]]:
    """Each value of an object, text or binary, and how many bytes were read for it.

    A list at the top is as good as its members: AWS's example of an import has one. Values are
    read some at a time, so that the first of them bears the bytes of all. Raises BadObject where
    the content is no Ion, behind the values that came before.
    """
    source = _Source(chunks)
    seen_bytes = 0
    ended = False
    try:
        while not ended:
            found, ended = await source.taken()
            for value in found:
                for one in value if _type(value) == "LIST" else (value,):
                    read_bytes, seen_bytes = source.read_bytes - seen_bytes, source.read_bytes
                    yield one, read_bytes
    finally:
        source.close()
    if source.error is not None:
        raise source.error


def _type(value: Any) -> str:
    return str(value.ion_type.name)


def members(value: Any) -> dict[str, Any]:
    """The members of a record; raises BadRecord when it is no struct."""
    if _type(value) != "STRUCT":
        raise BadRecord
    return dict(value.items())


def item_of(record: Any) -> Item:
    """The item of a record as exports write it."""
    found = members(record).get("Item")
    if found is None:
        raise BadRecord
    return item(found)


def item(value: Any) -> Item:
    """The item that a struct denotes, by AWS's table of types; others make it a bad record."""
    return {_name(name): attribute(one) for name, one in members(value).items()}


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise BadRecord
    return name


def attribute(value: Any) -> Value:
    """The attribute value of one of Ion. AWS's table has decimals only: integers are as exact."""
    from amazon.ion.simple_types import IonPyNull

    if isinstance(value, IonPyNull):
        return {"NULL": True}
    reader = _READERS.get(_type(value))
    if reader is None:
        raise BadRecord
    return reader(value)


def _list(value: Any) -> Value:
    found = [attribute(one) for one in value]
    for annotation in value.ion_annotations:
        kind = _SETS.get(annotation.text)
        if kind is None:
            continue
        if any(kind[0] not in one for one in found):
            raise BadRecord
        return {kind: [one[kind[0]] for one in found]}
    return {"L": found}


_READERS: dict[str, Callable[[Any], Value]] = {
    "STRING": lambda value: {"S": str(value)},
    "BOOL": lambda value: {"BOOL": bool(value)},
    "DECIMAL": lambda value: {"N": str(Decimal(value))},
    "INT": lambda value: {"N": str(int(value))},
    "BLOB": lambda value: {"B": b64encode(bytes(value)).decode()},
    "LIST": _list,
    "STRUCT": lambda value: {"M": item(value)},
}
