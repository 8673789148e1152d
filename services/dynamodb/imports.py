"""Imports of new tables from S3: asked for, described and listed.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.HowItWorks.html
"""

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import ion, job_lists, schema
from fogbank.services.dynamodb.backup_errors import ImportConflictException, ImportNotFoundException
from fogbank.services.dynamodb.backup_records import new_id
from fogbank.services.dynamodb.definitions import check_create
from fogbank.services.dynamodb.errors import (
    ResourceInUseException,
    ResourceNotFoundException,
    ValidationException,
)
from fogbank.services.dynamodb.job_lists import PAGE_MAX, Task
from fogbank.services.dynamodb.restores import NEVER_MS
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import INTEGER, STRING, check
from fogbank.services.dynamodb.tables import (
    ATTRIBUTES,
    GLOBAL_INDEX,
    KEY_SCHEMA,
    ON_DEMAND,
    SSE,
    THROUGHPUT,
    new_record,
)
from fogbank.services.dynamodb.vector_indexes import VECTOR_INDEX
from fogbank.services.events import emit
from fogbank.storage.kv import Reader, Writer

_SHAPE = {
    "ClientToken": STRING,
    "S3BucketSource!": {"S3BucketOwner": STRING, "S3Bucket!": STRING, "S3KeyPrefix": STRING},
    "InputFormat!": STRING,
    "InputFormatOptions": {"Csv": {"Delimiter": STRING, "HeaderList": [STRING]}},
    "InputCompressionType": STRING,
    "TableCreationParameters!": {
        "TableName!": STRING,
        "AttributeDefinitions!": ATTRIBUTES,
        "KeySchema!": KEY_SCHEMA,
        "BillingMode": STRING,
        "ProvisionedThroughput": THROUGHPUT,
        "OnDemandThroughput": ON_DEMAND,
        "SSESpecification": SSE,
        "GlobalSecondaryIndexes": [GLOBAL_INDEX],
        "VectorIndexes": [VECTOR_INDEX],
    },
}
_LOG_GROUP = "/aws-dynamodb/imports"
_DESCRIBE_SHAPE = {"ImportArn!": STRING}
_LIST_SHAPE = {"TableArn": STRING, "PageSize": INTEGER, "NextToken": STRING}


def refused(text: str) -> ValidationException:
    return ValidationException(f"Invalid Request: {text}")


