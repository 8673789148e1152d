"""Tables by name and by ARN, the caller's own and others', and the tags of ARNs."""

from typing import Any

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/music"
FOREIGN = "arn:aws:dynamodb:us-east-1:111122223333:table/music"
KEY = {"artist": {"S": "Can"}, "song": {"S": "Halleluhwah"}}

ON_ITEMS: dict[str, dict[str, Any]] = {
    "PutItem": {"Item": KEY},
    "GetItem": {"Key": KEY},
    "UpdateItem": {"Key": KEY},
    "DeleteItem": {"Key": KEY},
    "Scan": {},
    "Query": {
        "KeyConditionExpression": "artist = :a",
        "ExpressionAttributeValues": {":a": {"S": "Can"}},
    },
}
ON_TABLES: dict[str, dict[str, Any]] = {
    "DescribeTable": {},
    "DescribeTimeToLive": {},
    "UpdateTimeToLive": {"TimeToLiveSpecification": {"Enabled": True, "AttributeName": "ends"}},
    "DescribeContinuousBackups": {},
    "UpdateTable": {"TableClass": "STANDARD"},
    "DeleteTable": {},
}


async def music() -> Calls:
    calls = Calls()
    await calls("CreateTable", **MUSIC)
    return calls


def batches(name: str) -> dict[str, dict[str, Any]]:
    return {
        "BatchGetItem": {"RequestItems": {name: {"Keys": [KEY]}}},
        "BatchWriteItem": {"RequestItems": {name: [{"DeleteRequest": {"Key": KEY}}]}},
        "TransactGetItems": {"TransactItems": [{"Get": {"TableName": name, "Key": KEY}}]},
        "TransactWriteItems": {"TransactItems": [{"Delete": {"TableName": name, "Key": KEY}}]},
    }


@pytest.mark.parametrize("operation", [*ON_ITEMS, *ON_TABLES])
async def test_an_arn_does_for_a_name(operation: str) -> None:
    calls = await music()
    await calls(operation, TableName=ARN, **{**ON_ITEMS, **ON_TABLES}[operation])


@pytest.mark.parametrize("operation", list(batches(ARN)))
async def test_an_arn_does_for_a_name_in_batches_and_transactions(operation: str) -> None:
    calls = await music()
    await calls(operation, **batches(ARN)[operation])


@pytest.mark.parametrize("operation", list(ON_ITEMS))
async def test_another_accounts_items_are_refused(operation: str) -> None:
    calls = await music()
    with pytest.raises(AwsError) as caught:
        await calls(operation, TableName=FOREIGN, **ON_ITEMS[operation])
    assert caught.value.code == "AccessDeniedException"
    assert caught.value.message == (
        "User: arn:aws:iam::000000000000:root is not authorized to perform: "
        f"dynamodb:{operation} on resource: {FOREIGN} because no resource-based policy allows the "
        f"dynamodb:{operation} action"
    )


@pytest.mark.parametrize("operation", list(batches(FOREIGN)))
async def test_another_accounts_items_are_refused_in_batches(operation: str) -> None:
    calls = await music()
    with pytest.raises(AwsError) as caught:
        await calls(operation, **batches(FOREIGN)[operation])
    assert caught.value.code == "AccessDeniedException"


@pytest.mark.parametrize("name", ["", "n" * 256])
async def test_a_call_from_inside_hears_of_a_names_length_too(name: str) -> None:
    calls = await music()
    bound = "less than or equal to 255" if name else "greater than or equal to 1"
    with pytest.raises(AwsError) as caught:
        await calls("GetItem", TableName=name, Key=KEY)
    assert caught.value.message == (
        f"1 validation error detected: Value '{name}' at 'tableName' failed to satisfy "
        f"constraint: Member must have length {bound}"
    )


async def test_a_name_too_short_for_a_table_names_none() -> None:
    calls = await music()
    with pytest.raises(AwsError) as caught:
        await calls("GetItem", TableName="ab", Key=KEY)
    assert caught.value.code == "ResourceNotFoundException"


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
async def test_a_batch_of_nothing_is_refused(operation: str) -> None:
    with pytest.raises(AwsError) as caught:
        await (await music())(operation, RequestItems={})
    assert caught.value.message == f"The requestItems parameter is required for {operation}"


