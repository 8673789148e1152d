"""PartiQL's statements as another service would send them: texts, plans, batches, transactions."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.partiql_parser import statement
from fogbank.services.dynamodb.partiql_plans import Plan, plan
from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls

SONGS = {
    "TableName": "songs",
    "KeySchema": [
        {"AttributeName": "artist", "KeyType": "HASH"},
        {"AttributeName": "year", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "artist", "AttributeType": "S"},
        {"AttributeName": "year", "AttributeType": "N"},
        {"AttributeName": "label", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-label",
            "KeySchema": [{"AttributeName": "label", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by-artist-label",
            "KeySchema": [
                {"AttributeName": "artist", "KeyType": "HASH"},
                {"AttributeName": "label", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
MALFORMED = "Statement wasn't well formed, can't be processed: "
Run = Callable[..., Any]


@pytest.fixture
def calls() -> Calls:
    """Songs of two artists, 1990 to 1994 each, and their labels."""
    made = Calls()

    async def fill() -> None:
        await made("CreateTable", **SONGS)
        made.clock.advance(60_000)
        for artist in ("ada", "bob"):
            for year in range(1990, 1995):
                label = f"{artist}-{year % 2}"
                await made(
                    "ExecuteStatement",
                    Statement="INSERT INTO songs VALUE "
                    "{'artist': ?, 'year': ?, 'label': ?, 'deep': {'list': [1, {'x': 'y'}]}}",
                    Parameters=[{"S": artist}, {"N": str(year)}, {"S": label}],
                )

    asyncio.run(fill())
    return made


@pytest.fixture
def run(calls: Calls) -> Run:
    """`run(statement, *parameters, **members)` is the answer of ExecuteStatement."""

    def execute(text: str, *parameters: Any, **members: Any) -> Any:
        given = {"Parameters": list(parameters)} if parameters else {}
        return asyncio.run(calls("ExecuteStatement", Statement=text, **given, **members))

    return execute


@pytest.fixture
def refused(run: Run) -> Run:
    """`refused(statement, ...)` is the text of the ValidationException that it gets."""

    def execute(text: str, *parameters: Any, **members: Any) -> str:
        with pytest.raises(AwsError) as caught:
            run(text, *parameters, **members)
        assert caught.value.code == "ValidationException"
        return str(caught.value.message)

    return execute


def years(answer: Any) -> list[int]:
    return [int(item["year"]["N"]) for item in answer["Items"]]


async def table_of(calls: Calls) -> schema.Table:
    key = schema.table_key(calls.ctx.world, "songs")
    now_ms = calls.clock.now_ms()
    return await calls.store.read(lambda tx: schema.load(tx, key, now_ms))


def planned(calls: Calls, text: str) -> Plan:
    compiled = statement(text)
    table = asyncio.run(table_of(calls))
    index = None if compiled.index is None else table.index(compiled.index)
    return plan(compiled, compiled.bind(None), table, index)


# Where a SELECT reads.


def test_a_whole_key_is_a_point_read(calls: Calls) -> None:
    found = planned(calls, "SELECT * FROM songs WHERE year = 1990 AND 'ada' = artist")
    assert found.is_point
    assert found.tests == ()


def test_a_partition_key_reads_one_partition(calls: Calls) -> None:
    found = planned(calls, "SELECT * FROM songs WHERE artist = 'ada' AND label = 'x'")
    whole = planned(calls, "SELECT * FROM songs WHERE label = 'x'")
    assert whole.ranges[0][0] < found.ranges[0][0] < found.ranges[0][1] < whole.ranges[0][1]
    assert len(found.tests) == 1


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("year > 1992", [1993, 1994]),
        ("1992 > year", [1990, 1991]),
        ("year >= 1993 AND year <> 1993", [1994]),
        ("year BETWEEN 1991 AND 1992", [1991, 1992]),
        ("year NOT BETWEEN 1991 AND 1993", [1990, 1994]),
        ("year IN (1990, 1994)", [1990, 1994]),
        ("NOT year IN [1990, 1994]", [1991, 1992, 1993]),
        ("(year = 1991 OR year = 1992) AND label = 'ada-0'", [1992]),
        ("year < 1992 OR year > 1993 AND label = 'ada-1'", [1990, 1991]),
        ("begins_with(label, 'ada-1')", [1991, 1993]),
        ("CONTAINS(label, '-1')", [1991, 1993]),
        ("size(label) = 5 AND year != 1990", [1991, 1992, 1993, 1994]),
        ("attribute_type(deep, 'M') AND year = 1990", [1990]),
        ("deep.list[1].x = 'y' AND deep['list'][0] = 1 AND year < 1991", [1990]),
        ("nothing IS MISSING AND label IS NOT MISSING AND year = 1990", [1990]),
        ("nothing = MISSING AND label <> MISSING AND year = 1990", [1990]),
        ("label IS NULL", []),
        ("label IS NOT NULL AND year = 1993", [1993]),
    ],
)
def test_conditions_choose_the_items(run: Run, condition: str, expected: list[int]) -> None:
    assert years(run(f"SELECT * FROM songs WHERE artist = 'ada' AND ({condition})")) == expected
    assert (
        years(run(f"SELECT * FROM songs WHERE artist = 'ada' AND {condition}"))[:1]
        == (expected[:1])
    )


def test_several_partitions_are_read_one_after_the_other(run: Run) -> None:
    answer = run("SELECT * FROM songs WHERE artist IN ['bob', 'ada'] AND year = 1990")
    assert [item["artist"]["S"] for item in answer["Items"]] == ["bob", "ada"]
    again = run("SELECT * FROM songs WHERE artist = 'bob' OR artist = 'ada' AND year > 1800")
    assert len(again["Items"]) == 10


def test_an_or_of_keys_reads_what_its_branches_name(calls: Calls, run: Run) -> None:
    text = "SELECT * FROM songs WHERE artist='ada' AND year=1990 OR artist='bob' AND year>1993"
    assert len(planned(calls, text).ranges) == 2
    assert years(run(text)) == [1990, 1994]
    near = "SELECT * FROM songs WHERE artist='ada' AND year=1994 OR artist='ada' AND year=1990"
    assert years(run(near)) == [1990, 1994]


@pytest.mark.parametrize("branch", ["NOT year = 1990", "year <> 1990", "NOT year IN [1990]"])
def test_a_branch_that_excludes_sort_keys_may_overlap(run: Run, branch: str) -> None:
    text = f"SELECT * FROM songs WHERE artist='ada' AND {branch} OR artist='ada' AND year=1990"
    assert years(run(text)) == [1990, 1991, 1992, 1993, 1994]


def test_order_by_the_sort_key_goes_backward(run: Run) -> None:
    answer = run("SELECT * FROM songs WHERE artist = 'ada' ORDER BY year DESC")
    assert years(answer) == [1994, 1993, 1992, 1991, 1990]


def test_order_by_the_partition_key_orders_partitions(run: Run) -> None:
    text = "SELECT * FROM songs WHERE artist IN ['ada', 'bob'] AND year = 1990 ORDER BY artist DESC"
    assert [item["artist"]["S"] for item in run(text)["Items"]] == ["bob", "ada"]


def test_an_lsi_reaches_what_it_does_not_project(run: Run) -> None:
    text = "SELECT deep FROM songs.\"by-artist-label\" WHERE artist = 'ada' AND label = 'ada-0'"
    assert len(run(text)["Items"]) == 3


def test_a_gsi_without_its_key_is_read_whole(run: Run) -> None:
    assert years(run('SELECT * FROM "songs"."by-label" WHERE year = 1994')) == [1994, 1994]


# Pages.


@pytest.mark.parametrize("tail", ["", " ORDER BY year DESC"])
def test_pages_hold_every_item_once(run: Run, tail: str) -> None:
    text = f"SELECT * FROM songs WHERE artist = ?{tail}"
    whole = years(run(text, {"S": "ada"}))
    found: list[int] = []
    token: dict[str, str] = {}
    for _ in range(4):
        page = run(text, {"S": "ada"}, Limit=2, **token)
        found += years(page)
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert found == whole
    assert page["Items"] != []


def test_a_point_read_has_no_next_page(run: Run) -> None:
    answer = run("SELECT * FROM songs WHERE artist = 'ada' AND year = 1990", Limit=1)
    assert set(answer) == {"Items"}


def test_the_last_key_stands_beside_the_token(run: Run) -> None:
    answer = run("SELECT label FROM songs WHERE artist = 'ada'", Limit=1)
    assert answer["LastEvaluatedKey"] == {"artist": {"S": "ada"}, "year": {"N": "1990"}}


def test_several_partitions_come_in_pages_of_ten(run: Run) -> None:
    for year in range(1980, 1985):
        run(f"INSERT INTO songs VALUE {{'artist': 'ada', 'year': {year}}}")
    text = "SELECT * FROM songs WHERE artist IN ['ada', 'bob']"
    first = run(text)
    assert len(first["Items"]) == 10
    assert len(run(text, NextToken=first["NextToken"])["Items"]) == 5


def test_a_token_belongs_to_its_statement(run: Run, refused: Run) -> None:
    token = run("SELECT * FROM songs", Limit=1)["NextToken"]
    assert refused("SELECT year FROM songs", NextToken=token) == "NextToken does not match request"
    assert refused("SELECT * FROM songs", NextToken="&&") == "Invalid NextToken"
    assert refused("SELECT * FROM songs", NextToken="W10=") == "Invalid NextToken"


# What a SELECT gives.


def test_a_path_comes_under_its_last_part(run: Run) -> None:
    text = "SELECT deep.list[0], deep.list[1].x, absent FROM songs WHERE artist='ada' AND year=1990"
    assert run(text)["Items"] == [{"list[0]": {"N": "1"}, "x": {"S": "y"}}]


def test_a_quoted_name_may_be_anything(run: Run) -> None:
    run("""INSERT INTO songs VALUE {'artist': 'x', 'year': 1, '#a': 1, 'it''s "b"': 2}""")
    text = 'SELECT "#a", "it\'s ""b""" FROM songs WHERE artist = ? AND year = 1 AND "#a" = 1'
    assert run(text, {"S": "x"})["Items"] == [{"#a": {"N": "1"}, 'it\'s "b"': {"N": "2"}}]


