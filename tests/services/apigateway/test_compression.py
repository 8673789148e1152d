"""Responses are compressed for the clients that take it, from the size that the API names."""

import gzip
import zlib

import pytest

from fogbank.services.apigateway.compression import chosen
from tests.services.apigateway.world import Gateway, header


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("br", None),
        ("deflate, gzip", "gzip"),
        ("DEFLATE", "deflate"),
        ("gzip;q=0, deflate;q=0.5", "deflate"),
        ("gzip;q=0.000", None),
    ],
)
def test_gzip_is_preferred_among_what_the_client_takes(
    accepted: str | None, coding: str | None
) -> None:
    assert chosen(accepted) == coding


async def answered(body: str, accepted: str, size_min: int | None = 10) -> tuple[str | None, bytes]:
    gateway = Gateway()
    options = {} if size_min is None else {"minimumCompressionSize": size_min}
    await gateway.create_api(**options)
    gateway.answer = {"body": body}
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    response = await gateway.send("GET", "/pets", headers={"Accept-Encoding": accepted})
    return header(response, "Content-Encoding"), response.body


@pytest.mark.parametrize("size", [10, 20_000])
async def test_a_body_of_the_size_is_compressed(size: int) -> None:
    coding, body = await answered("x" * size, "gzip")
    assert (coding, gzip.decompress(body)) == ("gzip", b"x" * size)
    coding, body = await answered("x" * size, "deflate")
    assert (coding, zlib.decompress(body)) == ("deflate", b"x" * size)


async def test_a_smaller_body_is_not_compressed() -> None:
    assert await answered("x" * 9, "gzip") == (None, b"x" * 9)


async def test_an_api_without_the_setting_does_not_compress() -> None:
    assert await answered("x" * 100, "gzip", None) == (None, b"x" * 100)
