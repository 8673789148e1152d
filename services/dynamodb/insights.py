"""Contributor Insights: switched on and off for tables and global indexes, described and listed.

The names of the rules are those that AWS gives them; nothing is counted under them here.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/contributorinsights_HowItWorks.html
"""

from binascii import unhexlify
from typing import Any

from fogbank.services.context import Context, Input, Output
from fogbank.services.dynamodb import schema
from fogbank.services.dynamodb.errors import ResourceNotFoundException, ValidationException
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.service import service
from fogbank.services.dynamodb.shapes import INTEGER, STRING, check
from fogbank.services.dynamodb.tables import transition_ms
from fogbank.storage.keys import span
from fogbank.storage.kv import Reader, Writer

PAGE_MAX = 100
NAME_MIN, NAME_MAX = 3, 255
ALL_KEYS, THROTTLED = "ACCESSED_AND_THROTTLED_KEYS", "THROTTLED_KEYS"
_TARGET_SHAPE = {"TableName!": STRING, "IndexName": STRING}
_UPDATE_SHAPE = {
    **_TARGET_SHAPE,
    "ContributorInsightsAction!": STRING,
    "ContributorInsightsMode": STRING,
}
_LIST_SHAPE = {"TableName": STRING, "NextToken": STRING, "MaxResults": INTEGER}

Insight = dict[str, Any]


def _target(record: Record, index: str | None) -> Record:
    """The table, or the global index, that the request is about."""
    if index is None:
        return record
    for found in record.get("GlobalSecondaryIndexes") or ():
        if found["IndexName"] == index:
            one: Record = found
            return one
    raise ResourceNotFoundException(f"Index: {index} not found for table: {record['TableName']}")


def _index_name(request: Input) -> str | None:
    index: str | None = request.get("IndexName")
    if index is not None and not NAME_MIN <= len(index) <= NAME_MAX:
        raise ValidationException(
            f"IndexName must be at least {NAME_MIN} characters long and at most {NAME_MAX} "
            "characters long"
        )
    return index


def _status(insight: Insight | None, now_ms: int) -> str:
    if insight is None:
        return "DISABLED"
    if now_ms < insight["SettledMs"]:
        return "ENABLING" if insight["Enabled"] else "DISABLING"
    return "ENABLED" if insight["Enabled"] else "DISABLED"


def _rules(record: Record, target: Record, insight: Insight) -> list[str]:
    """One rule for partition keys and, where there is a sort key, one for whole keys."""
    kinds = ["PK"] + ["SK"] * any(one["KeyType"] == "RANGE" for one in target["KeySchema"])
    counted = "T" if insight["Mode"] == THROTTLED else "CT"
    name = record["TableName"]
    if "IndexName" in target:
        name += f"-{target['IndexName']}"
    return [
        f"DynamoDBContributorInsights-{kind}{what}-{name}-{insight['ChangedMs']}"
        for what in counted
        for kind in kinds
    ]


def _named(record: Record, index: str | None) -> Output:
    return {"TableName": record["TableName"], **({} if index is None else {"IndexName": index})}


@service.operation("DescribeContributorInsights")
async def describe_contributor_insights(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContributorInsights.html"""
    check(request, _TARGET_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    index = _index_name(request)
    now_ms = ctx.clock.now_ms()
    record = await ctx.store.read(
        lambda tx: schema.describe_load(tx, ctx.world, name, now_ms), brief=True
    )
    target = _target(record, index)
    insight = target.get("Insight")
    status = _status(insight, now_ms)
    answer: Output = {**_named(record, index), "ContributorInsightsStatus": status}
    if insight is not None:
        if status == "ENABLED":
            answer["ContributorInsightsRuleList"] = _rules(record, target, insight)
        answer["LastUpdateDateTime"] = insight["ChangedMs"] / 1000
        answer["ContributorInsightsMode"] = insight["Mode"]
    return answer


@service.operation("UpdateContributorInsights")
async def update_contributor_insights(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContributorInsights.html

    To enable what is enabled changes its mode, back to the default when none is given.
    """
    check(request, _UPDATE_SHAPE)
    name = schema.name_of(ctx.world, request["TableName"])
    index = _index_name(request)
    enables = request["ContributorInsightsAction"] == "ENABLE"
    now_ms = ctx.clock.now_ms()
    settled_ms = now_ms + transition_ms(ctx)

    def work(tx: Writer) -> Output:
        record = schema.describe_load(tx, ctx.world, name, now_ms)
        if schema.status_of(record, now_ms) == "CREATING":
            raise ValidationException(
                "Table or Index is not in a valid state to update Key Access Insights: "
                "TableStatus must be ACTIVE to enable ContributorInsights."
            )
        target = _target(record, index)
        insight: Insight | None = target.get("Insight")
        answer = _named(record, index)
        if not enables and (insight is None or not insight["Enabled"]):
            mode = {} if insight is None else {"ContributorInsightsMode": insight["Mode"]}
            return {**answer, "ContributorInsightsStatus": _status(insight, now_ms), **mode}
        mode_then = None if insight is None or not insight["Enabled"] else insight["Mode"]
        mode_now = request.get("ContributorInsightsMode") or ALL_KEYS
        if enables and mode_now == mode_then:
            status = _status(insight, now_ms)
        else:
            target["Insight"] = {
                "Enabled": enables,
                "Mode": mode_now if enables else mode_then,
                "ChangedMs": now_ms,
                "SettledMs": settled_ms,
            }
            schema.save(tx, ctx.world, record)
            status = "ENABLING" if enables else "DISABLING"
        mode_shown = mode_now if enables else mode_then
        return {
            **answer,
            "ContributorInsightsStatus": status,
            "ContributorInsightsMode": mode_shown,
        }

    return await ctx.store.write(work)


@service.operation("ListContributorInsights")
async def list_contributor_insights(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListContributorInsights.html

    Each table before its indexes; what is disabled is left out.
    """
    check(request, _LIST_SHAPE)
    limit = min(max(1, request.get("MaxResults") or PAGE_MAX), PAGE_MAX)
    wanted = request.get("TableName")
    name = None if wanted is None else schema.name_of(ctx.world, wanted)
    skipped = _offset(request.get("NextToken"))
    now_ms = ctx.clock.now_ms()

    def work(tx: Reader) -> list[Output]:
        if name is not None:
            return _summaries(schema.describe_load(tx, ctx.world, name, now_ms), now_ms)
        start, stop = span("dynamodb", ctx.world.account, ctx.world.region, "table")
        return [
            one
            for _, raw in tx.range(start, stop)
            for one in _summaries(schema.compiled(raw).record, now_ms)
        ]

    found = await ctx.store.read(work)
    answer: Output = {"ContributorInsightsSummaries": found[skipped : skipped + limit]}
    if len(found) > skipped + limit:
        answer["NextToken"] = f"insights {skipped + limit}".encode().hex()
    return answer


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        word, _, number = unhexlify(token).decode().partition(" ")
        if word == "insights":
            return max(0, int(number))
    except ValueError:
        pass
    raise ValidationException(f"Invalid Request: Provided nextToken is invalid: {token}")


def _summaries(record: Record, now_ms: int) -> list[Output]:
    targets = [record, *(record.get("GlobalSecondaryIndexes") or ())]
    return [
        {
            **_named(record, target.get("IndexName")),
            "ContributorInsightsStatus": _status(target["Insight"], now_ms),
            "ContributorInsightsMode": target["Insight"]["Mode"],
        }
        for target in targets
        if _status(target.get("Insight"), now_ms) != "DISABLED"
    ]
