"""`fogbank check`: a data directory that no stack has open, verified."""

import asyncio
import sys

from fogbank.gateway.settings import Settings
from fogbank.gateway.wiring import START_FAILURES
from fogbank.storage.check import check
from fogbank.storage.datadir import DataDir


def run(settings: Settings, *, deep: bool) -> int:
    """Print what is wrong, a line each; 0 when nothing is."""
    try:
        problems = asyncio.run(_problems(settings, deep=deep))
    except START_FAILURES as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    print(f"{settings.data_dir} is sound")
    return 0


async def _problems(settings: Settings, *, deep: bool) -> list[str]:
    data = await DataDir.open(
        settings.data_dir,
        key_file=settings.key_file,
        master_key=settings.master_key or None,
    )
    try:
        return [f"{one.where}: {one.what}" for one in await check(data, deep=deep)]
    finally:
        await data.close()
