"""Exports and imports through boto3, and after a killed server."""

import gzip
import json
from collections.abc import Callable
from typing import Any

from tests.aws.dynamodb.test_backups import KEYED, count, fill, wait_for
from tests.stack import RunningStack, new_root

Client = Callable[..., Any]
PITR = {"PointInTimeRecoveryEnabled": True}


def exported(dynamodb: Any, arn: str) -> dict[str, Any]:
    def done() -> bool:
        description = dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
        return bool(description["ExportStatus"] != "IN_PROGRESS")

    wait_for(done, "the export ends")
    found: dict[str, Any] = dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
    return found


def imported(dynamodb: Any, arn: str) -> dict[str, Any]:
    def done() -> bool:
        description = dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]
        return bool(description["ImportStatus"] != "IN_PROGRESS")

    wait_for(done, "the import ends")
    found: dict[str, Any] = dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]
    return found


def begin_import(dynamodb: Any, bucket: str, prefix: str, table: str, compression: str) -> str:
    made = dynamodb.import_table(
        S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": prefix},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType=compression,
        TableCreationParameters={"TableName": table, **KEYED},
    )
    arn: str = made["ImportTableDescription"]["ImportArn"]
    return arn


def test_a_table_goes_to_a_bucket_and_comes_back(client: Client, account: str) -> None:
    dynamodb, s3 = client("dynamodb"), client("s3")
    bucket = f"exports-{account}"
    s3.create_bucket(Bucket=bucket)
    table = dynamodb.create_table(TableName="books", **KEYED)["TableDescription"]
    dynamodb.update_continuous_backups(TableName="books", PointInTimeRecoverySpecification=PITR)
    fill(dynamodb, "books", 30)
    made = dynamodb.export_table_to_point_in_time(TableArn=table["TableArn"], S3Bucket=bucket)
    description = exported(dynamodb, made["ExportDescription"]["ExportArn"])
    assert (description["ExportStatus"], description["ItemCount"]) == ("COMPLETED", 30)
    summary = json.loads(
        s3.get_object(Bucket=bucket, Key=description["ExportManifest"])["Body"].read()
    )
    files = s3.get_object(Bucket=bucket, Key=summary["manifestFilesS3Key"])["Body"].read()
    entries = [json.loads(line) for line in files.splitlines()]
    assert sum(entry["itemCount"] for entry in entries) == 30
    for entry in entries:
        found = s3.get_object(Bucket=bucket, Key=entry["dataFileS3Key"])
        assert found["ETag"] == f'"{entry["etag"]}"'
        assert gzip.decompress(found["Body"].read()).count(b"\n") == entry["itemCount"]
    data = description["ExportManifest"].replace("manifest-summary.json", "data/")
    outcome = imported(dynamodb, begin_import(dynamodb, bucket, data, "again", "GZIP"))
    assert (outcome["ImportStatus"], outcome["ImportedItemCount"]) == ("COMPLETED", 30)
    assert count(dynamodb, "again") == 30


def test_exports_and_imports_survive_a_killed_server() -> None:
    running = RunningStack(new_root()).start()
    try:
        dynamodb, s3 = running.client("dynamodb"), running.client("s3")
        s3.create_bucket(Bucket="exports")
        table = dynamodb.create_table(TableName="books", **KEYED)["TableDescription"]
        dynamodb.update_continuous_backups(TableName="books", PointInTimeRecoverySpecification=PITR)
        fill(dynamodb, "books", 1500, 200)
        lines = [json.dumps({"Item": {"id": {"S": str(n)}}}) for n in range(4000)]
        s3.put_object(Bucket="exports", Key="in/1", Body="\n".join(lines).encode())
        export = dynamodb.export_table_to_point_in_time(
            TableArn=table["TableArn"], S3Bucket="exports"
        )["ExportDescription"]["ExportArn"]
        import_ = begin_import(dynamodb, "exports", "in/", "incoming", "NONE")
        running.kill()
        running.start()
        dynamodb = running.client("dynamodb")
        description = exported(dynamodb, export)
        assert (description["ExportStatus"], description["ItemCount"]) == ("COMPLETED", 1500)
        outcome = imported(dynamodb, import_)
        assert (outcome["ImportStatus"], outcome["ImportedItemCount"]) == ("COMPLETED", 4000)
        assert count(dynamodb, "incoming") == 4000
    finally:
        running.stop()