def test_comments_and_a_semicolon_are_no_part_of_a_statement(run: Run) -> None:
    text = "select year -- what\nfrom songs /* where\n */ where artist = 'ada' and year = 1990;"
    assert years(run(text)) == [1990]


# Writes.


def test_every_literal_is_stored_with_its_type(run: Run) -> None:
    run(
        "INSERT INTO songs VALUE {'artist': 'x', 'year': 1, 's': 'it''s', 'n': -1.50, 'p': +.5e1, "
        "'b': TRUE, 'z': null, 'l': [1, 'a', []], 'm': {'k': {}}, 'ss': <<'b', 'a'>>, "
        "'ns': <<2, 1>>, 'bs': <<?>>}",
        {"B": "eA=="},
    )
    item = run("SELECT * FROM songs WHERE artist = 'x' AND year = 1")["Items"][0]
    assert item == {
        "artist": {"S": "x"},
        "year": {"N": "1"},
        "s": {"S": "it's"},
        "n": {"N": "-1.5"},
        "p": {"N": "5"},
        "b": {"BOOL": True},
        "z": {"NULL": True},
        "l": {"L": [{"N": "1"}, {"S": "a"}, {"L": []}]},
        "m": {"M": {"k": {"M": {}}}},
        "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["1", "2"]},
        "bs": {"BS": ["eA=="]},
    }


