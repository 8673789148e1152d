"""Objects that invoke functions."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

# The function puts what it was sent beside the object, where the test can read it.
CODE = """
import json

import boto3

def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        boto3.client("s3").put_object(
            Bucket=bucket, Key="seen/" + record["eventName"], Body=json.dumps(event)
        )
"""
WAIT_S = 20


def package() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("index.py", CODE)
    return made.getvalue()


@pytest.fixture
def function(client: Callable[..., Any], account: str, bucket: str) -> str:
    lambda_ = client("lambda")
    made = lambda_.create_function(
        FunctionName="seen",
        Runtime="python3.11",
        Handler="index.handler",
        Role=f"arn:aws:iam::{account}:role/any",
        Code={"ZipFile": package()},
        Timeout=30,
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName="seen")
    lambda_.add_permission(
        FunctionName="seen",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
        SourceAccount=account,
    )
    arn: str = made["FunctionArn"]
    return arn


def configuration(function: str, **more: Any) -> dict[str, Any]:
    one = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"], **more}
    return {"LambdaFunctionConfigurations": [one]}


def seen(s3: Any, bucket: str, event: str) -> Any:
    deadline = time.monotonic() + WAIT_S
    waiter = s3.get_waiter("object_exists")
    waiter.wait(
        Bucket=bucket,
        Key=f"seen/{event}",
        WaiterConfig={"Delay": 1, "MaxAttempts": round(deadline - time.monotonic())},
    )
    return json.loads(s3.get_object(Bucket=bucket, Key=f"seen/{event}")["Body"].read())


def test_a_put_invokes_the_function_with_awss_record(s3: Any, bucket: str, function: str) -> None:
    rules = [{"Name": "prefix", "Value": "in/"}]
    filtered = {"Filter": {"Key": {"FilterRules": rules}}, "Id": "mine"}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration=configuration(function, **filtered)
    )
    s3.put_object(Bucket=bucket, Key="in/a b", Body=b"hello")
    [record] = seen(s3, bucket, "ObjectCreated:Put")["Records"]
    assert record["s3"]["configurationId"] == "mine"
    assert record["s3"]["object"]["key"] == "in/a+b"
    assert record["s3"]["object"]["size"] == 5
    assert record["s3"]["object"]["eTag"] == "5d41402abc4b2a76b9719d911017c592"


def test_a_function_that_does_not_exist_is_refused(s3: Any, bucket: str, account: str) -> None:
    missing = f"arn:aws:lambda:us-east-1:{account}:function:missing"
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration=configuration(missing)
        )
    assert caught.value.response["Error"]["Message"] == (
        "Unable to validate the following destination configurations"
    )
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration=configuration(missing),
        SkipDestinationValidation=True,
    )
    kept = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert kept["LambdaFunctionConfigurations"][0]["LambdaFunctionArn"] == missing
