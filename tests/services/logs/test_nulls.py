"""Null where the models forbid it and JSON permits it."""

import pytest

from fogbank.services.logs.errors import InvalidParameterException
from tests.services.lambda_.world import Fixture


async def test_an_event_that_is_null_is_refused() -> None:
    fixture = Fixture()
    with pytest.raises(InvalidParameterException, match=r"'logEvents\.2\.member'"):
        await fixture.call(
            "PutLogEvents",
            "logs",
            logGroupName="g",
            logStreamName="s",
            logEvents=[{"timestamp": 1, "message": "x"}, None],
        )


async def test_a_tag_whose_value_is_null_is_empty() -> None:
    fixture = Fixture()
    await fixture.call("CreateLogGroup", "logs", logGroupName="g", tags={"a": None})
    assert await fixture.call("ListTagsLogGroup", "logs", logGroupName="g") == {"tags": {"a": ""}}
