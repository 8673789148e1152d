"""Exports to S3 and imports from it: AWS's layout, counts and failures."""

import gzip
from base64 import b64encode
from hashlib import md5
from typing import Any

import orjson
import pytest

from fogbank.services.body import Body
from fogbank.services.dynamodb import copying, import_files
from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_backups import due, item, music, songs
from tests.services.dynamodb.test_recovery import recover

MUSIC_ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/music"
KEYED: dict[str, Any] = {
    "TableName": "imported",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
    "BillingMode": "PAY_PER_REQUEST",
}


async def bucket(calls: Calls) -> None:
    await calls.ctx.call("s3", "CreateBucket", {"Bucket": "exports"})


async def put(calls: Calls, key: str, data: bytes) -> None:
    request = {"Bucket": "exports", "Key": key, "Body": Body.of(data), "ContentLength": len(data)}
    await calls.ctx.call("s3", "PutObject", request)


async def got(calls: Calls, key: str) -> bytes:
    body = (await calls.ctx.call("s3", "GetObject", {"Bucket": "exports", "Key": key}))["Body"]
    return body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])


async def keys(calls: Calls, prefix: str = "") -> list[str]:
    listed = await calls.ctx.call("s3", "ListObjectsV2", {"Bucket": "exports", "Prefix": prefix})
    return [found["Key"] for found in listed.get("Contents") or ()]


async def export(calls: Calls, **more: Any) -> str:
    request = {"TableArn": MUSIC_ARN, "S3Bucket": "exports", **more}
    made = (await calls("ExportTableToPointInTime", **request))["ExportDescription"]
    assert made["ExportStatus"] == "IN_PROGRESS"
    arn: str = made["ExportArn"]
    return arn


async def finished(calls: Calls, arn: str) -> dict[str, Any]:
    for _ in range(3):
        await due(calls)
    found: dict[str, Any] = (await calls("DescribeExport", ExportArn=arn))["ExportDescription"]
    return found


async def lines(calls: Calls, manifest: str) -> list[dict[str, Any]]:
    """Every line that the manifest leads to; its checksums are right."""
    summary = orjson.loads(await got(calls, manifest))
    result = []
    for file in (await got(calls, summary["manifestFilesS3Key"])).splitlines():
        entry = orjson.loads(file)
        data = await got(calls, entry["dataFileS3Key"])
        assert entry["md5Checksum"] == b64encode(md5(data).digest()).decode()
        some = [orjson.loads(line) for line in gzip.decompress(data).splitlines()]
        assert entry["itemCount"] == len(some)
        result += some
    assert summary["itemCount"] == len(result)
    return result


async def test_a_full_export_has_awss_layout_and_every_item_once() -> None:
    calls = Calls()
    await bucket(calls)
    await music(calls, 20)
    await recover(calls)
    arn = await export(calls, S3Prefix="some/place")
    await calls("DeleteItem", TableName="music", Key=item("3"))
    described = await finished(calls, arn)
    folder = f"some/place/AWSDynamoDB/{arn.rsplit('/', 1)[1]}"
    assert described["ExportStatus"] == "COMPLETED"
    assert described["ExportManifest"] == f"{folder}/manifest-summary.json"
    assert (described["ItemCount"], described["S3SseAlgorithm"]) == (20, "AES256")
    assert "ExportType" not in described
    present = await keys(calls)
    assert [key.removeprefix(folder) for key in present if "/data/" not in key] == [
        "/_started",
        "/manifest-files.json",
        "/manifest-files.md5",
        "/manifest-summary.json",
        "/manifest-summary.md5",
    ]
    assert len([key for key in present if key.startswith(f"{folder}/data/")]) == 4
    for name in ("manifest-files", "manifest-summary"):
        content = await got(calls, f"{folder}/{name}.json")
        digest = b64encode(md5(content).digest())
        assert await got(calls, f"{folder}/{name}.md5") == digest
    found = await lines(calls, described["ExportManifest"])
    assert sorted(line["Item"]["song"]["S"] for line in found) == sorted(map(str, range(20)))
    summary = orjson.loads(await got(calls, described["ExportManifest"]))
    assert summary["exportArn"] == arn
    assert summary["startTime"] == "2023-11-14T22:13:20.000Z"
    assert summary["outputFormat"] == "DYNAMODB_JSON"


async def test_an_export_of_a_past_moment_made_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "SLICE_ITEMS", 2)
    calls = Calls()
    await bucket(calls)
    await music(calls, 20)
    await recover(calls)
    at_s = calls.clock.now_ms() // 1000
    calls.clock.advance(5)
    for number in range(20):
        await calls("PutItem", TableName="music", Item=item(str(number), n={"N": "2"}))
    described = await finished(calls, await export(calls, ExportTime=at_s))
    found = await lines(calls, described["ExportManifest"])
    assert [line["Item"]["n"]["N"] for line in found] == ["1"] * 20


