"""What one UpdateTable may ask for, and the settings that it changes."""

from typing import Any

import pytest

from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC
from tests.services.dynamodb.test_throttling import units
from tests.services.dynamodb.test_throughput import (
    described,
    index,
    limits,
    music,
    provisioned,
    refusal,
    update,
    warm,
)

STREAM = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}}
SSE = {"SSESpecification": {"Enabled": True, "SSEType": "KMS"}}
CLASS = {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
PROTECTED = {"DeletionProtectionEnabled": True}
ATTRIBUTES = {"AttributeDefinitions": MUSIC["AttributeDefinitions"]}
ADDED = {"GlobalSecondaryIndexUpdates": [{"Create": index()}], **ATTRIBUTES}


@pytest.mark.parametrize(
    ("together", "text"),
    [
        (
            {**PROTECTED, **SSE},
            "Server-Side Encryption modification must be the only operation in the request",
        ),
        (
            {**PROTECTED, **CLASS},
            "TableClass modification must be the only operation in the request",
        ),
        (
            {**PROTECTED, **warm(13000)},
            "DeletionProtection modification must be the only operation in the request",
        ),
        ({**STREAM, **warm(13000)}, "WarmThroughput must be the only operation in the request"),
        (
            {**ADDED, **warm(13000)},
            "Create global secondary index cannot be specified when updating WarmThroughput",
        ),
        (
            {**STREAM, **limits(Read=5)},
            "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request",
        ),
        (
            {**STREAM, **provisioned()},
            "You cannot modify stream status while updating table IOPS",
        ),
        (
            {**ADDED, "ProvisionedThroughput": units(1, 1)},
            "You cannot create or delete index while updating table IOPS",
        ),
        (
            {**ADDED, **STREAM},
            "You cannot create or delete index while changing stream status",
        ),
        (
            {**PROTECTED, "GlobalSecondaryIndexUpdates": []},
            "List of GlobalSecondaryIndexUpdates is empty",
        ),
        (
            {"GlobalSecondaryIndexUpdates": [{}]},
            "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
            "GlobalSecondaryIndexUpdate.Delete must not be null",
        ),
        (
            {"GlobalSecondaryIndexUpdates": [{"Create": index(), "Delete": {"IndexName": "a"}}]},
            "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate "
            "object",
        ),
        (
            {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "abc"}}] * 2},
            "Only one global secondary index update per index is allowed simultaneously. Index: "
            "abc",
        ),
        (
            {"GlobalSecondaryIndexUpdates": [{"Create": index()}]},
            "AttributeDefinitions is not specified for index: by_song",
        ),
        (
            {
                **ATTRIBUTES,
                "GlobalSecondaryIndexUpdates": [
                    {"Create": index(ProvisionedThroughput=units(1, 1))}
                ],
            },
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: by_song "
            "when BillingMode is PAY_PER_REQUEST",
        ),
    ],
)
async def test_what_does_not_go_together_is_refused(together: dict[str, Any], text: str) -> None:
    calls = await music()
    assert await refusal(update(calls, **together)) == text


@pytest.mark.parametrize(
    "nothing", [{}, {"GlobalSecondaryIndexUpdates": []}, ATTRIBUTES, {**ATTRIBUTES, **warm()}]
)
async def test_something_has_to_change(nothing: dict[str, Any]) -> None:
    text = await refusal(Calls()("UpdateTable", TableName="absent", **nothing))
    assert text == (
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
        "GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, "
        "ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, "
        "OnDemandThroughput, WarmThroughput or TableClass is required"
    )


async def test_billing_on_demand_goes_with_a_stream_and_with_limits() -> None:
    calls = await music(**provisioned())
    await update(calls, BillingMode="PAY_PER_REQUEST", **STREAM)
    calls = await music(**provisioned())
    await update(calls, BillingMode="PAY_PER_REQUEST", **limits(Read=100, Write=100))
    assert (await described(calls))["OnDemandThroughput"]["MaxReadRequestUnits"] == 100


@pytest.mark.parametrize("change", [PROTECTED, SSE, warm(13000), limits(Read=10)])
async def test_a_table_stays_active_through_most_changes(change: dict[str, Any]) -> None:
    calls = await music(Calls(dynamodb_transition_ms=1000))
    calls.clock.advance(1)
    assert (await update(calls, **change))["TableStatus"] == "ACTIVE"
    assert (await described(calls))["TableStatus"] == "ACTIVE"


async def test_definitions_that_no_new_index_uses_are_passed_over() -> None:
    calls = await music()
    spare = [{"AttributeName": "spare", "AttributeType": "B"}]
    await update(calls, AttributeDefinitions=spare, **PROTECTED)
    added = {**ADDED, "AttributeDefinitions": [*MUSIC["AttributeDefinitions"], *spare]}
    await update(calls, **added)
    names = [one["AttributeName"] for one in (await described(calls))["AttributeDefinitions"]]
    assert names == ["artist", "song"]


async def test_the_answer_tells_of_a_new_index_and_of_one_that_goes() -> None:
    calls = await music()
    answer = await update(calls, **ADDED)
    (new,) = answer["GlobalSecondaryIndexes"]
    assert (answer["TableStatus"], new["IndexStatus"], new["Backfilling"]) == (
        "UPDATING",
        "CREATING",
        False,
    )
    dropped = [{"Delete": {"IndexName": "by_song"}}]
    answer = await update(calls, GlobalSecondaryIndexUpdates=dropped)
    assert answer["GlobalSecondaryIndexes"][0]["IndexStatus"] == "DELETING"
    text = await refusal(
        update(calls, GlobalSecondaryIndexUpdates=dropped), "ResourceNotFoundException"
    )
    assert text == "Requested resource not found: Index by_song for table music"


