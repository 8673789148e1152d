"""The narrow waist: one ordered, transactional key-value store under everything that has state."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class StoreFailed(Exception):
    """The store could not keep or read what it was asked to; nothing of the `work` is kept."""


class StoreFull(StoreFailed):
    """There is no space left for the database; it works again when there is."""


class StoreDamaged(StoreFailed):
    """The database is not one, or not under this key, or its pages are not as written."""


class StoreClosed(StoreFailed):
    """The store was closed before the `work` was queued."""

    def __init__(self) -> None:
        super().__init__("the store is closed")


class Reader(Protocol):
    """A consistent view of the store. Keys are ordered as bytes."""

    def get(self, key: bytes) -> bytes | None: ...

    def range(
        self, start: bytes, stop: bytes, *, reverse: bool = False, expected: int = 0
    ) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with `start <= key < stop`, in key order, fetched as they are consumed.

        They are those of the moment of the call, whatever the `work` writes while it iterates.
        `expected` is a hint of how many will be consumed.
        """
        ...


class Writer(Reader, Protocol):
    """A transaction that sees its own writes."""

    def put(self, key: bytes, value: bytes) -> None: ...

    def delete(self, key: bytes) -> None: ...

    def delete_range(self, start: bytes, stop: bytes) -> None: ...

    def sequence(self, name: bytes) -> int:
        """The next number of `name`, from 1, strictly increasing in commit order."""
        ...

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run `call` on the event loop once the transaction is durable; not when it fails."""
        ...


class Store(Protocol):
    """`work` is a plain function over the transaction: no I/O, no clock, safe to run again.

    What `work` raises is raised to the caller, and nothing of that `work` is kept.
    """

    async def read(self, work: Callable[[Reader], T], *, brief: bool = False) -> T:
        """Run `work` on one consistent snapshot.

        `brief` promises a few point reads or a range of a few pairs: the driver may then answer on
        the event loop, which costs a tenth of a hop to a thread. Readers are closed when `work`
        returns, so a range must be consumed inside it.
        """
        ...

    async def write(self, work: Callable[[Writer], T], *, reads: Sequence[bytes] = ()) -> T:
        """Run `work` and commit: what it wrote is durable when this returns.

        `reads` names keys that it will look for, as far as they are known: the driver may fetch
        them together with those of other works. A name that is missing or wrong costs time only.
        A caller that is cancelled while waiting does not undo the work, which may still commit.
        """
        ...

    async def close(self) -> None: ...