def test_a_key_is_inserted_once(run: Run) -> None:
    with pytest.raises(AwsError) as caught:
        run("INSERT INTO songs VALUE {'artist': 'ada', 'year': 1990}")
    assert caught.value.code == "DuplicateItemException"
    assert caught.value.message == "Duplicate primary key exists in table"


def test_an_update_computes(run: Run) -> None:
    text = (
        "UPDATE songs SET plays = 1 + 2 - ?, deep.list = list_append(deep.list, [3]) "
        "SET tags = set_add(tags, <<'a', 'b'>>) REMOVE label, deep.list[0] "
        "WHERE artist = 'ada' AND year = 1990 RETURNING MODIFIED NEW *"
    )
    with pytest.raises(AwsError, match="Two document paths overlap"):
        run(text, {"N": "1"})
    answer = run(text.replace(", deep.list[0]", ""), {"N": "1"})
    assert answer["Items"] == [
        {
            "plays": {"N": "2"},
            "deep": {"M": {"list": {"L": [{"N": "1"}, {"M": {"x": {"S": "y"}}}, {"N": "3"}]}}},
            "tags": {"SS": ["a", "b"]},
        }
    ]
    gone = run(
        "UPDATE songs SET tags = set_delete(tags, <<'a','b'>>) WHERE artist='ada' AND year=1990 "
        "RETURNING ALL NEW *"
    )
    assert "tags" not in gone["Items"][0]


@pytest.mark.parametrize(
    ("returning", "expected"),
    [
        ("", []),
        ("MODIFIED OLD", [{"label": {"S": "ada-0"}}]),
        ("MODIFIED NEW", [{"label": {"S": "new"}}]),
    ],
)
def test_returning_chooses_the_attributes(run: Run, returning: str, expected: Any) -> None:
    tail = f" RETURNING {returning} *" if returning else ""
    text = f"UPDATE songs SET label = 'new' WHERE artist = 'ada' AND year = 1990{tail}"
    assert run(text) == {"Items": expected}


