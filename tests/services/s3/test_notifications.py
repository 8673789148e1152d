"""Notification configurations and events over a store in memory."""

from typing import Any

import orjson
import pytest

from fogbank.services.errors import AwsError
from fogbank.services.s3 import service
from fogbank.storage.outbox import GiveUp
from tests.services.s3.world import ACCOUNT, FUNCTION, S3World


def configuration(*events: str, **rules: str) -> dict[str, Any]:
    one: dict[str, Any] = {
        "LambdaFunctionArn": FUNCTION,
        "Events": list(events or ["s3:ObjectCreated:*"]),
    }
    if rules:
        one["Filter"] = {
            "Key": {
                "FilterRules": [{"Name": name, "Value": value} for name, value in rules.items()]
            }
        }
    return one


async def configure(s3: S3World, *configurations: dict[str, Any], **more: Any) -> None:
    await s3(
        "PutBucketNotificationConfiguration",
        Bucket="photos",
        NotificationConfiguration={"LambdaFunctionConfigurations": list(configurations)},
        **more,
    )


async def refused(s3: S3World, *configurations: dict[str, Any], **more: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        await configure(s3, *configurations, **more)
    return caught.value


def names(s3: S3World) -> list[str]:
    return [event.body["body"]["record"]["eventName"] for event in s3.outbox.events]


async def test_a_configuration_is_read_back_with_an_id(s3: S3World) -> None:
    await configure(s3, configuration(prefix="in/"))
    answer = await s3("GetBucketNotificationConfiguration", Bucket="photos")
    [one] = answer["LambdaFunctionConfigurations"]
    assert one["Id"]
    assert one["Filter"]["Key"]["FilterRules"] == [{"Name": "Prefix", "Value": "in/"}]


async def test_an_empty_configuration_ends_it(s3: S3World) -> None:
    await configure(s3, configuration())
    await configure(s3)
    assert await s3("GetBucketNotificationConfiguration", Bucket="photos") == {}


async def test_a_record_has_the_shape_of_awss(s3: S3World) -> None:
    await configure(s3, {**configuration(), "Id": "mine"})
    await s3("PutObject", Bucket="photos", Key="a b/ü+.txt", Body=b"hello")
    [event] = s3.outbox.events
    assert (event.topic, event.key) == ("s3.notification", "photos/a b/ü+.txt")
    record = event.body["body"]["record"]
    owner = record["s3"]["bucket"].pop("ownerIdentity")
    assert list(owner) == ["principalId"]
    assert record.pop("responseElements")["x-amz-request-id"]
    assert record == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2023-11-14T22:13:20.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": f"AWS:{ACCOUNT}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "mine",
            "bucket": {"name": "photos", "arn": "arn:aws:s3:::photos"},
            "object": {
                "key": "a+b/%C3%BC%2B.txt",
                "size": 5,
                "eTag": "5d41402abc4b2a76b9719d911017c592",
                "sequencer": "000000000000000001",
            },
        },
    }


async def test_a_removal_tells_only_the_key(s3: S3World) -> None:
    await configure(s3, configuration("s3:ObjectRemoved:*"))
    await s3("PutObject", Bucket="photos", Key="a", Body=b"hello")
    await s3("DeleteObject", Bucket="photos", Key="a")
    [event] = s3.outbox.events
    record = event.body["body"]["record"]
    assert record["eventName"] == "ObjectRemoved:Delete"
    assert set(record["s3"]["object"]) == {"key", "sequencer"}


async def test_each_way_of_making_an_object_has_its_name(s3: S3World) -> None:
    await configure(s3, configuration())
    await s3("PutObject", Bucket="photos", Key="a", Body=b"x")
    await s3("CopyObject", Bucket="photos", Key="b", CopySource="photos/a")
    await s3.upload("photos", "c", b"x")
    assert names(s3) == [
        "ObjectCreated:Put",
        "ObjectCreated:Copy",
        "ObjectCreated:CompleteMultipartUpload",
    ]


async def test_tags_have_events_of_their_own(s3: S3World) -> None:
    await configure(s3, configuration("s3:ObjectTagging:*"))
    await s3("PutObject", Bucket="photos", Key="a")
    request = {"TagSet": [{"Key": "a", "Value": "1"}]}
    await s3("PutObjectTagging", Bucket="photos", Key="a", Tagging=request)
    assert await s3("GetObjectTagging", Bucket="photos", Key="a") == request
    await s3("DeleteObjectTagging", Bucket="photos", Key="a")
    assert names(s3) == ["ObjectTagging:Put", "ObjectTagging:Delete"]
    record = s3.outbox.events[0].body["body"]["record"]
    assert record["eventVersion"] == "2.3"
    assert set(record["s3"]["object"]) == {"key", "eTag"}


