"""Vector indexes through boto3: defined, written to, searched and removed."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.dynamodb.test_exports import imported

Client = Callable[..., Any]

INVALID = "One or more parameter values were invalid: "
SCHEMA = [
    {"AttributeName": "category", "SearchSchemaElementType": "HASH"},
    {"AttributeName": "brand", "SearchSchemaElementType": "INLINE_FILTER"},
]
INDEX: dict[str, Any] = {
    "IndexName": "near",
    "VectorAttribute": {"AttributeName": "embedding"},
    "SearchSchema": SCHEMA,
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]},
    "Dimensions": 3,
    "DistanceFunction": "COSINE",
}
# Without partitions, and with all attributes.
WHOLE: dict[str, Any] = {
    **{name: member for name, member in INDEX.items() if name != "SearchSchema"},
    "Projection": {"ProjectionType": "ALL"},
}


def strings(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def numbers(*given: float | str) -> list[dict[str, str]]:
    return [{"N": str(number)} for number in given]


def create(dynamodb: Any, *indexes: dict[str, Any], **more: Any) -> dict[str, Any]:
    used = {one["AttributeName"] for index in indexes for one in index.get("SearchSchema", ())}
    request = {
        "TableName": "products",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": strings("id", *sorted(used)),
        "BillingMode": "PAY_PER_REQUEST",
        **({"VectorIndexes": list(indexes)} if indexes else {}),
        **more,
    }
    made: dict[str, Any] = dynamodb.create_table(**request)["TableDescription"]
    return made


def put(dynamodb: Any, name: str, vector: Any = None, **more: str) -> None:
    item: dict[str, Any] = {"id": {"S": name}, **{key: {"S": text} for key, text in more.items()}}
    if vector is not None:
        item["embedding"] = {"L": numbers(*vector)}
    dynamodb.put_item(TableName="products", Item=item)


def search(dynamodb: Any, *vector: float, **more: Any) -> list[tuple[str, float]]:
    """The names of the items that are found, each with its score."""
    answer = dynamodb.search_vectors(
        TableName="products",
        IndexName="near",
        SearchVector=numbers(*vector),
        **{"TopK": 10, **more},
    )
    return [(one["Item"]["id"]["S"], one["Score"]) for one in answer["SearchResults"]]


def where(text: str, **given: str) -> dict[str, Any]:
    return {
        "SearchConditionExpression": text,
        "ExpressionAttributeValues": {f":{name}": {"S": value} for name, value in given.items()},
    }


def refusal(call: Callable[..., Any], *args: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(*args, **request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def invalid(text: str) -> tuple[str, str]:
    return "ValidationException", INVALID + text


@pytest.fixture
def dynamodb(client: Client) -> Any:
    return client("dynamodb")


def test_a_new_index_is_being_created(dynamodb: Any) -> None:
    (index,) = create(dynamodb, INDEX)["VectorIndexes"]
    assert index["IndexStatus"] == "CREATING"
    assert index["IndexArn"].endswith(":table/products/index/near")


def test_a_description_has_what_was_asked_for_and_what_is_held(dynamodb: Any) -> None:
    create(dynamodb, INDEX)
    put(dynamodb, "in", (1, 0, 0), category="c")
    put(dynamodb, "no vector", category="c")
    (index,) = dynamodb.describe_table(TableName="products")["Table"]["VectorIndexes"]
    assert {name: index[name] for name in INDEX} == INDEX
    assert (index["IndexStatus"], index["ItemCount"]) == ("ACTIVE", 1)
    assert index["IndexSizeBytes"] == len("embedding") + 3 * 4 + len("idin") + len("categoryc")
    assert "Backfilling" not in index


@pytest.mark.parametrize(
    ("indexes", "more", "text"),
    [
        (
            [INDEX],
            {"AttributeDefinitions": strings("id", "category")},
            "One element in SearchSchema is not defined in attribute definitions",
        ),
        (
            [{**WHOLE, "IndexName": f"near{n}"} for n in range(6)],
            {},
            "VectorIndex count exceeds the per-table limit of 5",
        ),
        (
            [WHOLE, {**WHOLE, "IndexName": "other", "Dimensions": 4}],
            {},
            "Conflicting attribute definition for 'embedding'. All VectorIndexes on the same "
            "vector attribute must use the same dimensions.",
        ),
        (
            [{**WHOLE, "VectorAttribute": {"AttributeName": "id"}}],
            {},
            "Conflicting attribute definition for 'id'. An attribute cannot be defined in "
            "AttributeDefinitions when used as a VectorAttribute.",
        ),
        ([WHOLE, WHOLE], {}, "Duplicate index name: near"),
        (
            [WHOLE],
            {"AttributeDefinitions": strings("id", "other")},
            "Some AttributeDefinitions are not used. AttributeDefinitions: [id, other], keys "
            "used: [id]",
        ),
    ],
)
def test_a_definition_that_does_not_hold_is_refused(
    dynamodb: Any, indexes: list[dict[str, Any]], more: dict[str, Any], text: str
) -> None:
    assert refusal(create, dynamodb, *indexes, **more) == invalid(text)


@pytest.mark.parametrize(
    "change",
    [
        {"Dimensions": 4097},
        {"SearchSchema": [*SCHEMA, {**SCHEMA[0], "AttributeName": "other"}]},
        {"SearchSchema": [{**SCHEMA[1], "AttributeName": f"a{n:02}"} for n in range(19)]},
        {"SearchSchema": [{**SCHEMA[1], "AttributeName": "embedding"}]},
        {
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": list("abcdefghijklmnopqrs"),
            }
        },
    ],
)
def test_a_definition_beyond_the_quotas_is_refused(dynamodb: Any, change: dict[str, Any]) -> None:
    code, _ = refusal(create, dynamodb, {**INDEX, **change})
    assert code == "ValidationException"


def test_vector_indexes_need_a_table_on_demand(dynamodb: Any) -> None:
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    more = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units}
    assert refusal(create, dynamodb, WHOLE, **more)[0] == "ValidationException"
    create(dynamodb, WHOLE)
    assert refusal(dynamodb.update_table, TableName="products", **more)[0] == "ValidationException"


def test_cosine_finds_the_nearest_direction_whatever_the_length(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    put(dynamodb, "opposite", (-1, 0, 0))
    put(dynamodb, "same", (10, 0, 0))
    put(dynamodb, "across", (0, 5, 0))
    assert search(dynamodb, 1, 0, 0) == [("same", 0.0), ("across", 1.0), ("opposite", 2.0)]


def test_euclidean_finds_the_least_distance(dynamodb: Any) -> None:
    create(dynamodb, {**WHOLE, "DistanceFunction": "EUCLIDEAN"})
    put(dynamodb, "far", (10, 0, 0))
    put(dynamodb, "near", (1, 3, 4))
    assert search(dynamodb, 1, 0, 0) == [("near", 5.0), ("far", 9.0)]


def test_the_dot_product_finds_the_greatest(dynamodb: Any) -> None:
    create(dynamodb, {**WHOLE, "DistanceFunction": "DOT_PRODUCT"})
    put(dynamodb, "against", (-2, 0, 0))
    put(dynamodb, "long", (10, 0, 0))
    put(dynamodb, "short", (1, 9, 9))
    found = search(dynamodb, 2, 0, 0)
    assert found == [("long", 20.0), ("short", 2.0), ("against", -4.0)]


def test_an_item_is_found_by_the_vector_that_it_has_now(dynamodb: Any) -> None:
    create(dynamodb, {**WHOLE, "DistanceFunction": "EUCLIDEAN"})
    for at in (3, 5, 3):
        put(dynamodb, "1", (at, 0, 0))
        assert search(dynamodb, 0, 0, 0) == [("1", float(at))]
    dynamodb.delete_item(TableName="products", Key={"id": {"S": "1"}})
    assert search(dynamodb, 0, 0, 0) == []


def test_only_the_nearest_are_returned(dynamodb: Any) -> None:
    create(dynamodb, {**WHOLE, "DistanceFunction": "EUCLIDEAN"})
    for number in range(250):
        put(dynamodb, str(number), (number, 0, 0))
    assert search(dynamodb, 120.25, 0, 0, TopK=3) == [("120", 0.25), ("121", 0.75), ("119", 1.25)]


def test_a_search_looks_at_one_partition_and_by_its_filters(dynamodb: Any) -> None:
    create(dynamodb, INDEX)
    put(dynamodb, "1", (1, 0, 0), category="c", brand="a")
    put(dynamodb, "2", (1, 0, 0), category="c", brand="b")
    put(dynamodb, "3", (1, 0, 0), category="d", brand="a")
    put(dynamodb, "4", (1, 0, 0), category="c")
    names = {name for name, _ in search(dynamodb, 1, 0, 0, **where("category = :c", c="c"))}
    assert names == {"1", "2", "4"}
    condition = where(":b = brand AND (category = :c)", c="c", b="a")
    assert search(dynamodb, 1, 0, 0, **condition) == [("1", 0.0)]


def test_an_item_without_the_partition_key_is_written_but_not_found(dynamodb: Any) -> None:
    create(dynamodb, INDEX)
    put(dynamodb, "1", (1, 0, 0), category="c")
    put(dynamodb, "2", (1, 0, 0))
    dynamodb.update_item(
        TableName="products", Key={"id": {"S": "1"}}, UpdateExpression="REMOVE category"
    )
    assert search(dynamodb, 1, 0, 0, **where("category = :c", c="c")) == []


def query(dynamodb: Any, index: str, **more: Any) -> tuple[str, str]:
    return refusal(
        dynamodb.query,
        TableName="products",
        IndexName=index,
        KeyConditionExpression="id = :i",
        ExpressionAttributeValues={":i": {"S": "1"}},
        **more,
    )


def test_only_a_search_reads_a_vector_index(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    index = {"TableName": "products", "IndexName": "near"}
    assert query(dynamodb, "near")[1] == "Query operation not supported on this index type."
    scan = "ValidationException", "Scan operation not supported on this index type"
    assert refusal(dynamodb.scan, **index) == scan
    for condition in ("", " WHERE id = '1'"):
        statement = 'SELECT * FROM "products"."near"' + condition
        assert refusal(dynamodb.execute_statement, Statement=statement) == scan
    other = "The table does not have the specified index: other"
    assert query(dynamodb, "other")[1] == other


def test_a_consistent_query_of_a_vector_index_is_refused_for_that(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    text = "Consistent reads are not supported on global secondary indexes"
    assert query(dynamodb, "near", ConsistentRead=True) == ("ValidationException", text)
    scan = {"TableName": "products", "IndexName": "near", "ConsistentRead": True}
    assert refusal(dynamodb.scan, **scan)[1] == "Scan operation not supported on this index type"


def test_a_vector_index_that_is_gone_is_none(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    removal = [{"Delete": {"IndexName": "near"}}]
    dynamodb.update_table(TableName="products", VectorIndexUpdates=removal)
    assert query(dynamodb, "near")[1] == "The table does not have the specified index: near"


def results(dynamodb: Any, **more: Any) -> dict[str, Any]:
    """The one item that a search finds."""
    (found,) = dynamodb.search_vectors(
        TableName="products", IndexName="near", SearchVector=numbers(1, 0, 0), TopK=1, **more
    )["SearchResults"]
    item: dict[str, Any] = found["Item"]
    return item


def test_a_result_has_what_is_projected_but_not_the_vector(dynamodb: Any) -> None:
    create(dynamodb, INDEX)
    put(dynamodb, "1", (1, 0, 0), category="c", brand="b", title="t", price="9")
    found = results(dynamodb, **where("category = :c", c="c"))
    assert set(found) == {"id", "category", "brand", "title"}


def test_everything_is_projected_but_the_vector(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    put(dynamodb, "1", (1, 0, 0), price="9")
    assert set(results(dynamodb)) == {"id", "price"}


def test_a_projection_expression_chooses_and_passes_over_what_is_not_projected(
    dynamodb: Any,
) -> None:
    create(dynamodb, INDEX)
    put(dynamodb, "1", (1, 0, 0), category="c", title="t", price="9")
    chosen = {"ProjectionExpression": "title, price"}
    assert results(dynamodb, **where("category = :c", c="c"), **chosen) == {"title": {"S": "t"}}


def test_a_projection_expression_shows_the_vector_in_single_precision(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    put(dynamodb, "1", ("0.1", "0.123456789", "100000"))
    found = results(dynamodb, ProjectionExpression="embedding")
    assert found == {"embedding": {"L": numbers("0.1", "0.12345679", "100000")}}
    item = dynamodb.get_item(TableName="products", Key={"id": {"S": "1"}})["Item"]
    assert item["embedding"]["L"][1] == {"N": "0.123456789"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"L": numbers(1, 2)}, "Invalid size for parameter embedding, Expected: 3, Actual: 2 "),
        (
            {"S": "1"},
            "Invalid type for parameter embedding, Expected: 32-bit floating point number list ",
        ),
        ({"NS": ["1", "2", "3"]}, "Invalid type for parameter embedding"),
        ({"L": [*numbers(1, 2), {"S": "3"}]}, "Invalid type for parameter embedding[2]"),
        ({"L": numbers(1, 2, "1e39")}, "Invalid value for parameter embedding[2]"),
    ],
)
def test_a_vector_that_does_not_fit_is_not_written(
    dynamodb: Any, value: dict[str, Any], text: str
) -> None:
    create(dynamodb, WHOLE)
    item = {"id": {"S": "1"}, "embedding": value}
    put_ = {"PutRequest": {"Item": item}}
    for code, message in (
        refusal(dynamodb.put_item, TableName="products", Item=item),
        refusal(dynamodb.batch_write_item, RequestItems={"products": [put_]}),
        refusal(
            dynamodb.update_item,
            TableName="products",
            Key={"id": {"S": "1"}},
            UpdateExpression="SET embedding = :v",
            ExpressionAttributeValues={":v": value},
        ),
    ):
        assert code == "ValidationException"
        assert message.startswith("One or more parameter values were invalid. " + text)
        assert message.endswith("IndexName: near")
    assert dynamodb.scan(TableName="products")["Count"] == 0


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        (
            {"category": {"N": "1"}},
            INVALID + "Type mismatch for Index Key category Expected: S Actual: N IndexName: near",
        ),
        (
            {"brand": {"N": "1"}},
            INVALID + "Type mismatch for Index Key brand Expected: S Actual: N IndexName: near",
        ),
        (
            {"category": {"S": ""}},
            "One or more parameter values are not valid. A value specified for a secondary index "
            "key is not supported. The AttributeValue for a key attribute cannot contain an empty "
            "string value. IndexName: near, IndexKey: category",
        ),
    ],
)
def test_attributes_of_the_search_schema_are_written_in_their_types(
    dynamodb: Any, attribute: dict[str, Any], text: str
) -> None:
    create(dynamodb, INDEX)
    item = {"id": {"S": "1"}, **attribute}
    assert refusal(dynamodb.put_item, TableName="products", Item=item) == (
        "ValidationException",
        text,
    )


NO_HASH = "SearchConditionExpression must be provided when SearchSchema has a HASH key"
REFUSED = "Invalid SearchConditionExpression: "


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, NO_HASH),
        (where("brand = :b", b="b"), NO_HASH),
        (
            {**where("category = :c", c="c"), "TopK": 101},
            "Provided TopK value '101' is out of valid range. The value must be between 1 and 100 "
            "inclusive",
        ),
        (
            {**where("category = :c", c="c"), "SearchVector": numbers(1, 2)},
            "Input search vector dimension 2 does not match vector index dimension 3",
        ),
        (
            {**where("category = :c", c="c"), "IndexName": "other"},
            "The table does not have the specified index: other",
        ),
        *(
            (
                where(text, c="c"),
                REFUSED + "Invalid comparator used in SearchConditionExpression",
            )
            for text in (
                *("category < :c", "category <> :c", "category IN (:c)", "NOT category = :c"),
                *("category BETWEEN :c AND :c", "begins_with(category, :c)"),
                "category = :c OR brand = :c",
            )
        ),
        (
            where("category = :c AND category = :d", c="c", d="d"),
            REFUSED + "SearchConditionExpression must only contain one condition per attribute",
        ),
        (
            where("category = :c", d="d"),
            REFUSED + "An expression attribute value used in expression is not defined; attribute "
            "value: :c",
        ),
    ],
)
def test_a_search_that_cannot_be_made_is_refused(
    dynamodb: Any, more: dict[str, Any], text: str
) -> None:
    create(dynamodb, INDEX)
    request = {
        "TableName": "products",
        "IndexName": "near",
        "SearchVector": numbers(1, 0, 0),
        "TopK": 1,
        **more,
    }
    assert refusal(dynamodb.search_vectors, **request) == ("ValidationException", text)


def test_a_condition_keeps_to_the_search_schema(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    found = refusal(search, dynamodb, 1, 0, 0, **where("title = :t", t="t"))
    text = (
        "SearchConditionExpression must not contain any attributes that is not in SearchSchema. "
        "Invalid attribute: title"
    )
    assert found == ("ValidationException", text)


def test_a_vector_to_search_for_is_made_of_numbers(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    request = {"TableName": "products", "IndexName": "near", "TopK": 1}
    for wrong in ({"L": numbers(1, 0, 0)}, {"S": "1"}, {"N": "1e39"}):
        assert refusal(dynamodb.search_vectors, SearchVector=[wrong], **request) == (
            "ValidationException",
            "Search vector contains invalid values. All values in the search vector must be a "
            "32-bit floating-point number attribute",
        )


def test_a_table_that_is_not_there_is_not_searched(dynamodb: Any) -> None:
    assert refusal(search, dynamodb, 1, 0, 0)[0] == "ResourceNotFoundException"


def update(dynamodb: Any, *updates: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    made = dynamodb.update_table(TableName="products", VectorIndexUpdates=list(updates), **more)[
        "TableDescription"
    ]
    found: list[dict[str, Any]] = made["VectorIndexes"]
    return found


def test_an_index_that_is_added_finds_the_items_that_are_there(dynamodb: Any) -> None:
    create(dynamodb, {**WHOLE, "IndexName": "first"})
    put(dynamodb, "1", (1, 0, 0), category="c")
    attributes = strings("id", "category", "brand")
    _, added = update(dynamodb, {"Create": INDEX}, AttributeDefinitions=attributes)
    assert (added["IndexName"], added["IndexStatus"]) == ("near", "CREATING")
    assert search(dynamodb, 1, 0, 0, **where("category = :c", c="c")) == [("1", 0.0)]


def test_an_older_item_whose_vector_does_not_fit_is_not_found(dynamodb: Any) -> None:
    create(dynamodb, {**WHOLE, "IndexName": "first", "VectorAttribute": {"AttributeName": "v"}})
    put(dynamodb, "short", (1, 0))
    put(dynamodb, "fits", (1, 0, 0))
    update(dynamodb, {"Create": WHOLE})
    assert search(dynamodb, 1, 0, 0) == [("fits", 0.0)]


def test_an_index_that_is_removed_is_gone_with_its_attributes(dynamodb: Any) -> None:
    create(dynamodb, INDEX)
    (removed,) = update(dynamodb, {"Delete": {"IndexName": "near"}})
    assert removed["IndexStatus"] == "DELETING"
    table = dynamodb.describe_table(TableName="products")["Table"]
    assert "VectorIndexes" not in table
    assert table["AttributeDefinitions"] == strings("id")
    put(dynamodb, "1", (1, 2))


@pytest.mark.parametrize(
    ("updates", "expected"),
    [
        ([], invalid("List of VectorIndexUpdates is empty")),
        ([{}], invalid("One of VectorIndexUpdate's actions must be specified")),
        (
            [{"Create": INDEX}],
            ("ValidationException", "Attempting to create an index which already exists"),
        ),
        (
            [{"Delete": {"IndexName": "other"}}],
            (
                "ResourceNotFoundException",
                "Requested resource not found: Index other for table products",
            ),
        ),
        (
            [{"Create": {**WHOLE, "IndexName": name}} for name in ("one", "two")],
            (
                "LimitExceededException",
                "Subscriber limit exceeded: Only 1 online index can be created or deleted "
                "simultaneously per table",
            ),
        ),
        (
            [{"Create": {**WHOLE, "IndexName": "other", "Dimensions": 4}}],
            invalid(
                "Conflicting attribute definition for 'embedding'. All VectorIndexes on the same "
                "vector attribute must use the same dimensions."
            ),
        ),
    ],
)
def test_an_update_that_cannot_be_made_is_refused(
    dynamodb: Any, updates: list[dict[str, Any]], expected: tuple[str, str]
) -> None:
    create(dynamodb, INDEX)
    assert refusal(update, dynamodb, *updates) == expected


def test_a_global_index_and_a_vector_index_are_not_added_together(dynamodb: Any) -> None:
    create(dynamodb, INDEX)
    other = {
        "IndexName": "by-brand",
        "KeySchema": [{"AttributeName": "brand", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    code, _ = refusal(
        update,
        dynamodb,
        {"Create": {**WHOLE, "IndexName": "other"}},
        AttributeDefinitions=strings("brand"),
        GlobalSecondaryIndexUpdates=[{"Create": other}],
    )
    assert code == "LimitExceededException"


def test_a_write_tells_the_bytes_that_go_to_an_index(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    request = {"TableName": "products", "ReturnConsumedCapacity": "INDEXES"}
    item = {"id": {"S": "1"}, "embedding": {"L": numbers(1, 0, 0)}, "text": {"S": "x" * 2000}}
    capacity = dynamodb.put_item(Item=item, **request)["ConsumedCapacity"]
    size = len("embedding") + 3 * 4 + len("id1") + len("text") + 2000
    assert capacity["VectorIndexes"] == {"near": {"VectorWriteRequestBytes": size}}
    assert "VectorIndexes" not in dynamodb.put_item(Item=item, **request)["ConsumedCapacity"]


def test_no_write_takes_less_of_an_index_than_a_kilobyte(dynamodb: Any) -> None:
    keys = {**WHOLE, "IndexName": "keys", "Projection": {"ProjectionType": "KEYS_ONLY"}}
    create(dynamodb, WHOLE, keys)
    item = embedded("1", 2000)
    answer = dynamodb.put_item(TableName="products", Item=item, ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"]["VectorIndexes"] == {
        "near": {"VectorWriteRequestBytes": 2000},
        "keys": {"VectorWriteRequestBytes": 1024},
    }


def test_a_write_is_charged_for_numbers_of_single_precision_and_a_read_for_all_digits(
    dynamodb: Any,
) -> None:
    create(dynamodb, WHOLE)
    digits = "12345678901234567890123456789012345678"
    fixed = len("id1") + len("embedding") + 3 * 4 + len("text")
    for size_bytes, units in ((1024, 1), (1025, 2), (4096, 4)):
        item = {
            "id": {"S": "1"},
            "embedding": {"L": numbers(digits, digits, digits)},
            "text": {"S": "x" * (size_bytes - fixed)},
        }
        dynamodb.delete_item(TableName="products", Key={"id": {"S": "1"}})
        told = dynamodb.put_item(TableName="products", Item=item, ReturnConsumedCapacity="TOTAL")
        assert told["ConsumedCapacity"]["CapacityUnits"] == units
    got = dynamodb.get_item(
        TableName="products",
        Key={"id": {"S": "1"}},
        ConsistentRead=True,
        ReturnConsumedCapacity="TOTAL",
    )
    assert got["ConsumedCapacity"]["CapacityUnits"] == 2


def embedded(name: str, size_bytes: int) -> dict[str, Any]:
    """An item of as many bytes in the index, its vector's three numbers included."""
    text = "x" * (size_bytes - 3 * 4 - len("embedding" + "id" + name + "text"))
    return {"id": {"S": name}, "embedding": {"L": numbers(1, 0, 0)}, "text": {"S": text}}


