"""Tags of tables, and what AWS says of those that it does not take."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.dynamodb.refusals import refusal
from tests.aws.dynamodb.test_backups import KEYED

Client = Callable[..., Any]


@pytest.fixture
def dynamodb(client: Client) -> Any:
    return client("dynamodb", parameter_validation=False)


@pytest.fixture
def arn(dynamodb: Any) -> str:
    made: str = dynamodb.create_table(TableName="books", **KEYED)["TableDescription"]["TableArn"]
    return made


def tag(key: str, value: str = "") -> dict[str, str]:
    return {"Key": key, "Value": value}


def tags(count: int) -> list[dict[str, str]]:
    return [tag(f"k{number:02}") for number in range(count)]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "Atleast one Tag needs to be provided as Input."),
        ([{}], "The Tag Key provided is invalid, Key: null"),
        ([{"Value": "x"}], "The Tag Key provided is invalid, Key: null"),
        ([{"Key": "k"}], "The Tag Value provided is invalid, Value: null"),
        ([tag("")], "The Tag Key provided is invalid, Key: "),
        ([tag("k" * 129)], f"The Tag Key provided is invalid, Key: {'k' * 129}"),
        ([tag("k", "v" * 257)], f"The Tag Value provided is invalid, Value: {'v' * 257}"),
        ([tag("bad#key")], "The Tag Key provided is invalid, Key: bad#key"),
        ([tag("k", "100%")], "The Tag Value provided is invalid, Value: 100%"),
        ([tag("aws:x")], "Tag Key cannot be prefixed with aws:, Key: aws:x"),
        (
            [tag("dup", "1"), tag("dup", "2")],
            "Duplicate Tag Keys provided as input: Duplicate Tag Key found dup",
        ),
        (tags(51), "Number of Tags exceed the current limit for the provided ResourceArn"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused_in_aws_words(
    dynamodb: Any, arn: str, given: list[dict[str, str]], text: str
) -> None:
    refused = refusal(dynamodb.tag_resource, ResourceArn=arn, Tags=given)
    assert refused == ("ValidationException", text)


def test_one_bad_tag_keeps_the_good_ones_away(dynamodb: Any, arn: str) -> None:
    refusal(dynamodb.tag_resource, ResourceArn=arn, Tags=[tag("good"), tag("aws:bad")])
    assert dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"] == []


def test_letters_of_any_script_and_spaces_are_taken(dynamodb: Any, arn: str) -> None:
    given = [tag("ключ", "café"), tag(" a b", "a+b-c=d.e_f:g/h@i"), tag("Env"), tag("env")]
    dynamodb.tag_resource(ResourceArn=arn, Tags=given)
    assert dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"] == given


def test_fifty_tags_can_be_overwritten_but_not_added_to(dynamodb: Any, arn: str) -> None:
    dynamodb.tag_resource(ResourceArn=arn, Tags=tags(50))
    dynamodb.tag_resource(ResourceArn=arn, Tags=[tag("k00", "new")])
    code, text = refusal(dynamodb.tag_resource, ResourceArn=arn, Tags=[tag("k50")])
    assert (code, text.split(" for ")[0]) == (
        "ValidationException",
        "Number of Tags exceed the current limit",
    )
    listed = dynamodb.list_tags_of_resource(ResourceArn=arn)
    assert len(listed["Tags"]) == 50
    assert "NextToken" not in listed


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ([], "Atleast one Tag Key needs to be provided as Input."),
        ([""], "The Tag Key provided is invalid, Key: "),
        (["aws:x"], "Tag Key cannot be prefixed with aws:, Key: aws:x"),
        (
            [f"k{number}" for number in range(51)],
            "Number of Tags exceed the current limit for the provided ResourceArn",
        ),
    ],
)
def test_keys_to_take_away_are_judged_alike(
    dynamodb: Any, arn: str, keys: list[str], text: str
) -> None:
    refused = refusal(dynamodb.untag_resource, ResourceArn=arn, TagKeys=keys)
    assert refused == ("ValidationException", text)


def test_to_take_away_a_tag_that_is_not_there_is_no_error(dynamodb: Any, arn: str) -> None:
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["absent"])


def test_a_table_is_not_created_with_a_bad_tag(dynamodb: Any) -> None:
    refused = refusal(dynamodb.create_table, TableName="films", Tags=[tag("aws:x")], **KEYED)
    assert refused == ("ValidationException", "Tag Key cannot be prefixed with aws:, Key: aws:x")
    assert refusal(dynamodb.describe_table, TableName="films")[0] == "ResourceNotFoundException"
    dynamodb.create_table(TableName="films", Tags=[], **KEYED)
