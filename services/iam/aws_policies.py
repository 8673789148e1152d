"""The policies that AWS manages.

Any well-formed ARN of AWS's may be attached, because IAM is not enforced and AWS has more than a
thousand of them. Those that serverless applications use most are also known with their documents.
"""

import base64
import hashlib
import re
from typing import Any

import orjson

_ARN = re.compile(r"arn:aws:iam::aws:policy/(?:[\w+=,.@-]+/)*[\w+=,.@-]+")
_CREATED_S = 1_423_159_200

_LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
_STREAM = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"]
_INTERFACES = [
    *("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
    *("ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses"),
    "ec2:UnassignPrivateIpAddresses",
]
_QUEUE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]

# Path and name -> the actions that the policy allows on every resource.
_ALLOWED: dict[str, list[str] | str] = {
    "/AdministratorAccess": "*",
    "/PowerUserAccess": "*",
    "/ReadOnlyAccess": ["*:Get*", "*:List*", "*:Describe*"],
    "/AmazonS3FullAccess": ["s3:*", "s3-object-lambda:*"],
    "/AmazonS3ReadOnlyAccess": ["s3:Get*", "s3:List*", "s3:Describe*"],
    "/AmazonDynamoDBFullAccess": ["dynamodb:*"],
    "/AmazonDynamoDBReadOnlyAccess": [
        *("dynamodb:BatchGetItem", "dynamodb:Describe*", "dynamodb:GetItem", "dynamodb:List*"),
        *("dynamodb:Query", "dynamodb:Scan"),
    ],
    "/AmazonSQSFullAccess": ["sqs:*"],
    "/AmazonSNSFullAccess": ["sns:*"],
    "/AmazonAPIGatewayInvokeFullAccess": ["execute-api:Invoke", "execute-api:ManageConnections"],
    "/CloudWatchLogsFullAccess": ["logs:*"],
    "/CloudWatchFullAccess": ["cloudwatch:*", "logs:*"],
    "/AWSLambda_FullAccess": ["lambda:*"],
    "/AWSLambda_ReadOnlyAccess": ["lambda:Get*", "lambda:List*"],
    "/AWSXRayDaemonWriteAccess": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
    "/service-role/AWSLambdaBasicExecutionRole": _LOGS,
    "/service-role/AWSLambdaVPCAccessExecutionRole": [*_LOGS, *_INTERFACES],
    "/service-role/AWSLambdaDynamoDBExecutionRole": [
        *(f"dynamodb:{action}" for action in _STREAM),
        *_LOGS,
    ],
    "/service-role/AWSLambdaSQSQueueExecutionRole": [*_QUEUE, *_LOGS],
    "/service-role/AWSLambdaRole": ["lambda:InvokeFunction"],
    "/service-role/AmazonAPIGatewayPushToCloudWatchLogs": ["logs:*"],
}
_PREFIX = "arn:aws:iam::aws:policy"

ARNS = frozenset(_PREFIX + name for name in _ALLOWED)


def is_one(arn: str) -> bool:
    """Whether `arn` has the form of a policy of AWS's."""
    return _ARN.fullmatch(arn) is not None


def entity(arn: str) -> dict[str, Any]:
    """A known policy, in the form in which the account's own are stored."""
    tail = arn.removeprefix(_PREFIX)
    path, _, name = tail.rpartition("/")
    digest = base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": _ALLOWED[tail], "Resource": "*"}],
    }
    return {
        "name": name,
        "path": f"{path}/",
        "id": f"ANPA{digest[:17]}",
        "arn": arn,
        "createdS": _CREATED_S,
        "updatedS": _CREATED_S,
        "description": None,
        "default": "v1",
        "versions": {
            "v1": {"document": orjson.dumps(document).decode(), "createdS": _CREATED_S},
        },
        "tags": {},
    }
