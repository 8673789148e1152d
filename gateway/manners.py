"""Who words constraint errors how: one table, and what a service looks at before all else.

The texts are AWS's, as its answers show them.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fogbank.gateway.java import length_of, text_of
from fogbank.gateway.models import OperationModel
from fogbank.services.errors import AwsError, ValidationException

Validator = Callable[[dict[str, Any]], list[str]]

MUST = "failed to satisfy constraint: Member must"
# No answer lists more errors than this.
MESSAGES_MAX = 10
_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]+")


class ValidationError(AwsError):
    code = "ValidationError"


class InvalidParameterException(AwsError):
    code = "InvalidParameterException"


@dataclass(frozen=True, slots=True)
class Manners:
    """How one service reports constraint errors."""

    error: type[AwsError] = ValidationException
    # Members of the payload are named under `<operation>Input.` (API Gateway).
    payload_prefix: bool = False
    # Elements of lists may not be null, and the text says so (Lambda).
    elements_not_null: bool = False
    # Shapes whose values the service judges itself, in its own words.
    own_shapes: frozenset[str] = frozenset()
    # The same for one member of a structure: `Structure.Member`.
    own_members: frozenset[str] = frozenset()
    # What the service looks at before all else; it raises, or adds messages of the common form.
    first: Callable[[OperationModel], Validator | None] | None = None
    # Patterns that have a sentence of their own instead of the common one.
    pattern_texts: tuple[tuple[str, str], ...] = ()
    # Members whose errors are told in another order than the model's, by their structure.
    orders: tuple[tuple[str, tuple[str, ...]], ...] = ()
    # Operations that say of a size or a range only where it is wrong, in the model's case.
    terse: frozenset[str] = frozenset()


# Those that read and write items leave an absent name to the framework, and take any length from 1.
_DATA_PLANE = frozenset(
    ("PutItem", "GetItem", "UpdateItem", "DeleteItem", "Query", "Scan", "SearchVectors")
)


def _dynamodb(operation: OperationModel) -> Validator | None:
    if operation.name in ("BatchGetItem", "BatchWriteItem"):
        return lambda request: _of_batch(request, operation)
    if operation.name == "Query":
        return _query(_table_name(operation))
    return _table_name(operation)


def _query(table_name: Validator | None) -> Validator:
    """An older operator outside its set is told alone, with another set than the model's."""
    assert table_name is not None
    of_name = table_name

    def check(request: dict[str, Any]) -> list[str]:
        if request.get("ConditionalOperator") not in (None, "AND", "OR"):
            raise ValidationException(
                "Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]"
            )
        return of_name(request)

    return check


def _of_batch(request: dict[str, Any], operation: OperationModel) -> list[str]:
    given = request.get("RequestItems")
    if given == {}:
        raise ValidationException(f"The requestItems parameter is required for {operation.name}")
    if given is None or all(map(_is_name, given)):
        return []
    if operation.name == "BatchGetItem":
        shown = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    elif any(request.get(member) not in known for member, known in _WRITES_TELL.items()):
        # A batch of writes gives way to what else is wrong, and shows itself as Java does.
        return []
    else:
        assert operation.input is not None
        shown = text_of(given, operation.input.members["RequestItems"].shape)
    return [
        f"Value '{shown}' at 'requestItems' failed to satisfy constraint: Map keys must satisfy "
        "constraint: [Member must have length less than or equal to 255, Member must have length "
        "greater than or equal to 3, Member must satisfy regular expression pattern: "
        f"{_TABLE_NAME.pattern}]"
    ]


_WRITES_TELL = {
    "ReturnConsumedCapacity": (None, "INDEXES", "TOTAL", "NONE"),
    "ReturnItemCollectionMetrics": (None, "SIZE", "NONE"),
}


def _is_name(name: str) -> bool:
    """Whether it is the name of a table, or an ARN."""
    return name.startswith("arn:") or (
        3 <= len(name) <= 255 and _TABLE_NAME.fullmatch(name) is not None
    )


def _table_name(operation: OperationModel) -> Validator | None:
    """DynamoDB judges a table's name before all else; only its pattern is told with other errors.

    The model's own constraint is that of ARNs, which a TableName may be.
    """
    shape = operation.input
    if shape is None or "TableName" not in shape.required:
        return None
    on_items = operation.name in _DATA_PLANE
    shortest = 1 if on_items else 3

    def check(request: dict[str, Any]) -> list[str]:
        name = request.get("TableName")
        if name is None:
            if on_items:
                return []
            raise ValidationException(
                "The parameter 'TableName' is required but was not present in the request"
            )
        if _is_name(name):
            return []
        if not name and operation.name == "UpdateItem" and request.get("Key") is None:
            # The one case in which the length is told with the other errors, in their order.
            return []
        size = length_of(name)
        if not shortest <= size <= 255:
            bound = "less than or equal to 255"
            if size < shortest:
                bound = f"greater than or equal to {shortest}"
            text = f"Value '{name}' at 'tableName' {MUST} have length {bound}"
            raise ValidationException(summary([text]))
        if _TABLE_NAME.fullmatch(name):
            return []
        return [
            f"Value '{name}' at 'tableName' {MUST} satisfy regular expression pattern: "
            f"{_TABLE_NAME.pattern}"
        ]

    return check