async def test_a_local_index_cannot_be_deleted() -> None:
    local = {**index("local"), "KeySchema": MUSIC["KeySchema"]}
    calls = await music(LocalSecondaryIndexes=[local])
    dropped = [{"Delete": {"IndexName": "local"}}]
    text = await refusal(update(calls, GlobalSecondaryIndexUpdates=dropped))
    assert text == "Cannot delete an index that is not a GlobalSecondaryIndex: local"


async def test_the_class_changes_twice_in_thirty_days() -> None:
    calls = await music()
    answer = await update(calls, **CLASS)
    assert (answer["TableStatus"], "TableClassSummary" in answer) == ("UPDATING", False)
    summary = (await described(calls))["TableClassSummary"]
    assert summary["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert "LastUpdateDateTime" in summary
    await update(calls, TableClass="STANDARD")
    text = await refusal(update(calls, TableClass="STANDARD"), "LimitExceededException")
    assert text == (
        "Subscriber limit exceeded: Updates to TableClass are limited to 2 times in 30 day(s)."
    )
    calls.clock.advance(30 * 24 * 3600)
    await update(calls, **CLASS)


async def test_the_class_that_a_table_has_is_no_change() -> None:
    calls = await music()
    await update(calls, TableClass="STANDARD")
    assert "TableClassSummary" not in await described(calls)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"Enabled": False, "SSEType": "KMS"},
            "SSEType can not be specified if Enabled is false",
        ),
        (
            {"Enabled": False, "KMSMasterKeyId": "k"},
            "KMSMasterKeyId can not be specified if Enabled is false",
        ),
        (
            {"Enabled": True, "KMSMasterKeyId": "k"},
            "SSEType KMS is required if KMSMasterKeyId is specified",
        ),
        ({"Enabled": True, "SSEType": "AES256"}, "SSEType AES256 is not supported"),
    ],
)
async def test_the_members_of_an_encryption_go_together(given: dict[str, Any], text: str) -> None:
    assert await refusal(Calls()("CreateTable", **MUSIC, SSESpecification=given)) == text
    calls = await music()
    assert await refusal(update(calls, SSESpecification=given)) == text


async def test_a_type_without_enabled_encrypts() -> None:
    calls = await music(SSESpecification={"SSEType": "KMS"})
    assert (await described(calls))["SSEDescription"]["Status"] == "ENABLED"
    calls = await music(SSESpecification={})
    assert "SSEDescription" not in await described(calls)


async def test_an_encryption_that_changes_nothing_is_refused() -> None:
    calls = await music()
    text = await refusal(update(calls, SSESpecification={"Enabled": False}))
    assert text == "Table is already encrypted by default"
    answer = await update(calls, **SSE)
    assert answer["SSEDescription"] == {"Status": "UPDATING"}
    arn = (await described(calls))["SSEDescription"]["KMSMasterKeyArn"]
    same = {**SSE["SSESpecification"], "KMSMasterKeyId": arn}
    assert (await refusal(update(calls, SSESpecification=same))).startswith(
        "Table is already encrypted with given KMSMasterKeyId."
    )


async def test_encryption_changes_four_times_a_day_and_then_each_six_hours() -> None:
    calls = await music()
    for _ in range(4):
        await update(calls, **SSE)
    text = await refusal(update(calls, **SSE), "LimitExceededException")
    assert "at most once every 21600 seconds. Number of updates today: 4. Last change at " in text
    calls.clock.advance(6 * 3600)
    await update(calls, **SSE)
    await refusal(update(calls, **SSE), "LimitExceededException")


@pytest.mark.parametrize(
    ("given", "created", "updated"),
    [
        (
            {"StreamEnabled": True},
            "Table is being created with a stream enabled, UpdateViewType is required",
            "If stream is being enabled then UpdateViewType is required",
        ),
        (
            {"StreamEnabled": False, "StreamViewType": "KEYS_ONLY"},
            "Table is being created with a stream disabled, UpdateViewType should not be specified",
            "If stream is being disabled, then UpdateViewType must not be specified",
        ),
    ],
)
async def test_a_view_goes_with_a_stream(given: dict[str, Any], created: str, updated: str) -> None:
    assert await refusal(Calls()("CreateTable", **MUSIC, StreamSpecification=given)) == created
    calls = await music()
    assert await refusal(update(calls, StreamSpecification=given)) == updated


async def test_definitions_and_projected_names_are_told_in_order() -> None:
    projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["z", "a"]}
    calls = Calls()
    definitions = list(reversed(MUSIC["AttributeDefinitions"]))
    indexes = [index(Projection=projection)]
    given = {**MUSIC, "AttributeDefinitions": definitions, "GlobalSecondaryIndexes": indexes}
    table = (await calls("CreateTable", **given))["TableDescription"]
    assert [one["AttributeName"] for one in table["AttributeDefinitions"]] == ["artist", "song"]
    assert table["GlobalSecondaryIndexes"][0]["Projection"]["NonKeyAttributes"] == ["a", "z"]