@pytest.mark.parametrize("slice_items", [1, 100])
async def test_an_incremental_export_has_each_item_before_and_after_the_period(
    monkeypatch: pytest.MonkeyPatch, slice_items: int
) -> None:
    monkeypatch.setattr(copying, "SLICE_ITEMS", slice_items)
    calls = Calls()
    await bucket(calls)
    await music(calls, 4)
    await recover(calls)

    async def write(song: str, version: str) -> None:
        await calls("PutItem", TableName="music", Item=item(song, n={"N": version}))

    await write("0", "2")
    calls.clock.advance(60)
    from_ms = calls.clock.now_ms()
    await write("1", "5")
    await write("1", "6")
    await write("new", "7")
    await write("passing", "8")
    await calls("DeleteItem", TableName="music", Key=item("passing"))
    await calls("DeleteItem", TableName="music", Key=item("2"))
    calls.clock.advance(900)
    to_s = calls.clock.now_ms() // 1000
    # What changes at the end of the period, or later, is not of it.
    await write("1", "9")
    await write("3", "9")
    await calls("DeleteItem", TableName="music", Key=item("new"))
    spec = {"ExportFromTime": from_ms / 1000, "ExportToTime": to_s}
    arn = await export(calls, ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=spec)
    described = await finished(calls, arn)
    assert described["ExportType"] == "INCREMENTAL_EXPORT"
    assert described["IncrementalExportSpecification"]["ExportViewType"] == "NEW_AND_OLD_IMAGES"
    found = {
        line["Keys"]["song"]["S"]: line for line in await lines(calls, described["ExportManifest"])
    }
    assert set(found) == {"1", "2", "new"}
    assert found["1"] == {
        "Metadata": {"WriteTimestampMicros": {"N": str(from_ms * 1000)}},
        "Keys": item("1"),
        "OldImage": item("1", n={"N": "1"}),
        "NewImage": item("1", n={"N": "6"}),
    }
    assert "NewImage" not in found["2"]
    assert "OldImage" not in found["new"]
    assert all(key.startswith("AWSDynamoDB/data/") for key in await keys(calls) if "gz" in key)


async def test_an_export_to_a_bucket_that_is_not_there_fails_later() -> None:
    calls = Calls()
    await music(calls)
    await recover(calls)
    described = await finished(calls, await export(calls))
    assert described["ExportStatus"] == "FAILED"
    assert described["FailureCode"] == "S3NoSuchBucket"
    assert described["FailureMessage"].startswith(
        "The specified bucket does not exist (Service: Amazon S3; Status Code: 404"
    )


async def test_a_client_token_names_one_export() -> None:
    calls = Calls()
    await bucket(calls)
    await music(calls)
    await recover(calls)
    arn = await export(calls, ClientToken="t")
    assert await export(calls, ClientToken="t") == arn
    with pytest.raises(AwsError) as caught:
        await export(calls, ClientToken="t", S3Prefix="other")
    assert caught.value.code == "ExportConflictException"
    assert await export(calls) != arn


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        ({"TableArn": "music"}, "ValidationException", "tableArn is not a valid ARN"),
        ({"TableArn": f"{MUSIC_ARN}/index/x"}, "ValidationException", "Table ARN is invalid."),
        ({"TableArn": f"{MUSIC_ARN}s"}, "TableNotFoundException", f"Table not found: {MUSIC_ARN}s"),
        ({"ExportTime": 1}, "InvalidExportTimeException", "Export Time is invalid"),
        ({"ExportType": "INCREMENTAL_EXPORT"}, "ValidationException", "Specification expected"),
        (
            {"IncrementalExportSpecification": {}},
            "ValidationException",
            "Export Type expected to be Incremental Export",
        ),
        (
            {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": {}},
            "ValidationException",
            "ExportFromTime must be provided",
        ),
        (
            {
                "ExportType": "INCREMENTAL_EXPORT",
                "IncrementalExportSpecification": {"ExportFromTime": 1},
            },
            "InvalidExportTimeException",
            "cannot be less than the table creation time : 1970-01-01T00:00:01Z",
        ),
        (
            {
                "ExportType": "INCREMENTAL_EXPORT",
                "IncrementalExportSpecification": {"ExportFromTime": 1_700_000_000},
            },
            "InvalidExportTimeException",
            "is less than 15 minutes",
        ),
        ({"S3SseKmsKeyId": "k"}, "ValidationException", "KMS Key Id is not supported"),
    ],
)
async def test_exports_that_cannot_be_are_refused(
    request_: dict[str, Any], code: str, text: str
) -> None:
    calls = Calls()
    await music(calls)
    await recover(calls)
    with pytest.raises(AwsError) as caught:
        await export(calls, **request_)
    assert caught.value.code == code
    assert text in str(caught.value.message)