def test_an_update_needs_its_item(run: Run) -> None:
    with pytest.raises(AwsError, match="The conditional request failed") as caught:
        run("UPDATE songs SET x = 1 WHERE artist = 'nobody' AND year = 1")
    assert caught.value.code == "ConditionalCheckFailedException"


def test_an_update_may_begin_with_from(run: Run) -> None:
    text = "FROM songs WHERE artist='ada' AND year=1990 SET x = 1 REMOVE label RETURNING ALL NEW *"
    item = run(text)["Items"][0]
    assert item["x"] == {"N": "1"}
    assert "label" not in item


def test_a_delete_of_nothing_succeeds_whatever_its_condition(run: Run) -> None:
    text = "DELETE FROM songs WHERE artist = 'nobody' AND year = 1 AND x = 1 RETURNING ALL OLD *"
    assert run(text) == {"Items": []}


def test_a_condition_beside_the_key_must_hold(run: Run) -> None:
    with pytest.raises(AwsError) as caught:
        run(
            "DELETE FROM songs WHERE artist = 'ada' AND year = 1990 AND label = 'other'",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.code == "ConditionalCheckFailedException"
    assert caught.value.fields["Item"]["label"] == {"S": "ada-0"}
    assert len(run("SELECT * FROM songs WHERE artist = 'ada'")["Items"]) == 5


# What AWS says.

NO_KEY = "Where clause does not contain a mandatory equality on all key attributes"
TYPE = "Key attribute's data type should match its data type in table's schema: Key artist"
TEXTS = [
    ("SELEC * FROM songs", MALFORMED + "Expected data manipulation"),
    ("'SELECT'", MALFORMED + "Expected data manipulation"),
    ("SELECT * FROM songs WHERE key = 1", MALFORMED + "Unexpected keyword"),
    ("SELECT * FROM songs WHERE", MALFORMED + "Unexpected term"),
    ("SELECT * FROM songs WHERE year = = 1", MALFORMED + "Unexpected operator"),
    ("SELECT * FROM songs WHERE year", MALFORMED + "Unexpected term"),
    ("SELECT * FROM songs WHERE year = 1 x", MALFORMED + "Unexpected token after expression"),
    ("SELECT * FROM songs ORDER BY a WHERE a = 1", MALFORMED + "Unexpected token after expression"),
    ("INSERT INTO songs s VALUE {'a': 1}", MALFORMED + "Unexpected token after expression"),
    ("SELECT * FROM", MALFORMED + "Unexpected term"),
    ("DELETE FROM WHERE a = 1", MALFORMED + "Expected identifier for simple path"),
    ("SELECT * FROM songs WHERE IS NULL", MALFORMED + "Unexpected operator"),
    ("SELECT * FROM songs WHERE a IS DIFFERENT", MALFORMED + "Expected type name"),
    ("SELECT * FROM songs WHERE a IS INT", "Unsupported operation: IsType"),
    (
        "SELECT * FROM songs WHERE a = 1 AND",
        MALFORMED + "Missing right-hand side expression of infix operator",
    ),
    ("SELECT * FROM songs s", "Aliasing is not supported"),
    ("DELETE FROM songs AS s WHERE artist = 'a'", "Aliasing is not supported"),
    ("UPDATE songs s SET a = 1", "Aliasing is not supported"),
    ("SELECT * FROM songs WHERE a = 1e2147483648", MALFORMED),
    ("SELECT * FROM songs WHERE a = 1.5e-2147483647", MALFORMED),
    (
        "SELECT * FROM songs WHERE a = -1e126",
        "Number overflow. Attempting to store a number with magnitude larger than supported range "
        "under root",
    ),
    (
        "INSERT INTO songs VALUE {'m': {'x': [1, 1e-131]}}",
        "Number underflow. Attempting to store a number with magnitude smaller than supported "
        "range under root.x[1]",
    ),
    ("SELECT * FROM songs; SELECT * FROM songs", MALFORMED + "Unexpected token after expression"),
    ('SELECT * FROM "songs', MALFORMED),
    ("SELECT * FROM songs WHERE a = `1`", MALFORMED),
    ("SELECT * FROM songs LIMIT 5", "Unsupported clause: LIMIT at 1:27:1"),
    ("SELECT artist AS a FROM songs", "Aliasing is not supported"),
    ("SELECT a, b.a FROM songs", "Duplicate identifiers in select clause: a"),
    ("SELECT * FROM songs.x.y", "A path may contain at most 2 components in the FROM clause"),
    ('SELECT * FROM ""', "Path component cannot be an empty string"),
    ('SELECT * FROM songs."none"', "The table does not have the specified index"),
    (
        'SELECT label, deep FROM songs."by-label"',
        "One or more parameter values were invalid: Global secondary index by-label does not "
        "project [deep]",
    ),
    (
        "SELECT * FROM songs.\"by-label\" WHERE label = 'a' AND NOT deep.x = 1",
        "One or more parameter values were invalid: Secondary index by-label does not project one "
        "or more filter attributes: [deep]",
    ),
    ("SELECT * FROM songs WHERE artist = 1", TYPE),
    (
        "SELECT * FROM songs WHERE a < TRUE",
        "Incorrect operand type for operator or function; operator or function: <, operand type: "
        "BOOL",
    ),
    (
        "SELECT * FROM songs ORDER BY year",
        "Must have WHERE clause in the statement when using ORDER BY clause.",
    ),
    (
        "SELECT * FROM songs WHERE year = 1 ORDER BY year",
        "Must have at least one non-optional hash key condition in WHERE clause when using ORDER "
        "BY clause.",
    ),
    (
        "SELECT * FROM songs WHERE artist = 'a' ORDER BY label",
        "Variable reference label in ORDER BY clause must be part of the primary key",
    ),
    (
        "SELECT * FROM songs WHERE artist IN ['a', 'b'] ORDER BY year",
        "Must have hash key in ORDER BY clause when more than one hash key condition specified in "
        "WHERE clause.",
    ),
    (
        "SELECT * FROM songs WHERE artist='a' AND label='x' OR artist='a' AND year=2",
        "Overlapping conditions with range keys are not supported in where clause",
    ),
    ("UPDATE songs SET x = 1", NO_KEY),
    ("UPDATE songs SET x = 1 WHERE artist = 'ada'", NO_KEY),
    ("UPDATE songs SET x = 1 WHERE artist = 'ada' AND year > 1", NO_KEY),
    ("UPDATE songs SET x = 1 WHERE artist = 'ada' OR year = 1", NO_KEY),
    ("DELETE FROM songs WHERE artist = 1 AND year = 1", TYPE),
    ("DELETE FROM songs.x WHERE artist = 'a'", "This operation is not supported on an index"),
    (
        "DELETE FROM songs WHERE artist = 'a' AND year = 1 RETURNING MODIFIED NEW *",
        "Invalid returning clause: RETURNING MODIFIED NEW *. Only RETURNING ALL OLD * is allowed "
        "in DELETE statements.",
    ),
    (
        "UPDATE songs SET year = 2 WHERE artist = 'ada' AND year = 1990",
        "One or more parameter values were invalid: Cannot update attribute year. This attribute "
        "is part of the key",
    ),
    (
        "UPDATE songs SET none.x = 2 WHERE artist = 'ada' AND year = 1990",
        "The document path provided in the update expression is invalid for update",
    ),
    (
        "INSERT INTO songs VALUE {'artist': 'a'}",
        "One or more parameter values were invalid: Missing the key year in the item",
    ),
    ("INSERT INTO songs VALUE {'artist': <<>>}", "Empty bags are not supported"),
    ("INSERT INTO songs VALUE {'artist': <<1, 1.0>>}", "Input collection contains duplicates"),
    (
        "INSERT INTO songs VALUE {'artist': <<'b', 'a', 'b'>>}",
        "One or more parameter values were invalid: Input collection [b, a, b] contains "
        "duplicates.",
    ),
    (
        "INSERT INTO songs.x VALUE {'artist': 'a'}",
        "FROM clause may only contain a single table name in data manipulation statements at "
        "1:13:5",
    ),
    (
        "INSERT INTO songs VALUE {'artist': 'a', 'm': {'x': set_add(<<1>>, <<2>>)}}",
        "Unsupported data type: set_add under key root.x at 1:52:7",
    ),
    (
        "SELECT * FROM songs WHERE attribute_exists('a')",
        "Operator or function requires a document path; operator or function: attribute_exists",
    ),
    (
        "SELECT * FROM songs WHERE attribute_not_exists(?)",
        "Operator or function requires a document path; operator or function: attribute_not_exists",
    ),
    (
        "SELECT * FROM songs WHERE attribute_exists()",
        "Incorrect number of operands for operator or function; operator or function: "
        "attribute_exists, number of operands: 0",
    ),
    ("SELECT attribute_exists(a) FROM songs", "Unexpected path component at 1:8:16"),
    ("SELECT * FROM songs WHERE\n EXISTS(a)", "Unrecognized function: exists at 2:2:6"),
    (
        "SELECT * FROM songs WHERE Set_Add(a, <<1>>) = a",
        "Unrecognized function: set_add at 1:27:7",
    ),
    ("SELECT * FROM songs WHERE m.inner = 1", MALFORMED + "Invalid path dot component"),
    (
        "UPDATE songs SET a = set_add(b, <<1>>)",
        "The first argument to SET_ADD must equal the assignment value at 1:22:7",
    ),
    (
        "UPDATE songs SET a = set_delete(<<1>>, <<1>>)",
        "The first argument to SET_DELETE must equal the assignment value at 1:22:10",
    ),
    ("UPDATE songs SET a = set_add(a)", "SET_ADD must have exactly two arguments at 1:22:7"),
    (
        "UPDATE songs SET a = set_add(a, <<1>>, <<2>>)",
        "SET_ADD must have exactly two arguments at 1:22:7",
    ),
    (
        "UPDATE songs SET a = set_add(a, [1])",
        "The second argument to SET_ADD must be a value with type SET at 1:30:1",
    ),
    (
        "UPDATE songs SET a = set_delete(a, b)",
        "The second argument to SET_DELETE must be a value with type SET at 1:33:1",
    ),
    (
        "INSERT INTO songs VALUE {'artist': <<1, 'a'>>}",
        "DynamoDB only supports either numbers or strings in bags",
    ),
    (
        "SELECT * FROM songs WHERE a = ?",
        "Number of parameters in request and statement don't match.",
    ),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS, ids=[text for text, _ in TEXTS])
def test_what_is_wrong_is_said_in_awss_words(refused: Run, text: str, expected: str) -> None:
    assert refused(text) == expected


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("deep.x = 1", 0),
        ("deep.x = 1 AND none = 2", 0),
        ("NOT deep.x = 1", 10),
        ("(label = 'ada-0' AND deep.x = 1) OR label = 'ada-1'", 2),
    ],
)
def test_a_scan_of_an_index_may_test_what_the_index_lacks(run: Run, where: str, count: int) -> None:
    assert len(run(f'SELECT * FROM songs."by-label" WHERE {where}')["Items"]) == count


