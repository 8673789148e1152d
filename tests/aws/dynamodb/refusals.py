"""What a refused call says, for tests of texts."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """The error's code and text."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def invalid(text: str) -> tuple[str, str]:
    """A ValidationException about a parameter's value."""
    return "ValidationException", f"One or more parameter values were invalid: {text}"
