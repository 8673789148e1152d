"""An API with a resource, ready to get methods."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.apigateway.api import Api


@pytest.fixture
def apigateway(client: Callable[..., Any]) -> Any:
    return client("apigateway")


@pytest.fixture
def api(apigateway: Any) -> Api:
    """A new API in an account of its own."""
    made = apigateway.create_rest_api(name="test")
    return Api(apigateway, made["id"], made["rootResourceId"])
