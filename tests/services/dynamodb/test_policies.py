"""Resource policies and tags of tables."""

from typing import Any

import orjson
import pytest

from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_tables import MUSIC

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/music"
ROOT = "arn:aws:iam::111122223333:root"
STATEMENT: dict[str, Any] = {
    "Sid": "Reads",
    "Effect": "Allow",
    "Principal": {"AWS": ROOT},
    "Action": "dynamodb:GetItem",
    "Resource": ARN,
}


def policy(*statements: dict[str, Any], **more: Any) -> str:
    document = {"Version": "2012-10-17", **more, "Statement": list(statements)}
    return orjson.dumps(document).decode()


POLICY = policy(STATEMENT)


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
                Policy=POLICY.replace("Reads", "Gets"),
                ExpectedRevisionId=expected,
            )


async def refusal(calls: Calls, operation: str, **request: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await calls(operation, **{"ResourceArn": ARN, **request})
    return caught.value.code, str(caught.value.message)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "This policy contains invalid Json"),
        ("[]", "This policy contains invalid Json"),
        ("{not json", "This policy contains invalid Json"),
        ("null", "This text appears not to be a policy"),
        ("{}", "Syntax error at position (1,3)"),
        (policy(), "Could not parse the policy: Statement is empty!"),
        (policy({}), "Missing required field Effect"),
        (
            policy({name: STATEMENT[name] for name in STATEMENT if name != "Resource"}),
            "Missing required field Resource",
        ),
        (policy(STATEMENT, STATEMENT), "The Statement Ids in the policy are not unique"),
    ],
)
async def test_a_document_that_is_no_policy_is_refused(text: str, said: str) -> None:
    code, message = await refusal(await music(), "PutResourcePolicy", Policy=text)
    assert (code, message) == (
        "ValidationException",
        f"One or more parameter values were invalid: Invalid policy document: {said}",
    )


async def test_a_policy_has_20_kilobytes_at_most() -> None:
    calls = await music()
    await calls("PutResourcePolicy", ResourceArn=ARN, Policy=POLICY.ljust(20480))
    refused = await refusal(calls, "PutResourcePolicy", Policy=POLICY.ljust(20481))
    assert refused[1] == (
        "One or more parameter values were invalid: Maximum policy size of 20480 bytes exceeded"
    )


@pytest.mark.parametrize("everybody", ["*", {"AWS": "*"}])
async def test_a_policy_does_not_allow_everybody(everybody: Any) -> None:
    given = policy({**STATEMENT, "Principal": everybody})
    _, message = await refusal(await music(), "PutResourcePolicy", Policy=given)
    assert message.startswith("Resource-based policy grants unbounded access")


async def test_documents_that_mean_the_same_are_one_policy() -> None:
    calls = await music()
    put = await calls("PutResourcePolicy", ResourceArn=ARN, Policy=POLICY)
    other = {
        **dict(reversed(STATEMENT.items())),
        "Action": [STATEMENT["Action"]],
        "Principal": {"AWS": ["111122223333", ROOT]},
    }
    loose = orjson.dumps({"Statement": other, "Version": "2012-10-17"}, option=orjson.OPT_INDENT_2)
    again = await calls("PutResourcePolicy", ResourceArn=ARN, Policy=loose.decode())
    assert again == put
    assert await calls("GetResourcePolicy", ResourceArn=ARN) == {"Policy": POLICY, **put}


async def test_a_policy_without_a_version_is_given_back_with_the_oldest() -> None:
    calls = await music()
    given = orjson.dumps({"Statement": [STATEMENT]}).decode()
    put = await calls("PutResourcePolicy", ResourceArn=ARN, Policy=given)
    shown = (await calls("GetResourcePolicy", ResourceArn=ARN))["Policy"]
    assert shown == POLICY.replace("2012-10-17", "2008-10-17")
    assert await calls("PutResourcePolicy", ResourceArn=ARN, Policy=shown) != put


async def test_a_deleted_policy_leaves_the_revision_of_its_deletion() -> None:
    calls = await music()
    assert await calls("DeleteResourcePolicy", ResourceArn=ARN) == {}
    put = await calls("PutResourcePolicy", ResourceArn=ARN, Policy=POLICY)
    calls.clock.advance(5)
    assert await calls("DeleteResourcePolicy", ResourceArn=ARN) == put
    deletion = str(calls.clock.now_ms())
    again = await calls("DeleteResourcePolicy", ResourceArn=ARN)
    assert again == {"RevisionId": deletion}


async def test_a_revision_is_not_expected_of_a_table_without_a_policy() -> None:
    calls = await music()
    code, message = await refusal(calls, "DeleteResourcePolicy", ExpectedRevisionId="123456789")
    assert code == "PolicyNotFoundException"
    assert "policy with revision id 123456789, but table music has no associated" in message


@pytest.mark.parametrize(
    ("arn", "code", "text"),
    [
        (
            ARN.replace("000000000000", "111122223333"),
            "ValidationException",
            "This action is only supported by accounts that match the resource owner\u2019s "
            "account.",
        ),
        (
            ARN.replace("us-east-1", "us-west-2"),
            "ValidationException",
            "One or more parameter values were invalid: Invalid resource Arn: "
            f"{ARN.replace('us-east-1', 'us-west-2')}",
        ),
        (
            ARN.replace("music", "absent"),
            "ResourceNotFoundException",
            "Requested resource not found: Table: absent not found",
        ),
        (
            f"{ARN}/stream/2000-01-01T00:00:00.000",
            "ResourceNotFoundException",
            "Requested resource not found: Stream: 2000-01-01T00:00:00.000 not found for Table: "
            "music",
        ),
        (
            f"{ARN}/backup/01",
            "ValidationException",
            "One or more parameter values were invalid: Provided Arn is not a DynamoDB resource "
            f"arn: {ARN}/backup/01",
        ),
    ],
)
async def test_policies_are_of_tables_and_streams_that_are_there(
    arn: str, code: str, text: str
) -> None:
    assert await refusal(await music(), "GetResourcePolicy", ResourceArn=arn) == (code, text)


async def test_a_table_is_created_with_its_policy() -> None:
    calls = Calls()
    await calls("CreateTable", **MUSIC, ResourcePolicy=POLICY)
    assert (await calls("GetResourcePolicy", ResourceArn=ARN))["Policy"] == POLICY


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
