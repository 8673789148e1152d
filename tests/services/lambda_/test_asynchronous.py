"""Asynchronous invocations: AWS's retries, on the clock."""

import dataclasses

import pytest

from fogbank.functions.ports import FunctionThrottled
from fogbank.services.events import context_of
from fogbank.services.lambda_.asynchronous import run_event
from fogbank.storage.outbox import Event, GiveUp, RetryLater
from tests.services.lambda_.world import Fixture, outcome


@pytest.fixture
async def fixture() -> Fixture:
    fixture = Fixture()
    await fixture.deploy("f")
    return fixture


async def accepted(fixture: Fixture) -> Event:
    await fixture.call("Invoke", FunctionName="f", InvocationType="Event", Payload=b'{"a": 1}')
    (event,) = fixture.outbox.events
    return dataclasses.replace(event, created_ms=fixture.clock.now_ms())


async def deliver(fixture: Fixture, event: Event, attempt: int = 1) -> None:
    event = dataclasses.replace(event, attempt=attempt)
    await run_event(context_of(fixture.stack, event), event)


async def test_an_event_that_succeeds_is_done(fixture: Fixture) -> None:
    event = await accepted(fixture)
    await deliver(fixture, event)
    ((version, invocation),) = fixture.functions.asked
    assert (version.name, invocation.payload) == ("f", b'{"a": 1}')


async def test_errors_are_retried_after_one_and_after_two_minutes(fixture: Fixture) -> None:
    event = await accepted(fixture)
    fixture.functions.answers.extend([outcome(error="Unhandled")] * 3)
    waits = []
    for attempt in (1, 2):
        with pytest.raises(RetryLater) as caught:
            await deliver(fixture, event, attempt)
        waits.append(caught.value.delay_s)
    assert waits == [60, 120]
    with pytest.raises(GiveUp):
        await deliver(fixture, event, 3)


async def test_all_attempts_have_one_request_id(fixture: Fixture) -> None:
    event = await accepted(fixture)
    fixture.functions.answers.append(outcome(error="Unhandled"))
    with pytest.raises(RetryLater):
        await deliver(fixture, event)
    await deliver(fixture, event, 2)
    assert len({invocation.request_id for _, invocation in fixture.functions.asked}) == 1


async def test_throttles_do_not_count_as_attempts(fixture: Fixture) -> None:
    event = await accepted(fixture)
    fixture.functions.answers.extend([FunctionThrottled()] * 12)
    waits = []
    for attempt in range(1, 13):
        with pytest.raises(RetryLater) as caught:
            await deliver(fixture, event, attempt)
        waits.append(caught.value.delay_s)
    assert waits[:4] == [1, 2, 4, 8] and waits[-1] == 300
    fixture.functions.answers.append(outcome(error="Unhandled"))
    with pytest.raises(RetryLater) as caught:
        await deliver(fixture, event, 13)
    assert caught.value.delay_s == 60


async def test_a_throttled_event_is_given_up_after_six_hours(fixture: Fixture) -> None:
    event = await accepted(fixture)
    fixture.clock.advance(6 * 3600)
    fixture.functions.answers.append(FunctionThrottled())
    with pytest.raises(GiveUp):
        await deliver(fixture, event)


async def test_an_event_of_a_deleted_function_is_given_up(fixture: Fixture) -> None:
    event = await accepted(fixture)
    await fixture.call("DeleteFunction", FunctionName="f")
    with pytest.raises(GiveUp):
        await deliver(fixture, event)
