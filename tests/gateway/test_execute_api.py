"""Which requests are for a deployed API."""

from typing import Any

import pytest

from fogbank.gateway.execute_api import Address, ExecuteApi
from fogbank.gateway.http import HttpRequest
from fogbank.services.body import Body


def address(path: str, host: str = "127.0.0.1:4566") -> Address | None:
    stack: Any = None
    request = HttpRequest("GET", path, "", [(b"Host", host.encode())], Body.of(b""))
    return ExecuteApi(stack).address_of(request)


@pytest.mark.parametrize(
    "host",
    [
        "abc.execute-api.us-east-1.amazonaws.com",
        "abc.execute-api.cn-north-1.amazonaws.com.cn",
        "ABC.execute-api.localhost:4566",
        "abc.execute-api.localhost.localstack.cloud:4566",
        "abc.execute-api.us-east-1.localhost.localstack.cloud:4566",
    ],
)
def test_a_host_name_names_the_api(host: str) -> None:
    assert address("/dev/pets", host) == Address("abc", "dev", "/pets")


@pytest.mark.parametrize(
    "path",
    [
        "/_aws/execute-api/abc/dev/pets",
        "/_fogbank/api/abc/dev/pets",
        "/restapis/abc/dev/_user_request_/pets",
    ],
)
def test_a_path_names_the_api(path: str) -> None:
    assert address(path) == Address("abc", "dev", "/pets")


def test_what_follows_the_stage_stays_as_it_came() -> None:
    assert address("/_aws/execute-api/abc/dev//a%2Fb/") == Address("abc", "dev", "//a%2Fb/")
    assert address("/dev", "abc.execute-api.localhost") == Address("abc", "dev", "")


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/dev/pets", "127.0.0.1:4566"),
        ("/restapis/abc/resources", "127.0.0.1:4566"),
        ("/_aws/other/abc", "127.0.0.1:4566"),
        ("/_fogbank/traces", "127.0.0.1:4566"),
        ("/dev/pets", "abc.execute-api.attacker.example"),
        ("/dev/pets", "x.abc.execute-api.localhost"),
    ],
)
def test_everything_else_is_for_the_control_plane(path: str, host: str) -> None:
    assert address(path, host) is None
