"""PartiQL: no text does worse than a ValidationException, and every plan finds the same items."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.dynamodb.partiql_parser import statement
from fogbank.services.errors import AwsError, ValidationException
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_partiql import SONGS

TEXT = (
    "SELECT INSERT UPDATE DELETE EXISTS FROM INTO VALUE SET REMOVE WHERE AND OR NOT BETWEEN IN IS "
    "MISSING NULL TRUE ORDER BY DESC RETURNING ALL MODIFIED OLD NEW AS LIMIT songs artist year "
    "deep list begins_with contains size attribute_type list_append set_add set_delete "
    "* ? ( ) [ ] { } << >> , . : = <> != < <= > >= + - ; 1 1e999 'x' 'artist' 'year' \"#a\" \"\" "
    "-- /* */ ' \" ` 1990 'ada' \x00 \ud800"
)
WORDS = TEXT.split(" ")
SOUP = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)
# Good statements, from which some words are taken and to which others are added.
GOOD = [
    "SELECT artist , deep . list [ 0 ] FROM songs WHERE artist = 'ada' AND ( year > 1990 OR NOT "
    "contains ( label , 'x' ) ) ORDER BY year DESC",
    "INSERT INTO songs VALUE { 'artist' : 'x' , 'year' : 1 , 'l' : [ 1 , << 'a' , 'b' >> ] }",
    "UPDATE songs SET a = list_append ( a , [ 1 ] ) , b = b + 1 REMOVE c . d WHERE artist = 'ada' "
    "AND year = 1990 AND x IS NOT MISSING RETURNING MODIFIED OLD *",
    "DELETE FROM songs WHERE artist = 'ada' AND year BETWEEN 1 AND 2 RETURNING ALL OLD *",
    "EXISTS ( SELECT * FROM songs WHERE artist IN [ 'a' ] AND size ( b ) <= 4 )",
]


@st.composite
def broken(draw: Any) -> str:
    words = draw(st.sampled_from(GOOD)).split(" ")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(words) - 1))
        words[at : at + draw(st.integers(0, 2))] = draw(
            st.lists(st.sampled_from(WORDS), min_size=1, max_size=2)
        )
    return " ".join(words)


@settings(deadline=None, max_examples=150)
@given(SOUP | broken() | st.text(max_size=30).map(lambda text: "SELECT " + text))
def test_any_text_is_a_statement_or_a_validation_error(text: str) -> None:
    try:
        statement(text)
    except ValidationException as error:
        assert error.message


async def filled() -> Calls:
    calls = Calls()
    await calls("CreateTable", **SONGS)
    calls.clock.advance(60_000)
    for artist in ("ada", "bob", "eve"):
        for year in range(6):
            more = f", 'label': '{artist}{year % 3}'" if year % 2 else ", 'n': 5, 'z': NULL"
            await calls(
                "ExecuteStatement",
                Statement=f"INSERT INTO songs VALUE {{'artist': '{artist}', 'year': {year}{more}}}",
            )
    return calls


FILLED = asyncio.run(filled())

ATOMS = st.one_of(
    st.builds(
        "artist {} '{}'".format, st.sampled_from(["=", "<", "<>"]), st.sampled_from(["ada", "eve"])
    ),
    st.builds("artist IN ['bob', '{}']".format, st.sampled_from(["ada", "bob", "zoe"])),
    st.builds("year {} {}".format, st.sampled_from(["=", "<", "<=", ">", ">="]), st.integers(0, 6)),
    st.builds("{} = year".format, st.integers(0, 6)),
    st.builds("year BETWEEN {} AND 5".format, st.integers(0, 5)),
    st.sampled_from(
        [
            "label IS MISSING",
            "begins_with(label, 'a')",
            "NOT n = 5",
            "z IS NULL",
            "size(label) > 3",
            "(artist = 'ada' OR artist = 'eve')",
        ]
    ),
)


async def all_pages(text: str, limit: int) -> list[Any]:
    items: list[Any] = []
    token: dict[str, str] = {}
    for _ in range(50):
        page = await FILLED("ExecuteStatement", Statement=text, Limit=limit, **token)
        items += page["Items"]
        if "NextToken" not in page:
            return items
        token = {"NextToken": page["NextToken"]}
    raise AssertionError(f"the pages of {text} do not end")


BRANCHES = st.lists(st.lists(ATOMS, min_size=1, max_size=3), min_size=1, max_size=3)


@settings(deadline=None, max_examples=60)
@given(BRANCHES, st.integers(1, 20))
def test_reading_by_key_finds_what_reading_all_finds(branches: list[list[str]], limit: int) -> None:
    condition = " OR ".join(" AND ".join(atoms) for atoms in branches)
    # Behind NOT NOT no condition is taken for a key, so that this reads the whole table.
    by_scan = f"SELECT * FROM songs WHERE NOT (NOT ({condition}))"

    async def both() -> None:
        try:
            found = await all_pages(f"SELECT * FROM songs WHERE {condition}", limit)
        except ValidationException as error:
            assert "Overlapping conditions with range keys" in str(error.message)
            return
        expected = await all_pages(by_scan, 100)
        assert sorted(map(repr, found)) == sorted(map(repr, expected))

    asyncio.run(both())


@settings(deadline=None, max_examples=60)
@given(SOUP | broken(), st.lists(st.fixed_dictionaries({"S": st.text(max_size=3)}), max_size=2))
def test_any_statement_is_answered(text: str, parameters: list[Any]) -> None:
    async def ask() -> None:
        one = {"Statement": text, **({"Parameters": parameters} if parameters else {})}
        for operation, request in (
            ("ExecuteStatement", one),
            ("BatchExecuteStatement", {"Statements": [one, one]}),
            ("ExecuteTransaction", {"TransactStatements": [one], "ClientRequestToken": "t"}),
        ):
            calls = await filled() if "SELECT" not in text else FILLED
            try:
                await calls(operation, **request)
            except AwsError as error:
                assert error.status == 400

    asyncio.run(ask())
