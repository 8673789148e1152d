"""Resource policies and tags of tables."""

import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/music"
POLICY = '{"Version": "2012-10-17", "Statement": []}'


async def music() -> Calls:
    calls = Calls()
    await calls("CreateTable", **MUSIC, Tags=[{"Key": "team", "Value": "a"}])
    return calls


async def test_a_policy_is_put_got_and_deleted() -> None:
    calls = await music()
    put = await calls("PutResourcePolicy", ResourceArn=ARN, Policy=POLICY)
    assert await calls("GetResourcePolicy", ResourceArn=ARN) == {"Policy": POLICY, **put}
    assert await calls("DeleteResourcePolicy", ResourceArn=ARN) == put
    with pytest.raises(AwsError) as caught:
        await calls("GetResourcePolicy", ResourceArn=ARN)
    assert caught.value.code == "PolicyNotFoundException"
    assert caught.value.message == (
        f"Resource-based policy not found for the provided ResourceArn: {ARN}"
    )


async def test_a_policy_changes_only_from_the_expected_revision() -> None:
    calls = await music()
    await calls("PutResourcePolicy", ResourceArn=ARN, Policy=POLICY)
    for expected in ("NO_POLICY", "1"):
        with pytest.raises(AwsError, match="Resource-based policy not found"):
            await calls(
                "PutResourcePolicy",
                ResourceArn=ARN,
                Policy=POLICY.replace("[]", "[{}]"),
                ExpectedRevisionId=expected,
            )


async def test_a_policy_goes_with_its_table() -> None:
    calls = await music()
    await calls("PutResourcePolicy", ResourceArn=ARN, Policy=POLICY)
    await calls("DeleteTable", TableName="music")
    await calls("CreateTable", **MUSIC)
    with pytest.raises(AwsError, match="Resource-based policy not found"):
        await calls("GetResourcePolicy", ResourceArn=ARN)


async def test_tags_are_set_replaced_and_removed() -> None:
    calls = await music()
    tags = [{"Key": "team", "Value": "b"}, {"Key": "env", "Value": ""}]
    await calls("TagResource", ResourceArn=ARN, Tags=tags)
    assert (await calls("ListTagsOfResource", ResourceArn=ARN))["Tags"] == tags
    await calls("UntagResource", ResourceArn=ARN, TagKeys=["team", "nothing"])
    assert (await calls("ListTagsOfResource", ResourceArn=ARN))["Tags"] == tags[1:]


async def test_an_arn_serves_as_the_tables_name() -> None:
    calls = await music()
    key = {"artist": {"S": "a"}, "song": {"S": "b"}}
    await calls("PutItem", TableName=ARN, Item=key)
    assert await calls("GetItem", TableName="music", Key=key) == {"Item": key}


async def test_a_protected_table_is_not_deleted() -> None:
    calls = await music()
    await calls("UpdateTable", TableName="music", DeletionProtectionEnabled=True)
    with pytest.raises(AwsError, match="currently protected against deletion"):
        await calls("DeleteTable", TableName="music")
