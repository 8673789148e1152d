"""What UpdateTable takes of vector indexes, through boto3."""

from typing import Any

import pytest

from tests.aws.dynamodb.test_vectors import INDEX, WHOLE, Client, create, invalid, refusal, strings


@pytest.fixture
def dynamodb(client: Client) -> Any:
    return client("dynamodb")


def add(dynamodb: Any, index: dict[str, Any], **more: Any) -> tuple[str, str]:
    """How the index is refused."""
    updates = [{"Create": index}]
    return refusal(dynamodb.update_table, TableName="products", VectorIndexUpdates=updates, **more)


def test_a_sixth_index_is_refused_by_a_limit(dynamodb: Any) -> None:
    create(dynamodb, *({**WHOLE, "IndexName": f"near{n}"} for n in range(5)))
    assert add(dynamodb, WHOLE) == (
        "LimitExceededException",
        "Subscriber limit exceeded: Number of vector secondary indexes exceeds per-table limit "
        "of 5",
    )


def test_attributes_of_a_new_index_are_defined_in_the_request_that_adds_it(dynamodb: Any) -> None:
    create(dynamodb, INDEX)
    other = {**INDEX, "IndexName": "other"}
    undefined = invalid("One element in SearchSchema is not defined in attribute definitions")
    assert add(dynamodb, other) == undefined
    assert add(dynamodb, other, AttributeDefinitions=strings("brand")) == undefined
    dynamodb.update_table(
        TableName="products",
        VectorIndexUpdates=[{"Create": other}],
        AttributeDefinitions=strings("brand", "category"),
    )


def test_the_key_of_the_table_is_no_vector(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    other = {**WHOLE, "IndexName": "other", "VectorAttribute": {"AttributeName": "id"}}
    assert add(dynamodb, other) == invalid(
        "Attributes cannot be redefined. Please check that your attribute has the same type as "
        "previously defined. Existing schema: Schema:[SchemaElement: key{id:S:HASH}] New schema: "
        "VectorIndexSchema:[VectorAttribute: key{id:L:3}]"
    )
    assert add(dynamodb, other, AttributeDefinitions=strings("id")) == invalid(
        "Conflicting attribute definition for 'id'. An attribute cannot be defined in "
        "AttributeDefinitions when used as a VectorAttribute."
    )
