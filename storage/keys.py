"""Tuples to bytes and back, so that the order of the bytes is the order of the tuples.

`pack(a, b) == pack(a) + pack(b)`: a fixed prefix can be packed once. Across kinds the order is
None < bytes < text < integers < numbers.
"""

from decimal import Decimal

Part = bytes | str | int | Decimal | None

_NONE, _BYTES, _TEXT, _INT, _NUMBER = 0x00, 0x01, 0x02, 0x14, 0x21
_INT_BYTES_MAX = 8
_EXPONENT_BIAS = 0x4000
_COMPLEMENT = bytes(range(0xFF, -1, -1))


def pack(*parts: Part) -> bytes:
    """The key of a tuple; integers need |value| < 2**64, numbers at most 38 digits."""
    return b"".join([_pack_one(part) for part in parts])


def _pack_one(part: Part) -> bytes:
    if isinstance(part, str):
        return pack_text(part)
    if isinstance(part, bytes):
        return pack_bytes(part)
    if isinstance(part, int):
        return _pack_int(part)
    if isinstance(part, Decimal):
        return _pack_number(part)
    return b"\x00\x00"


def pack_text(text: str) -> bytes:
    """`pack` of one text, for who packs many."""
    raw = text.encode()
    if b"\x00" in raw:
        raw = raw.replace(b"\x00", b"\x00\xff")
    return b"\x02" + raw + b"\x00"


def pack_bytes(raw: bytes) -> bytes:
    """`pack` of one byte string."""
    if b"\x00" in raw:
        raw = raw.replace(b"\x00", b"\x00\xff")
    return b"\x01" + raw + b"\x00"


def _pack_int(value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    if size > _INT_BYTES_MAX:
        raise OverflowError(f"{value} does not fit a key: integers are below 2**64")
    if value >= 0:
        return bytes((_INT + size,)) + value.to_bytes(size, "big")
    return bytes((_INT - size,)) + (value + (1 << 8 * size) - 1).to_bytes(size, "big")


def _pack_number(value: Decimal) -> bytes:
    """Sign, biased exponent of 0.d1d2..., then one byte a digit pair; complemented when negative.

    Equal numbers have one key, however they were written: 5, 5.0 and +5.
    """
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{value} does not fit a key")
    text = "".join(map(str, digits)).lstrip("0")
    magnitude = exponent + len(text)
    text = text.rstrip("0")
    if not text:
        return bytes((_NUMBER, 1))
    pairs = text if len(text) % 2 == 0 else text + "0"
    body = (magnitude + _EXPONENT_BIAS).to_bytes(2, "big")
    body += bytes([int(pairs[at : at + 2]) + 1 for at in range(0, len(pairs), 2)]) + b"\x00"
    if sign:
        return bytes((_NUMBER, 0)) + body.translate(_COMPLEMENT)
    return bytes((_NUMBER, 2)) + body


def unpack(key: bytes) -> tuple[Part, ...]:
    """The tuple that `pack` made `key` from; numbers come back in their shortest form."""
    parts: list[Part] = []
    at = 0
    while at < len(key):
        part, at = _unpack_one(key, at)
        parts.append(part)
    return tuple(parts)


def _unpack_one(key: bytes, at: int) -> tuple[Part, int]:
    code = key[at]
    if code == _NONE:
        return None, at + 2
    if code in (_BYTES, _TEXT):
        stop = at + 1
        while True:
            stop = key.index(0, stop)
            if key[stop + 1 : stop + 2] != b"\xff":
                break
            stop += 2
        raw = key[at + 1 : stop].replace(b"\x00\xff", b"\x00")
        return (raw if code == _BYTES else raw.decode()), stop + 1
    if code == _NUMBER:
        return _unpack_number(key, at + 1)
    size = code - _INT
    if not -_INT_BYTES_MAX <= size <= _INT_BYTES_MAX:
        raise ValueError(f"no part of a key begins with {code:#x}")
    stop = at + 1 + abs(size)
    value = int.from_bytes(key[at + 1 : stop], "big")
    return (value if size >= 0 else value - (1 << 8 * -size) + 1), stop


def _unpack_number(key: bytes, at: int) -> tuple[Decimal, int]:
    sign = key[at]
    if sign == 1:
        return Decimal(0), at + 1
    flip = 0xFF if sign == 0 else 0
    magnitude = (int.from_bytes(key[at + 1 : at + 3], "big") ^ (0xFFFF if flip else 0)) - (
        _EXPONENT_BIAS
    )
    text = ""
    at += 3
    while key[at] ^ flip:
        text += f"{(key[at] ^ flip) - 1:02d}"
        at += 1
    text = text.rstrip("0")
    digits = tuple(map(int, text))
    return Decimal((1 if sign == 0 else 0, digits, magnitude - len(text))), at + 1


def span(*parts: Part) -> tuple[bytes, bytes]:
    """The range of every key whose tuple begins with `parts` and is longer."""
    prefix = pack(*parts)
    return prefix, prefix + b"\xff"


def text_span(*parts: Part, begins: str) -> tuple[bytes, bytes]:
    """The range of keys after `parts` whose next part is a text that begins with `begins`."""
    prefix = pack(*parts) + b"\x02" + begins.encode().replace(b"\x00", b"\x00\xff")
    return prefix, prefix + b"\xff\xff"


def after(key: bytes) -> bytes:
    """The first key behind `key` and behind every key that extends it."""
    return key + b"\xff"
