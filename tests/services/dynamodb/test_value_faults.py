"""What no attribute value can be, and how each operation tells it."""

from collections.abc import Callable
from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls

Value = dict[str, Any]

TABLE = {
    "TableName": "things",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
KEY = {"id": {"S": "1"}}
IN_VALUES = "ExpressionAttributeValues contains invalid value: {} for key :v"
COUNTED = "1 validation error detected: {}"
INVALID = "One or more parameter values were invalid: "
DEEP = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels "
    "beyond supported limit"
)
NO_NUMBER = "The parameter cannot be converted to a numeric value"
HUGE = "1e9223372036854775808"
EMPTY = "An string set  may not be empty"
OVER = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDER = "Number underflow. Attempting to store a number with magnitude smaller than supported range"


def request(**members: Any) -> dict[str, Any]:
    return {"TableName": "things", **members}


def transaction(**action: Any) -> dict[str, Any]:
    return {"TransactItems": [{kind: request(**one) for kind, one in action.items()}]}


def condition(value: Value) -> dict[str, Any]:
    return {"ConditionExpression": "a = :v", "ExpressionAttributeValues": {":v": value}}


def setting(value: Value) -> dict[str, Any]:
    return {"UpdateExpression": "SET a = :v", "ExpressionAttributeValues": {":v": value}}


def filtered(value: Value) -> dict[str, Any]:
    return {
        "FilterExpression": "a = :v",
        "ExpressionAttributeValues": {":v": value},
    }


def queried(value: Value) -> dict[str, Any]:
    told = filtered(value)
    told["ExpressionAttributeValues"][":id"] = KEY["id"]
    return request(KeyConditionExpression="id = :id", **told)


Surface = tuple[str, Callable[[Value], dict[str, Any]]]

COUNTING: dict[str, Surface] = {
    "a condition of a put": ("PutItem", lambda v: request(Item=KEY, **condition(v))),
    "an expectation": ("PutItem", lambda v: request(Item=KEY, Expected={"a": {"Value": v}})),
    "an update": ("UpdateItem", lambda v: request(Key=KEY, **setting(v))),
    "an older update": (
        "UpdateItem",
        lambda v: request(Key=KEY, AttributeUpdates={"a": {"Action": "PUT", "Value": v}}),
    ),
    "an updated key": ("UpdateItem", lambda v: request(Key={"id": v})),
    "a condition of a deletion": ("DeleteItem", lambda v: request(Key=KEY, **condition(v))),
    "a deleted key": ("DeleteItem", lambda v: request(Key={"id": v})),
}
BARE: dict[str, Surface] = {
    "a got key": ("GetItem", lambda v: request(Key={"id": v})),
    "a key of a batch": (
        "BatchGetItem",
        lambda v: {"RequestItems": {"things": {"Keys": [{"id": v}]}}},
    ),
    "a filter of a query": ("Query", queried),
    "a start of a query": (
        "Query",
        lambda v: request(
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": KEY["id"]},
            ExclusiveStartKey={"id": v},
        ),
    ),
    "an older filter": (
        "Query",
        lambda v: request(
            KeyConditions={"id": {"ComparisonOperator": "EQ", "AttributeValueList": [KEY["id"]]}},
            QueryFilter={"a": {"ComparisonOperator": "EQ", "AttributeValueList": [v]}},
        ),
    ),
}
OLDER: dict[str, Surface] = {
    "a put of a batch": (
        "BatchWriteItem",
        lambda v: {"RequestItems": {"things": [{"PutRequest": {"Item": {**KEY, "a": v}}}]}},
    ),
    "a deletion of a batch": (
        "BatchWriteItem",
        lambda v: {"RequestItems": {"things": [{"DeleteRequest": {"Key": {"id": v}}}]}},
    ),
    "a put of a transaction": (
        "TransactWriteItems",
        lambda v: transaction(Put={"Item": {**KEY, "a": v}}),
    ),
    "a deletion of a transaction": (
        "TransactWriteItems",
        lambda v: transaction(Delete={"Key": {"id": v}}),
    ),
    "a get of a transaction": (
        "TransactGetItems",
        lambda v: transaction(Get={"Key": {"id": v}}),
    ),
    "a statement": (
        "ExecuteStatement",
        lambda v: {"Statement": "SELECT * FROM things WHERE id = ?", "Parameters": [v]},
    ),
    "a statement of a transaction": (
        "ExecuteTransaction",
        lambda v: {
            "TransactStatements": [
                {"Statement": "UPDATE things SET a = ? WHERE id = '1'", "Parameters": [v]}
            ]
        },
    ),
}
WRAPPED: dict[str, Surface] = {
    "a condition of a transaction's put": (
        "TransactWriteItems",
        lambda v: transaction(Put={"Item": KEY, **condition(v)}),
    ),
    "an update of a transaction": (
        "TransactWriteItems",
        lambda v: transaction(Update={"Key": KEY, **setting(v)}),
    ),
    "a condition of a transaction's deletion": (
        "TransactWriteItems",
        lambda v: transaction(Delete={"Key": KEY, **condition(v)}),
    ),
    "a check of a transaction": (
        "TransactWriteItems",
        lambda v: transaction(ConditionCheck={"Key": KEY, **condition(v)}),
    ),
    "a filter of a scan": ("Scan", lambda v: request(**filtered(v))),
}
PUT: Surface = ("PutItem", lambda v: request(Item={**KEY, "a": v}))

