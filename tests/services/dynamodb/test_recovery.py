"""Point-in-time recovery: any moment of the window, exactly, while the table goes on changing."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.dynamodb import copying
from fogbank.services.errors import AwsError
from tests.services.dynamodb.calls import Calls
from tests.services.dynamodb.test_backups import DAY_S, due, item, music, songs


async def recover(calls: Calls, enabled: bool = True, **more: Any) -> dict[str, Any]:
    answer = await calls(
        "UpdateContinuousBackups",
        TableName="music",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled, **more},
    )
    described: dict[str, Any] = answer["ContinuousBackupsDescription"]
    return described


async def restore(calls: Calls, target: str, at_s: float | None = None) -> dict[str, str]:
    when: dict[str, Any] = (
        {"UseLatestRestorableTime": True} if at_s is None else {"RestoreDateTime": at_s}
    )
    made = await calls(
        "RestoreTableToPointInTime", SourceTableName="music", TargetTableName=target, **when
    )
    assert made["TableDescription"]["TableStatus"] == "CREATING"
    await due(calls)
    return await songs(calls, target)


async def test_each_second_of_the_window_is_restored_as_it_was() -> None:
    calls = Calls()
    await music(calls, 2)
    await recover(calls)
    states = [await songs(calls, "music")]
    start_s = calls.clock.now_ms() // 1000
    for second in range(1, 6):
        calls.clock.advance(1)
        await calls("PutItem", TableName="music", Item=item("0", n={"N": str(second)}))
        await calls("PutItem", TableName="music", Item=item(f"x{second}", n={"N": "1"}))
        await calls("DeleteItem", TableName="music", Key=item(f"x{second - 1}"))
        states.append(await songs(calls, "music"))
    for second, state in enumerate(states):
        assert await restore(calls, f"at{second}", start_s + second) == state
    assert await restore(calls, "latest") == states[-1]


async def test_what_changes_during_a_restore_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "SLICE_ITEMS", 3)
    calls = Calls()
    await music(calls, 30)
    await recover(calls)
    expected = await songs(calls, "music")
    await calls(
        "RestoreTableToPointInTime",
        SourceTableName="music",
        TargetTableName="again",
        UseLatestRestorableTime=True,
    )
    for number in range(30):
        await calls("PutItem", TableName="music", Item=item(str(number), n={"N": "2"}))
        await calls("PutItem", TableName="music", Item=item(f"y{number}", n={"N": "2"}))
    await calls("DeleteTable", TableName="music")
    copies = [event for event in calls.outbox.events if event.topic == "dynamodb.copy"]
    for event in copies:
        await calls.catalog.consume(calls.ctx, event)
    assert await songs(calls, "again") == expected


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)), max_size=30),
    st.integers(0, 40),
)
async def test_recovery_agrees_with_a_history_kept_beside_it(
    steps: list[tuple[int, int, int]], back: int
) -> None:
    calls = Calls()
    await music(calls, 2)
    await recover(calls)
    history = [(calls.clock.now_ms() // 1000, await songs(calls, "music"))]
    for song, version, wait_s in steps:
        calls.clock.advance(wait_s)
        if version:
            made = item(str(song), n={"N": str(version)})
            await calls("PutItem", TableName="music", Item=made)
        else:
            await calls("DeleteItem", TableName="music", Key=item(str(song)))
        history.append((calls.clock.now_ms() // 1000, await songs(calls, "music")))
    start_s, end_s = history[0][0], history[-1][0]
    at_s = max(start_s, end_s - back)
    expected = [state for second, state in history if second <= at_s][-1]
    assert await restore(calls, "again", at_s) == expected


async def test_the_window_is_described_in_seconds_and_closed_by_the_period() -> None:
    calls = Calls()
    await music(calls)
    described = await recover(calls)
    now_s = calls.clock.now_ms() // 1000
    assert described == {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": 35,
            "EarliestRestorableDateTime": now_s,
            "LatestRestorableDateTime": now_s,
        },
    }
    await recover(calls, RecoveryPeriodInDays=2)
    calls.clock.advance(3 * DAY_S)
    answer = await calls("DescribeContinuousBackups", TableName="music")
    window = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert window["EarliestRestorableDateTime"] == now_s + DAY_S
    assert window["LatestRestorableDateTime"] == now_s + 3 * DAY_S
    described = await recover(calls, enabled=False)
    assert described["PointInTimeRecoveryDescription"] == {"PointInTimeRecoveryStatus": "DISABLED"}


async def test_the_log_keeps_what_the_window_needs_and_no_more() -> None:
    calls = Calls()
    await music(calls, 1)
    empty = len(calls.store._keys)
    await recover(calls, RecoveryPeriodInDays=1)
    for number in range(10):
        await calls("PutItem", TableName="music", Item=item("0", n={"N": str(number + 5)}))
        calls.clock.advance(6 * 3600)
    at_s = calls.clock.now_ms() // 1000 - DAY_S
    await due(calls)
    # The head, and one entry for each change of the last day.
    assert len(calls.store._keys) - empty == 1 + 3
    assert await restore(calls, "again", at_s) == {"0": "11"}


async def test_switching_recovery_off_forgets_the_log() -> None:
    calls = Calls()
    await music(calls, 1)
    empty = calls.store._keys.copy()
    await recover(calls)
    await calls("PutItem", TableName="music", Item=item("0", n={"N": "7"}))
    await recover(calls, enabled=False)
    await due(calls)
    assert calls.store._keys == empty


async def test_requests_for_a_restore_are_judged_in_awss_order() -> None:
    calls = Calls()
    await music(calls)
    now_s = calls.clock.now_ms() // 1000

    async def code(**request: Any) -> tuple[str, str]:
        with pytest.raises(AwsError) as caught:
            await calls("RestoreTableToPointInTime", TargetTableName="music", **request)
        return caught.value.code, str(caught.value.message)

    assert (
        "Must provide exactly one of"
        in (await code(SourceTableName="music", SourceTableArn="arn:aws:x"))[1]
    )
    assert "The parameter 'TableName' is required" in (await code())[1]
    both = await code(SourceTableName="music", RestoreDateTime=now_s, UseLatestRestorableTime=True)
    assert both[1].startswith("Invalid Request: Both RestoreDateTime and UseLatestRestorableTime")
    assert "Either one of" in (await code(SourceTableName="music"))[1]
    assert await code(SourceTableName="absent", RestoreDateTime=now_s) == (
        "TableNotFoundException",
        "Table not found: absent",
    )
    assert await code(SourceTableName="music", RestoreDateTime=now_s) == (
        "PointInTimeRecoveryUnavailableException",
        "Point in time recovery is not enabled for table 'music'",
    )
    await recover(calls)
    assert (await code(SourceTableName="music", RestoreDateTime=now_s - 60)) == (
        "InvalidRestoreTimeException",
        "RestoreDateTime '2023-11-14T22:12:20Z' must be within EarliestRestorableDateTime "
        "'2023-11-14T22:13:20Z' and LatestRestorableDateTime '2023-11-14T22:13:20Z'",
    )
    assert await code(SourceTableName="music", RestoreDateTime=now_s) == (
        "TableAlreadyExistsException",
        "Table already exists: music",
    )


async def test_the_period_is_refused_where_aws_refuses_it() -> None:
    calls = Calls()
    await music(calls)
    with pytest.raises(AwsError, match="Member must have value less than or equal to 35"):
        await recover(calls, RecoveryPeriodInDays=36)
    with pytest.raises(AwsError, match="Cannot specify RecoveryPeriodInDays when disabling"):
        await recover(calls, enabled=False, RecoveryPeriodInDays=7)
    with pytest.raises(AwsError, match="Table not found: absent"):
        await calls("DescribeContinuousBackups", TableName="absent")


async def test_a_table_is_restored_into_another_region_when_encryption_is_given() -> None:
    calls = Calls()
    await music(calls)
    await recover(calls)
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/music"
    calls.region("eu-west-1")
    request = {
        "SourceTableArn": arn,
        "TargetTableName": "music",
        "UseLatestRestorableTime": True,
    }
    with pytest.raises(AwsError, match="must be provided for cross-region restores"):
        await calls("RestoreTableToPointInTime", **request)
    sse = {"Enabled": True, "SSEType": "KMS"}
    await calls("RestoreTableToPointInTime", **request, SSESpecificationOverride=sse)
    assert len(await songs(calls, "music")) == 3
    table = (await calls("DescribeTable", TableName="music"))["Table"]
    assert table["TableArn"] == arn.replace("us-east-1", "eu-west-1")
