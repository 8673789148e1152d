"""A request and a response as values; everything between the socket and a handler speaks these."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from fogbank.services.body import Body

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class HttpRequest:
    """`path` and `query` are as they came, percent-encoded; header names keep their case."""

    method: str
    path: str
    query: str
    headers: Headers
    body: Body
    source_ip: str = "127.0.0.1"
    http_version: str = "1.1"
    _lower: dict[bytes, bytes] | None = field(default=None, repr=False)

    def by_name(self) -> dict[bytes, bytes]:
        """The headers by their names in lower case; the first one where a name came twice."""
        if self._lower is None:
            lower: dict[bytes, bytes] = {}
            for key, value in self.headers:
                lower.setdefault(key.lower(), value)
            self._lower = lower
        return self._lower

    def header(self, name: bytes) -> str | None:
        """The header called `name` (lower case)."""
        found = self.by_name().get(name)
        return None if found is None else found.decode("latin-1")


@dataclass(slots=True)
class HttpResponse:
    """A body of None is empty; an iterator is streamed, with its length in `content-length`."""

    status: int
    headers: Headers
    body: bytes | AsyncIterator[bytes] | None = None