# A value, and its fault in the older and in the newer form.
NUMBERS: list[tuple[str, str, str]] = [
    ("abc", f"{NO_NUMBER}: abc", f"{NO_NUMBER}: abc"),
    ("", NO_NUMBER, f"{NO_NUMBER}: "),
    ("1e126", OVER, OVER),
    ("0e126", OVER, OVER),
    ("1e-131", UNDER, UNDER),
    ("0e-131", UNDER, UNDER),
    ("1e2147483647", UNDER, OVER),
    ("1e2147483648", f"{NO_NUMBER}: 1e2147483648", OVER),
    ("1e-2147483648", f"{NO_NUMBER}: 1e-2147483648", UNDER),
    (HUGE, f"{NO_NUMBER}: {HUGE}", f"{NO_NUMBER}: {HUGE}"),
]
SETS: list[tuple[Value, str, str]] = [
    (
        {"SS": ["b", "a", "b"]},
        f"{INVALID}Input collection [b, a, b] contains duplicates.",
        f'{INVALID}Input collection ["a", "b", "b"] contains duplicates.',
    ),
    (
        {"SS": ["c", "c", "a"]},
        f"{INVALID}Input collection [c, c, a] contains duplicates.",
        f'{INVALID}Input collection ["c", "c", "a"] contains duplicates.',
    ),
    (
        {"BS": ["/w==", "AA==", "AA=="]},
        f"{INVALID}Input collection [/w==, AA==, AA==]of type BS contains duplicates.",
        f'{INVALID}Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.',
    ),
    (
        {"NS": ["2", "1", "2"]},
        "Input collection contains duplicates",
        f"{INVALID}Input collection contains duplicates.",
    ),
    ({"SS": []}, f"{INVALID}{EMPTY}", f"{INVALID}{EMPTY}"),
]
FAULTS: list[tuple[Value, str, str]] = [
    *(({"N": text}, older, newer) for text, older, newer in NUMBERS),
    *SETS,
]


async def refusal(calls: Calls, surface: Surface, value: Value) -> str:
    operation, asked = surface
    with pytest.raises(AwsError) as caught:
        await calls(operation, **asked(value))
    assert caught.value.code == "ValidationException"
    return str(caught.value.message)


async def made() -> Calls:
    calls = Calls()
    await calls("CreateTable", **TABLE)
    return calls


def nested(levels: int, leaf: Value | None = None) -> Value:
    value = leaf or {"S": "x"}
    for _ in range(levels):
        value = {"M": {"m": value}}
    return value


@pytest.mark.parametrize("where", COUNTING)
async def test_who_writes_one_item_tells_faults_of_values_with_their_count(where: str) -> None:
    calls = await made()
    for value, _, newer in FAULTS:
        assert await refusal(calls, COUNTING[where], value) == COUNTED.format(newer)


@pytest.mark.parametrize("where", BARE)
async def test_who_reads_by_keys_tells_faults_of_values_plainly(where: str) -> None:
    calls = await made()
    for value, _, newer in FAULTS:
        assert await refusal(calls, BARE[where], value) == newer


@pytest.mark.parametrize("where", OLDER)
async def test_batches_transactions_and_statements_tell_the_older_texts(where: str) -> None:
    calls = await made()
    for value, older, _ in FAULTS:
        assert await refusal(calls, OLDER[where], value) == older


@pytest.mark.parametrize("where", WRAPPED)
async def test_transactions_and_scans_say_which_value_of_an_expression_it_is(where: str) -> None:
    calls = await made()
    for value, older, _ in FAULTS:
        assert await refusal(calls, WRAPPED[where], value) == IN_VALUES.format(older)