@service.operation("ImportTable")
async def import_table(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ImportTable.html

    The table is CREATING from now on, so that its name is taken at once; AWS shows it half a
    minute later. A client token is heeded as AWS does: only another table's name conflicts.
    """
    check(request, _SHAPE)
    wanted = request["TableCreationParameters"]
    name = schema.name_of(ctx.world, wanted["TableName"])
    _check_format(request)
    await ion.require(request["InputFormat"])
    check_create(wanted)
    now_ms = ctx.clock.now_ms()
    token = request.get("ClientToken")
    record = new_record(ctx, name, wanted, now_ms) | {"ActiveAtMs": NEVER_MS}
    task = _new_task(ctx, request, record, now_ms)

    def work(tx: Writer) -> Task:
        known = job_lists.of_token(tx, ctx, "import", token, now_ms)
        if known is not None and known["TableName"] != name:
            raise ImportConflictException
        present = _is_present(tx, ctx, name, now_ms)
        if known is not None and (known["Status"] == "IN_PROGRESS" or not present):
            return known
        if present:
            raise ResourceInUseException(f"Table already exists: {name}")
        schema.save(tx, ctx.world, record)
        job_lists.save(tx, ctx.world, "import", task)
        if token is not None:
            job_lists.keep_token(tx, ctx, "import", token, task["Id"])
        emit(ctx, tx, "dynamodb.import", task["Id"], {"Import": task["Id"]})
        return task

    return {"ImportTableDescription": describe(await ctx.store.write(work))}


def _is_present(tx: Reader, ctx: Context, name: str, now_ms: int) -> bool:
    try:
        schema.describe_load(tx, ctx.world, name, now_ms)
    except ResourceNotFoundException:
        return False
    return True


def _check_format(request: Input) -> None:
    format_ = request["InputFormat"]
    if format_ != "CSV" and (request.get("InputFormatOptions") or {}).get("Csv") is not None:
        raise refused(f"Unsupported InputFormatOptions for the given input format: {format_}.")
    if request.get("InputCompressionType") == "ZSTD":
        raise refused("Fogbank imports GZIP and NONE; InputCompressionType ZSTD is not built")


def _new_task(ctx: Context, request: Input, record: schema.Record, now_ms: int) -> Task:
    import_id = new_id(ctx, now_ms)
    return {
        "Id": import_id,
        "Arn": f"{record['TableArn']}/import/{import_id}",
        "Status": "IN_PROGRESS",
        "StartMs": now_ms,
        "TableArn": record["TableArn"],
        "TableName": record["TableName"],
        "TableId": record["TableId"],
        "Token": request.get("ClientToken") or ctx.ids.uuid(),
        "Request": {name: value for name, value in request.items() if name != "ClientToken"},
        # What is done: the objects up to `After`, and `Records` of the one behind it.
        "After": "",
        "Records": 0,
        "ErrorCount": 0,
        "ProcessedItemCount": 0,
        "ImportedItemCount": 0,
        "ProcessedSizeBytes": 0,
    }


def describe(task: Task) -> Output:
    request = task["Request"]
    answer: Output = {
        "ImportArn": task["Arn"],
        "ImportStatus": task["Status"],
        "TableArn": task["TableArn"],
        "TableId": task["TableId"],
        "ClientToken": task["Token"],
        **_source(task),
        "InputCompressionType": request.get("InputCompressionType") or "NONE",
        "TableCreationParameters": request["TableCreationParameters"],
    }
    if request.get("InputFormatOptions") is not None:
        answer["InputFormatOptions"] = request["InputFormatOptions"]
    for member in (
        *("ErrorCount", "ProcessedItemCount", "ImportedItemCount", "ProcessedSizeBytes"),
        *("FailureCode", "FailureMessage"),
    ):
        if member in task:
            answer[member] = task[member]
    return answer


def _source(task: Task) -> Output:
    """What an import's description and its summary both show."""
    request = task["Request"]
    _, _, _, region, account, _ = task["TableArn"].split(":", 5)
    answer: Output = {
        "S3BucketSource": {"S3BucketOwner": account, **request["S3BucketSource"]},
        "CloudWatchLogGroupArn": f"arn:aws:logs:{region}:{account}:log-group:{_LOG_GROUP}:*",
        "InputFormat": request["InputFormat"],
        "StartTime": task["StartMs"] / 1000,
    }
    if "EndMs" in task:
        answer["EndTime"] = task["EndMs"] / 1000
    return answer


@service.operation("DescribeImport")
async def describe_import(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeImport.html"""
    check(request, _DESCRIBE_SHAPE)
    arn = request["ImportArn"]
    task = await ctx.store.read(lambda tx: job_lists.find(tx, ctx, "import", arn), brief=True)
    if task is None:
        raise ImportNotFoundException(f"Import not found: {arn}")
    return {"ImportTableDescription": describe(task)}


@service.operation("ListImports")
async def list_imports(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListImports.html"""
    check(request, _LIST_SHAPE)
    limit = min(max(1, request.get("PageSize") or PAGE_MAX), PAGE_MAX)
    token, arn = request.get("NextToken"), request.get("TableArn")
    found, following = await ctx.store.read(
        lambda tx: job_lists.page(tx, ctx, "import", limit, token, arn)
    )
    answer: Output = {
        "ImportSummaryList": [
            {
                "ImportArn": task["Arn"],
                "ImportStatus": task["Status"],
                "TableArn": task["TableArn"],
                **_source(task),
            }
            for task in found
        ]
    }
    if following is not None:
        answer["NextToken"] = following
    return answer
