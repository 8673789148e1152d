"""Everything that can be read of the tables, their indexes and streams, held against each other."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.properties.dynamodb_model import (
    KEYS,
    Change,
    Index,
    Item,
    Place,
    Schema,
    Value,
    place_of,
)
from tests.properties.dynamodb_stack import Client, Json
from tests.properties.dynamodb_wire import Wire

Records = dict[str, list[Json]]
SEGMENTS = 3


@dataclass
class Observed:
    """What one table was found to be. `streams` has all records of each stream by its shards.

    `closed` are the streams that were switched off.
    """

    items: dict[Place, Item]
    schema: Schema
    streams: dict[str, Records]
    closed: set[str]


@dataclass(frozen=True)
class Observer:
    """Reads by pages of `limit` items. `known` are the indexes that a table may have, by name."""

    client: Client
    wire: Wire
    known: Mapping[str, Index]
    limit: int

    async def table(self, name: str) -> Observed:
        """The table as it is at rest; fails where two ways to read it disagree."""
        described = (await self.client.ok("DescribeTable", TableName=name))["Table"]
        indexes = [
            self.known[one["IndexName"]]
            for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
            for one in described.get(member, ())
        ]
        scanned = await self._all("Scan", name, ConsistentRead=True)
        items = {place_of(name, item): item for item in scanned}
        assert len(items) == len(scanned), f"a Scan has an item twice: {scanned}"
        assert described["ItemCount"] == len(items)
        await self._segments(name, scanned)
        await self._collections(name, None, items.values())
        counts = {one["IndexName"]: one["ItemCount"] for one in _indexes_of(described)}
        for index in indexes:
            shown = [entry for item in items.values() if (entry := index.entry(item)) is not None]
            found = await self._all("Scan", name, IndexName=index.name)
            assert _bag(found) == _bag(shown), f"{index.name}: {found}, but the items: {shown}"
            assert counts[index.name] == len(shown)
            await self._collections(name, index, shown)
        streams = described.get("StreamSpecification", {}).get("StreamEnabled", False)
        listed = (await self.client.ok("ListStreams", TableName=name))["Streams"]
        told = {one["StreamArn"]: await self._stream(one["StreamArn"]) for one in listed}
        closed = {arn for arn, (_, is_closed) in told.items() if is_closed}
        assert len(told) - len(closed) == streams, f"of {sorted(told)} closed are {closed}"
        records = {arn: shards for arn, (shards, _) in told.items()}
        return Observed(items, Schema(frozenset(indexes), streams), records, closed)

    async def _segments(self, name: str, scanned: list[Item]) -> None:
        found: list[Item] = []
        for segment in range(SEGMENTS):
            found += await self._all("Scan", name, Segment=segment, TotalSegments=SEGMENTS)
        assert found == scanned, "segments do not divide what a Scan reads"

    async def _collections(self, name: str, index: Index | None, shown: Iterable[Item]) -> None:
        """Each partition, queried in both directions, is in the order of its sort key."""
        hash_name, *rest = KEYS[name] if index is None else index.keys
        partitions: dict[Value, list[Item]] = {}
        for item in shown:
            partitions.setdefault(item[hash_name], []).append(item)
        for value, members in partitions.items():
            request: Json = {
                "KeyConditionExpression": "#h = :h",
                "ExpressionAttributeNames": {"#h": hash_name},
                "ExpressionAttributeValues": {":h": self.wire.value(hash_name, value)},
                **({} if index is None else {"IndexName": index.name}),
                "ConsistentRead": index is None or not index.is_global,
            }
            forward = await self._all("Query", name, **request)
            assert _bag(forward) == _bag(members), f"Query of {value!r}: {forward}, not {members}"
            order = [[item[one] for one in rest] for item in forward]
            assert order == sorted(order), f"out of order: {order}"
            backward = await self._all("Query", name, **request, ScanIndexForward=False)
            assert backward == forward[::-1]

    async def _all(self, operation: str, table: str, **request: Any) -> list[Item]:
        """Every item, page by page, each page counted and charged as it is."""
        items: list[Item] = []
        request |= {"Limit": self.limit, "ReturnConsumedCapacity": "TOTAL"}
        while True:
            page = await self.client.ok(operation, TableName=table, **request)
            assert page["Count"] == page["ScannedCount"] == len(page["Items"]) <= self.limit
            # All items together are smaller than a unit of 4 KB.
            units = 1.0 if request.get("ConsistentRead") else 0.5
            assert page["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": units}
            items += [item for one in page["Items"] if (item := self.wire.seen(one)) is not None]
            if "LastEvaluatedKey" not in page:
                return items
            assert len(page["Items"]) == self.limit
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    # Streams

    async def _stream(self, arn: str) -> tuple[Records, bool]:
        """All that it tells by shard, and whether it is closed."""
        described = (await self.client.ok("DescribeStream", StreamArn=arn))["StreamDescription"]
        is_closed = described["StreamStatus"] == "DISABLED"
        shards: Records = {}
        for shard in described["Shards"]:
            bounds = shard["SequenceNumberRange"]
            records = await self._shard(arn, shard["ShardId"], is_closed=is_closed)
            assert ("EndingSequenceNumber" in bounds) == is_closed
            for record in records:
                number = int(record["dynamodb"]["SequenceNumber"])
                assert int(bounds["StartingSequenceNumber"]) <= number
                assert number <= int(bounds.get("EndingSequenceNumber", number))
            shards[shard["ShardId"]] = records
        check_records([record for records in shards.values() for record in records])
        return shards, is_closed

    async def _shard(self, arn: str, shard: str, *, is_closed: bool) -> list[Json]:
        given = await self.client.ok(
            "GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )
        iterator: str | None = given["ShardIterator"]
        records: list[Json] = []
        while iterator is not None:
            page = await self.client.ok("GetRecords", ShardIterator=iterator)
            records += page["Records"]
            iterator = page.get("NextShardIterator")
            if not page["Records"]:
                # Only a shard that is closed comes to an end.
                assert (iterator is None) == is_closed
                break
        numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
        assert numbers == sorted(set(numbers)), f"out of sequence: {numbers}"
        return records

    def changes(self, table: str, records: Iterable[Json]) -> dict[Place, list[Change]]:
        """The records by item, in the order in which they came."""
        changes: dict[Place, list[Change]] = {}
        for record in records:
            one = record["dynamodb"]
            old, new = self.wire.seen(one.get("OldImage")), self.wire.seen(one.get("NewImage"))
            keys = self.wire.seen(one["Keys"])
            assert keys is not None
            for image in (old, new):
                assert image is None or {name: image[name] for name in KEYS[table]} == keys
            change = Change(old, new, "userIdentity" in record)
            changes.setdefault(place_of(table, keys), []).append(change)
        return changes


def check_records(records: list[Json]) -> None:
    """Each record is whole, and begins where the one before it of the same item ended."""
    ids = Counter(record["eventID"] for record in records)
    assert max(ids.values(), default=1) == 1, "two records have one eventID"
    images: dict[str, Json | None] = {}
    for record in records:
        one = record["dynamodb"]
        old, new = one.get("OldImage"), one.get("NewImage")
        assert old != new, f"a record of no change: {record}"
        name = {(False, True): "INSERT", (True, True): "MODIFY", (True, False): "REMOVE"}
        assert record["eventName"] == name[old is not None, new is not None]
        assert one["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        key = repr(sorted(one["Keys"].items()))
        assert images.get(key, old) == old, f"not what the record before it left: {record}"
        images[key] = new
        if "userIdentity" in record:
            assert new is None
            assert record["userIdentity"] == {
                "Type": "Service",
                "PrincipalId": "dynamodb.amazonaws.com",
            }


def _indexes_of(described: Json) -> Iterator[Json]:
    yield from described.get("LocalSecondaryIndexes", ())
    yield from described.get("GlobalSecondaryIndexes", ())


def _bag(items: Iterable[Item]) -> Counter[frozenset[tuple[str, Value]]]:
    return Counter(frozenset(item.items()) for item in items)