def test_existence_may_be_compared_with_true(run: Run, refused: Run) -> None:
    assert len(run("SELECT * FROM songs WHERE attribute_exists(label) = true")["Items"]) == 10
    text = "SELECT * FROM songs WHERE attribute_exists(label) = 1"
    assert refused(text) == MALFORMED + "Unexpected token after expression"


def test_a_transaction_of_writes_has_no_responses(calls: Calls) -> None:
    update = "UPDATE songs SET x = 1 WHERE artist = 'ada' AND year = 199"
    answer = asyncio.run(
        calls(
            "ExecuteTransaction", TransactStatements=[{"Statement": f"{update}{n}"} for n in "01"]
        )
    )
    assert answer == {"Responses": []}


def test_values_are_tested_for_their_type(run: Run) -> None:
    for where, count in (
        ("artist IS STRING", 10),
        ("artist IS NOT STRING", 0),
        ("deep IS BOOL", 0),
    ):
        assert len(run(f"SELECT * FROM songs WHERE {where}")["Items"]) == count


def test_an_index_with_several_keys_of_a_kind_is_not_read(calls: Calls) -> None:
    types = dict.fromkeys(("id", "one", "two"), "S")
    keys = [{"AttributeName": name, "KeyType": "HASH"} for name in ("one", "two")]
    made = {"IndexName": "both", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
    table: dict[str, Any] = {
        "TableName": "pairs",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in types.items()
        ],
        "GlobalSecondaryIndexes": [made],
        "BillingMode": "PAY_PER_REQUEST",
    }
    asyncio.run(calls("CreateTable", **table))
    calls.clock.advance(60_000)
    refusal = (
        "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or "
        "multi-attribute RANGE keys."
    )
    for text in ("SELECT * FROM pairs.both WHERE one = 5", "SELECT COUNT(*) FROM pairs.both"):
        with pytest.raises(AwsError) as caught:
            asyncio.run(calls("ExecuteStatement", Statement=text))
        assert caught.value.message == refusal
    batch = asyncio.run(
        calls("BatchExecuteStatement", Statements=[{"Statement": "SELECT f(one) FROM pairs.both"}])
    )
    assert batch["Responses"][0]["Error"]["Message"] == refusal


