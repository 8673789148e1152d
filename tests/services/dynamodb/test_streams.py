"""Streams and TTL: every real change once, in order per item, and deletions in time."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC


class Streamed(Calls):
    """A table `music` with a stream of `view`."""

    arn = ""

    async def start(self, view: str = "NEW_AND_OLD_IMAGES") -> "Streamed":
        made = await self(
            "CreateTable",
            **MUSIC,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
        )
        self.arn = made["TableDescription"]["LatestStreamArn"]
        return self

    async def read(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.ctx.call("dynamodbstreams", operation, request)

    async def shards(self) -> list[dict[str, Any]]:
        described = await self.read("DescribeStream", StreamArn=self.arn)
        shards: list[dict[str, Any]] = described["StreamDescription"]["Shards"]
        return shards

    async def records(self, kind: str = "TRIM_HORIZON") -> list[dict[str, Any]]:
        records = []
        for shard in await self.shards():
            iterator = await self.iterator(shard["ShardId"], kind)
            page = await self.read("GetRecords", ShardIterator=iterator)
            records += page["Records"]
        return sorted(records, key=lambda record: record["dynamodb"]["SequenceNumber"])

    async def iterator(self, shard: str, kind: str = "TRIM_HORIZON", **more: Any) -> str:
        answer = await self.read(
            "GetShardIterator", StreamArn=self.arn, ShardId=shard, ShardIteratorType=kind, **more
        )
        text: str = answer["ShardIterator"]
        return text


def item(song: str, **more: Any) -> dict[str, Any]:
    return {"artist": {"S": "a"}, "song": {"S": song}, **more}


async def test_a_stream_has_one_record_for_each_real_change() -> None:
    calls = await Streamed().start()
    one, two = item("x", n={"N": "1"}), item("x", n={"N": "2"})
    for put in (one, one, two):
        await calls("PutItem", TableName="music", Item=put)
    await calls("DeleteItem", TableName="music", Key=item("x"))
    await calls("DeleteItem", TableName="music", Key=item("x"))
    records = await calls.records()
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    insert, modify, remove = (record["dynamodb"] for record in records)
    assert insert["Keys"] == item("x")
    assert (insert["NewImage"], "OldImage" in insert) == (one, False)
    assert (modify["OldImage"], modify["NewImage"]) == (one, two)
    assert (remove["OldImage"], "NewImage" in remove) == (two, False)
    assert len({record["eventID"] for record in records}) == 3


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
async def test_a_view_says_which_images_a_record_has(view: str, images: set[str]) -> None:
    calls = await Streamed().start(view)
    await calls("PutItem", TableName="music", Item=item("x"))
    await calls("PutItem", TableName="music", Item=item("x", n={"N": "1"}))
    change = (await calls.records())[-1]["dynamodb"]
    assert {"NewImage", "OldImage"} & set(change) == images


async def test_the_size_of_a_record_is_that_of_its_keys_and_images() -> None:
    calls = Calls()
    made = await calls(
        "CreateTable",
        TableName="one",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    streamed = Streamed()
    streamed.ctx, streamed.arn = calls.ctx, made["TableDescription"]["LatestStreamArn"]
    await calls("PutItem", TableName="one", Item={"id": {"S": "Fred"}})
    assert (await streamed.records())[0]["dynamodb"]["SizeBytes"] == 12


async def test_there_are_four_shards_and_an_item_stays_in_one() -> None:
    calls = await Streamed().start()
    shards = await calls.shards()
    assert len(shards) == 4
    for count in range(40):
        for version in range(2):
            song = {"artist": {"S": f"a{count}"}, "song": {"S": "s"}, "v": {"N": str(version)}}
            await calls("PutItem", TableName="music", Item=song)
    seen: dict[str, set[str]] = {}
    for shard in shards:
        iterator = await calls.iterator(shard["ShardId"])
        page = await calls.read("GetRecords", ShardIterator=iterator)
        assert page["Records"]
        for record in page["Records"]:
            artist = record["dynamodb"]["Keys"]["artist"]["S"]
            seen.setdefault(artist, set()).add(shard["ShardId"])
    assert len(seen) == 40
    assert all(len(where) == 1 for where in seen.values())


async def test_iterators_begin_where_they_say() -> None:
    calls = await Streamed().start()
    await calls("PutItem", TableName="music", Item=item("x"))
    for shard in await calls.shards():
        latest = await calls.iterator(shard["ShardId"], "LATEST")
        assert (await calls.read("GetRecords", ShardIterator=latest))["Records"] == []
        first = await calls.iterator(shard["ShardId"])
        page = await calls.read("GetRecords", ShardIterator=first)
        for record in page["Records"]:
            number = record["dynamodb"]["SequenceNumber"]
            at = await calls.iterator(shard["ShardId"], "AT_SEQUENCE_NUMBER", SequenceNumber=number)
            after = await calls.iterator(
                shard["ShardId"], "AFTER_SEQUENCE_NUMBER", SequenceNumber=number
            )
            assert (await calls.read("GetRecords", ShardIterator=at))["Records"] == [record]
            assert (await calls.read("GetRecords", ShardIterator=after))["Records"] == []


async def test_an_iterator_expires_after_fifteen_minutes() -> None:
    calls = await Streamed().start()
    iterator = await calls.iterator((await calls.shards())[0]["ShardId"])
    calls.clock.advance(901)
    with pytest.raises(AwsError) as caught:
        await calls.read("GetRecords", ShardIterator=iterator)
    assert caught.value.code == "ExpiredIteratorException"


async def test_a_disabled_stream_can_be_read_to_its_end() -> None:
    calls = await Streamed().start()
    await calls("PutItem", TableName="music", Item=item("x"))
    await calls("UpdateTable", TableName="music", StreamSpecification={"StreamEnabled": False})
    await calls("PutItem", TableName="music", Item=item("y"))
    described = await calls.read("DescribeStream", StreamArn=calls.arn)
    assert described["StreamDescription"]["StreamStatus"] == "DISABLED"
    for shard in described["StreamDescription"]["Shards"]:
        assert "EndingSequenceNumber" in shard["SequenceNumberRange"]
        iterator = await calls.iterator(shard["ShardId"])
        assert "NextShardIterator" not in await calls.read("GetRecords", ShardIterator=iterator)
    assert len(await calls.records()) == 1


async def test_a_stream_that_is_switched_on_again_at_once_is_another_stream() -> None:
    calls = await Streamed().start()
    arns = [calls.arn]
    for _ in range(2):
        await calls("UpdateTable", TableName="music", StreamSpecification={"StreamEnabled": False})
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        made = await calls("UpdateTable", TableName="music", StreamSpecification=stream)
        arns.append(made["TableDescription"]["LatestStreamArn"])
    listed = await calls.read("ListStreams", TableName="music")
    assert [one["StreamArn"] for one in listed["Streams"]] == arns
    assert len(set(arns)) == 3


async def test_records_are_trimmed_after_a_day() -> None:
    calls = await Streamed().start()
    await calls("PutItem", TableName="music", Item=item("x"))
    calls.clock.advance(24 * 3600 + 1)
    assert await calls.records() == []


async def test_a_hostile_iterator_is_refused() -> None:
    calls = await Streamed().start()
    for iterator in ("", "x", f"{calls.arn}|1|e30=", f"{calls.arn}|1|WzksOSw5XQ=="):
        with pytest.raises(AwsError, match="Invalid ShardIterator"):
            await calls.read("GetRecords", ShardIterator=iterator)


async def expire_all(calls: Calls) -> None:
    """Deliver the events that are due, as the outbox does."""
    waiting, calls.outbox.events = calls.outbox.events, []
    for event in waiting:
        if event.created_ms <= calls.clock.now_ms():
            await calls.catalog.consume(calls.ctx, event)
        else:
            calls.outbox.events.append(event)


async def test_an_item_is_deleted_when_its_time_has_come() -> None:
    calls = await Streamed().start()
    now_s = calls.clock.now_ms() // 1000
    await calls("PutItem", TableName="music", Item=item("old", ttl={"N": str(now_s + 50)}))
    spec = {"Enabled": True, "AttributeName": "ttl"}
    await calls("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=spec)
    await expire_all(calls)
    await calls("PutItem", TableName="music", Item=item("soon", ttl={"N": str(now_s + 10)}))
    await calls("PutItem", TableName="music", Item=item("never", ttl={"S": "10"}))
    await calls("PutItem", TableName="music", Item=item("moved", ttl={"N": str(now_s + 5)}))
    await calls("PutItem", TableName="music", Item=item("moved", ttl={"N": str(now_s + 500)}))

    async def left() -> set[str]:
        scanned = await calls("Scan", TableName="music")
        return {found["song"]["S"] for found in scanned["Items"]}

    calls.clock.advance(11)
    await expire_all(calls)
    assert await left() == {"old", "never", "moved"}
    calls.clock.advance(40)
    await expire_all(calls)
    assert await left() == {"never", "moved"}
    removed = [record for record in await calls.records() if record["eventName"] == "REMOVE"]
    assert [record["userIdentity"] for record in removed] == [
        {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    ] * 2


async def test_ttl_is_described_and_enabled_once() -> None:
    calls = await Streamed().start()
    spec = {"Enabled": True, "AttributeName": "ttl"}
    described = await calls("DescribeTimeToLive", TableName="music")
    assert described == {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    await calls("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=spec)
    described = await calls("DescribeTimeToLive", TableName="music")
    assert described["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "ttl",
    }
    with pytest.raises(AwsError, match="TimeToLive is already enabled"):
        await calls("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=spec)


async def test_ttl_changes_once_an_hour() -> None:
    calls = await Streamed().start()
    spec = {"Enabled": True, "AttributeName": "ttl"}
    off = {**spec, "Enabled": False}
    await calls("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=spec)
    calls.clock.advance(3599)
    with pytest.raises(AwsError, match="modified multiple times within a fixed interval"):
        await calls("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=off)
    calls.clock.advance(1)
    await calls("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=off)
    described = await calls("DescribeTimeToLive", TableName="music")
    assert described == {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}


async def busy_shard(calls: Streamed) -> str:
    """The shard that has the records of the items `x...`."""
    for shard in await calls.shards():
        iterator = await calls.iterator(shard["ShardId"])
        if (await calls.read("GetRecords", ShardIterator=iterator))["Records"]:
            found: str = shard["ShardId"]
            return found
    raise AssertionError("no shard has records")


async def test_reading_from_the_trim_horizon_passes_over_what_is_old() -> None:
    calls = await Streamed().start()
    for number in range(3):
        await calls("PutItem", TableName="music", Item=item("x", n={"N": str(number)}))
    shard = await busy_shard(calls)
    calls.clock.advance(25 * 3600)
    await calls("PutItem", TableName="music", Item=item("x", n={"N": "9"}))
    page = await calls.read("GetRecords", ShardIterator=await calls.iterator(shard), Limit=1)
    assert [one["dynamodb"]["NewImage"]["n"] for one in page["Records"]] == [{"N": "9"}]
    page = await calls.read("GetRecords", ShardIterator=page["NextShardIterator"])
    assert page["Records"] == []


@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"])
async def test_a_number_of_more_than_a_day_ago_is_trimmed(kind: str) -> None:
    calls = await Streamed().start()
    for number in range(2):
        await calls("PutItem", TableName="music", Item=item("x", n={"N": str(number)}))
    shard = await busy_shard(calls)
    old = (await calls.records())[-1]["dynamodb"]["SequenceNumber"]
    calls.clock.advance(25 * 3600)
    await calls("PutItem", TableName="music", Item=item("x", n={"N": "9"}))
    with pytest.raises(AwsError) as caught:
        await calls.iterator(shard, kind, SequenceNumber=old)
    assert (caught.value.code, caught.value.message) == (
        "TrimmedDataAccessException",
        "The data you are trying to access has been trimmed",
    )
    young = (await calls.records())[-1]["dynamodb"]["SequenceNumber"]
    await calls.iterator(shard, kind, SequenceNumber=young)


async def test_the_number_with_which_a_shard_begins_is_never_trimmed() -> None:
    calls = await Streamed().start()
    calls.clock.advance(25 * 3600)
    for shard in await calls.shards():
        first = shard["SequenceNumberRange"]["StartingSequenceNumber"]
        await calls.iterator(shard["ShardId"], "AT_SEQUENCE_NUMBER", SequenceNumber=first)


async def test_a_number_that_no_record_can_have_is_refused() -> None:
    calls = await Streamed().start()
    (shard, *_) = await calls.shards()
    with pytest.raises(AwsError) as caught:
        await calls.iterator(shard["ShardId"], "AT_SEQUENCE_NUMBER", SequenceNumber="9" * 30)
    assert caught.value.code == "ValidationException"


async def test_a_shard_that_is_not_there_is_not_found() -> None:
    calls = await Streamed().start()
    with pytest.raises(AwsError) as caught:
        await calls.iterator("shardId-00000000000000000000-00000000")
    assert (caught.value.code, caught.value.message) == (
        "ResourceNotFoundException",
        "Requested resource not found: Shard does not exist",
    )
