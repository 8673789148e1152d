"""CRCs of concatenations: the checksum of a whole from those of its parts, without its bytes.

All three CRCs are reflected and begin and end with an inversion, which cancels out, so that
crc(A + B) = crc(A) * x^(8 * len(B)) + crc(B) over GF(2), modulo the polynomial.
"""

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Bit-reversed, without its leading term; `bits` is its degree."""

    bits: int
    reflected: int


POLYNOMIALS = {
    "CRC32": Polynomial(32, 0xEDB88320),
    "CRC32C": Polynomial(32, 0x82F63B78),
    "CRC64NVME": Polynomial(64, 0x9A6C9329AC4BC9B5),
}


def combine(algorithm: str, left: int, right: int, right_size_bytes: int) -> int:
    """The CRC of what `left` is of, followed by `right_size_bytes` bytes that `right` is of."""
    polynomial = POLYNOMIALS[algorithm]
    return _multiply(left, _power(polynomial, 8 * right_size_bytes), polynomial) ^ right


def _multiply(a: int, b: int, polynomial: Polynomial) -> int:
    """a * b modulo the polynomial; the highest bit is the coefficient of x^0."""
    product = 0
    reflected = polynomial.reflected
    bit = 1 << (polynomial.bits - 1)
    while a:
        if a & bit:
            product ^= b
            a ^= bit
        bit >>= 1
        b = b >> 1 ^ reflected if b & 1 else b >> 1
    return product


@lru_cache(maxsize=256)
def _power(polynomial: Polynomial, exponent: int) -> int:
    """x^exponent modulo the polynomial. Parts are mostly of one size, so this is remembered."""
    result = 1 << (polynomial.bits - 1)
    square = 1 << (polynomial.bits - 2)
    while exponent:
        if exponent & 1:
            result = _multiply(result, square, polynomial)
        square = _multiply(square, square, polynomial)
        exponent >>= 1
    return result
