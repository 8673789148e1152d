"""Amazon Ion where it takes a clock, and where its library is missing."""

import gzip
import sys
from decimal import Decimal
from typing import Any

import pytest
from amazon.ion import simpleion

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_backups import item, music
from tests.services.dynamodb.test_exports import MUSIC_ARN, bucket, export, finished, got, keys
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


BOOKS: dict[str, Any] = {
    "TableName": "books",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
REQUESTS: dict[str, dict[str, Any]] = {
    "ExportTableToPointInTime": {
        "TableArn": MUSIC_ARN,
        "S3Bucket": "exports",
        "ExportFormat": "ION",
    },
    "ImportTable": {
        "S3BucketSource": {"S3Bucket": "exports"},
        "InputFormat": "ION",
        "TableCreationParameters": BOOKS,
    },
    "StartBulkPutItems": {
        "TableName": "music",
        "InputS3Configuration": {"S3Bucket": "exports", "InputFormat": "ION"},
        "OutputS3Configuration": {"S3Bucket": "exports", "OutputType": ["ERROR"]},
    },
}


@pytest.mark.parametrize("operation", REQUESTS)
async def test_without_its_library_ion_is_refused_and_the_extra_is_named(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls()
    await music(calls, 2)
    await recover(calls)
    # What importing it then raises is what raises without the package.
    monkeypatch.setitem(sys.modules, "amazon.ion.simpleion", None)
    with pytest.raises(AwsError) as caught:
        await calls(operation, **REQUESTS[operation])
    assert caught.value.code == "ValidationException"
    assert "pip install 'fogbank[ion]'" in str(caught.value.message)
    assert (await calls("ListTables"))["TableNames"] == ["music"]


@pytest.mark.parametrize("operation", REQUESTS)
async def test_with_its_library_ion_is_taken(operation: str) -> None:
    calls = Calls()
    await music(calls, 2)
    await recover(calls)
    assert await calls(operation, **REQUESTS[operation])


async def test_other_formats_need_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    await music(calls, 2)
    await recover(calls)
    monkeypatch.setitem(sys.modules, "amazon.ion.simpleion", None)
    assert await export(calls, ExportFormat="DYNAMODB_JSON")
