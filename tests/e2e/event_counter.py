"""A function that notes each put event in a table: how the crash test knows of lost events."""

import io
import json
import time
import zipfile

from tests.stack import RunningStack

SEEN = "seen"
ROLE = "counter"
# One row per object, with the ETag of each put whose event arrived.
SOURCE = """
import boto3
table = boto3.client("dynamodb")
def handler(event, context):
    for record in event["Records"]:
        key = record["s3"]["object"]["key"]
        table.update_item(
            TableName="seen",
            Key={"id": {"S": key}},
            UpdateExpression="ADD etags :e",
            ExpressionAttributeValues={":e": {"SS": [record["s3"]["object"]["eTag"]]}},
        )
"""


def deploy_counter(stack: RunningStack, bucket: str) -> None:
    dynamodb, lambda_ = stack.client("dynamodb"), stack.client("lambda")
    dynamodb.create_table(
        TableName=SEEN,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=SEEN, WaiterConfig={"Delay": 1})
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = stack.client("iam").create_role(
        RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", SOURCE)
    function = lambda_.create_function(
        FunctionName="counter",
        Runtime="python3.11",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": buffer.getvalue()},
        MemorySize=256,
        Timeout=30,
    )["FunctionArn"]
    lambda_.get_waiter("function_active_v2").wait(FunctionName="counter", WaiterConfig={"Delay": 1})
    lambda_.add_permission(
        FunctionName="counter",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
    )
    stack.client("s3").put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )


def missing_events(stack: RunningStack, etags: list[tuple[str, str]], within_s: float) -> list[str]:
    """Acknowledged puts whose event is not in the table by `within_s` seconds from now."""
    dynamodb = stack.client("dynamodb")
    deadline = time.monotonic() + within_s
    while True:
        rows = dynamodb.get_paginator("scan").paginate(TableName=SEEN)
        seen = {row["id"]["S"]: row["etags"]["SS"] for page in rows for row in page["Items"]}
        missing = [name for name, etag in etags if etag not in seen.get(name, [])]
        if not missing or time.monotonic() > deadline:
            return [f"an event of object {name} never came" for name in missing]
        time.sleep(0.2)  # the outbox works in another process; there is nothing to wait on
