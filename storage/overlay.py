"""A transaction that has not happened yet: what a `work` wrote, over what it reads."""

from collections.abc import Callable, Iterator

from fogbank.storage.kv import Reader

# No packed tuple begins like this, so that a sequence never appears among a layer's keys.
SEQUENCES = b"\x00sequence\x00"

VALUE_BYTES_MAX = 64 << 20


class Overlay:
    """A Writer that leaves `base` as it is: dropping the overlay undoes everything.

    `cleared` is to be applied before `pending`, in which None marks a deleted key.
    """

    __slots__ = ("_base", "_open", "calls", "cleared", "pending")

    def __init__(self, base: Reader) -> None:
        self._base = base
        self._open = True
        self.pending: dict[bytes, bytes | None] = {}
        self.cleared: list[tuple[bytes, bytes]] = []
        self.calls: list[Callable[[], None]] = []

    def close(self) -> None:
        """Whoever kept the transaction, or a range of it, is told so instead of misled."""
        self._open = False

    def get(self, key: bytes) -> bytes | None:
        assert self._open, "a transaction is used after its work returned"
        if key in self.pending:
            return self.pending[key]
        if self.cleared and self._is_cleared(key):
            return None
        return self._base.get(key)

    def _is_cleared(self, key: bytes) -> bool:
        return any(start <= key < stop for start, stop in self.cleared)

    def range(
        self, start: bytes, stop: bytes, *, reverse: bool = False, expected: int = 0
    ) -> Iterator[tuple[bytes, bytes]]:
        assert self._open, "a transaction is used after its work returned"
        if not self.pending and not self.cleared:
            base = self._base.range(start, stop, reverse=reverse, expected=expected)
            return self._checked(base)
        # Both are copied: a work may write while it iterates and still sees the range as it was.
        own = {key: value for key, value in self.pending.items() if start <= key < stop}
        base = self._base.range(start, stop, reverse=reverse, expected=expected)
        return self._checked(_merged(base, own, tuple(self.cleared), reverse))

    def _checked(self, pairs: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        for pair in pairs:
            yield pair
            assert self._open, "a range is consumed after its work returned"

    def put(self, key: bytes, value: bytes) -> None:
        assert self._open, "a transaction is used after its work returned"
        if not (isinstance(key, bytes) and isinstance(value, bytes)):
            raise TypeError(f"keys and values are bytes, not {type(key)} and {type(value)}")
        if len(value) > VALUE_BYTES_MAX:
            raise ValueError(f"a value of {len(value)} bytes is too large: use a blob")
        self.pending[key] = value

    def delete(self, key: bytes) -> None:
        assert self._open, "a transaction is used after its work returned"
        self.pending[key] = None

    def delete_range(self, start: bytes, stop: bytes) -> None:
        assert self._open, "a transaction is used after its work returned"
        for key in [key for key in self.pending if start <= key < stop]:
            del self.pending[key]
        if start < stop:
            self.cleared.append((start, stop))

    def sequence(self, name: bytes) -> int:
        key = SEQUENCES + name
        number = int(self.get(key) or b"0") + 1
        self.put(key, b"%d" % number)
        return number

    def after_commit(self, call: Callable[[], None]) -> None:
        self.calls.append(call)


def _merged(
    base: Iterator[tuple[bytes, bytes]],
    own: dict[bytes, bytes | None],
    cleared: tuple[tuple[bytes, bytes], ...],
    reverse: bool,
) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of `base` without those that `own` or `cleared` hide, and those of `own`, in order."""
    keys = sorted(own, reverse=reverse)
    at = 0
    for key, value in base:
        while at < len(keys) and (keys[at] > key if reverse else keys[at] < key):
            written = own[keys[at]]
            if written is not None:
                yield keys[at], written
            at += 1
        if key in own or any(start <= key < stop for start, stop in cleared):
            continue
        yield key, value
    for later in keys[at:]:
        written = own[later]
        if written is not None:
            yield later, written
