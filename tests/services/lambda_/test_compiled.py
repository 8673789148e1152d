"""What an invocation is made of, and when it is made anew."""

import asyncio

import pytest

from fogbank.functions.ports import FunctionVersion
from fogbank.storage.blobs import BlobMissing
from tests.services.lambda_.world import Fixture


@pytest.fixture
async def fixture() -> Fixture:
    fixture = Fixture()
    await fixture.deploy("f")
    return fixture


async def version_of(fixture: Fixture) -> FunctionVersion:
    await fixture.call("Invoke", FunctionName="f")
    return fixture.functions.asked[-1][0]


async def test_one_version_serves_all_invocations(fixture: Fixture) -> None:
    assert await version_of(fixture) is await version_of(fixture)


async def test_invocations_at_once_compile_once(fixture: Fixture) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(fixture.call("Invoke", FunctionName="f"))
    assert len({version.key for version, _ in fixture.functions.asked}) == 1


async def test_an_update_retires_the_old_environments(fixture: Fixture) -> None:
    before = await version_of(fixture)
    await fixture.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    fixture.clock.advance(1)
    after = await version_of(fixture)
    assert after.key != before.key and after.timeout_s == 9
    assert fixture.functions.retired == [before.key]


async def test_tags_keep_the_environments(fixture: Fixture) -> None:
    before = await version_of(fixture)
    await fixture.call("TagResource", Resource=before.arn, Tags={"a": "1"})
    assert (await version_of(fixture)).key == before.key
    assert fixture.functions.retired == []


async def test_credentials_are_renewed_before_an_invocation_could_outlive_them(
    fixture: Fixture,
) -> None:
    before = await version_of(fixture)
    fixture.clock.advance(3600 - 900 - 120)
    assert await version_of(fixture) is before
    fixture.clock.advance(120)
    after = await version_of(fixture)
    assert after.environment["AWS_ACCESS_KEY_ID"] != before.environment["AWS_ACCESS_KEY_ID"]
    assert fixture.functions.retired == [before.key]


async def test_a_deleted_function_leaves_no_environments(fixture: Fixture) -> None:
    before = await version_of(fixture)
    await fixture.call("DeleteFunction", FunctionName="f")
    assert fixture.functions.retired == [before.key]


async def test_the_code_is_what_was_uploaded(fixture: Fixture) -> None:
    version = await version_of(fixture)
    data = await version.code.fetch()
    assert data.startswith(b"PK") and len(version.code.sha256) == 64


async def test_an_invocation_waits_for_the_end_of_the_creation() -> None:
    fixture = Fixture()
    await fixture.deploy("f")
    await fixture.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    waiting = asyncio.ensure_future(fixture.call("Invoke", FunctionName="f"))
    await fixture.clock.asleep.wait()
    assert fixture.functions.asked == []
    fixture.clock.advance(1)
    await waiting
    assert len(fixture.functions.asked) == 1


async def test_code_that_was_replaced_meanwhile_is_read_again(fixture: Fixture) -> None:
    fixture.functions.answers.append(BlobMissing("gone"))
    answer = await fixture.call("Invoke", FunctionName="f")
    assert answer["StatusCode"] == 200
    assert len(fixture.functions.asked) == 2