_IAM_NAMES = (
    r"[\w+=,.@-]+",
    "The specified value for {name} is invalid. It must contain only alphanumeric characters "
    "and/or the following: +=,.@_-",
)

# S3 is not here: it validates nothing against its model and has a text for each case of its own.
MANNERS: dict[str, Manners] = {
    "apigateway": Manners(payload_prefix=True),
    # TableName may be an ARN; the name itself is judged by `_dynamodb`.
    "dynamodb": Manners(
        first=_dynamodb,
        terse=frozenset({"Query", "BatchGetItem"}),
        own_members=frozenset(
            (
                "DescribeContributorInsightsInput.IndexName",
                "UpdateContributorInsightsInput.IndexName",
            )
        ),
        orders=(
            ("ProvisionedThroughput", ("WriteCapacityUnits", "ReadCapacityUnits")),
            ("TimeToLiveSpecification", ("AttributeName", "Enabled")),
            ("AttributeDefinition", ("AttributeType", "AttributeName")),
            ("TransactWriteItemsInput", ("ClientRequestToken",)),
            (
                "UpdateItemInput",
                (
                    *("ReturnConsumedCapacity", "TableName", "ReturnValues"),
                    *("ConditionalOperator", "Key"),
                ),
            ),
            (
                "CreateTableInput",
                ("AttributeDefinitions", "TableName", "KeySchema", "GlobalSecondaryIndexes"),
            ),
        ),
        # Items and keys: the service measures them anyway. Tags have texts of their own.
        own_shapes=frozenset(
            (
                *("AttributeValue", "AttributeMap", "Key", "MapAttributeValue"),
                *("PutItemInputAttributeMap", "ExpressionAttributeValueMap"),
                *("Tag", "TagKeyString"),
            )
        ),
    ),
    "iam": Manners(ValidationError, pattern_texts=(_IAM_NAMES,)),
    # Runtimes come and go faster than models: every name is accepted, the service says the rest.
    "lambda": Manners(elements_not_null=True, own_shapes=frozenset({"Runtime"})),
    "logs": Manners(InvalidParameterException),
    "sns": Manners(ValidationError),
    "sqs": Manners(),
    "sts": Manners(ValidationError),
}
EXEMPT = frozenset({"s3"})

# The order of a value set follows no rule that its answers show, so it is AWS's where a recorded
# answer has it, else the model's.
ENUM_ORDERS = (
    "HTTP MOCK AWS_PROXY HTTP_PROXY AWS",
    "PRIVATE EDGE REGIONAL",
    "add remove move test replace copy",
    "REQUEST_TOO_LARGE RESOURCE_NOT_FOUND AUTHORIZER_CONFIGURATION_ERROR "
    "MISSING_AUTHENTICATION_TOKEN BAD_REQUEST_BODY INVALID_SIGNATURE INVALID_API_KEY "
    "BAD_REQUEST_PARAMETERS AUTHORIZER_FAILURE UNAUTHORIZED INTEGRATION_TIMEOUT ACCESS_DENIED "
    "DEFAULT_4XX DEFAULT_5XX WAF_FILTERED QUOTA_EXCEEDED THROTTLED API_CONFIGURATION_ERROR "
    "UNSUPPORTED_MEDIA_TYPE INTEGRATION_FAILURE EXPIRED_TOKEN",
    "LATEST AT_TIMESTAMP TRIM_HORIZON",
    "AFTER_SEQUENCE_NUMBER LATEST AT_TIMESTAMP AT_SEQUENCE_NUMBER TRIM_HORIZON",
    "SPECIFIC_ATTRIBUTES COUNT ALL_ATTRIBUTES ALL_PROJECTED_ATTRIBUTES",
    "ALL_NEW UPDATED_OLD ALL_OLD NONE UPDATED_NEW",
    "IN NULL BETWEEN LT NOT_CONTAINS EQ GT NOT_NULL NE LE BEGINS_WITH GE CONTAINS",
    "OR AND",
    "ADD DELETE PUT",
    "B N S",
    "OLD_IMAGE KEYS_ONLY NEW_AND_OLD_IMAGES NEW_IMAGE",
    "THROTTLED_KEYS ACCESSED_AND_THROTTLED_KEYS",
    "ALL INCLUDE KEYS_ONLY",
    "RESPONSE_STREAM BUFFERED",
    "Terminate Allow",
    "MILLISECOND MICROSECOND",
)
ORDER_OF: dict[frozenset[str], tuple[str, ...]] = {
    frozenset(each.split()): tuple(each.split()) for each in ENUM_ORDERS
}


def summary(messages: list[str]) -> str:
    """All messages in one text; a sentence of the service's own stands without the count."""
    common = [message for message in messages if message.startswith("Value ")]
    if not common:
        return messages[0]
    messages = common[:MESSAGES_MAX]
    plural = "s" if len(messages) > 1 else ""
    return f"{len(messages)} validation error{plural} detected: {'; '.join(messages)}"
