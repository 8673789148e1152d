"""Amazon Ion through boto3: what exports write, and what imports make of it."""

import gzip
import json
import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from amazon.ion import simpleion

from tests.aws.dynamodb.test_backups import KEYED
from tests.aws.dynamodb.test_exports import PITR, exported, imported

Client = Callable[..., Any]
EVERY_TYPE: dict[str, Any] = {
    "id": {"S": "1"},
    "text": {"S": 'é\n"$'},
    "number": {"N": "12345678901234567890.5"},
    "binary": {"B": b"hi"},
    "bool": {"BOOL": False},
    "null": {"NULL": True},
    "list": {"L": [{"S": ""}, {"M": {"x y": {"N": "-1.5"}}}]},
    "strings": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2.5"]},
    "binaries": {"BS": [b"a", b"b"]},
}


@pytest.fixture
def bucket(client: Client, account: str) -> str:
    name = f"ion-{account}"
    client("s3").create_bucket(Bucket=name)
    return name


def export_lines(client: Client, bucket: str, **options: Any) -> list[bytes]:
    """The lines of a finished export of the table `books`."""
    dynamodb, s3 = client("dynamodb"), client("s3")
    arn = dynamodb.describe_table(TableName="books")["Table"]["TableArn"]
    made = dynamodb.export_table_to_point_in_time(
        TableArn=arn, S3Bucket=bucket, ExportFormat="ION", **options
    )
    description = exported(dynamodb, made["ExportDescription"]["ExportArn"])
    assert (description["ExportStatus"], description["ExportFormat"]) == ("COMPLETED", "ION")
    summary = json.loads(
        s3.get_object(Bucket=bucket, Key=description["ExportManifest"])["Body"].read()
    )
    assert summary["outputFormat"] == "ION"
    files = s3.get_object(Bucket=bucket, Key=summary["manifestFilesS3Key"])["Body"].read()
    lines: list[bytes] = []
    for entry in files.splitlines():
        key = json.loads(entry)["dataFileS3Key"]
        assert key.endswith(".ion.gz")
        lines += gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).splitlines()
    return lines


def import_ion(client: Client, bucket: str, content: bytes) -> dict[str, Any]:
    client("s3").put_object(Bucket=bucket, Key="in/1", Body=content)
    dynamodb = client("dynamodb")
    made = dynamodb.import_table(
        S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": "in/"},
        InputFormat="ION",
        TableCreationParameters={"TableName": "incoming", **KEYED},
    )
    return imported(dynamodb, made["ImportTableDescription"]["ImportArn"])


def recoverable(client: Client) -> Any:
    dynamodb = client("dynamodb")
    dynamodb.create_table(TableName="books", **KEYED)
    dynamodb.update_continuous_backups(TableName="books", PointInTimeRecoverySpecification=PITR)
    return dynamodb


def test_an_export_has_an_item_a_line_in_the_types_of_ion(client: Client, bucket: str) -> None:
    recoverable(client).put_item(TableName="books", Item=EVERY_TYPE)
    (line,) = export_lines(client, bucket)
    assert line.startswith(b"$ion_1_0 {Item:{")
    item = simpleion.loads(line.decode())["Item"]
    assert item["text"] == 'é\n"$'
    assert item["number"] == Decimal("12345678901234567890.5")
    assert item["binary"] == b"hi"
    assert not item["bool"]
    assert item["list"] == ["", {"x y": Decimal("-1.5")}]
    assert [item[name].ion_annotations[0].text for name in ("strings", "numbers", "binaries")] == [
        *("$dynamodb_SS", "$dynamodb_NS", "$dynamodb_BS")
    ]


def test_an_exported_item_comes_back_as_it_was(client: Client, bucket: str) -> None:
    dynamodb = recoverable(client)
    dynamodb.put_item(TableName="books", Item=EVERY_TYPE)
    outcome = import_ion(client, bucket, b"\n".join(export_lines(client, bucket)))
    assert (outcome["ImportStatus"], outcome["InputFormat"]) == ("COMPLETED", "ION")
    there, back = (
        dynamodb.get_item(TableName=table, Key={"id": {"S": "1"}})["Item"]
        for table in ("books", "incoming")
    )
    assert back == there


def test_an_import_takes_binary_ion(client: Client, bucket: str) -> None:
    content = simpleion.dumps(
        [{"Item": {"id": str(n), "n": Decimal(n)}} for n in range(250)],
        binary=True,
        sequence_as_stream=True,
    )
    outcome = import_ion(client, bucket, content)
    assert (outcome["ImportStatus"], outcome["ImportedItemCount"]) == ("COMPLETED", 250)
    assert outcome["ProcessedSizeBytes"] == len(content)


def test_an_import_takes_a_list_of_items(client: Client, bucket: str) -> None:
    outcome = import_ion(client, bucket, b'$ion_1_0\n[{Item:{id:"a"}},\n {Item:{id:"b"}}]')
    assert (outcome["ImportStatus"], outcome["ImportedItemCount"]) == ("COMPLETED", 2)


def test_what_is_no_item_counts_as_an_error(client: Client, bucket: str) -> None:
    content = (
        b'{Item:{id:"a"}} {Item:{id:5.}} 7 {Item:{id:"b",at:2020T}} {Other:{}} {Item:{id:"c"}}'
    )
    outcome = import_ion(client, bucket, content)
    assert (outcome["ImportedItemCount"], outcome["ErrorCount"]) == (2, 4)


def test_items_before_broken_ion_are_imported(client: Client, bucket: str) -> None:
    outcome = import_ion(client, bucket, b'{Item:{id:"a"}} {Item:{id:"b"')
    assert (outcome["ImportedItemCount"], outcome["ErrorCount"]) == (1, 1)


def test_many_imports_at_once_do_not_wait_for_each_other(client: Client, bucket: str) -> None:
    content = b"".join(b'{Item:{id:"%d",text:"%s"}}\n' % (n, b"x" * 1000) for n in range(1500))
    client("s3").put_object(Bucket=bucket, Key="in/1", Body=content)
    dynamodb = client("dynamodb")
    # More than asyncio has threads for them.
    arns = [
        dynamodb.import_table(
            S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": "in/"},
            InputFormat="ION",
            TableCreationParameters={"TableName": f"incoming-{number}", **KEYED},
        )["ImportTableDescription"]["ImportArn"]
        for number in range((os.cpu_count() or 1) + 8)
    ]
    assert {imported(dynamodb, arn)["ImportedItemCount"] for arn in arns} == {1500}
