"""Media types: which payloads an API takes for binary."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BinaryTypes:
    """An API's `binaryMediaTypes`: exact types, `type/*` and `*/*`."""

    types: frozenset[str]

    def holds(self, header: str | None) -> bool:
        """Whether the first media type in a Content-Type or Accept header is one of them."""
        if not self.types:
            return False
        if "*/*" in self.types:
            return True
        first = media_type(header)
        return first in self.types or f"{first.partition('/')[0]}/*" in self.types


def media_type(header: str | None) -> str:
    """The first media type in a header, without its parameters, in lower case."""
    return (header or "").partition(",")[0].partition(";")[0].strip().lower()
