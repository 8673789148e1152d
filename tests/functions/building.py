"""Functions for tests: a version from its source, an invocation, a log that can be read."""

import asyncio
import hashlib
import io
import itertools
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from fogbank.functions.ports import Code, Functions, FunctionVersion, Invocation, Outcome

ACCOUNT_ARN = "arn:aws:lambda:eu-west-3:000000000000:function:probe"
_ids = itertools.count(1)


def zipped(files: Mapping[str, str | bytes], modes: Mapping[str, int] | None = None) -> bytes:
    """A zip of `files`; a mode is that of a Unix file, 0o644 unless given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100000 | (modes or {}).get(name, 0o644)) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


class Log:
    """Collects what versions log."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.streams: set[str] = set()

    def __call__(self, stream: str, lines: list[tuple[int, str]]) -> None:
        self.streams.add(stream)
        self.lines.extend(line for _, line in lines)

    def text(self) -> str:
        return "".join(self.lines)


def version(
    source: str | Mapping[str, str | bytes],
    *,
    modes: Mapping[str, int] | None = None,
    log: Log | None = None,
    **changes: Any,
) -> FunctionVersion:
    """A version whose module `main` is `source` (or with those files), handler main.handler."""
    files = {"main.py": source} if isinstance(source, str) else source
    data = zipped(files, modes)
    digest = hashlib.sha256(data).hexdigest()

    async def fetch() -> bytes:
        return data

    facts: dict[str, Any] = {
        "key": f"probe:{next(_ids)}",
        "name": "probe",
        "version": "$LATEST",
        "arn": ACCOUNT_ARN,
        "runtime": "python3.11",
        "handler": "main.handler",
        "memory_mb": 512,
        "timeout_s": 20,
        "environment": {},
        "code": Code(digest, fetch),
        "logs": log or Log(),
        **changes,
    }
    return FunctionVersion(**facts)


def invocation(event: Any = None, **changes: Any) -> Invocation:
    facts: dict[str, Any] = {
        "request_id": f"00000000-0000-4000-8000-{next(_ids):012d}",
        "payload": json.dumps(event).encode(),
        "invoked_arn": ACCOUNT_ARN,
        "trace_header": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
        **changes,
    }
    return Invocation(**facts)


async def run(functions: Functions, built: FunctionVersion, event: Any = None) -> Outcome:
    return await functions.invoke(built, invocation(event))


async def value(functions: Functions, built: FunctionVersion, event: Any = None) -> Any:
    """What the handler returned; its error document fails the test."""
    outcome = await run(functions, built, event)
    assert outcome.error is None, outcome.payload.decode()
    return json.loads(outcome.payload)


async def failure(functions: Functions, built: FunctionVersion, event: Any = None) -> Any:
    outcome = await run(functions, built, event)
    assert outcome.error == "Unhandled", outcome.payload.decode()
    return json.loads(outcome.payload)


async def until(condition: Any, timeout_s: float = 10.0) -> None:
    """Return when `condition()` holds; looking often, because a process tells nobody."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is watched has no event
            await asyncio.sleep(0.005)
