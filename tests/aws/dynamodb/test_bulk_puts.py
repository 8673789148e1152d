"""Bulk puts through boto3: what they write, count and report, and after a killed server."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.dynamodb.test_backups import wait_for
from tests.stack import RunningStack, new_root

Client = Callable[..., Any]

BOTH = ("ERROR", "CONDITION_CHECK_FAILURE")
TABLE: dict[str, Any] = {
    "TableName": "books",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
BY_GENRE: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("id", "genre")
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-genre",
            "KeySchema": [{"AttributeName": "genre", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
}


class Bulk:
    """Objects of a bucket, put into a table of the same account."""

    def __init__(self, client: Client, bucket: str) -> None:
        self.dynamodb, self.s3, self.bucket = client("dynamodb"), client("s3"), bucket
        self.s3.create_bucket(Bucket=bucket)

    def source(self, key: str, content: bytes | list[dict[str, Any]]) -> None:
        if isinstance(content, list):
            content = "\n".join(json.dumps(record) for record in content).encode()
        self.s3.put_object(Bucket=self.bucket, Key=f"in/{key}", Body=content)

    def start(self, *types: str, given: dict[str, Any] | None = None, **more: Any) -> Any:
        source = {"S3Bucket": self.bucket, "S3KeyPrefix": "in/", "InputFormat": "DYNAMODB_JSON"}
        output = {"S3Bucket": self.bucket, "S3KeyPrefix": "out", "OutputType": types or ["ERROR"]}
        request = {
            "TableName": "books",
            "InputS3Configuration": {**source, **(given or {})},
            "OutputS3Configuration": output,
            **more,
        }
        return self.dynamodb.start_bulk_put_items(**request)["BulkOperationDescription"]

    def described(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.dynamodb.describe_bulk_operation(BulkOperationArn=arn)[
            "BulkOperationDescription"
        ]
        return found

    def finished(self, arn: str) -> dict[str, Any]:
        def is_done() -> bool:
            state = self.described(arn)["BulkOperationStatus"]
            return state not in ("IN_PROGRESS", "CANCELLING")

        wait_for(is_done, "the bulk operation ends")
        return self.described(arn)

    def run(self, *types: str, **more: Any) -> dict[str, Any]:
        return self.finished(self.start(*types, **more)["BulkOperationArn"])

    def items(self, **more: Any) -> dict[str, dict[str, Any]]:
        found = self.dynamodb.scan(TableName="books", **more)["Items"]
        return {item["id"]["S"]: item for item in found}

    def report(self, outcome: dict[str, Any], type_: str) -> list[dict[str, Any]]:
        """The lines that are reported under a type of output."""
        folder = f"out/AWSDynamoDB/{outcome['BulkOperationArn'].rsplit('/')[-1]}"
        manifest = json.loads(self.got(f"{folder}/manifest.json"))
        return [
            json.loads(line)
            for file in manifest["files"]
            if file["outputType"] == type_
            for line in self.got(file["dataFileS3Key"]).splitlines()
        ]

    def got(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content


@pytest.fixture
def bulk(client: Client, account: str) -> Bulk:
    made = Bulk(client, f"bulk-{account}")
    made.dynamodb.create_table(**TABLE)
    return made


def book(name: str, **more: Any) -> dict[str, Any]:
    return {"Item": {"id": {"S": name}, **more}}


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_every_object_under_the_prefix_is_put(bulk: Bulk) -> None:
    bulk.source("1", [book(str(n)) for n in range(250)])
    bulk.source("2", [book("a"), book("b")])
    bulk.s3.put_object(Bucket=bulk.bucket, Key="other", Body=b"not read")
    outcome = bulk.run()
    assert outcome["BulkOperationStatus"] == "COMPLETED"
    assert (outcome["ProcessedItemCount"], outcome["FailedItemCount"]) == (252, 0)
    assert outcome["ProcessedInputBytes"] == outcome["TotalInputBytes"] > 0
    assert outcome["EndTime"] >= outcome["StartTime"]
    assert len(bulk.items()) == 252


def test_a_start_tells_what_was_asked_for(bulk: Bulk) -> None:
    description = bulk.start("ERROR", ClientToken="t", MaxWriteRequestUnits=2000)
    assert description["BulkOperationStatus"] == "IN_PROGRESS"
    assert description["ClientToken"] == "t"
    assert (description["MaxWriteRequestUnits"], description["PerformanceTier"]) == (
        2000,
        "STANDARD",
    )
    assert description["InputS3Configuration"] == {
        "S3Bucket": bulk.bucket,
        "S3KeyPrefix": "in/",
        "InputFormat": "DYNAMODB_JSON",
    }
    table = bulk.dynamodb.describe_table(TableName="books")["Table"]
    assert description["TableDetails"] == [{"TableName": "books", "TableId": table["TableId"]}]
    assert "EndTime" not in description


def test_items_that_are_there_are_replaced(bulk: Bulk) -> None:
    bulk.dynamodb.put_item(TableName="books", Item=book("a", old={"S": "x"})["Item"])
    bulk.source("1", [book("a", new={"S": "y"})])
    bulk.run()
    assert bulk.items()["a"] == {"id": {"S": "a"}, "new": {"S": "y"}}


def test_ion_is_put(bulk: Bulk) -> None:
    content = b'{Item:{id:"a",n:5.}} {Item:{id:"a"},ConditionExpression:"n = :n",'
    content += b"ExpressionAttributeValues:{':n':6.}}"
    bulk.source("1", gzip.compress(content))
    given = {"InputFormat": "ION", "InputCompressionType": "GZIP"}
    outcome = bulk.run(*BOTH, given=given)
    assert (outcome["BulkOperationStatus"], outcome["ProcessedItemCount"]) == ("COMPLETED", 2)
    assert bulk.items() == {"a": {"id": {"S": "a"}, "n": {"N": "5"}}}
    (line,) = bulk.report(outcome, "CONDITION_CHECK_FAILURE")
    assert line["ExistingItem"] == bulk.items()["a"]


def test_a_condition_that_does_not_hold_is_reported_and_is_no_error(bulk: Bulk) -> None:
    bulk.dynamodb.put_item(TableName="books", Item=book("a", n={"N": "1"})["Item"])
    absent = {"ConditionExpression": "attribute_not_exists(id)"}
    newer = {
        "ConditionExpression": "#n < :n",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":n": {"N": "3"}},
    }
    bulk.source(
        "1",
        [
            book("a") | absent,
            book("a", n={"N": "3"}) | newer,
            book("b") | absent,
            book("c") | {"ConditionExpression": "attribute_exists(id)"},
        ],
    )
    outcome = bulk.run(*BOTH)
    assert outcome["BulkOperationStatus"] == "COMPLETED"
    assert (outcome["ProcessedItemCount"], outcome["FailedItemCount"]) == (4, 0)
    assert bulk.items() == {"a": book("a", n={"N": "3"})["Item"], "b": book("b")["Item"]}
    first, last = bulk.report(outcome, "CONDITION_CHECK_FAILURE")
    assert first["AttemptedItem"] == book("a")["Item"]
    assert first["ExistingItem"] == book("a", n={"N": "1"})["Item"]
    assert (last["AttemptedItem"], "ExistingItem" in last) == (book("c")["Item"], False)


def test_what_is_no_item_is_reported_as_an_error(bulk: Bulk) -> None:
    bulk.source(
        "1",
        [
            {"Item": {"id": {"N": "1"}}},
            {"Other": {}},
            book("big", text={"S": "x" * 500_000}),
            book("b") | {"ConditionExpression": "not a condition"},
            book("good"),
        ],
    )
    outcome = bulk.run(*BOTH)
    assert outcome["BulkOperationStatus"] == "COMPLETED_WITH_ERRORS"
    assert (outcome["ProcessedItemCount"], outcome["FailedItemCount"]) == (5, 4)
    assert set(bulk.items()) == {"good"}
    lines = bulk.report(outcome, "ERROR")
    assert [line["RecordNumber"] for line in lines] == [1, 2, 3, 4]
    assert lines[0]["ErrorMessage"] == (
        "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N"
    )
    assert lines[2]["ErrorMessage"] == "Item size has exceeded the maximum allowed size"


def test_an_object_is_read_up_to_what_is_broken(bulk: Bulk) -> None:
    bulk.source("1", b'{"Item":{"id":{"S":"a"}}}\n{"Item":\n{"Item":{"id":{"S":"never"}}}')
    bulk.source("2", [book("b")])
    outcome = bulk.run()
    assert (outcome["ProcessedItemCount"], outcome["FailedItemCount"]) == (3, 1)
    assert set(bulk.items()) == {"a", "b"}
    (line,) = bulk.report(outcome, "ERROR")
    assert (line["S3Key"], line["RecordNumber"]) == ("in/1", 2)


def test_only_what_is_asked_for_is_reported(bulk: Bulk) -> None:
    condition = {"ConditionExpression": "attribute_exists(id)"}
    bulk.source("1", [book("a") | condition, {"Item": {}}])
    outcome = bulk.run("CONDITION_CHECK_FAILURE")
    assert (outcome["BulkOperationStatus"], outcome["FailedItemCount"]) == (
        "COMPLETED_WITH_ERRORS",
        1,
    )
    assert bulk.report(outcome, "ERROR") == []
    assert len(bulk.report(outcome, "CONDITION_CHECK_FAILURE")) == 1


def test_indexes_follow_and_their_bytes_are_told(client: Client, account: str) -> None:
    bulk = Bulk(client, f"bulk-{account}")
    bulk.dynamodb.create_table(**{**TABLE, **BY_GENRE})
    bulk.source("1", [book("a", genre={"S": "x"}, text={"S": "y" * 100}), book("b")])
    (usage,) = bulk.run()["BulkOperationUsage"]
    assert set(bulk.items(IndexName="by-genre")) == {"a"}
    table, index = len("ida" + "genrex" + "text") + 100 + len("idb"), len("ida" + "genrex")
    assert usage == {
        "TableName": "books",
        "BulkPutBytes": table + index,
        "Table": {"BulkPutBytes": table},
        "GlobalSecondaryIndexes": {"by-genre": {"BulkPutBytes": index}},
    }


def test_streams_have_what_is_put(client: Client, account: str) -> None:
    bulk = Bulk(client, f"bulk-{account}")
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    made = bulk.dynamodb.create_table(**TABLE, StreamSpecification=stream)["TableDescription"]
    bulk.source("1", [book("a")])
    bulk.run()
    streams = client("dynamodbstreams")
    arn = made["LatestStreamArn"]
    records = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records += streams.get_records(ShardIterator=iterator)["Records"]
    assert [(one["eventName"], one["dynamodb"]["Keys"]) for one in records] == [
        ("INSERT", {"id": {"S": "a"}})
    ]


def test_vectors_that_do_not_fit_are_errors(client: Client, account: str) -> None:
    bulk = Bulk(client, f"bulk-{account}")
    index = {
        "IndexName": "near",
        "VectorAttribute": {"AttributeName": "v"},
        "Projection": {"ProjectionType": "ALL"},
        "Dimensions": 1,
        "DistanceFunction": "COSINE",
    }
    bulk.dynamodb.create_table(**TABLE, VectorIndexes=[index])
    one, two = ({"L": [{"N": "1"}] * count} for count in (1, 2))
    bulk.source("1", [book("a", v=one), book("b", v=two)])
    outcome = bulk.run()
    assert (outcome["ProcessedItemCount"], outcome["FailedItemCount"]) == (2, 1)
    assert "near" in outcome["BulkOperationUsage"][0]["VectorIndexes"]


@pytest.mark.parametrize("side", ["InputS3Configuration", "OutputS3Configuration"])
def test_a_bucket_that_is_not_there_fails_the_operation(bulk: Bulk, side: str) -> None:
    bulk.source("1", [book("a")])
    wrong = {"S3Bucket": f"{bulk.bucket}-none"}
    wrong |= {"InputFormat": "ION"} if side.startswith("Input") else {"OutputType": ["ERROR"]}  # type: ignore[dict-item]
    outcome = bulk.run(**{side: wrong})
    assert (outcome["BulkOperationStatus"], outcome["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert outcome["FailureMessage"] == "The specified bucket does not exist"
    assert bulk.items() == {}


def test_a_client_token_names_one_operation(bulk: Bulk) -> None:
    arn = bulk.start(ClientToken="t")["BulkOperationArn"]
    assert bulk.start(ClientToken="t")["BulkOperationArn"] == arn
    code, _ = refusal(bulk.start, given={"S3KeyPrefix": "other/"}, ClientToken="t")
    assert code == "IdempotentParameterMismatchException"
    assert bulk.start()["BulkOperationArn"] != arn


def test_a_table_that_is_not_there_takes_nothing(bulk: Bulk) -> None:
    assert refusal(bulk.start, TableName="none") == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: none not found",
    )


@pytest.mark.parametrize(
    "request_",
    [
        {"OutputS3Configuration": {"OutputType": ["ERROR"]}},
        {"OutputS3Configuration": {"S3Bucket": "bucket", "OutputType": []}},
        {
            "OutputS3Configuration": {
                "S3Bucket": "bucket",
                "OutputType": ["ERROR"],
                "S3SseAlgorithm": "AES256",
                "S3SseKmsKeyId": "key",
            }
        },
        {"given": {"InputCompressionType": "ZSTD"}},
    ],
)
def test_a_request_that_cannot_be_done_is_refused(bulk: Bulk, request_: dict[str, Any]) -> None:
    assert refusal(bulk.start, **request_)[0] == "ValidationException"


def test_a_global_table_takes_no_bulk_put(bulk: Bulk) -> None:
    bulk.dynamodb.update_table(
        TableName="books", ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}]
    )
    assert refusal(bulk.start)[0] == "ValidationException"


def test_operations_are_listed_with_the_newest_first(bulk: Bulk) -> None:
    made = [bulk.start()["BulkOperationArn"] for _ in range(3)]
    for arn in made:
        bulk.finished(arn)
    pages = bulk.dynamodb.get_paginator("list_bulk_operations").paginate(
        PaginationConfig={"PageSize": 2}
    )
    found = [page["BulkOperationsSummaryList"] for page in pages]
    assert [len(page) for page in found] == [2, 1]
    summaries = [one for page in found for one in page]
    assert {one["BulkOperationArn"] for one in summaries} == set(made)
    starts = [one["StartTime"] for one in summaries]
    assert starts == sorted(starts, reverse=True)
    assert {one["BulkOperationStatus"] for one in summaries} == {"COMPLETED"}


@pytest.mark.parametrize("operation", ["describe_bulk_operation", "cancel_bulk_operation"])
def test_an_operation_that_is_not_there_is_not_found(bulk: Bulk, operation: str) -> None:
    arn = bulk.start()["BulkOperationArn"]
    code, _ = refusal(getattr(bulk.dynamodb, operation), BulkOperationArn=f"{arn}0")
    assert code == "ResourceNotFoundException"
    code, _ = refusal(getattr(bulk.dynamodb, operation), BulkOperationArn="x" * 40)
    assert code == "ValidationException"


def test_an_operation_that_has_ended_is_not_cancelled(bulk: Bulk) -> None:
    arn = bulk.run()["BulkOperationArn"]
    code, _ = refusal(bulk.dynamodb.cancel_bulk_operation, BulkOperationArn=arn)
    assert code == "ValidationException"


def test_a_bulk_put_survives_a_killed_server() -> None:
    running = RunningStack(new_root()).start()
    try:
        bulk = Bulk(running.client, "bulk")
        bulk.dynamodb.create_table(**TABLE)
        condition = {"ConditionExpression": "attribute_not_exists(id)"}
        bulk.source("1", [book(str(n)) | condition for n in range(4000)])
        arn = bulk.start(*BOTH)["BulkOperationArn"]
        wait_for(lambda: bulk.described(arn)["ProcessedItemCount"] > 0, "something is put")
        running.kill()
        running.start()
        bulk.dynamodb, bulk.s3 = running.client("dynamodb"), running.client("s3")
        outcome = bulk.finished(arn)
        assert (outcome["BulkOperationStatus"], outcome["ProcessedItemCount"]) == (
            "COMPLETED",
            4000,
        )
        # No item was put twice: its condition would not have held.
        assert bulk.report(outcome, "CONDITION_CHECK_FAILURE") == []
        assert len(bulk.items()) == 4000
    finally:
        running.stop()