@pytest.mark.parametrize(
    ("arn", "text"),
    [
        ("music", "One or more parameter values were invalid: ARNs must start with 'arn:': music"),
        (
            "arn:aws:s3:::music",
            "One or more parameter values were invalid: Provided Arn is not a DynamoDB resource "
            "arn: arn:aws:s3:::music",
        ),
        (
            f"{ARN}/index/by_song",
            "One or more parameter values were invalid: Invalid resource arn provided, only table "
            f"or stream is accepted. Provided resource arn: {ARN}/index/by_song",
        ),
        (
            ARN.replace("us-east-1", "us-west-2"),
            "Invalid TableArn: Invalid ResourceArn provided as input "
            f"{ARN.replace('us-east-1', 'us-west-2')}",
        ),
    ],
)
async def test_tags_of_what_is_no_table_are_refused(arn: str, text: str) -> None:
    calls = await music()
    with pytest.raises(AwsError) as caught:
        await calls("TagResource", ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert (caught.value.code, caught.value.message) == ("ValidationException", text)


async def test_tags_of_another_accounts_table_are_refused() -> None:
    with pytest.raises(AwsError) as caught:
        await (await music())("ListTagsOfResource", ResourceArn=FOREIGN)
    assert caught.value.code == "AccessDeniedException"


async def test_an_absent_table_has_no_tags() -> None:
    calls = await music()
    absent = ARN.replace("music", "dance")
    with pytest.raises(AwsError) as caught:
        await calls("TagResource", ResourceArn=absent, Tags=[{"Key": "a", "Value": "b"}])
    assert caught.value.message == f"Requested resource not found: ResourceArn: {absent} not found"


async def test_an_absent_table_of_an_account_of_ones_own_is_not_found() -> None:
    calls = await music()
    calls.account("111122223333")
    with pytest.raises(AwsError) as caught:
        await calls("ListTagsOfResource", ResourceArn=FOREIGN)
    assert caught.value.code == "ResourceNotFoundException"
    assert caught.value.message == f"Requested resource not found: ResourceArn: {FOREIGN} not found"


async def test_at_least_one_tag_is_set_or_taken_away() -> None:
    calls = await music()
    with pytest.raises(AwsError, match=r"^Atleast one Tag needs to be provided as Input\.$"):
        await calls("TagResource", ResourceArn=ARN, Tags=[])
    with pytest.raises(AwsError, match=r"^Atleast one Tag Key needs to be provided as Input\.$"):
        await calls("UntagResource", ResourceArn=ARN, TagKeys=[])


def tags(count: int, start: int = 0) -> list[dict[str, str]]:
    return [{"Key": f"tag{number}", "Value": ""} for number in range(start, start + count)]


async def test_a_table_has_at_most_fifty_tags() -> None:
    calls = await music()
    await calls("TagResource", ResourceArn=ARN, Tags=tags(50))
    await calls("TagResource", ResourceArn=ARN, Tags=[{"Key": "tag0", "Value": "new"}])
    with pytest.raises(AwsError) as caught:
        await calls("TagResource", ResourceArn=ARN, Tags=tags(1, 50))
    assert caught.value.code in ("ValidationException", "LimitExceededException")
    listed = await calls("ListTagsOfResource", ResourceArn=ARN)
    assert len(listed["Tags"]) == 50


@pytest.mark.parametrize(
    "wrong",
    [
        [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}],
        [{"Key": "aws:cloudformation:stack-name", "Value": "s"}],
        [{"Key": "k" * 129, "Value": ""}],
        [{"Key": "k", "Value": "v" * 257}],
    ],
)
async def test_a_tag_that_aws_would_not_take_is_refused(wrong: list[dict[str, str]]) -> None:
    calls = await music()
    with pytest.raises(AwsError) as caught:
        await calls("TagResource", ResourceArn=ARN, Tags=wrong)
    assert caught.value.code == "ValidationException"
    assert (await calls("ListTagsOfResource", ResourceArn=ARN))["Tags"] == []