@pytest.mark.parametrize(("text", "newer"), [(text, newer) for text, _, newer in NUMBERS])
async def test_a_put_counts_a_wrong_number_wherever_it_stands(text: str, newer: str) -> None:
    calls = await made()
    for value in ({"N": text}, {"NS": ["1", text]}, {"M": {"x": {"L": [{"N": text}]}}}):
        assert await refusal(calls, PUT, value) == COUNTED.format(newer)


@pytest.mark.parametrize(("value", "older"), [(value, older) for value, older, _ in SETS])
async def test_a_put_tells_a_wrong_set_in_its_item_as_before(value: Value, older: str) -> None:
    assert await refusal(await made(), PUT, value) == older


async def test_zero_is_within_the_range_with_its_exponent() -> None:
    calls = await made()
    await calls("PutItem", **request(Item={**KEY, "a": {"N": "0e125"}}))
    got = await calls("GetItem", **request(Key=KEY))
    assert got["Item"]["a"] == {"N": "0"}


@pytest.mark.parametrize(
    ("surface", "text"),
    [
        (PUT, COUNTED),
        *((one, COUNTED) for one in COUNTING.values()),
        *((one, "{}") for one in (*BARE.values(), *OLDER.values())),
    ],
    ids=["a put", *COUNTING, *BARE, *OLDER],
)
async def test_32_levels_below_an_attribute_are_too_many(surface: Surface, text: str) -> None:
    assert await refusal(await made(), surface, nested(32)) == text.format(DEEP)


@pytest.mark.parametrize("where", WRAPPED)
async def test_a_transaction_or_scan_compares_with_one_level_more(where: str) -> None:
    assert await refusal(await made(), WRAPPED[where], nested(33)) == IN_VALUES.format(DEEP)


@pytest.mark.parametrize(
    "surface",
    [
        PUT,
        COUNTING["an update"],
        COUNTING["an older update"],
        OLDER["a put of a batch"],
        OLDER["a put of a transaction"],
        OLDER["a statement of a transaction"],
        WRAPPED["an update of a transaction"],
    ],
)
async def test_31_levels_below_an_attribute_are_written(surface: Surface) -> None:
    calls = await made()
    await calls("PutItem", **request(Item=KEY))
    operation, asked = surface
    await calls(operation, **asked(nested(31)))
    got = await calls("GetItem", **request(Key=KEY))
    assert got["Item"]["a"] == nested(31)


async def test_what_holds_nothing_may_stand_on_the_last_level() -> None:
    calls = await made()
    value = nested(31, {"L": []})
    await calls("PutItem", **request(Item={**KEY, "a": value}))
    got = await calls("GetItem", **request(Key=KEY))
    assert got["Item"]["a"] == value


async def test_an_update_does_not_nest_what_is_stored_too_deeply() -> None:
    calls = await made()
    await calls("PutItem", **request(Item={**KEY, "a": nested(31)}))
    path = "a" + ".m" * 31
    with pytest.raises(AwsError) as caught:
        await calls(
            "UpdateItem",
            **request(
                Key=KEY,
                UpdateExpression=f"SET {path} = :v",
                ExpressionAttributeValues={":v": nested(1)},
            ),
        )
    assert caught.value.message == DEEP


async def test_a_transaction_that_updates_too_deeply_is_cancelled() -> None:
    calls = await made()
    operation, asked = WRAPPED["an update of a transaction"]
    with pytest.raises(AwsError) as caught:
        await calls(operation, **asked(nested(32)))
    assert caught.value.code == "TransactionCanceledException"
    reason = {"Code": "ValidationError", "Message": DEEP}
    assert caught.value.fields["CancellationReasons"] == [reason]


@pytest.mark.parametrize("levels", [40, 100])
async def test_statements_tell_the_first_parameter_that_is_wrong(levels: int) -> None:
    calls = await made()
    wrong = {"N": "abc"}
    for given, text in (
        ([nested(levels), wrong], DEEP),
        ([wrong, nested(levels)], f"{NO_NUMBER}: abc"),
        ([nested(levels, wrong), wrong], DEEP),
        ([{"M": {"d": nested(levels), "n": wrong}}, wrong], DEEP),
        ([{"M": {"n": wrong, "d": nested(levels)}}, wrong], f"{NO_NUMBER}: abc"),
    ):
        update = {
            "Statement": "UPDATE things SET a = ? SET b = ? WHERE id = '1'",
            "Parameters": given,
        }
        for operation, asked in (
            ("ExecuteStatement", update),
            ("ExecuteTransaction", {"TransactStatements": [update]}),
        ):
            with pytest.raises(AwsError) as caught:
                await calls(operation, **asked)
            assert caught.value.message == text
        batch = await calls("BatchExecuteStatement", Statements=[update])
        assert batch["Responses"][0]["Error"] == {"Code": "ValidationError", "Message": text}


