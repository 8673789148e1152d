"""Limits of values and expressions, from AWS's list of quotas.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC

KEY = {"artist": {"S": "Can"}, "song": {"S": "Halleluhwah"}}


async def music() -> Calls:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    return calls


async def refusal(calls: Calls, operation: str, **request: Any) -> str:
    with pytest.raises(AwsError) as caught:
        await calls(operation, TableName="music", **request)
    assert caught.value.code == "ValidationException"
    return str(caught.value.message)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("-0", "0"),
        ("+5.00", "5"),
        ("9" * 38, "9" * 38),
        ("0." + "0" * 129 + "1", "0." + "0" * 129 + "1"),
        ("1.5e2", "150"),
    ],
)
async def test_a_number_has_one_form(given: str, kept: str) -> None:
    calls = await music()
    await calls("PutItem", TableName="music", Item={**KEY, "n": {"N": given}})
    got = await calls("GetItem", TableName="music", Key=KEY)
    assert got["Item"]["n"] == {"N": kept}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("9" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("1E126", "Number overflow. Attempting to store a number with magnitude larger"),
        ("-1E-131", "Number underflow. Attempting to store a number with magnitude smaller"),
        ("", "The parameter cannot be converted to a numeric value"),
        ("NaN", "The parameter cannot be converted to a numeric value: NaN"),
    ],
)
async def test_a_number_out_of_range_is_refused(given: str, text: str) -> None:
    calls = await music()
    told = await refusal(calls, "PutItem", Item={**KEY, "n": {"N": given}})
    assert told.startswith(f"1 validation error detected: {text}")


async def test_arithmetic_does_not_lose_digits() -> None:
    calls = await music()
    await calls("PutItem", TableName="music", Item={**KEY, "n": {"N": "9" * 38}})
    add = {
        "Key": KEY,
        "UpdateExpression": "SET n = n + :x",
        "ExpressionAttributeValues": {":x": {"N": "0.5"}},
    }
    assert "38 significant digits" in await refusal(calls, "UpdateItem", **add)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"L": [value]}
    return value


async def test_documents_are_32_levels_deep_at_most() -> None:
    calls = await music()
    await calls("PutItem", TableName="music", Item={**KEY, "d": nested(31)})
    text = await refusal(calls, "PutItem", Item={**KEY, "d": nested(32)})
    assert "Nesting Levels have exceeded supported limits" in text


@pytest.mark.parametrize(("name", "most"), [("artist", 2048), ("song", 1024)])
async def test_keys_have_their_lengths(name: str, most: int) -> None:
    calls = await music()
    await calls("PutItem", TableName="music", Item={**KEY, name: {"S": "x" * most}})
    text = await refusal(calls, "PutItem", Item={**KEY, name: {"S": "x" * (most + 1)}})
    assert "exceeded" in text


async def test_in_has_a_hundred_operands_at_most() -> None:
    calls = await music()

    def scan(count: int) -> dict[str, Any]:
        names = [f":v{number}" for number in range(count)]
        return {
            "FilterExpression": f"year IN ({', '.join(names)})".replace("year", "released"),
            "ExpressionAttributeValues": {name: {"S": name} for name in names},
        }

    await calls("Scan", TableName="music", **scan(100))
    assert "too many operands; number of operands: 101" in await refusal(calls, "Scan", **scan(101))


async def test_an_expression_has_4_kilobytes_at_most() -> None:
    calls = await music()
    await calls("GetItem", TableName="music", Key=KEY, ProjectionExpression="a" * 4096)
    text = await refusal(calls, "GetItem", Key=KEY, ProjectionExpression="a" * 4097)
    assert text.endswith("expression size: 4097")


async def test_an_attributes_name_has_64_kilobytes_at_most() -> None:
    calls = await music()
    await calls("PutItem", TableName="music", Item={**KEY, "n" * 65_535: {"S": ""}})
    text = await refusal(calls, "PutItem", Item={**KEY, "n" * 65_536: {"S": ""}})
    assert "Attribute name exceeds" in text