async def test_an_export_needs_recovery() -> None:
    calls = Calls()
    await music(calls)
    with pytest.raises(AwsError, match="Point in time recovery is not enabled for table 'music'"):
        await export(calls)


async def test_exports_are_listed_in_pages_and_described_by_arn() -> None:
    calls = Calls()
    await bucket(calls)
    await music(calls)
    await recover(calls)
    arns = []
    for _ in range(3):
        arns.append(await export(calls))
        calls.clock.advance(1)
    page = await calls("ListExports", TableArn=MUSIC_ARN, MaxResults=2)
    assert [one["ExportArn"] for one in page["ExportSummaries"]] == arns[:2]
    rest = await calls("ListExports", NextToken=page["NextToken"])
    assert [one["ExportArn"] for one in rest["ExportSummaries"]] == arns[2:]
    with pytest.raises(AwsError, match="Provided nextToken is invalid"):
        await calls("ListImports", NextToken=page["NextToken"])
    for arn, text in (
        (MUSIC_ARN, "Invalid Export ARN"),
        (f"{MUSIC_ARN}/export/0", f"Export not found: Export not found: {MUSIC_ARN}/export/0"),
        (arns[0].replace("us-east-1", "eu-west-1"), "Export not found: Invalid export arn"),
    ):
        with pytest.raises(AwsError, match=text):
            await calls("DescribeExport", ExportArn=arn)


async def imported(calls: Calls, **more: Any) -> dict[str, Any]:
    request = {
        "S3BucketSource": {"S3Bucket": "exports", "S3KeyPrefix": "in"},
        "InputFormat": "DYNAMODB_JSON",
        "TableCreationParameters": KEYED,
        **more,
    }
    made = (await calls("ImportTable", **request))["ImportTableDescription"]
    assert made["ImportStatus"] == "IN_PROGRESS"
    await due(calls)
    answer = await calls("DescribeImport", ImportArn=made["ImportArn"])
    described: dict[str, Any] = answer["ImportTableDescription"]
    return described


def counts(described: dict[str, Any]) -> tuple[str, int, int, int]:
    return (
        described["ImportStatus"],
        described["ProcessedItemCount"],
        described["ImportedItemCount"],
        described["ErrorCount"],
    )


def line(number: int) -> bytes:
    return b'{"Item":{"id":{"N":"%d"},"n":{"N":"1"}}}\n' % number


async def items(calls: Calls) -> dict[str, dict[str, Any]]:
    scanned = await calls("Scan", TableName="imported")
    return {found["id"]["N"]: found for found in scanned["Items"]}


