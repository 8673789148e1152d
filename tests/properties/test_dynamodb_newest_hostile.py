"""Hostile requests for bulk puts, vector indexes and scaling settings: never a bug of ours."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.test_dynamodb_hostile import _spoil, deliver_due, refused_at_most
from tests.services.dynamodb.calls import Calls

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/products"
INDEX: dict[str, Any] = {
    "IndexName": "near",
    "VectorAttribute": {"AttributeName": "embedding"},
    "SearchSchema": [{"AttributeName": "brand", "SearchSchemaElementType": "HASH"}],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]},
    "Dimensions": 2,
    "DistanceFunction": "COSINE",
}
TABLE: dict[str, Any] = {
    "TableName": "products",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "brand", "AttributeType": "S"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
    "VectorIndexes": [INDEX],
}
ITEM = {
    "id": {"S": "1"},
    "brand": {"S": "b"},
    "embedding": {"L": [{"N": "1"}, {"N": "0"}]},
}
SCALING = {
    "MinimumUnits": 5,
    "MaximumUnits": 50,
    "AutoScalingDisabled": False,
    "ScalingPolicyUpdate": {
        "PolicyName": "p",
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0, "ScaleInCooldown": 3},
    },
}
GOOD: dict[str, dict[str, Any]] = {
    "CreateTable": {**TABLE, "TableName": "other"},
    "UpdateTable": {
        "TableName": "products",
        "AttributeDefinitions": TABLE["AttributeDefinitions"],
        "VectorIndexUpdates": [{"Create": {**INDEX, "IndexName": "further"}}],
    },
    "PutItem": {"TableName": "products", "Item": ITEM, "ReturnConsumedCapacity": "INDEXES"},
    "UpdateItem": {
        "TableName": "products",
        "Key": {"id": {"S": "1"}},
        "UpdateExpression": "SET embedding[0] = :v",
        "ExpressionAttributeValues": {":v": {"N": "3"}},
    },
    "SearchVectors": {
        "TableName": "products",
        "IndexName": "near",
        "SearchVector": [{"N": "1"}, {"N": "2"}],
        "TopK": 3,
        "SearchConditionExpression": "#b = :b",
        "ExpressionAttributeNames": {"#b": "brand", "#t": "title"},
        "ExpressionAttributeValues": {":b": {"S": "b"}},
        "ProjectionExpression": "id, #t",
        "ReturnConsumedCapacity": "TOTAL",
    },
    "StartBulkPutItems": {
        "TableName": "products",
        "ClientToken": "token",
        "InputS3Configuration": {
            "S3Bucket": "source",
            "S3KeyPrefix": "in/",
            "InputFormat": "DYNAMODB_JSON",
            "InputCompressionType": "NONE",
        },
        "OutputS3Configuration": {
            "S3Bucket": "source",
            "S3KeyPrefix": "out",
            "OutputType": ["ERROR"],
        },
    },
    "DescribeBulkOperation": {"BulkOperationArn": f"{ARN}/bulk/1"},
    "CancelBulkOperation": {"BulkOperationArn": f"{ARN}/bulk/1"},
    "ListBulkOperations": {"TableArn": ARN, "MaxResults": 3, "NextToken": "x"},
    "UpdateTableReplicaAutoScaling": {
        "TableName": "products",
        "ProvisionedWriteCapacityAutoScalingUpdate": SCALING,
        "ReplicaUpdates": [
            {
                "RegionName": "us-east-1",
                "ReplicaProvisionedReadCapacityAutoScalingUpdate": SCALING,
            }
        ],
        "GlobalSecondaryIndexUpdates": [
            {"IndexName": "x", "ProvisionedWriteCapacityAutoScalingUpdate": SCALING}
        ],
    },
}


@pytest.mark.parametrize("operation", GOOD)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_hostile_request_gets_an_awss_error(operation: str, data: st.DataObject) -> None:
    asyncio.run(_call(operation, _spoil(data.draw, GOOD[operation])))


async def _call(operation: str, request: Any) -> None:
    if not isinstance(request, dict):
        return
    calls = Calls()
    await calls("CreateTable", **TABLE)
    await calls("PutItem", TableName="products", Item=ITEM)
    await refused_at_most(calls(operation, **request))
    await deliver_due(calls)
