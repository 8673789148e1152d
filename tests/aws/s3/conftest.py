"""Each test has an account, a client and a bucket of its own."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def s3(client: Callable[..., Any]) -> Any:
    return client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"test-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    return name
