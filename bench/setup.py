"""What the workloads need, made on a server with plain boto3 and one raw connection."""

import io
import json
import zipfile
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from bench.workloads import (
    BUCKET,
    FUNCTION,
    INDEXED_TABLE,
    ITEMS,
    QUERY_ITEMS,
    TABLE,
    Target,
    item,
)

API_PATHS = {
    "fogbank": "/_aws/execute-api/{api_id}/bench",
    "ministack": "/restapis/{api_id}/bench/_user_request_",
}
ROLE = "arn:aws:iam::000000000000:role/bench"
ECHO = """
def handler(event, context):
    if "httpMethod" in event:
        return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": "{}"}
    return event
"""
READ_ITEM = """
import json, boto3
table = boto3.client("dynamodb")
def handler(event, context):
    key = {"pk": {"S": "item-000007"}, "sk": {"N": "1"}}
    found = table.get_item(TableName="bench", Key=key)["Item"]
    return {"statusCode": 200, "body": json.dumps(found["unique"])}
"""


def client(endpoint: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(read_timeout=120, retries={"total_max_attempts": 1}),
    )


def dynamodb(endpoint: str) -> None:
    table = client(endpoint, "dynamodb")
    table.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    table.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
    items = [item(f"item-{n:06d}", "stored") for n in range(ITEMS)]
    items += [{**item("page", "stored"), "sk": {"N": str(n)}} for n in range(QUERY_ITEMS)]
    for start in range(0, len(items), 25):
        batch = [{"PutRequest": {"Item": one}} for one in items[start : start + 25]]
        table.batch_write_item(RequestItems={TABLE: batch})


def indexed(endpoint: str) -> None:
    """A table with a global index that holds whole items, and a stream of both images."""
    table = client(endpoint, "dynamodb")
    table.create_table(
        TableName=INDEXED_TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "unique", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-unique",
                "KeySchema": [{"AttributeName": "unique", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        BillingMode="PAY_PER_REQUEST",
    )
    table.get_waiter("table_exists").wait(TableName=INDEXED_TABLE, WaiterConfig={"Delay": 1})


def s3(endpoint: str) -> None:
    bucket = client(endpoint, "s3")
    bucket.create_bucket(Bucket=BUCKET)
    bucket.put_object(Bucket=BUCKET, Key="get/1k", Body=b"x" * 1024)
    bucket.put_object(Bucket=BUCKET, Key="get/64m", Body=b"y" * (64 << 20))


def function(endpoint: str, name: str, source: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    lambda_ = client(endpoint, "lambda")
    lambda_.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": buffer.getvalue()},
        MemorySize=512,
        Timeout=30,
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def api(endpoint: str) -> str:
    """An API with /echo and /item; returns its id."""
    apigateway = client(endpoint, "apigateway")
    api_id = str(apigateway.create_rest_api(name="bench")["id"])
    root = apigateway.get_resources(restApiId=api_id)["items"][0]["id"]
    for path, name in (("echo", FUNCTION), ("item", "bench-item")):
        resource = apigateway.create_resource(restApiId=api_id, parentId=root, pathPart=path)["id"]
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        apigateway.put_method(
            restApiId=api_id, resourceId=resource, httpMethod="GET", authorizationType="NONE"
        )
        apigateway.put_integration(
            restApiId=api_id,
            resourceId=resource,
            httpMethod="GET",
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
        )
        client(endpoint, "lambda").add_permission(
            FunctionName=arn,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api_id}/*/*",
        )
    apigateway.create_deployment(restApiId=api_id, stageName="bench")
    return api_id


def functions(endpoint: str) -> None:
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
    try:
        client(endpoint, "iam").create_role(
            RoleName="bench", AssumeRolePolicyDocument=json.dumps(trust)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise
    function(endpoint, FUNCTION, ECHO)
    function(endpoint, "bench-item", READ_ITEM)


def target(kind: str, port: int, api_id: str = "") -> Target:
    return Target("127.0.0.1", port, api_id, API_PATHS.get(kind, API_PATHS["fogbank"]))