@pytest.mark.parametrize(
    ("columns", "source", "told"),
    [
        ("COUNT(*)", "songs", "Unsupported function: COUNT"),
        ("COUNT(*)", 'songs."by-label"', "Unsupported function: COUNT"),
        ("a, max(min(b), c), upper(d)", 'songs."by-label"', "Unsupported function: max"),
        ("COUNT(*", "songs", "Unsupported function: COUNT"),
        ("COUNT(*)", "songs.absent", "The table does not have the specified index"),
        ("COUNT(*)", 'songs."by-label" WHERE', MALFORMED + "Unexpected term"),
    ],
)
def test_a_projection_has_no_functions(refused: Run, columns: str, source: str, told: str) -> None:
    assert refused(f"SELECT {columns} FROM {source}") == told


def test_exists_needs_a_condition_beside_the_key(calls: Calls) -> None:
    exists = "EXISTS(SELECT * FROM songs WHERE artist = 'ada' AND year = 1990)"
    update = "UPDATE songs SET x = 1 WHERE artist = 'ada' AND year = 1991"
    with pytest.raises(AwsError) as caught:
        asyncio.run(
            calls(
                "ExecuteTransaction",
                TransactStatements=[{"Statement": exists}, {"Statement": update}],
            )
        )
    assert caught.value.message == (
        "Validation failed in TransactStatements[0]: EXISTS() must contain a single item read "
        "with additional condition"
    )


