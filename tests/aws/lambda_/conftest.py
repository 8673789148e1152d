"""Clients and code packages for the tests of functions."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

Client = Callable[..., Any]
Deploy = Callable[..., Any]

ECHO = """
def handler(event, context):
    print("got", event)
    return event
"""


def package(code: str, name: str = "index.py") -> bytes:
    """A zip with one file; the same bytes each time."""
    buffer = io.BytesIO()
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, code)
    return buffer.getvalue()


@pytest.fixture
def functions(client: Client) -> Any:
    return client("lambda")


@pytest.fixture
def deploy(functions: Any, account: str) -> Deploy:
    """`deploy("name", code, Timeout=...)` creates a Python function and returns the answer."""

    def make(name: str = "f", code: str = ECHO, **options: Any) -> Any:
        request = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "Role": f"arn:aws:iam::{account}:role/worker",
            "Code": {"ZipFile": package(code)},
            **options,
        }
        return functions.create_function(**request)

    return make
