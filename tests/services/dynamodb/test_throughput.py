"""Provisioned, on-demand and warm throughput: what may be asked for, when, and what is told."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC
from tests.services.dynamodb.test_throttling import units

ON_DEMAND = {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000}
INITIAL = (
    "is lower than initial throughput for OnDemand. See: "
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
    "on-demand-capacity-mode.html#on-demand-capacity-mode-initial"
)
LOWER = "is lower than current WarmThroughput, decreasing WarmThroughput is not supported"


def index(name: str = "by_song", **more: Any) -> dict[str, Any]:
    keys = [{"AttributeName": "song", "KeyType": "HASH"}]
    return {
        "IndexName": name,
        "KeySchema": keys,
        "Projection": {"ProjectionType": "KEYS_ONLY"},
        **more,
    }


def provisioned(read: int = 5, write: int = 5) -> dict[str, Any]:
    return {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units(read, write)}


async def music(calls: Calls | None = None, **more: Any) -> Calls:
    calls = calls or Calls()
    await calls("CreateTable", **{**MUSIC, **more})
    return calls


async def update(calls: Calls, **change: Any) -> dict[str, Any]:
    answer = await calls("UpdateTable", TableName="music", **change)
    table: dict[str, Any] = answer["TableDescription"]
    return table


async def described(calls: Calls) -> dict[str, Any]:
    table: dict[str, Any] = (await calls("DescribeTable", TableName="music"))["Table"]
    return table


async def warmth(calls: Calls) -> tuple[int, int, str]:
    found = (await described(calls))["WarmThroughput"]
    return found["ReadUnitsPerSecond"], found["WriteUnitsPerSecond"], found["Status"]


async def refusal(call: Any, code: str = "ValidationException") -> str:
    with pytest.raises(AwsError) as caught:
        await call
    assert caught.value.code == code
    return str(caught.value.message).removeprefix("One or more parameter values were invalid: ")


def warm(read: int | None = None, write: int | None = None) -> dict[str, Any]:
    named = {"ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write}
    return {"WarmThroughput": {name: given for name, given in named.items() if given is not None}}


def limits(**given: int) -> dict[str, Any]:
    return {"OnDemandThroughput": {f"Max{name}RequestUnits": most for name, most in given.items()}}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (warm(1, 1), f"Requested ReadUnitsPerSecond for WarmThroughput for table {INITIAL}"),
        (warm(write=-1), f"Requested WriteUnitsPerSecond for WarmThroughput for table {INITIAL}"),
        (
            {**provisioned(10, 10), **warm(10, 5)},
            "Requested WriteUnitsPerSecond for WarmThroughput for table is lower than "
            "WriteCapacityUnits of ProvisionedThroughput",
        ),
        (
            {"GlobalSecondaryIndexes": [index(**warm(100))]},
            f"Requested ReadUnitsPerSecond for WarmThroughput for index by_song {INITIAL}",
        ),
        (
            {**provisioned(), **limits(Read=10)},
            "MaxReadRequestUnits for OnDemandThroughput cannot be specified when table "
            "BillingMode is PROVISIONED.",
        ),
        (
            limits(Read=0),
            "Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid "
            "range",
        ),
        (
            {"GlobalSecondaryIndexes": [index(**limits(Write=-1))]},
            "Requested MaxWriteRequestUnits for OnDemandThroughput for index : by_song is outside "
            "of valid range",
        ),
    ],
)
async def test_a_table_is_not_created_with_throughput_out_of_range(
    given: dict[str, Any], text: str
) -> None:
    assert await refusal(Calls()("CreateTable", **{**MUSIC, **given})) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            provisioned(40_001),
            "The requested ReadCapacityUnits, 40001, is above the per table maximum for the "
            "account in us-east-1. Per table maximum: 40000. Refer to the Amazon DynamoDB "
            "Developer Guide for current limits and how to request higher limits.",
        ),
        (
            limits(Read=40_001),
            "Subscriber limit exceeded: Requested MaxReadRequestUnits for OnDemandThroughput for "
            "table exceeds TableMaxReadCapacityUnits of the account in region us-east-1",
        ),
        (
            {"GlobalSecondaryIndexes": [index(**warm(write=40_001))]},
            "Subscriber limit exceeded: Requested WriteUnitsPerSecond for WarmThroughput for "
            "index by_song exceeds TableMaxWriteCapacityUnits of the account in region us-east-1",
        ),
    ],
)
async def test_the_accounts_quota_for_a_table_holds(given: dict[str, Any], text: str) -> None:
    created = Calls()("CreateTable", **{**MUSIC, **given})
    assert await refusal(created, "LimitExceededException") == text


async def test_a_warm_table_is_told_as_updating_until_it_is_made() -> None:
    calls = Calls(dynamodb_transition_ms=1000)
    created = await calls("CreateTable", **MUSIC, **warm(12001))
    told = created["TableDescription"]["WarmThroughput"]
    assert told == {"ReadUnitsPerSecond": 12001, "WriteUnitsPerSecond": 4000, "Status": "UPDATING"}
    assert await warmth(calls) == (12001, 4000, "UPDATING")
    calls.clock.advance(1)
    assert await warmth(calls) == (12001, 4000, "ACTIVE")


async def test_structures_without_members_are_taken_for_none() -> None:
    calls = await music(**warm(), **limits())
    table = await described(calls)
    assert table["WarmThroughput"] == {**ON_DEMAND, "Status": "ACTIVE"}
    assert "OnDemandThroughput" not in table


async def test_warm_throughput_rises_while_the_table_stays_active() -> None:
    calls = await music(Calls(dynamodb_transition_ms=1000))
    calls.clock.advance(1)
    answer = await update(calls, **warm(13000))
    assert answer["TableStatus"] == "ACTIVE"
    assert answer["WarmThroughput"] == {**ON_DEMAND, "Status": "UPDATING"}
    assert await warmth(calls) == (12000, 4000, "UPDATING")
    calls.clock.advance(1)
    assert await warmth(calls) == (13000, 4000, "ACTIVE")


async def test_warm_throughput_never_falls() -> None:
    calls = await music(**warm(13000, 5000))
    await update(calls, **warm(13000, 5000))
    text = await refusal(update(calls, **warm(write=4999)))
    assert text == f"Requested WriteUnitsPerSecond for WarmThroughput for table {LOWER}"


async def test_a_provisioned_table_stays_as_warm_as_its_highest_capacity() -> None:
    calls = await music(**provisioned(1, 1))
    await update(calls, ProvisionedThroughput=units(3, 3))
    await update(calls, ProvisionedThroughput=units(2, 1))
    assert await warmth(calls) == (3, 3, "ACTIVE")
    await update(calls, BillingMode="PAY_PER_REQUEST")
    await update(calls, **provisioned(1, 1))
    assert await warmth(calls) == (12000, 4000, "ACTIVE")


async def test_an_index_has_warm_throughput_of_its_own() -> None:
    calls = await music(GlobalSecondaryIndexes=[index()])

    def change(**given: int) -> list[dict[str, Any]]:
        return [{"Update": {"IndexName": "by_song", **warm(**given)}}]

    text = await refusal(update(calls, GlobalSecondaryIndexUpdates=change(read=100)))
    assert text == f"Requested ReadUnitsPerSecond for WarmThroughput for index by_song {LOWER}"
    answer = await update(calls, GlobalSecondaryIndexUpdates=change(read=12001))
    assert answer["GlobalSecondaryIndexes"][0]["WarmThroughput"]["Status"] == "UPDATING"
    (shown,) = (await described(calls))["GlobalSecondaryIndexes"]
    assert shown["WarmThroughput"]["ReadUnitsPerSecond"] == 12001
    assert await warmth(calls) == (12000, 4000, "ACTIVE")


async def test_an_indexes_warm_throughput_names_a_number() -> None:
    changes = [{"Update": {"IndexName": "ghost", "WarmThroughput": {}}}]
    text = await refusal(
        Calls()("UpdateTable", TableName="absent", GlobalSecondaryIndexUpdates=changes)
    )
    assert text == (
        "WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond "
        "specified for index: ghost"
    )


async def test_limits_on_demand_are_merged_and_taken_away() -> None:
    calls = await music()
    await update(calls, **limits(Read=1000, Write=500))
    await update(calls, **limits(Read=2000))
    assert (await described(calls))["OnDemandThroughput"] == {
        "MaxReadRequestUnits": 2000,
        "MaxWriteRequestUnits": 500,
    }
    answer = await update(calls, **limits(Read=-1))
    assert answer["TableStatus"] == "ACTIVE"
    assert answer["OnDemandThroughput"] == {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 500}
    assert (await described(calls))["OnDemandThroughput"] == {"MaxWriteRequestUnits": 500}
    await update(calls, **limits(Write=-1))
    assert "OnDemandThroughput" not in await described(calls)


@pytest.mark.parametrize(
    ("table", "given", "text"),
    [
        (
            {},
            limits(Write=0),
            "Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid "
            "range",
        ),
        (
            {},
            limits(Read=-2),
            "Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid "
            "range",
        ),
        (
            provisioned(),
            limits(Read=5),
            "MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table "
            "BillingMode is PROVISIONED",
        ),
        (
            {},
            {"BillingMode": "PROVISIONED"},
            "ProvisionedThroughput must be specified when BillingMode is PROVISIONED",
        ),
        (
            provisioned(),
            {"BillingMode": "PROVISIONED"},
            "ProvisionedThroughput must be specified when BillingMode is PROVISIONED",
        ),
        (
            provisioned(),
            {"BillingMode": "PAY_PER_REQUEST", "ProvisionedThroughput": units(1, 1)},
            "ProvisionedThroughput cannot be specified when BillingMode is PAY_PER_REQUEST",
        ),
        (
            {"GlobalSecondaryIndexes": [index()]},
            provisioned(),
            "ProvisionedThroughput must be specified for index: by_song",
        ),
    ],
)
async def test_a_change_of_throughput_that_does_not_fit_is_refused(
    table: dict[str, Any], given: dict[str, Any], text: str
) -> None:
    calls = await music(**table)
    assert await refusal(update(calls, **given)) == text


async def test_limits_on_demand_end_with_the_billing_mode() -> None:
    calls = await music(**limits(Read=5), GlobalSecondaryIndexes=[index(**limits(Read=6))])
    changes = [{"Update": {"IndexName": "by_song", "ProvisionedThroughput": units(1, 1)}}]
    answer = await update(calls, **provisioned(2, 2), GlobalSecondaryIndexUpdates=changes)
    assert answer["TableStatus"] == "UPDATING"
    assert answer["ProvisionedThroughput"]["ReadCapacityUnits"] == 2
    table = await described(calls)
    assert "OnDemandThroughput" not in table
    assert "OnDemandThroughput" not in table["GlobalSecondaryIndexes"][0]


async def test_the_answer_to_a_change_has_the_old_capacity() -> None:
    calls = await music(**provisioned(1, 1))
    told = (await update(calls, ProvisionedThroughput=units(2, 2)))["ProvisionedThroughput"]
    assert (told["ReadCapacityUnits"], "LastIncreaseDateTime" in told) == (1, True)
    assert (await described(calls))["ProvisionedThroughput"]["ReadCapacityUnits"] == 2


async def test_capacity_falls_four_times_at_once_and_then_once_an_hour() -> None:
    calls = await music(**provisioned(20, 20))
    for write in (9, 8, 7, 6):
        await update(calls, ProvisionedThroughput=units(20, write))
    fifth = {"ProvisionedThroughput": units(20, 5)}
    text = await refusal(update(calls, **fifth), "LimitExceededException")
    assert "Number of decreases today: 4. Last decrease at " in text
    assert text.endswith(" Coordinated Universal Time")
    calls.clock.advance(3599)
    await refusal(update(calls, **fifth), "LimitExceededException")
    calls.clock.advance(1)
    await update(calls, **fifth)
    told = (await described(calls))["ProvisionedThroughput"]
    assert told["NumberOfDecreasesToday"] == 5
    await refusal(update(calls, ProvisionedThroughput=units(20, 4)), "LimitExceededException")
    await update(calls, ProvisionedThroughput=units(21, 21))


async def test_decreases_are_counted_anew_each_day() -> None:
    calls = await music(**provisioned(20, 20))
    for write in (9, 8, 7, 6):
        await update(calls, ProvisionedThroughput=units(20, write))
    day_s = 24 * 3600
    calls.clock.advance(day_s - calls.clock.now_ms() // 1000 % day_s)
    told = (await described(calls))["ProvisionedThroughput"]
    assert (told["NumberOfDecreasesToday"], "LastDecreaseDateTime" in told) == (0, True)
    await update(calls, ProvisionedThroughput=units(20, 5))


async def test_an_index_counts_its_own_decreases() -> None:
    indexes = [index(ProvisionedThroughput=units(9, 9))]
    calls = await music(**provisioned(9, 9), GlobalSecondaryIndexes=indexes)
    changes = [{"Update": {"IndexName": "by_song", "ProvisionedThroughput": units(8, 8)}}]
    answer = await update(calls, GlobalSecondaryIndexUpdates=changes)
    (shown,) = answer["GlobalSecondaryIndexes"]
    assert (answer["TableStatus"], shown["IndexStatus"]) == ("ACTIVE", "UPDATING")
    assert shown["ProvisionedThroughput"]["ReadCapacityUnits"] == 9
    text = await refusal(update(calls, GlobalSecondaryIndexUpdates=changes))
    assert text.startswith("The provisioned throughput for the index by_song will not change.")
    table = await described(calls)
    assert table["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0
    counted = table["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]
    assert counted["NumberOfDecreasesToday"] == 1