def test_a_gsi_is_not_read_consistently(refused: Run) -> None:
    assert refused('SELECT * FROM songs."by-label"', ConsistentRead=True) == (
        "Strongly consistent read is not supported on Global Secondary Indexes"
    )


def test_an_empty_list_of_parameters_is_refused(calls: Calls) -> None:
    with pytest.raises(AwsError, match=r"Value '\[\]' at 'parameters' failed"):
        asyncio.run(calls("ExecuteStatement", Statement="SELECT * FROM songs", Parameters=[]))


def test_nesting_is_bounded(refused: Run) -> None:
    for opening, closing in (("(", ")"), ("NOT ", ""), ("[", "]")):
        text = f"SELECT * FROM songs WHERE {opening * 500}a = 1{closing * 500}"
        assert refused(text).startswith(MALFORMED)
    assert refused("SELECT * FROM songs WHERE a = " + "[" * 500 + "]" * 500).startswith(MALFORMED)
    assert refused("UPDATE songs SET a = 1" + " + 1" * 500).startswith(MALFORMED)


# Batches.


def batch(calls: Calls, *texts: str, **members: Any) -> Any:
    given = [{"Statement": text} for text in texts]
    return asyncio.run(calls("BatchExecuteStatement", Statements=given, **members))


def test_each_statement_of_a_batch_answers_for_itself(calls: Calls) -> None:
    answer = batch(
        calls,
        "SELECT year FROM songs WHERE artist = 'ada' AND year = 1990",
        "SELECT year FROM songs WHERE artist = 'ada' AND year = 1",
        "SELECT * FROM songs WHERE artist = 'ada'",
        "SELECT * FROM nothing WHERE artist = 'ada'",
        "SELEC",
    )
    keyless = (
        "Select statements within BatchExecuteStatement must specify the primary key in the where "
        "clause."
    )
    assert answer["Responses"] == [
        {"TableName": "songs", "Item": {"year": {"N": "1990"}}},
        {"TableName": "songs"},
        {"Error": {"Code": "ValidationError", "Message": keyless}},
        {"Error": {"Code": "ResourceNotFound", "Message": "Requested resource not found"}},
        {
            "Error": {
                "Code": "ValidationError",
                "Message": MALFORMED + "Expected data manipulation",
            }
        },
    ]


def test_a_failed_write_does_not_stop_the_others(calls: Calls, run: Run) -> None:
    answer = batch(
        calls,
        "INSERT INTO songs VALUE {'artist': 'ada', 'year': 1990}",
        "UPDATE songs SET x = 1 WHERE artist = 'none' AND year = 1",
        "DELETE FROM songs WHERE artist = 'ada' AND year = 1991 RETURNING ALL OLD *",
        ReturnConsumedCapacity="TOTAL",
    )
    codes = [one.get("Error", {}).get("Code") for one in answer["Responses"]]
    assert codes == ["DuplicateItem", "ConditionalCheckFailed", None]
    assert [one["TableName"] for one in answer["Responses"]] == ["songs"] * 3
    assert answer["Responses"][2]["Item"]["year"] == {"N": "1991"}
    assert years(run("SELECT * FROM songs WHERE artist = 'ada'")) == [1990, 1992, 1993, 1994]