def test_a_batch_tells_the_bytes_of_all_its_writes(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    items = [embedded("1", 2000), embedded("2", 3000), {"id": {"S": "3"}}]
    request = {"products": [{"PutRequest": {"Item": item}} for item in items]}
    for mode, told in (("TOTAL", None), ("INDEXES", {"near": {"VectorWriteRequestBytes": 5000}})):
        answer = dynamodb.batch_write_item(RequestItems=request, ReturnConsumedCapacity=mode)
        assert answer["ConsumedCapacity"][0].get("VectorIndexes") == told
        removal = {"products": [{"DeleteRequest": {"Key": {"id": item["id"]}}} for item in items]}
        dynamodb.batch_write_item(RequestItems=removal)


def test_a_transaction_tells_the_bytes_of_all_its_writes(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    create(dynamodb, TableName="plain")
    puts = [
        {"Put": {"TableName": "products", "Item": embedded("1", 2000)}},
        {"Put": {"TableName": "plain", "Item": embedded("1", 2000)}},
        {"Put": {"TableName": "products", "Item": embedded("2", 3000)}},
    ]
    answer = dynamodb.transact_write_items(TransactItems=puts, ReturnConsumedCapacity="INDEXES")
    told = {one["TableName"]: one.get("VectorIndexes") for one in answer["ConsumedCapacity"]}
    assert told == {"products": {"near": {"VectorWriteRequestBytes": 5000}}, "plain": None}


def test_a_statement_tells_the_bytes_that_go_to_an_index(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    parameters = [{"S": "1"}, {"L": numbers(1, 0, 0)}]
    answer = dynamodb.execute_statement(
        Statement="INSERT INTO products VALUE {'id': ?, 'embedding': ?}",
        Parameters=parameters,
        ReturnConsumedCapacity="INDEXES",
    )
    told = answer["ConsumedCapacity"]["VectorIndexes"]
    assert told == {"near": {"VectorWriteRequestBytes": 1024}}


def test_a_search_tells_the_bytes_that_it_took_at_least_a_kilobyte(dynamodb: Any) -> None:
    create(dynamodb, WHOLE)
    request = {"TableName": "products", "IndexName": "near", "SearchVector": numbers(1, 0, 0)}
    answer = dynamodb.search_vectors(**request, TopK=1, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == {"VectorSearchRequestBytes": 1024.0}


def test_a_new_replica_has_the_vector_indexes_of_its_table(client: Client) -> None:
    create(client("dynamodb"), WHOLE)
    put(client("dynamodb"), "1", (1, 0, 0))
    client("dynamodb").update_table(
        TableName="products", ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}]
    )
    there = client("dynamodb", region="eu-west-1")
    there.get_waiter("table_exists").wait(TableName="products")
    assert search(there, 1, 0, 0) == [("1", 0.0)]


def test_an_import_makes_the_vector_indexes_of_its_table(client: Client, account: str) -> None:
    dynamodb, s3 = client("dynamodb"), client("s3")
    bucket = f"vectors-{account}"
    s3.create_bucket(Bucket=bucket)
    content = b'{Item:{id:"1",embedding:[1.,0.,0.]}} {Item:{id:"2",embedding:[1.]}}'
    s3.put_object(Bucket=bucket, Key="items", Body=content)
    made = dynamodb.import_table(
        S3BucketSource={"S3Bucket": bucket},
        InputFormat="ION",
        TableCreationParameters={
            "TableName": "products",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": strings("id"),
            "BillingMode": "PAY_PER_REQUEST",
            "VectorIndexes": [WHOLE],
        },
    )
    outcome = imported(dynamodb, made["ImportTableDescription"]["ImportArn"])
    assert (outcome["ImportedItemCount"], outcome["ErrorCount"]) == (1, 1)
    assert search(dynamodb, 1, 0, 0) == [("1", 0.0)]