async def test_an_export_is_imported_again() -> None:
    calls = Calls()
    await bucket(calls)
    await music(calls, 10)
    await recover(calls)
    described = await finished(calls, await export(calls))
    before = await songs(calls, "music")
    data = described["ExportManifest"].replace("manifest-summary.json", "data/")
    table = (await calls("DescribeTable", TableName="music"))["Table"]
    made = await imported(
        calls,
        S3BucketSource={"S3Bucket": "exports", "S3KeyPrefix": data},
        InputCompressionType="GZIP",
        TableCreationParameters={
            "TableName": "again",
            "KeySchema": table["KeySchema"],
            "AttributeDefinitions": [
                one
                for one in table["AttributeDefinitions"]
                if one["AttributeName"] in ("artist", "song")
            ],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    assert counts(made) == ("COMPLETED", 10, 10, 0)
    assert await songs(calls, "again") == before


async def test_a_line_without_its_key_is_an_error_and_the_others_are_imported() -> None:
    calls = Calls()
    await bucket(calls)
    bad = b'{"Item":{"n":{"N":"1"}}}\n'
    await put(calls, "in/1", line(1) + bad + b"\n" + line(2))
    made = await imported(calls)
    assert counts(made) == ("FAILED", 3, 2, 1)
    assert made["FailureCode"] == "ItemValidationError"
    assert set(await items(calls)) == {"1", "2"}


async def test_what_is_behind_a_line_that_is_no_json_is_left_out() -> None:
    calls = Calls()
    await bucket(calls)
    await put(calls, "in/1", b"".join(line(n) for n in range(5)) + b"garbage\n" + line(9))
    await put(calls, "in/2", line(20))
    made = await imported(calls)
    assert counts(made) == ("FAILED", 7, 6, 1)
    assert set(await items(calls)) == {"0", "1", "2", "3", "4", "20"}


async def test_a_missing_bucket_leaves_no_table() -> None:
    calls = Calls()
    made = await imported(calls)
    assert (made["ImportStatus"], made["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    with pytest.raises(AwsError, match="not found"):
        await calls("DescribeTable", TableName="imported")


async def test_an_empty_prefix_makes_an_empty_table() -> None:
    calls = Calls()
    await bucket(calls)
    assert counts(await imported(calls)) == ("COMPLETED", 0, 0, 0)
    assert (await calls("DescribeTable", TableName="imported"))["Table"]["TableStatus"] == "ACTIVE"


async def test_csv_fields_are_strings_but_for_keys() -> None:
    calls = Calls()
    await bucket(calls)
    content = b'id,name,note\r\n1,a,"x, ""y"""\r\n2,b,"two\nlines"\r\n3,c\r\n'
    await put(calls, "in/1", content)
    made = await imported(calls, InputFormat="CSV")
    assert counts(made) == ("FAILED", 3, 2, 1)
    found = await items(calls)
    assert found["1"] == {"id": {"N": "1"}, "name": {"S": "a"}, "note": {"S": 'x, "y"'}}
    assert found["2"]["note"] == {"S": "two\nlines"}


async def test_csv_takes_its_delimiter_and_header_from_the_options() -> None:
    calls = Calls()
    await bucket(calls)
    await put(calls, "in/1", gzip.compress(b"1;a\n") + gzip.compress(b"2;b"))
    options = {"Csv": {"Delimiter": ";", "HeaderList": ["id", "name"]}}
    made = await imported(
        calls, InputFormat="CSV", InputFormatOptions=options, InputCompressionType="GZIP"
    )
    assert counts(made) == ("COMPLETED", 2, 2, 0)
    assert (await items(calls))["2"]["name"] == {"S": "b"}


async def test_objects_that_are_not_compressed_as_said_are_errors() -> None:
    calls = Calls()
    await bucket(calls)
    await put(calls, "in/1", b"plain")
    await put(calls, "in/2", gzip.compress(line(1)))
    await put(calls, "in/3", b"")
    await put(calls, "in/4", gzip.compress(line(2))[:-4])
    made = await imported(calls, InputCompressionType="GZIP")
    assert counts(made)[0] == "FAILED"
    assert made["ErrorCount"] == 2
    assert "1" in await items(calls)


async def test_an_import_goes_on_where_it_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_files, "BATCH_ITEMS", 2)
    calls = Calls()
    await bucket(calls)
    rows = [b"%d,x" % number for number in range(10)]
    await put(calls, "in/1", b"id,name\n" + b"\n".join(rows))
    await put(calls, "in/2", b"id,name\n77,y")
    writes = 0
    whole = import_files._Batch.write

    async def dies(batch: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == 4:
            raise ConnectionError("killed")
        await whole(batch)

    monkeypatch.setattr(import_files._Batch, "write", dies)
    request = {
        "S3BucketSource": {"S3Bucket": "exports", "S3KeyPrefix": "in"},
        "InputFormat": "CSV",
        "TableCreationParameters": KEYED,
    }
    made = (await calls("ImportTable", **request))["ImportTableDescription"]
    (event,) = calls.outbox.events
    with pytest.raises(ConnectionError):
        await calls.catalog.consume(calls.ctx, event)
    await calls.catalog.consume(calls.ctx, event)
    answer = await calls("DescribeImport", ImportArn=made["ImportArn"])
    assert counts(answer["ImportTableDescription"]) == ("COMPLETED", 11, 11, 0)
    assert set(await items(calls)) == {*map(str, range(10)), "77"}


async def test_an_imports_token_conflicts_only_with_another_table() -> None:
    calls = Calls()
    await bucket(calls)
    first = await imported(calls, ClientToken="t")
    with pytest.raises(AwsError, match="Table already exists: imported"):
        await imported(calls, ClientToken="t")
    with pytest.raises(AwsError) as caught:
        await imported(
            calls, ClientToken="t", TableCreationParameters={**KEYED, "TableName": "other"}
        )
    assert caught.value.code == "ImportConflictException"
    listed = await calls("ListImports", TableArn=first["TableArn"])
    assert [one["ImportArn"] for one in listed["ImportSummaryList"]] == [first["ImportArn"]]


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"InputCompressionType": "ZSTD"}, "ZSTD is not built"),
        (
            {"InputFormatOptions": {"Csv": {}}},
            "Unsupported InputFormatOptions for the given input format: DYNAMODB_JSON.",
        ),
    ],
)
async def test_imports_that_cannot_be_are_refused(request_: dict[str, Any], text: str) -> None:
    calls = Calls()
    with pytest.raises(AwsError, match=text):
        await imported(calls, **request_)
