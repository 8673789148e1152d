"""What an invocation needs of a function, made once from the bytes of its record.

The cache is addressed by those bytes, which are read anew for each invocation: a function that
changed has other bytes, so nothing has to be invalidated.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson

from fogbank.functions.ports import Code, FunctionVersion
from fogbank.services.context import Context, Stack
from fogbank.services.lambda_ import packages
from fogbank.services.log_lines import Batch, lines_of

CACHED_MAX = 1024
SESSION_S = 3600
# A session outlives the longest invocation that may begin with it: 15 minutes, and a margin.
RENEW_BEFORE_MS = (900 + 60) * 1000


@dataclass(frozen=True, slots=True)
class Session:
    """Credentials of a function's role."""

    variables: dict[str, str]
    renew_at_ms: int


@dataclass(frozen=True, slots=True)
class Compiled:
    """`settled_ms` is when the function's present transition ends, `reserved` its concurrency."""

    version: FunctionVersion
    settled_ms: int
    reserved: int | None
    renew_at_ms: int


class Compiler:
    """The compiled functions of a stack, and the sessions that their environments hold."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._by_record: dict[bytes, Compiled] = {}
        self._sessions: dict[tuple[str, str], Session] = {}
        self._live: dict[str, str] = {}  # ARN -> the key under which environments may be running
        self._compiling = asyncio.Lock()

    def ready(self, raw: bytes, now_ms: int) -> Compiled | None:
        """The compiled form of a record where it exists and may still be used."""
        found = self._by_record.get(raw)
        return found if found is not None and now_ms < found.renew_at_ms else None

    async def compile(self, ctx: Context, raw: bytes) -> Compiled:
        """The compiled form of a record, with a session that lasts for the next invocation."""
        async with self._compiling:
            found = self.ready(raw, ctx.clock.now_ms())
            if found is not None:
                return found
            record = orjson.loads(raw)
            config = record["config"]
            session = await self._session(ctx, config["FunctionArn"], config["Role"])
            version = self._version(ctx, record, session)
            self._replace(version)
            fresh = Compiled(version, record["settled_ms"], record["reserved"], session.renew_at_ms)
            _bound(self._by_record)
            self._by_record[raw] = fresh
            return fresh

    def retire_all(self, arn: str) -> None:
        """Environments of the function and of its versions end."""
        for live in [live for live in self._live if live == arn or live.startswith(f"{arn}:")]:
            self.retire(live)

    def retire(self, arn: str) -> None:
        """Environments of this one version end after the invocation that they are in."""
        key = self._live.pop(arn, None)
        if key is not None:
            self._stack.functions.retire(key)

    def _replace(self, version: FunctionVersion) -> None:
        if self._live.get(version.arn) != version.key:
            self.retire(version.arn)
            self._live[version.arn] = version.key

    async def _session(self, ctx: Context, arn: str, role: str) -> Session:
        """A session of `role`, shared by all revisions of the function.

        Examples often carry a role of some made-up account. IAM is not enforced, and a function
        whose calls went to another world would be of no use: its own account is taken instead.
        """
        found = self._sessions.get((arn, role))
        if found is not None and ctx.clock.now_ms() < found.renew_at_ms:
            return found
        resource = role.split(":", 5)[5]
        answer = await ctx.call(
            "sts",
            "AssumeRole",
            {
                "RoleArn": f"arn:aws:iam::{ctx.world.account}:{resource}",
                "RoleSessionName": arn.split(":")[6],
                "DurationSeconds": SESSION_S,
            },
        )
        given = answer["Credentials"]
        fresh = Session(
            {
                "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
                "AWS_SESSION_TOKEN": given["SessionToken"],
            },
            given["Expiration"] * 1000 - RENEW_BEFORE_MS,
        )
        _bound(self._sessions)
        self._sessions[arn, role] = fresh
        return fresh

    def _version(self, ctx: Context, record: dict[str, Any], session: Session) -> FunctionVersion:
        config, ref, stack = record["config"], record["code"], self._stack
        group = config["LoggingConfig"]["LogGroup"]
        lines, world = lines_of(stack), ctx.world

        def log(stream: str, batch: list[tuple[int, str]]) -> None:
            lines.append(Batch(world, group, stream, batch))

        access_key = session.variables["AWS_ACCESS_KEY_ID"]
        return FunctionVersion(
            key=f"{config['FunctionArn']}:{record['revisions'][0]}:{access_key}",
            name=config["FunctionName"],
            version=config["Version"],
            arn=config["FunctionArn"],
            runtime=config["Runtime"],
            handler=config["Handler"],
            memory_mb=config["MemorySize"],
            timeout_s=config["Timeout"],
            environment=_environment(ctx, config) | session.variables,
            code=Code(packages.hex_of(config["CodeSha256"]), lambda: packages.fetch(stack, ref)),
            logs=log,
            log_group=group,
            tmp_mb=config["EphemeralStorage"]["Size"],
        )


def _environment(ctx: Context, config: dict[str, Any]) -> dict[str, str]:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html

    Only AWS_ENDPOINT_URL is ours. What a user sets wins, except over reserved names, which
    CreateFunction refuses.
    """
    logging = config["LoggingConfig"]
    variables = {
        "AWS_ENDPOINT_URL": ctx.stack.endpoint,
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "_HANDLER": config["Handler"],
        "AWS_REGION": ctx.world.region,
        "AWS_DEFAULT_REGION": ctx.world.region,
        "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
        "AWS_LAMBDA_FUNCTION_VERSION": config["Version"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config["MemorySize"]),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
        **((config.get("Environment") or {}).get("Variables") or {}),
    }
    if not config["Runtime"].startswith("provided"):
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{config['Runtime']}"
    if logging["LogFormat"] == "JSON":
        variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging["ApplicationLogLevel"]
    return variables


def _bound(cache: dict[Any, Any]) -> None:
    """Room for one more; the oldest entry goes first."""
    while len(cache) >= CACHED_MAX:
        del cache[next(iter(cache))]


def compiler_of(stack: Stack) -> Compiler:
    """The one compiler of a stack."""
    found = stack.caches.get("lambda")
    if not isinstance(found, Compiler):
        found = stack.caches["lambda"] = Compiler(stack)
    return found
