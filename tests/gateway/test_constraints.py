"""Constraint errors in the words that AWS uses."""

from typing import Any

import pytest

from fogbank.gateway import models
from fogbank.gateway.constraints import validator
from fogbank.gateway.java import java_pattern, length_of
from fogbank.services.errors import AwsError


def refusal(service: str, operation: str, request: dict[str, Any]) -> AwsError:
    with pytest.raises(AwsError) as caught:
        validator(models.load(service).operations[operation])(request)
    return caught.value


@pytest.mark.parametrize(
    ("service", "operation", "request_", "code", "text"),
    [
        (
            "dynamodb",
            "ExecuteStatement",
            {"Statement": "x", "Parameters": []},
            "ValidationException",
            "1 validation error detected: Value '[]' at 'parameters' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "dynamodb",
            "GetItem",
            {"TableName": "abc"},
            "ValidationException",
            "1 validation error detected: Value null at 'key' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "dynamodb",
            "GetItem",
            {"Key": {}},
            "ValidationException",
            "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "dynamodb",
            "DescribeTable",
            {},
            "ValidationException",
            "The parameter 'TableName' is required but was not present in the request",
        ),
        (
            "dynamodb",
            "DescribeTable",
            {"TableName": "ab"},
            "ValidationException",
            "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 3",
        ),
        (
            "dynamodb",
            "GetItem",
            {"TableName": "", "Key": {}},
            "ValidationException",
            "1 validation error detected: Value '' at 'tableName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "dynamodb",
            "UpdateItem",
            {"TableName": "n" * 256},
            "ValidationException",
            f"1 validation error detected: Value '{'n' * 256}' at 'tableName' failed to satisfy "
            "constraint: Member must have length less than or equal to 255",
        ),
        (
            "dynamodb",
            "Query",
            {"TableName": "abc", "Limit": 0, "Select": "SOME"},
            "ValidationException",
            "2 validation errors detected: Value 'SOME' at 'select' failed to satisfy constraint: "
            "Member must satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, "
            "ALL_PROJECTED_ATTRIBUTES]; Value at 'Limit' failed to satisfy constraint: Member must "
            "have value greater than or equal to 1",
        ),
        (
            "dynamodb",
            "Scan",
            {"TableName": "abc", "Limit": 0},
            "ValidationException",
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            "dynamodb",
            "BatchGetItem",
            {"RequestItems": {"Cars": {"Keys": [{}] * 101}, "Vans": {}}},
            "ValidationException",
            "2 validation errors detected: Value at 'RequestItems.Cars.member.Keys' failed to "
            "satisfy constraint: Member must have length less than or equal to 100; Value null at "
            "'requestItems.Vans.member.keys' failed to satisfy constraint: Member must not be null",
        ),
        (
            "dynamodb",
            "BatchWriteItem",
            {"RequestItems": {"cars": [{"DeleteRequest": {"Key": {}}}], "vans": []}},
            "ValidationException",
            "1 validation error detected: Value '{cars=[WriteRequest(putRequest=null, "
            "deleteRequest=DeleteRequest(key={}))], vans=[]}' at 'requestItems' failed to satisfy "
            "constraint: Map value must satisfy constraint: [Member must have length less than or "
            "equal to 25, Member must have length greater than or equal to 1]",
        ),
        (
            "lambda",
            "CreateFunction",
            {
                "FunctionName": "f",
                "Role": "arn:aws:iam::000000000000:role/r",
                "Code": {},
                "Environment": {"Variables": {"1": "one"}},
            },
            "ValidationException",
            "1 validation error detected: Value '{1=one}' at 'environment.variables' failed to "
            "satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular "
            "expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]",
        ),
        (
            "dynamodb",
            "GetItem",
            {"TableName": "abc;"},
            "ValidationException",
            "2 validation errors detected: Value 'abc;' at 'tableName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value "
            "null at 'key' failed to satisfy constraint: Member must not be null",
        ),
        (
            "lambda",
            "CreateAlias",
            {"FunctionName": "f", "Name": "2024", "FunctionVersion": "1"},
            "ValidationException",
            "1 validation error detected: Value '2024' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        ),
        (
            "lambda",
            "CreateFunction",
            {
                "FunctionName": "f",
                "Role": "arn:aws:iam::000000000000:role/r",
                "Code": {},
                "Architectures": ["X86_64"],
            },
            "ValidationException",
            "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy "
            "constraint: Member must satisfy constraint: [Member must satisfy enum value set: "
            "[x86_64, arm64], Member must not be null]",
        ),
        (
            "lambda",
            "CreateFunction",
            {
                "FunctionName": "f",
                "Role": "arn:aws:iam::000000000000:role/r",
                "Code": {},
                "Architectures": ["x86_64", "arm64"],
            },
            "ValidationException",
            "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to "
            "satisfy constraint: Member must have length less than or equal to 1",
        ),
        (
            "lambda",
            "UntagResource",
            {"Resource": "arn:aws:lambda:us-east-1:000000000000:function:f"},
            "ValidationException",
            "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "logs",
            "FilterLogEvents",
            {"logGroupName": "g", "limit": 10001},
            "InvalidParameterException",
            "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: "
            "Member must have value less than or equal to 10000",
        ),
        (
            "apigateway",
            "PutIntegration",
            {"restApiId": "a", "resourceId": "b", "httpMethod": "GET", "type": "HTTPS_PROXY"},
            "ValidationException",
            "1 validation error detected: Value 'HTTPS_PROXY' at 'putIntegrationInput.type' failed "
            "to satisfy constraint: Member must satisfy enum value set: "
            "[HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]",
        ),
        (
            "apigateway",
            "PutGatewayResponse",
            {"restApiId": "a", "responseType": "x"},
            "ValidationException",
            None,
        ),
        (
            "sts",
            "AssumeRole",
            {"RoleArn": "arn:aws:iam::000000000000:role/r", "RoleSessionName": "Session1:2"},
            "ValidationError",
            "1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to "
            r"satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*",
        ),
        (
            "iam",
            "GetRole",
            {"RoleName": "a b"},
            "ValidationError",
            "The specified value for roleName is invalid. It must contain only alphanumeric "
            "characters and/or the following: +=,.@_-",
        ),
    ],
)
def test_the_texts_are_those_of_aws(
    service: str, operation: str, request_: dict[str, Any], code: str, text: str | None
) -> None:
    error = refusal(service, operation, request_)
    assert error.code == code
    if text is not None:
        assert error.message == text


def test_several_errors_are_counted_and_joined() -> None:
    request = {
        "restApiId": "a",
        "patchOperations": [{"op": "wrong"}, {"op": "add"}, {"op": "wrong"}],
    }
    error = refusal("apigateway", "UpdateRestApi", request)
    assert error.message is not None
    assert error.message.startswith(
        "2 validation errors detected: Value 'wrong' at "
        "'updateRestApiInput.patchOperations.1.member.op' failed to satisfy constraint: "
    )
    assert "; Value 'wrong' at 'updateRestApiInput.patchOperations.3.member.op'" in error.message


ENUM = "failed to satisfy constraint: Member must satisfy enum value set: "
NO_KEY = "Value null at 'key' failed to satisfy constraint: Member must not be null"


def test_an_update_without_a_key_tells_of_an_empty_name_among_the_others() -> None:
    wrong = {"TableName": "", "ReturnConsumedCapacity": "X", "ReturnValues": "Y"}
    error = refusal("dynamodb", "UpdateItem", wrong)
    assert error.message == (
        f"4 validation errors detected: Value 'X' at 'returnConsumedCapacity' {ENUM}[INDEXES, "
        "TOTAL, NONE]; Value '' at 'tableName' failed to satisfy constraint: Member must have "
        f"length greater than or equal to 1; Value 'Y' at 'returnValues' {ENUM}[ALL_NEW, "
        f"UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]; {NO_KEY}"
    )
    error = refusal("dynamodb", "UpdateItem", {**wrong, "Key": {"id": {"S": "1"}}})
    assert error.message is not None and error.message.startswith("1 validation error detected")


def test_indexes_of_a_table_are_told_global_ones_first() -> None:
    index = {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    error = refusal(
        "dynamodb",
        "CreateTable",
        {
            "TableName": "abc",
            "LocalSecondaryIndexes": [{"IndexName": "aa", **index}],
            "GlobalSecondaryIndexes": [{"IndexName": "zz", **index}],
        },
    )
    assert error.message is not None
    assert error.message.index("globalSecondaryIndexes") < error.message.index(
        "localSecondaryIndexes"
    )


def test_a_wrong_name_in_a_batch_of_reads_is_told_with_the_batch() -> None:
    given = {"RequestItems": {"bad!name": {"Keys": [{"id": {"S": "1"}}]}}}
    error = refusal("dynamodb", "BatchGetItem", {**given, "ReturnConsumedCapacity": "X"})
    assert error.message == (
        '2 validation errors detected: Value \'{"bad!name":{"Keys":[{"id":{"S":"1"}}]}}\' at '
        "'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: [Member "
        "must have length less than or equal to 255, Member must have length greater than or equal "
        "to 3, Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]; Value 'X' at "
        f"'returnConsumedCapacity' {ENUM}[INDEXES, TOTAL, NONE]"
    )


def test_a_wrong_name_in_a_batch_of_writes_gives_way_to_other_errors() -> None:
    put = {"PutRequest": {"Item": {"id": {"S": "1"}}}}
    given = {"RequestItems": {"bad!name": [put]}}
    error = refusal("dynamodb", "BatchWriteItem", {**given, "ReturnConsumedCapacity": "X"})
    assert error.message == (
        f"1 validation error detected: Value 'X' at 'returnConsumedCapacity' {ENUM}[INDEXES, "
        "TOTAL, NONE]"
    )
    error = refusal("dynamodb", "BatchWriteItem", given)
    assert error.message is not None
    assert error.message.startswith(
        "1 validation error detected: Value '{bad!name=[WriteRequest(putRequest=PutRequest("
        "item={id="
    )
    assert "' at 'requestItems' failed to satisfy constraint: Map keys must" in error.message


def test_an_older_operator_that_is_none_is_told_alone_by_a_query() -> None:
    error = refusal(
        "dynamodb", "Query", {"TableName": "abc", "ConditionalOperator": "XOR", "Select": "X"}
    )
    assert error.message == (
        "Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]"
    )


def test_no_more_than_ten_errors_are_told() -> None:
    wrong = [{"AttributeName": f"a{number}", "AttributeType": "T"} for number in range(12)]
    error = refusal("dynamodb", "CreateTable", {"TableName": "abc", "AttributeDefinitions": wrong})
    assert str(error.message).startswith("10 validation errors detected: ")
    assert str(error.message).count("enum value set: [B, N, S]") == 10


def test_a_member_of_the_path_has_no_prefix() -> None:
    error = refusal("apigateway", "PutGatewayResponse", {"restApiId": "a", "responseType": "x"})
    assert error.message is not None
    assert "Value 'x' at 'responseType'" in error.message


def test_structures_print_as_java_prints_them() -> None:
    one = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    request = {
        "logGroupName": "g",
        "filterName": "f",
        "filterPattern": "",
        "metricTransformations": [one, one],
    }
    error = refusal("logs", "PutMetricFilter", request)
    printed = (
        "MetricTransformation(metricName=m, metricNamespace=n, metricValue=1, defaultValue=null, "
    )
    assert error.message is not None
    assert f"Value '[{printed}" in error.message
    assert error.message.endswith("Member must have length less than or equal to 1")


def test_a_request_that_fits_passes() -> None:
    get_item = models.load("dynamodb").operations["GetItem"]
    assert validator(get_item)({"TableName": "abc", "Key": {"a": {"S": "b"}}}) == []


def test_every_name_of_a_runtime_passes() -> None:
    operation = models.load("lambda").operations["CreateFunction"]
    request = {
        "FunctionName": "f",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Code": {},
        "Runtime": "python9.99",
    }
    assert validator(operation)(request) == []


def test_s3_is_exempt() -> None:
    assert validator(models.load("s3").operations["PutObject"])({}) == []


def test_a_text_is_as_long_as_java_says() -> None:
    assert length_of("a\U0001f600") == 3


@pytest.mark.parametrize("service", sorted(models.SERVICES))
def test_every_pattern_of_a_model_can_be_checked(service: str) -> None:
    model = models.load(service)
    patterns = {
        shape.pattern
        for operation in model.operations.values()
        if operation.input is not None
        for shape in models.shapes_within(operation.input)
        if shape.pattern
    }
    assert [pattern for pattern in patterns if java_pattern(pattern) is None] == []


@pytest.mark.parametrize(
    ("text", "fits"), [("key-1", True), ("é日 x", True), ("a\x00", False), ("#", False)]
)
def test_unicode_properties_of_java_are_understood(text: str, fits: bool) -> None:
    pattern = java_pattern(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*")
    assert pattern is not None
    assert (pattern.fullmatch(text) is not None) is fits
