"""Ids and other randomness, from one injected source of bytes."""

import os
from collections.abc import Callable

UPPER_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
LOWER_AND_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Ids:
    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self.random_bytes = random_bytes

    def uuid(self) -> str:
        """A version 4 UUID: AWS's form of a request id."""
        raw = bytearray(self.random_bytes(16))
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        text = raw.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def hex(self, size_bytes: int) -> str:
        return self.random_bytes(size_bytes).hex()

    def token(self, length: int, alphabet: str = LOWER_AND_DIGITS) -> str:
        """`length` characters of `alphabet`, each equally likely."""
        limit = 256 - 256 % len(alphabet)
        chosen: list[str] = []
        while len(chosen) < length:
            chosen.extend(
                alphabet[byte % len(alphabet)]
                for byte in self.random_bytes(length - len(chosen))
                if byte < limit
            )
        return "".join(chosen)
