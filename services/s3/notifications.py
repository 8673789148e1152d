"""Notification configurations of buckets, and the delivery of their events to functions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Any

import orjson

from fogbank.services.context import Context, Input, Output, World
from fogbank.services.errors import AwsError, NotImplementedYet
from fogbank.services.s3 import buckets, keys
from fogbank.services.s3.errors import InvalidArgument, InvalidConfiguration, MalformedXML
from fogbank.services.s3.notices import TOPIC, covers, filter_of
from fogbank.services.s3.records import Bucket
from fogbank.services.s3.service import service
from fogbank.storage.kv import Reader, Writer
from fogbank.storage.outbox import Event, GiveUp

EVENTS = {
    "s3:ReducedRedundancyLostObject",
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Post",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
    "s3:ObjectAcl:Put",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
}
_FUNCTION_ARN = re.compile(
    r"arn:aws:lambda:([a-z0-9-]+):(\d{12}):function:([A-Za-z0-9_-]+)(?::([A-Za-z0-9$_-]+))?"
)
_UNABLE = "Unable to validate the following destination configurations"
# Destinations whose service the stack does not have yet.
_LATER = {
    "QueueConfigurations": "notifications to SQS",
    "TopicConfigurations": "notifications to SNS",
    "EventBridgeConfiguration": "notifications to EventBridge",
}


@service.operation("PutBucketNotificationConfiguration")
async def put_bucket_notification_configuration(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html"""
    bucket = await buckets.look_up(ctx, request)
    given = request.get("NotificationConfiguration")
    given = given if isinstance(given, dict) else {}
    for member, what in _LATER.items():
        if given.get(member) not in (None, []):
            raise NotImplementedYet("s3", what)
    functions = given.get("LambdaFunctionConfigurations") or []
    if not isinstance(functions, list):
        raise MalformedXML
    configurations = [validated(ctx, one, bucket) for one in functions]
    refuse_overlaps(configurations)
    if request.get("SkipDestinationValidation") not in (True, "true"):
        for arn in dict.fromkeys(one["LambdaFunctionArn"] for one in configurations):
            await _check_destination(ctx, bucket, arn)

    def work(tx: Writer) -> None:
        here = buckets.require(tx, ctx, request)
        if configurations:
            document = orjson.dumps({"LambdaFunctionConfigurations": configurations})
            tx.put(keys.notification(here.id), document)
        else:
            tx.delete(keys.notification(here.id))

    await ctx.store.write(work)
    return {}


