"""The spawner that has the SDK imported: when it is used, and that a function cannot tell."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from fogbank.functions.service import FunctionPool, FunctionsConfig, IsolationUnavailable
from fogbank.functions.spawnerset import SdkZygote
from fogbank.storage.clock import SystemClock
from tests.functions.building import run, value, version

IS_WARM = (
    "import sys\nwarm = 'botocore' in sys.modules\n"
    "def handler(event, context):\n    return warm  # boto3\n"
)
FACTS = """
import logging, platform, random, sys, warnings
import boto3, botocore.loaders, botocore.session

def handler(event, context):
    client = boto3.client("dynamodb", region_name="eu-west-3")
    loaders = [botocore.loaders.Loader() for _ in range(2)]
    for loader in loaders:
        loader.search_paths.append(loader.BUILTIN_DATA_PATH)
    one, two = (loader.load_service_model("sqs", "service-2") for loader in loaders)
    return {
        "path": sys.path,
        "argv": sys.argv,
        "main": sys.modules["__main__"].__file__,
        "sdk": [boto3.__file__, botocore.loaders.__file__],
        "operations": client.meta.service_model.operation_names,
        "endpoint": client.meta.endpoint_url,
        "credentials": client._request_signer._credentials.access_key,
        "models": [one == two, one is two],
        "default": [boto3.DEFAULT_SESSION is None],
        "node": platform.node(),
        "filters": [[each[0], each[2].__name__] for each in warnings.filters],
        "root": [type(each).__name__ for each in logging.getLogger().handlers],
        "level": logging.getLogger("botocore").level,
        "known": json_names(),
    }

def json_names():
    return [name for name in ("spawner", "sdk", "bootstrap", "confine") if name in sys.modules]
"""
KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}


async def started(driver: str, sdk: SdkZygote) -> FunctionPool:
    pool = FunctionPool(FunctionsConfig(driver=driver, sdk_zygote=sdk, blanks=0), SystemClock())
    try:
        await pool.start()
    except IsolationUnavailable as error:
        pytest.skip(str(error))
    return pool


@pytest.fixture
async def eager() -> AsyncIterator[FunctionPool]:
    pool = await started("process", "always")
    yield pool
    await pool.close()


async def test_a_function_that_uses_the_sdk_finds_it_imported(eager: FunctionPool) -> None:
    assert await value(eager, version(IS_WARM)) is True


@pytest.mark.parametrize(
    "brought",
    ["boto3.py", "urllib3/__init__.py", "queue.py", "vendor/botocore/__init__.py"],
)
async def test_a_package_with_a_module_of_that_name_imports_everything_itself(
    eager: FunctionPool, brought: str
) -> None:
    built = version({"main.py": IS_WARM, brought: ""})
    assert await value(eager, built) is False


@pytest.mark.parametrize("name", ["HOME", "PYTHONPATH", "BOTO_DISABLE_CRT"])
async def test_a_variable_that_the_sdk_looks_at_when_imported_counts(
    eager: FunctionPool, name: str
) -> None:
    assert await value(eager, version(IS_WARM, environment={name: "/tmp"})) is False


@pytest.mark.parametrize("driver", ["process", "sandbox"])
async def test_a_function_cannot_tell_who_imported_the_sdk(driver: str) -> None:
    seen: list[Mapping[str, Any]] = []
    for sdk in ("never", "always"):
        pool = await started(driver, sdk)
        try:
            outcome = await run(pool, version(FACTS, environment=KEYS))
        finally:
            await pool.close()
        assert outcome.error is None, outcome.payload
        facts = json.loads(outcome.payload)
        if driver == "process":  # the package's directory has a name of its own
            facts["path"] = facts["path"][1:]
        seen.append(facts)
    assert seen[0] == seen[1]


async def test_the_first_function_that_uses_the_sdk_has_it_imported_for_later_ones() -> None:
    pool = await started("process", "lazy")

    async def warm() -> bool:
        return bool(await value(pool, version(IS_WARM)))

    try:
        assert await warm() is False
        async with asyncio.timeout(20):
            while not await warm():
                pass
    finally:
        await pool.close()
