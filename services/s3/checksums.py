"""Digests of payloads: which ones a request asks for, and whether they hold.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from fogbank.services.body import Body
from fogbank.services.errors import NotImplementedYet
from fogbank.services.s3.errors import (
    BadDigest,
    InvalidDigest,
    InvalidRequest,
    MalformedTrailerError,
)

# Computed for every object whose client names no other.
DEFAULT = "CRC64NVME"
MD5_BYTES = 16


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, function: Callable[[bytes, int], int], size_bytes: int) -> None:
        self._function = function
        self._size_bytes = size_bytes
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size_bytes, "big")


def _crc32() -> Digest:
    return _Crc(zlib.crc32, 4)


def _crc32c() -> Digest:
    # awscrt takes some 50 ms to import: only who puts or asks for such a checksum pays for it.
    from awscrt import checksums

    return _Crc(checksums.crc32c, 4)


def _crc64nvme() -> Digest:
    from awscrt import checksums

    return _Crc(checksums.crc64nvme, 8)


def _sha1() -> Digest:
    return hashlib.sha1(usedforsecurity=False)


# In the order of AWS's texts.
ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "CRC32": _crc32,
    "CRC32C": _crc32c,
    "CRC64NVME": _crc64nvme,
    "SHA1": _sha1,
    "SHA256": hashlib.sha256,
}
_SIZES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}
MEMBERS = {name: f"Checksum{name}" for name in ALGORITHMS}
_TRAILERS = {f"x-amz-checksum-{name.lower()}": name for name in ALGORITHMS}
# In the model since 2026, not built.
_LATER = ("SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128")


class Digests:
    """MD5 and checksums of bytes fed in order; `size_bytes` counts them."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sums = {name: ALGORITHMS[name]() for name in dict.fromkeys(algorithms)}
        self.size_bytes = 0

    def update(self, piece: bytes) -> None:
        """Feed one piece; runs in a thread for large bodies, one piece at a time."""
        self.size_bytes += len(piece)
        self._md5.update(piece)
        for digest in self._sums.values():
            digest.update(piece)

    def etag(self) -> str:
        return self._md5.hexdigest()

    def md5(self) -> bytes:
        return self._md5.digest()

    def values(self) -> dict[str, str]:
        """Algorithm to checksum in base64."""
        return {
            name: base64.b64encode(digest.digest()).decode() for name, digest in self._sums.items()
        }


class Claims:
    """What a client says of its payload: a Content-MD5, a checksum, or a trailer to come."""

    def __init__(self, request: Mapping[str, Any], body: Body) -> None:
        self.md5 = _md5_claim(request.get("ContentMD5"))
        self._is_part = "PartNumber" in request
        self.checksums = claimed(request)
        self._announced = _announced(body)
        self.algorithm = next(iter([*self.checksums, *self._announced]), None)
        named = request.get("ChecksumAlgorithm")
        if self.algorithm is None and named:
            self.algorithm = known(str(named), "x-amz-sdk-checksum-algorithm")

    def check(self, digests: Digests, trailers: Mapping[str, str]) -> None:
        """Raise BadDigest when the payload is not what the client said, trailers included."""
        if self.md5 is not None and self.md5 != digests.md5():
            # Observed: what was expected of an object is told in hexadecimal, of a part in base64.
            expected = base64.b64encode(self.md5).decode() if self._is_part else self.md5.hex()
            raise BadDigest.of_md5(expected, base64.b64encode(digests.md5()).decode())
        values = digests.values()
        said = dict(self.checksums)
        if not self._announced <= {_TRAILERS.get(name) for name in trailers}:
            raise MalformedTrailerError
        for name, value in trailers.items():
            algorithm = _TRAILERS.get(name)
            if algorithm is not None:
                said[algorithm] = _well_formed(algorithm, value)
        for algorithm, value in said.items():
            if algorithm not in values:
                raise InvalidRequest(
                    f"Checksum Type mismatch occurred, expected checksum Type: "
                    f"{', '.join(values).lower()}, actual checksum Type: {algorithm.lower()}"
                )
            if values[algorithm] != value:
                raise BadDigest(
                    f"The {algorithm} you specified did not match the calculated checksum."
                )


def _announced(body: Body) -> set[str]:
    """The algorithms of the checksums that are to come behind the payload."""
    found: set[str] = set()
    for name in body.announced:
        if name.startswith("x-amz-checksum-"):
            if name not in _TRAILERS:
                raise InvalidRequest(
                    "The value specified in the x-amz-trailer header is not supported"
                )
            found.add(_TRAILERS[name])
    return found


def claimed(request: Mapping[str, Any]) -> dict[str, str]:
    """The checksum among the members of a request; at most one, well formed."""
    for name in _LATER:
        if request.get(f"Checksum{name}") is not None:
            raise NotImplementedYet("s3", f"{name} checksums")
    found = {
        name: str(request[member])
        for name, member in MEMBERS.items()
        if request.get(member) is not None
    }
    if len(found) > 1:
        raise InvalidRequest(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    return {name: _well_formed(name, value) for name, value in found.items()}


def claimed_composite(request: Mapping[str, Any]) -> dict[str, str]:
    """The checksum that a client expects of a completed upload, in its form with -N or without."""
    return {
        name: str(request[member])
        for name, member in MEMBERS.items()
        if request.get(member) is not None
    }


def known(algorithm: str, header: str) -> str:
    """`algorithm` in capitals; raises InvalidRequest when there is none of that name."""
    name = algorithm.upper()
    if name in _LATER:
        raise NotImplementedYet("s3", f"{name} checksums")
    if name not in ALGORITHMS:
        if header == "x-amz-sdk-checksum-algorithm":
            raise InvalidRequest(f"Value for {header} header is invalid.")
        raise InvalidRequest(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid "
            "types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
        )
    return name


def output(checksums: Mapping[str, str]) -> dict[str, str]:
    """Checksums by their model member names."""
    return {MEMBERS[name]: value for name, value in checksums.items()}


def _well_formed(algorithm: str, value: str) -> str:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _SIZES[algorithm]:
        raise InvalidRequest(f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.")
    return value


def _md5_claim(value: Any) -> bytes | None:
    if value is None:
        return None
    try:
        raw = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != MD5_BYTES:
        raise InvalidDigest(str(value))
    return raw
