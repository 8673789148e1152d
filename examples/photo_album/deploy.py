"""Deploys the photo album with plain boto3: the same calls would deploy it to AWS."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BUCKET = "photo-album"
TABLE = "photos"
ROLE = "photo-album"
STAGE = "prod"
IMAGES = ["image/png", "image/jpeg", "image/gif"]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
ALLOWED = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*", "dynamodb:*", "logs:*"], "Resource": "*"}],
}

Client = Callable[[str], Any]
Say = Callable[[str], None]


def deploy(client: Client, say: Say) -> str:
    """Everything that the album needs exists; returns the id of its REST API."""
    client("s3").create_bucket(Bucket=BUCKET)
    say(f"bucket    {BUCKET}")
    create_table(client("dynamodb"))
    say(f"table     {TABLE}")
    role = create_role(client("iam"))
    say(f"role      {role}")
    api_function = create_function(client("lambda"), "api", role)
    say(f"function  {api_function}")
    measure_function = create_function(client("lambda"), "measure", role)
    say(f"function  {measure_function}")
    notify(client, measure_function)
    say("event     s3:ObjectCreated:* under photos/ runs the second function")
    api_id = create_api(client, api_function)
    say(f"api       {api_id}, stage {STAGE}: POST /photos, GET /photos, GET /photos/{{id}}")
    return api_id


def create_table(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(
        TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


def create_role(iam: Any) -> str:
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    iam.put_role_policy(RoleName=ROLE, PolicyName="album", PolicyDocument=json.dumps(ALLOWED))
    return str(role["Arn"])


def create_function(lambda_: Any, name: str, role: str) -> str:
    function = lambda_.create_function(
        FunctionName=f"photo-album-{name}",
        Runtime="python3.12",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": zipped(HERE / name)},
        Environment={"Variables": {"BUCKET": BUCKET, "TABLE": TABLE}},
        MemorySize=256,
        Timeout=15,
    )
    lambda_.get_waiter("function_active_v2").wait(
        FunctionName=function["FunctionName"], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    return str(function["FunctionArn"])


def zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.glob("*.py")):
            archive.write(path, path.name)
    return buffer.getvalue()


def notify(client: Client, function_arn: str) -> None:
    client("lambda").add_permission(
        FunctionName=function_arn,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{BUCKET}",
    )
    client("s3").put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {
                    "LambdaFunctionArn": function_arn,
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "photos/"}]}},
                }
            ]
        },
    )


def create_api(client: Client, function_arn: str) -> str:
    apigateway = client("apigateway")
    api = apigateway.create_rest_api(name="photo-album", binaryMediaTypes=IMAGES)
    api_id = str(api["id"])
    root = apigateway.get_resources(restApiId=api_id)["items"][0]["id"]
    photos = apigateway.create_resource(restApiId=api_id, parentId=root, pathPart="photos")["id"]
    photo = apigateway.create_resource(restApiId=api_id, parentId=photos, pathPart="{id}")["id"]
    region = apigateway.meta.region_name
    uri = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    for resource, method in ((photos, "POST"), (photos, "GET"), (photo, "GET")):
        apigateway.put_method(
            restApiId=api_id, resourceId=resource, httpMethod=method, authorizationType="NONE"
        )
        apigateway.put_integration(
            restApiId=api_id,
            resourceId=resource,
            httpMethod=method,
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=uri,
        )
    account = function_arn.split(":")[4]
    client("lambda").add_permission(
        FunctionName=function_arn,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{region}:{account}:{api_id}/*/*",
    )
    apigateway.create_deployment(restApiId=api_id, stageName=STAGE)
    return api_id
