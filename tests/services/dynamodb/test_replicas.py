"""Global tables: writes reach every replica, the last writer wins, and members agree."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.context import World
from fogbank.services.dynamodb import copying
from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_backups import due, item

HERE, EUROPE, ASIA = "us-east-1", "eu-west-1", "ap-south-1"
MUSIC: dict[str, Any] = {
    "TableName": "music",
    "KeySchema": [
        {"AttributeName": "artist", "KeyType": "HASH"},
        {"AttributeName": "song", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "artist", "AttributeType": "S"},
        {"AttributeName": "song", "AttributeType": "S"},
        {"AttributeName": "n", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "numbers",
            "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}


async def at(calls: Calls, region: str, operation: str, **request: Any) -> dict[str, Any]:
    ctx = calls.ctx._replace(world=World(calls.ctx.world.account, region))
    answer = await ctx.call("dynamodb", operation, request)
    parsed: dict[str, Any] = orjson.loads(answer["__raw__"]) if "__raw__" in answer else answer
    return parsed


async def update(calls: Calls, verb: str, region: str, **more: Any) -> dict[str, Any]:
    action = [{verb: {"RegionName": region, **more}}]
    return await calls("UpdateTable", TableName="music", ReplicaUpdates=action)


async def put(calls: Calls, region: str, song: str, number: int) -> None:
    made = item(song, n={"N": str(number)})
    await at(calls, region, "PutItem", TableName="music", Item=made)


async def state(calls: Calls, region: str) -> dict[str, str]:
    scanned = await at(calls, region, "Scan", TableName="music")
    return {found["song"]["S"]: found["n"]["N"] for found in scanned["Items"]}


async def indexed(calls: Calls, region: str) -> set[str]:
    scanned = await at(calls, region, "Scan", TableName="music", IndexName="numbers")
    return {found["song"]["S"] for found in scanned["Items"]}


async def group(calls: Calls, *regions: str) -> None:
    await calls("CreateTable", **MUSIC)
    for region in regions:
        await update(calls, "Create", region)
        await due(calls)


async def test_a_replica_has_what_the_table_had_and_gets_what_it_gets() -> None:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    await put(calls, HERE, "old", 1)
    await update(calls, "Create", EUROPE)
    await put(calls, HERE, "new", 2)
    await put(calls, EUROPE, "theirs", 3)
    await due(calls)
    expected = {"old": "1", "new": "2", "theirs": "3"}
    assert await state(calls, HERE) == await state(calls, EUROPE) == expected
    assert await indexed(calls, HERE) == await indexed(calls, EUROPE) == set(expected)
    await at(calls, EUROPE, "DeleteItem", TableName="music", Key=item("old"))
    await due(calls)
    assert await state(calls, HERE) == {"new": "2", "theirs": "3"}


async def test_a_replicated_write_goes_no_further() -> None:
    calls = Calls()
    await group(calls, EUROPE, ASIA)
    await put(calls, HERE, "x", 1)
    writes = [one for one in calls.outbox.events if one.topic == "dynamodb.replicate"]
    assert len(writes) == 2
    await due(calls)
    assert [one for one in calls.outbox.events if one.topic == "dynamodb.replicate"] == []
    assert await state(calls, ASIA) == {"x": "1"}


async def test_members_are_described_to_each_other() -> None:
    calls = Calls()
    await group(calls, EUROPE, ASIA)
    for region, others in ((HERE, {EUROPE, ASIA}), (EUROPE, {HERE, ASIA}), (ASIA, {HERE, EUROPE})):
        table = (await at(calls, region, "DescribeTable", TableName="music"))["Table"]
        assert table["GlobalTableVersion"] == "2019.11.21"
        assert {one["RegionName"] for one in table["Replicas"]} == others
        assert {one["ReplicaStatus"] for one in table["Replicas"]} == {"ACTIVE"}
        assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        assert table["TableArn"].split(":")[3] == region


async def test_the_last_replica_takes_the_description_along() -> None:
    calls = Calls()
    await group(calls, EUROPE)
    await put(calls, HERE, "x", 1)
    await due(calls)
    await update(calls, "Delete", EUROPE)
    table = (await calls("DescribeTable", TableName="music"))["Table"]
    assert not {"Replicas", "GlobalTableVersion"} & set(table)
    with pytest.raises(AwsError, match="not found"):
        await at(calls, EUROPE, "DescribeTable", TableName="music")
    await put(calls, HERE, "y", 2)
    assert [one for one in calls.outbox.events if one.topic == "dynamodb.replicate"] == []
    assert await state(calls, HERE) == {"x": "1", "y": "2"}


async def test_a_deleted_member_leaves_the_group() -> None:
    calls = Calls()
    await group(calls, EUROPE)
    with pytest.raises(AwsError, match="acted as a source region"):
        await calls("DeleteTable", TableName="music")
    await at(calls, EUROPE, "DeleteTable", TableName="music")
    assert "Replicas" not in (await calls("DescribeTable", TableName="music"))["Table"]
    await calls("DeleteTable", TableName="music")


@pytest.mark.parametrize(
    ("verb", "region", "text"),
    [
        ("Create", HERE, "Cannot add or delete the local region through ReplicaUpdates"),
        ("Create", "us-fake-1", "Region us-fake-1 is not supported. The latest version"),
        ("Create", EUROPE, "because one or more replicas already existed as tables."),
        ("Delete", ASIA, r"Please retry the request without these replicas: \[ap-south-1\]."),
        ("Update", EUROPE, "There are no actions specified in the Replica Update Action"),
    ],
)
async def test_updates_that_cannot_be_are_refused(verb: str, region: str, text: str) -> None:
    calls = Calls()
    await group(calls, EUROPE)
    with pytest.raises(AwsError, match=text) as caught:
        await update(calls, verb, region)
    assert caught.value.code == "ValidationException"


async def test_replicas_change_alone_and_only_of_tables_on_demand() -> None:
    calls = Calls()
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    await calls(
        "CreateTable",
        TableName="music",
        KeySchema=MUSIC["KeySchema"],
        AttributeDefinitions=MUSIC["AttributeDefinitions"][:2],
        ProvisionedThroughput=throughput,
    )
    with pytest.raises(AwsError, match="should either be Pay-Per-Request or AutoScaled"):
        await update(calls, "Create", EUROPE)
    with pytest.raises(AwsError, match="must be the only operation in the request"):
        await calls(
            "UpdateTable",
            TableName="music",
            DeletionProtectionEnabled=True,
            ReplicaUpdates=[{"Create": {"RegionName": EUROPE}}],
        )


async def test_the_stream_of_a_replica_stays() -> None:
    calls = Calls()
    await group(calls, EUROPE)
    with pytest.raises(AwsError, match="Disabling Stream is not allowed for a Global Table"):
        await calls("UpdateTable", TableName="music", StreamSpecification={"StreamEnabled": False})


async def test_a_replica_made_in_slices_keeps_newer_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copying, "SLICE_ITEMS", 1)
    calls = Calls()
    await group(calls, EUROPE)
    for number in range(20):
        await put(calls, HERE, str(number), 1)
    await due(calls)
    await update(calls, "Create", ASIA)
    # Europe writes while the new replica is copied from here, which has not heard of it yet.
    for number in range(20):
        await put(calls, EUROPE, str(number), 2)
    await at(calls, EUROPE, "DeleteItem", TableName="music", Key=item("7"))
    waiting = calls.outbox.events
    calls.outbox.events = [one for one in waiting if "ap-south-1" in str(one.body)]
    late = [one for one in waiting if "ap-south-1" not in str(one.body)]
    copies = [one for one in late if one.topic == "dynamodb.copy"]
    await due(calls)
    for event in copies:
        await calls.catalog.consume(calls.ctx, event)
    calls.outbox.events += [one for one in late if one not in copies]
    await due(calls)
    expected = {str(number): "2" for number in range(20) if number != 7}
    for region in (HERE, EUROPE, ASIA):
        assert await state(calls, region) == expected
        assert await indexed(calls, region) == set(expected)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([HERE, EUROPE, ASIA]),
            st.integers(0, 3),
            st.integers(0, 4),
            st.integers(0, 2),
            st.integers(0, 6),
        ),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
async def test_members_agree_whatever_the_order_of_deliveries(
    steps: list[tuple[str, int, int, int, int]], random: Any
) -> None:
    calls = Calls()
    await group(calls, EUROPE, ASIA)
    for region, song, number, wait_s, deliveries in steps:
        calls.clock.advance(wait_s)
        if number:
            await put(calls, region, str(song), number)
        else:
            await at(calls, region, "DeleteItem", TableName="music", Key=item(str(song)))
        writes = [one for one in calls.outbox.events if one.topic == "dynamodb.replicate"]
        for event in random.sample(writes, min(deliveries, len(writes))):
            calls.outbox.events.remove(event)
            await calls.catalog.consume(calls.ctx, event)
    await due(calls)
    states = [await state(calls, region) for region in (HERE, EUROPE, ASIA)]
    assert states[0] == states[1] == states[2]
    for region in (HERE, EUROPE, ASIA):
        assert await indexed(calls, region) == set(states[0])


async def test_the_later_write_wins() -> None:
    calls = Calls()
    await group(calls, EUROPE)
    await put(calls, EUROPE, "x", 1)
    calls.clock.advance(1)
    await put(calls, HERE, "x", 2)
    await due(calls)
    assert await state(calls, HERE) == await state(calls, EUROPE) == {"x": "2"}


async def test_old_versions_are_forgotten() -> None:
    calls = Calls()
    await group(calls, EUROPE)
    before = len(calls.store._keys)
    await put(calls, HERE, "x", 1)
    await at(calls, HERE, "DeleteItem", TableName="music", Key=item("x"))
    await due(calls)
    calls.clock.advance(25 * 3600)
    for event in [one for one in calls.outbox.events if one.topic == "dynamodb.trimversions"]:
        for region in (HERE, EUROPE):
            ctx = calls.ctx._replace(world=World(calls.ctx.world.account, region))
            await calls.catalog.consume(ctx, event)
    records = [one for one in calls.outbox.events if one.topic == "dynamodb.trim"]
    assert records
    # What is left are the records of the two streams and their counters.
    assert len(calls.store._keys) - before == 2 * 2 + 2


async def test_items_of_a_global_table_expire_in_every_region() -> None:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    spec = {"Enabled": True, "AttributeName": "ttl"}
    await calls("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=spec)
    ends_s = calls.clock.now_ms() // 1000 + 60
    made = item("x", n={"N": "1"}, ttl={"N": str(ends_s)})
    await calls("PutItem", TableName="music", Item=made)
    await update(calls, "Create", EUROPE)
    described = await at(calls, EUROPE, "DescribeTimeToLive", TableName="music")
    assert described["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    calls.clock.advance(61)
    for _ in range(3):
        await due(calls)
    assert await state(calls, HERE) == await state(calls, EUROPE) == {}
    off = {"Enabled": False, "AttributeName": "ttl"}
    await at(calls, EUROPE, "UpdateTimeToLive", TableName="music", TimeToLiveSpecification=off)
    described = await calls("DescribeTimeToLive", TableName="music")
    assert described["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}


async def test_an_index_is_made_and_deleted_in_every_region() -> None:
    calls = Calls()
    await group(calls, EUROPE)
    await put(calls, HERE, "x", 1)
    await due(calls)
    made = {
        "IndexName": "songs",
        "KeySchema": [{"AttributeName": "song", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    await at(
        calls,
        EUROPE,
        "UpdateTable",
        TableName="music",
        AttributeDefinitions=[{"AttributeName": "song", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": made}],
    )
    for region in (HERE, EUROPE):
        found = await at(calls, region, "Scan", TableName="music", IndexName="songs")
        assert found["Count"] == 1
    delete = [{"Delete": {"IndexName": "songs"}}]
    await calls("UpdateTable", TableName="music", GlobalSecondaryIndexUpdates=delete)
    table = (await at(calls, EUROPE, "DescribeTable", TableName="music"))["Table"]
    assert [one["IndexName"] for one in table["GlobalSecondaryIndexes"]] == ["numbers"]


async def test_protection_is_of_one_region() -> None:
    calls = Calls()
    await group(calls, EUROPE)
    await at(calls, EUROPE, "UpdateTable", TableName="music", DeletionProtectionEnabled=True)
    assert not (await calls("DescribeTable", TableName="music"))["Table"][
        "DeletionProtectionEnabled"
    ]
    with pytest.raises(AwsError, match="in region eu-west-1 because it has deletion protection"):
        await update(calls, "Delete", EUROPE)
