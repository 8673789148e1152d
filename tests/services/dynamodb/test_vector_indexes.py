"""The states of vector indexes, which follow the clock."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls

STATE_MS = 10_000
INDEX: dict[str, Any] = {
    "IndexName": "near",
    "VectorAttribute": {"AttributeName": "embedding"},
    "Projection": {"ProjectionType": "ALL"},
    "Dimensions": 1,
    "DistanceFunction": "EUCLIDEAN",
}
TABLE: dict[str, Any] = {
    "TableName": "products",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


async def states(calls: Calls) -> list[tuple[str, bool | None]]:
    table = (await calls("DescribeTable", TableName="products"))["Table"]
    return [
        (index["IndexStatus"], index.get("Backfilling"))
        for index in table.get("VectorIndexes") or ()
    ]


async def search(calls: Calls) -> Any:
    return await calls(
        "SearchVectors",
        TableName="products",
        IndexName="near",
        SearchVector=[{"N": "1"}],
        TopK=1,
    )


async def update(calls: Calls, update_: dict[str, Any], **more: Any) -> None:
    await calls("UpdateTable", TableName="products", VectorIndexUpdates=[update_], **more)


async def refusal(awaited: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await awaited
    return caught.value.code, str(caught.value.message)


async def created(**table: Any) -> Calls:
    calls = Calls(dynamodb_transition_ms=STATE_MS)
    await calls("CreateTable", **TABLE, **table)
    return calls


async def test_an_index_is_created_with_its_table() -> None:
    calls = await created(VectorIndexes=[INDEX])
    assert await states(calls) == [("CREATING", None)]
    calls.clock.advance(STATE_MS / 1000)
    assert await states(calls) == [("ACTIVE", None)]
    assert (await search(calls))["SearchResults"] == []


async def test_an_index_that_is_added_is_set_up_then_filled_then_active() -> None:
    calls = await created()
    calls.clock.advance(STATE_MS / 1000)
    await update(calls, {"Create": INDEX})
    assert await states(calls) == [("CREATING", False)]
    assert (await refusal(search(calls)))[1] == "The table does not have the specified index: near"
    calls.clock.advance(STATE_MS / 1000)
    assert await states(calls) == [("CREATING", True)]
    assert (await refusal(search(calls)))[1] == "Cannot search backfilling vector index: near"
    calls.clock.advance(STATE_MS / 1000)
    assert await states(calls) == [("ACTIVE", None)]
    assert (await search(calls))["SearchResults"] == []


async def test_no_other_index_is_added_while_one_is_filled() -> None:
    calls = await created()
    calls.clock.advance(STATE_MS / 1000)
    await update(calls, {"Create": INDEX})
    calls.clock.advance(STATE_MS / 1000)
    other = {"Create": {**INDEX, "IndexName": "other"}}
    assert (await refusal(update(calls, other)))[0] == "LimitExceededException"
    by_id = {
        "IndexName": "by-id",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    request = calls(
        "UpdateTable",
        TableName="products",
        AttributeDefinitions=TABLE["AttributeDefinitions"],
        GlobalSecondaryIndexUpdates=[{"Create": by_id}],
    )
    assert (await refusal(request))[0] == "LimitExceededException"


async def filling() -> Calls:
    """A table whose index is being filled."""
    calls = await created()
    calls.clock.advance(STATE_MS / 1000)
    await update(calls, {"Create": INDEX})
    calls.clock.advance(STATE_MS / 1000)
    return calls


async def test_an_index_that_is_being_filled_can_be_removed() -> None:
    calls = await filling()
    await update(calls, {"Delete": {"IndexName": "near"}})
    assert await states(calls) == [("DELETING", None)]
    calls.clock.advance(STATE_MS / 1000)
    assert await states(calls) == []


async def test_the_name_of_an_index_that_is_being_filled_is_in_use() -> None:
    assert await refusal(update(await filling(), {"Create": INDEX})) == (
        "ResourceInUseException",
        "Attempt to change a resource which is still in use: Index is being created.  "
        "Table: products Index: near",
    )


async def test_an_index_that_is_removed_is_seen_until_it_is_gone() -> None:
    calls = await created(VectorIndexes=[INDEX])
    calls.clock.advance(STATE_MS / 1000)
    await update(calls, {"Delete": {"IndexName": "near"}})
    assert await states(calls) == [("DELETING", None)]
    assert (await refusal(search(calls)))[1] == "The table does not have the specified index: near"
    calls.clock.advance(STATE_MS / 1000)
    assert await states(calls) == []
    await update(calls, {"Create": INDEX})
    assert await states(calls) == [("CREATING", False)]
