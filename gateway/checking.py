"""`fogbank check`: a data directory that no stack has open, verified."""

import asyncio
import sys

from fogbank.gateway.settings import Settings
from fogbank.gateway.wiring import START_FAILURES
from fogbank.storage.check import Problem, check
from fogbank.storage.datadir import DataDir


def run(settings: Settings, *, deep: bool) -> int:
    """Print what is wrong, a line each; 0 when nothing is but what the next start sweeps."""
    try:
        problems = asyncio.run(_problems(settings, deep=deep))
    except START_FAILURES as error:
        problems = [Problem("data directory", str(error))]
    damage = [one for one in problems if not one.leftover]
    for one in damage:
        print(f"{one.where}: {one.what}", file=sys.stderr)
    if damage:
        return 1
    print(f"{settings.data_dir} is sound")
    leftovers = len(problems)
    if leftovers:
        print(f"{leftovers} unfinished uploads of a crash will be removed at the next start")
    return 0


async def _problems(settings: Settings, *, deep: bool) -> list[Problem]:
    data = await DataDir.open(
        settings.data_dir,
        key_file=settings.key_file,
        master_key=settings.master_key or None,
    )
    try:
        return await check(data, deep=deep)
    finally:
        await data.close()