def test_a_batch_reads_or_writes(calls: Calls) -> None:
    with pytest.raises(AwsError, match="does not support both read and write"):
        batch(calls, "SELECT * FROM songs", "INSERT INTO songs VALUE {'artist': 'a'}")


def test_a_batch_has_at_most_25_statements(calls: Calls) -> None:
    with pytest.raises(AwsError, match="Member must have length less than or equal to 25"):
        batch(calls, *["SELECT * FROM songs"] * 26)


# Transactions.


def transact(calls: Calls, *texts: str, **members: Any) -> Any:
    given = [{"Statement": text} for text in texts]
    return asyncio.run(calls("ExecuteTransaction", TransactStatements=given, **members))


def test_a_transaction_reads_by_key(calls: Calls) -> None:
    answer = transact(
        calls,
        "SELECT year FROM songs WHERE artist = 'ada' AND year = 1990",
        "SELECT * FROM songs WHERE artist = 'nobody' AND year = 1990",
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["Responses"] == [{"Item": {"year": {"N": "1990"}}}, {}]
    assert answer["ConsumedCapacity"][0]["ReadCapacityUnits"] == 4.0


def test_a_cancelled_transaction_writes_nothing(calls: Calls, run: Run) -> None:
    with pytest.raises(AwsError) as caught:
        transact(
            calls,
            "UPDATE songs SET x = 1 WHERE artist = 'ada' AND year = 1990",
            "INSERT INTO songs VALUE {'artist': 'ada', 'year': 1991}",
            "EXISTS(SELECT * FROM songs WHERE artist = 'ada' AND year = 1992 AND label = 'none')",
            "DELETE FROM songs WHERE artist = 'ada' AND year = 1993",
        )
    assert caught.value.code == "TransactionCanceledException"
    assert [reason["Code"] for reason in caught.value.fields["CancellationReasons"]] == [
        "None",
        "DuplicateItem",
        "ConditionalCheckFailed",
        "None",
    ]
    assert len(run("SELECT * FROM songs WHERE artist = 'ada' AND x IS MISSING")["Items"]) == 5


def test_a_transaction_with_its_token_runs_once(calls: Calls, run: Run) -> None:
    text = "UPDATE songs SET n = year + 1 WHERE artist = 'ada' AND year = 1990 AND n IS MISSING"
    options = {"ClientRequestToken": "one", "ReturnConsumedCapacity": "TOTAL"}
    first = transact(calls, text, **options)
    again = transact(calls, text, **options)
    assert first["ConsumedCapacity"][0]["WriteCapacityUnits"] == 2.0
    assert again["ConsumedCapacity"][0]["ReadCapacityUnits"] == 2.0
    with pytest.raises(AwsError) as caught:
        transact(calls, text.replace("1990", "1991"), **options)
    assert caught.value.code == "IdempotentParameterMismatchException"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (
            ["UPDATE songs SET x = 1 WHERE artist='ada' AND year=1990 RETURNING ALL NEW *"],
            "Validation failed in TransactStatements[0]: RETURNING clause is not supported in "
            "ExecuteTransaction.",
        ),
        (
            ["SELECT * FROM songs.\"by-label\" WHERE label = 'x'"],
            "Validation failed in TransactStatements[0]: Reads on indices are not supported within "
            "transactions.",
        ),
        (
            ["SELECT * FROM songs WHERE artist = 'x'", "DELETE FROM songs WHERE artist = 'x'"],
            "ExecuteTransaction API does not support both read and write operations in the same "
            "request.",
        ),
        (
            ["DELETE FROM songs WHERE artist = 'a' AND year = 1"] * 2,
            "Transaction request cannot include multiple operations on one item",
        ),
        (
            ["SELECT * FROM songs WHERE artist = 'a' AND year = 1"] * 2,
            "Transaction request cannot include multiple operations on one item",
        ),
    ],
)
def test_what_a_transaction_refuses(calls: Calls, texts: list[str], expected: str) -> None:
    with pytest.raises(AwsError) as caught:
        transact(calls, *texts)
    assert (caught.value.code, caught.value.message) == ("ValidationException", expected)