async def test_only_keys_that_fit_the_filter_are_told(s3: S3World) -> None:
    await configure(s3, configuration(prefix="in/", suffix=".png"))
    for key in ("in/a.png", "in/a.jpg", "out/a.png", "in/b.png"):
        await s3("PutObject", Bucket="photos", Key=key)
    assert [event.key for event in s3.outbox.events] == ["photos/in/a.png", "photos/in/b.png"]


async def test_sequencers_grow(s3: S3World) -> None:
    await configure(s3, configuration())
    for _ in range(3):
        await s3("PutObject", Bucket="photos", Key="a")
    told = [event.body["body"]["record"]["s3"]["object"]["sequencer"] for event in s3.outbox.events]
    assert told == sorted(set(told))


async def test_the_function_is_invoked_with_the_record(s3: S3World) -> None:
    await configure(s3, configuration())
    await s3("PutObject", Bucket="photos", Key="a")
    [event] = s3.outbox.events
    await service.consumers["s3.notification"](s3.context(), event)
    [request] = s3.functions.invoked
    assert (request["FunctionName"], request["InvocationType"]) == (FUNCTION, "Event")
    [record] = orjson.loads(request["Payload"])["Records"]
    assert record["s3"]["object"]["key"] == "a"


async def test_events_for_a_function_that_is_gone_are_given_up(s3: S3World) -> None:
    await configure(s3, configuration())
    await s3("PutObject", Bucket="photos", Key="a")
    s3.functions.policy = None
    with pytest.raises(GiveUp):
        await service.consumers["s3.notification"](s3.context(), s3.outbox.events[0])


async def test_a_function_that_does_not_exist_is_refused(s3: S3World) -> None:
    s3.functions.policy = None
    error = await refused(s3, configuration())
    assert error.message == "Unable to validate the following destination configurations"
    assert error.fields == {
        "ArgumentName": FUNCTION,
        "ArgumentValue": "The destination Lambda does not exist",
    }
    await configure(s3, configuration(), SkipDestinationValidation=True)


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}},
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::other"}},
        },
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Condition": {"StringEquals": {"AWS:SourceAccount": "111111111111"}},
        },
    ],
)
async def test_a_function_that_s3_may_not_invoke_is_refused(
    s3: S3World, statement: dict[str, Any]
) -> None:
    s3.functions.policy = {"Statement": [statement]}
    error = await refused(s3, configuration())
    assert error.fields["ArgumentValue"] == f"Not authorized to invoke function [{FUNCTION}]"


async def test_a_permission_for_this_bucket_is_enough(s3: S3World) -> None:
    s3.functions.policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Condition": {
                    "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::pho*"},
                    "StringEquals": {"AWS:SourceAccount": ACCOUNT},
                },
            }
        ]
    }
    await configure(s3, configuration())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (configuration(), configuration()),
        (configuration("s3:ObjectCreated:Put"), configuration("s3:ObjectCreated:*")),
        (configuration(prefix="a"), configuration(prefix="ab")),
        (configuration(suffix=".png"), configuration(prefix="a")),
    ],
)
async def test_configurations_that_overlap_are_refused(
    s3: S3World, left: dict[str, Any], right: dict[str, Any]
) -> None:
    error = await refused(s3, left, right)
    assert error.code == "InvalidArgument"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (configuration(), configuration("s3:ObjectRemoved:*")),
        (configuration(prefix="a/"), configuration(prefix="b/")),
        (configuration(suffix=".png"), configuration(suffix=".jpg")),
    ],
)
async def test_configurations_side_by_side_are_accepted(
    s3: S3World, left: dict[str, Any], right: dict[str, Any]
) -> None:
    await configure(s3, left, right)


@pytest.mark.parametrize(
    ("one", "code"),
    [
        ({"LambdaFunctionArn": FUNCTION}, "MalformedXML"),
        (configuration("s3:Nothing"), "InvalidArgument"),
        ({**configuration(), "LambdaFunctionArn": "x"}, "InvalidArgument"),
        (configuration(INVALID="x"), "InvalidArgument"),
        (
            {**configuration(), "LambdaFunctionArn": FUNCTION.replace("us-east-1", "eu-west-1")},
            "InvalidArgument",
        ),
        (
            {**configuration(), "Filter": {"Key": {"FilterRules": [{"Name": "prefix"}]}}},
            "MalformedXML",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused(s3: S3World, one: dict[str, Any], code: str) -> None:
    assert (await refused(s3, one)).code == code


async def test_destinations_that_are_not_built_are_refused_by_name(s3: S3World) -> None:
    with pytest.raises(AwsError) as caught:
        await s3(
            "PutBucketNotificationConfiguration",
            Bucket="photos",
            NotificationConfiguration={"QueueConfigurations": [{"QueueArn": "x"}]},
        )
    assert caught.value.code == "NotImplemented"
