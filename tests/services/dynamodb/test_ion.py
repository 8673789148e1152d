"""Amazon Ion where it takes a clock: exports of what changed between two moments."""

import gzip
from decimal import Decimal
from typing import Any

from amazon.ion import simpleion

from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_backups import item, music
from tests.services.dynamodb.test_exports import bucket, export, finished, got, keys
from tests.services.dynamodb.test_recovery import recover


async def records(calls: Calls, view: str) -> dict[str, Any]:
    """The records of an export of two changes, by the song's number; and when they were made."""
    await bucket(calls)
    await music(calls, 2)
    await recover(calls)
    calls.clock.advance(60)
    from_ms = calls.clock.now_ms()
    await calls("PutItem", TableName="music", Item=item("1", n={"N": "600"}))
    await calls("DeleteItem", TableName="music", Key=item("0"))
    calls.clock.advance(900)
    arn = await export(
        calls,
        ExportFormat="ION",
        ExportType="INCREMENTAL_EXPORT",
        IncrementalExportSpecification={
            "ExportFromTime": from_ms / 1000,
            "ExportToTime": calls.clock.now_ms() // 1000,
            "ExportViewType": view,
        },
    )
    assert (await finished(calls, arn))["ExportStatus"] == "COMPLETED"
    found = {"FromMs": from_ms}
    for key in await keys(calls, "AWSDynamoDB/data/"):
        for line in gzip.decompress(await got(calls, key)).splitlines():
            record = simpleion.loads(line.decode())["Record"]
            found[record["Keys"]["song"]] = record
    return found


async def test_an_incremental_export_has_keys_images_and_the_time_of_the_write() -> None:
    found = await records(Calls(), "NEW_AND_OLD_IMAGES")
    record = found["1"]
    assert record["NewImage"]["n"] == Decimal(600)
    assert record["OldImage"]["n"] == Decimal(1)
    assert record["Metadata"]["WriteTimestampMicros"] == Decimal(found["FromMs"] * 1000)
    assert "NewImage" not in found["0"]


async def test_old_images_are_left_out_when_new_ones_are_wanted() -> None:
    found = await records(Calls(), "NEW_IMAGE")
    assert set(found["1"]) == {"Metadata", "Keys", "NewImage"}
    assert set(found["0"]) == {"Metadata", "Keys"}