@service.operation("GetBucketNotificationConfiguration")
async def get_bucket_notification_configuration(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html"""

    def work(tx: Reader) -> bytes | None:
        return tx.get(keys.notification(buckets.require(tx, ctx, request).id))

    raw = await ctx.store.read(work, brief=True)
    answer: Output = {} if raw is None else orjson.loads(raw)
    return answer


def validated(ctx: Context, given: Any, bucket: Bucket) -> dict[str, Any]:
    """One function's configuration in its stored form, with an id."""
    if not isinstance(given, dict):
        raise MalformedXML
    arn, wanted = given.get("LambdaFunctionArn"), given.get("Events")
    if not arn or not isinstance(wanted, list) or not wanted:
        raise MalformedXML
    for event in wanted:
        if event not in EVENTS:
            raise InvalidArgument(
                "A specified event is not supported for notifications.", "Event", str(event)
            )
    found = _FUNCTION_ARN.fullmatch(str(arn))
    if found is None:
        raise InvalidArgument("The ARN is not well formed", "CloudFunction", str(arn))
    if found[1] != bucket.region:
        raise InvalidArgument(
            "The notification destination service region is not valid for the bucket location "
            "constraint",
            "CloudFunction",
            str(arn),
        )
    kept: dict[str, Any] = {
        "Id": str(given.get("Id") or ctx.ids.uuid()),
        "LambdaFunctionArn": str(arn),
        "Events": [str(event) for event in wanted],
    }
    rules = _filter_rules(given.get("Filter"))
    if rules:
        kept["Filter"] = {"Key": {"FilterRules": rules}}
    return kept


def _filter_rules(given: Any) -> list[dict[str, str]]:
    if given is None:
        return []
    key = given.get("Key") if isinstance(given, dict) else None
    rules = key.get("FilterRules") if isinstance(key, dict) else None
    kept: list[dict[str, str]] = []
    for rule in rules if isinstance(rules, list) else []:
        if not isinstance(rule, dict) or rule.get("Name") is None or rule.get("Value") is None:
            raise MalformedXML
        name = str(rule["Name"]).lower()
        if name not in ("prefix", "suffix"):
            raise InvalidArgument(
                "filter rule name must be either prefix or suffix",
                "FilterRule.Name",
                str(rule["Name"]),
            )
        # Whatever its case was, AWS gives the name back with a capital.
        if any(one["Name"] == name.capitalize() for one in kept):
            raise InvalidArgument(
                f"Cannot specify more than one {name} rule in a filter.", "FilterRule.Name", name
            )
        kept.append({"Name": name.capitalize(), "Value": str(rule["Value"])})
    return kept


def refuse_overlaps(configurations: list[dict[str, Any]]) -> None:
    """Raise when one event of one key would be told twice."""
    for left, right in combinations(configurations, 2):
        if not any(
            covers(one, other) or covers(other, one)
            for one in left["Events"]
            for other in right["Events"]
        ):
            continue
        left_prefix, left_suffix = filter_of(left)
        right_prefix, right_suffix = filter_of(right)
        if not (
            _either(str.startswith, left_prefix, right_prefix)
            and _either(str.endswith, left_suffix, right_suffix)
        ):
            continue
        if "Filter" in left or "Filter" in right:
            raise InvalidConfiguration(
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two "
                "rules if the prefixes are overlapping for the same event type."
            )
        raise InvalidConfiguration(
            "Configurations overlap. Configurations on the same bucket cannot share a common "
            "event type."
        )


def _either(holds: Any, left: str, right: str) -> bool:
    return bool(holds(left, right) or holds(right, left))


async def _check_destination(ctx: Context, bucket: Bucket, arn: str) -> None:
    """Return when the function exists and its policy lets S3 invoke it for this bucket."""
    there = _in_world_of(ctx, arn)
    try:
        await there.call("lambda", "GetFunctionConfiguration", {"FunctionName": arn})
    except AwsError as error:
        if error.status != 404:
            raise
        raise InvalidArgument(_UNABLE, arn, "The destination Lambda does not exist") from error
    try:
        policy = await there.call("lambda", "GetPolicy", {"FunctionName": arn})
    except AwsError as error:
        if error.status != 404:
            raise
        raise InvalidArgument(_UNABLE, arn, f"Not authorized to invoke function [{arn}]") from error
    if not _permits(policy.get("Policy"), bucket):
        raise InvalidArgument(_UNABLE, arn, f"Not authorized to invoke function [{arn}]")


def _permits(document: Any, bucket: Bucket) -> bool:
    statements = orjson.loads(document)["Statement"] if document else []
    return any(_statement_permits(statement, bucket) for statement in statements)


def _statement_permits(statement: Mapping[str, Any], bucket: Bucket) -> bool:
    """Whether a statement of a function's policy is about S3 acting for `bucket`."""
    principal = statement.get("Principal")
    named = principal.get("Service") if isinstance(principal, dict) else principal
    services = named if isinstance(named, list) else [named]
    if statement.get("Effect") != "Allow" or not {"s3.amazonaws.com", "*"} & set(services):
        return False
    facts = {"aws:sourcearn": buckets.arn(bucket.name), "aws:sourceaccount": bucket.account}
    for operator, tests in (statement.get("Condition") or {}).items():
        for name, wanted in tests.items():
            fact = facts.get(str(name).lower())
            patterns = wanted if isinstance(wanted, list) else [wanted]
            exact = str(operator).startswith("StringEquals")
            if fact is None or not any(
                fact == one if exact else fnmatchcase(fact, str(one)) for one in patterns
            ):
                return False
    return True


def _in_world_of(ctx: Context, arn: str) -> Context:
    """The context in which a function is called: its own account and region."""
    _, _, _, region, account = arn.split(":")[:5]
    return ctx._replace(world=World(account, region))


@service.consumer(TOPIC)
async def deliver(ctx: Context, event: Event) -> None:
    """The function has accepted the event; it is asynchronous, so that Lambda does the retries."""
    body = event.body["body"]
    arn = body["function"]
    try:
        await _in_world_of(ctx, arn).call(
            "lambda",
            "Invoke",
            {
                "FunctionName": arn,
                "InvocationType": "Event",
                "Payload": orjson.dumps({"Records": [body["record"]]}),
            },
        )
    except AwsError as error:
        if error.status == 404:
            raise GiveUp(f"{arn} is gone") from error
        raise
