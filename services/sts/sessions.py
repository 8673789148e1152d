"""Temporary credentials: real ones, which the gateway checks and maps to their account."""

import base64
import hashlib
import re

from fogbank.services import credentials
from fogbank.services.context import Context, Input, Output
from fogbank.services.credentials import Credential
from fogbank.services.errors import AwsError
from fogbank.services.ids import UPPER_AND_DIGITS
from fogbank.services.sts.errors import ValidationError
from fogbank.services.sts.service import service
from fogbank.storage.kv import Writer

ROLE_SESSION_DEFAULT_S = 3600
USER_SESSION_DEFAULT_S = 43_200
SESSION_MIN_S = 900
ROLE_SESSION_MAX_S = 43_200
USER_SESSION_MAX_S = 129_600

# Partition, service and resource must be there; region and account may be empty.
_ARN = re.compile(r"arn:[^:\s]+:[^:\s]+:[^:\s]*:[^:\s]*:\S+")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(?:\S*/)?([\w+=,.@-]+)")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{1,64}")
_SECRET_BYTES = 30
_TOKEN_BYTES = 132


@service.operation("AssumeRole")
async def assume_role(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html

    IAM is stored and not enforced: the role need not exist, nor its trust policy name the caller.
    """
    role_arn, session = str(request.get("RoleArn", "")), str(request.get("RoleSessionName", ""))
    if not _SESSION_NAME.fullmatch(session):
        raise ValidationError.one(
            session,
            "roleSessionName",
            "Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        )
    role = _ROLE_ARN.fullmatch(role_arn)
    if role is None or not _ARN.fullmatch(role_arn):
        raise ValidationError.invalid_arn(role_arn)
    seconds = _duration_s(request, ROLE_SESSION_DEFAULT_S, ROLE_SESSION_MAX_S)
    account, name = role[1], role[2]
    role_id, seconds_max = await _role_facts(ctx, account, name, role_arn)
    if seconds > seconds_max:
        raise ValidationError(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    user_id = f"{role_id}:{session}"
    arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
    return {
        "Credentials": await _issue(ctx, account, arn, user_id, seconds),
        "AssumedRoleUser": {"AssumedRoleId": user_id, "Arn": arn},
        "PackedPolicySize": 0,
    }


@service.operation("GetSessionToken")
async def get_session_token(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html"""
    seconds = _duration_s(request, USER_SESSION_DEFAULT_S, USER_SESSION_MAX_S)
    caller = ctx.caller
    return {
        "Credentials": await _issue(ctx, ctx.world.account, caller.arn, caller.user_id, seconds)
    }


async def _role_facts(ctx: Context, account: str, name: str, role_arn: str) -> tuple[str, int]:
    """The id of a role and how long its sessions may be; a stable id where the role is not ours."""
    if account == ctx.world.account:
        try:
            role = (await ctx.call("iam", "GetRole", {"RoleName": name}))["Role"]
        except AwsError:
            pass
        else:
            return str(role["RoleId"]), int(role["MaxSessionDuration"])
    digest = base64.b32encode(hashlib.sha256(role_arn.encode()).digest()).decode()
    return f"AROA{digest[:17]}", ROLE_SESSION_MAX_S


def _duration_s(request: Input, default_s: int, max_s: int) -> int:
    seconds = int(request.get("DurationSeconds") or default_s)
    for failed, rule in (
        (
            seconds < SESSION_MIN_S,
            f"Member must have value greater than or equal to {SESSION_MIN_S}",
        ),
        (seconds > max_s, f"Member must have value less than or equal to {max_s}"),
    ):
        if failed:
            raise ValidationError.one(seconds, "durationSeconds", rule)
    return seconds


async def _issue(
    ctx: Context, account: str, arn: str, user_id: str, seconds: int
) -> dict[str, object]:
    """Credentials that the gateway knows from now on, as STS answers them."""
    random_bytes = ctx.ids.random_bytes
    now_ms = ctx.clock.now_ms()
    # Whole seconds, because the answer carries no more.
    expires_at_s = now_ms // 1000 + seconds
    credential = Credential(
        access_key="ASIA" + ctx.ids.token(16, UPPER_AND_DIGITS),
        secret=base64.b64encode(random_bytes(_SECRET_BYTES)).decode(),
        session_token=base64.b64encode(random_bytes(_TOKEN_BYTES)).decode(),
        account=account,
        arn=arn,
        user_id=user_id,
        expires_at_ms=expires_at_s * 1000,
    )

    def work(tx: Writer) -> None:
        credentials.sweep(tx, now_ms)
        credentials.save(tx, credential)

    await ctx.store.write(work)
    return {
        "AccessKeyId": credential.access_key,
        "SecretAccessKey": credential.secret,
        "SessionToken": credential.session_token,
        "Expiration": expires_at_s,
    }