async def writes(calls: Calls, *actions: dict[str, Any]) -> str:
    given = [{kind: request(**one) for kind, one in action.items()} for action in actions]
    with pytest.raises(AwsError) as caught:
        await calls("TransactWriteItems", TransactItems=given)
    assert caught.value.code == "ValidationException"
    return str(caught.value.message)


NAMELESS = {"Put": {"Item": {**KEY, "": {"S": "x"}}}}


async def test_an_attribute_has_a_name() -> None:
    calls = await made()
    assert await writes(calls, NAMELESS) == "Empty attribute name"
    put = {"Put": {"Item": {**KEY, "a": {"M": {"": {"S": "x"}}}}}}
    assert await writes(calls, put) == "Empty attribute name"


async def test_an_empty_name_of_an_attribute_comes_before_depth() -> None:
    calls = await made()
    for item in (
        {**KEY, "": {"S": "x"}, "a": nested(100)},
        {**KEY, "a": nested(100), "": {"S": "x"}},
    ):
        assert await writes(calls, {"Put": {"Item": item}}) == "Empty attribute name"


async def test_depth_comes_before_an_empty_name_within_a_value() -> None:
    item = {**KEY, "a": {"M": {"": {"S": "x"}}}, "b": {"L": [nested(40)]}}
    assert await writes(await made(), {"Put": {"Item": item}}) == DEEP


async def test_a_transaction_tells_of_the_first_action_that_is_wrong() -> None:
    calls = await made()
    deep = {"Put": {"Item": {**KEY, "a": nested(40)}}}
    check = {"ConditionCheck": {"Key": KEY, **condition(nested(40))}}
    syntax = {"Put": {"Item": KEY, "ConditionExpression": "a = = b"}}
    key = {"Delete": {"Key": {"id": nested(40)}}}
    wrong = 'Invalid ConditionExpression: Syntax error; token: "=", near: "= = b"'
    assert await writes(calls, deep, NAMELESS) == DEEP
    assert await writes(calls, NAMELESS, deep) == "Empty attribute name"
    assert await writes(calls, check, NAMELESS) == IN_VALUES.format(DEEP)
    assert await writes(calls, NAMELESS, check) == "Empty attribute name"
    assert await writes(calls, key, syntax) == DEEP
    assert await writes(calls, syntax, key) == wrong


@pytest.mark.parametrize(
    ("expressions", "text"),
    [
        (
            {"ConditionExpression": "a = = b"},
            'Invalid ConditionExpression: Syntax error; token: "=", near: "= = b"',
        ),
        (
            {
                "ConditionExpression": "a = :v",
                "ExpressionAttributeValues": {":v": {"S": "x"}, ":u": {"S": "x"}},
            },
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:u}",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["Delete", "ConditionCheck"])
async def test_an_actions_expressions_come_before_the_depth_of_its_key(
    kind: str, expressions: dict[str, Any], text: str
) -> None:
    action = {kind: {"Key": {"id": nested(100)}, **expressions}}
    assert await writes(await made(), action) == text


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {"ExpressionAttributeValues": {":v": {"S": "x"}}},
            "ExpressionAttributeValues can only be specified when using expressions",
        ),
        (
            {"ExpressionAttributeNames": {"#a": "a"}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            {"ConditionExpression": "attribute_exists(a)", "ExpressionAttributeNames": {}},
            "ExpressionAttributeNames must not be empty",
        ),
        (
            {"ConditionExpression": ""},
            "Invalid ConditionExpression: The expression can not be empty;",
        ),
        ({"ReturnValues": "ALL_NEW"}, "ReturnValues can only be ALL_OLD or NONE"),
        (
            {"Expected": {"a": {"Exists": True}}},
            f"{INVALID}Value must be provided when Exists is true for Attribute: a",
        ),
    ],
)
async def test_a_deletion_counts_whatever_is_wrong_with_its_request(
    members: dict[str, Any], text: str
) -> None:
    calls = await made()
    with pytest.raises(AwsError) as caught:
        await calls("DeleteItem", **request(Key=KEY, **members))
    assert caught.value.message == COUNTED.format(text)


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
async def test_puts_and_updates_count_what_is_wrong_with_their_condition(operation: str) -> None:
    calls = await made()
    target = {"Item": KEY} if operation == "PutItem" else {"Key": KEY}
    with pytest.raises(AwsError) as caught:
        await calls(operation, **request(ConditionExpression="a = :v", **target))
    assert caught.value.message == COUNTED.format(
        "Invalid ConditionExpression: An expression attribute value used in expression is not "
        "defined; attribute value: :v"
    )
