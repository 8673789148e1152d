"""Fixtures that every layer's tests share."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.stack import RunningStack, new_root

# CI judges by the same examples each time; searching for new ones is for one's own machine.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

_accounts = itertools.count(100_000_000_000)


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """One running stack for all tests that only talk to it; each test has an account of its own."""
    root = new_root()
    running = RunningStack(root).start()
    yield running
    running.stop()
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def account() -> str:
    """An account that no other test uses: a world of its own on the shared stack."""
    return str(next(_accounts))


@pytest.fixture
def client(stack: RunningStack, account: str) -> Callable[..., Any]:
    """`client("s3")` is a boto3 client in this test's account."""

    def make(service: str, **options: Any) -> Any:
        return stack.client(service, account=account, **options)

    return make
