"""Each test has an S3 of its own, with one bucket."""

import pytest

from tests.services.s3.world import S3World


@pytest.fixture
async def s3() -> S3World:
    world = S3World()
    await world("CreateBucket", Bucket="photos")
    return world
