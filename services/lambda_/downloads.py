"""The address of a function's code: a URL of the stack's own that is good for ten minutes.

AWS answers with a presigned URL of a bucket of its own. Tools only fetch it, so any URL will do
that carries its own right to read and expires.
"""

import hashlib
import hmac
from urllib.parse import parse_qs, quote, unquote, urlencode

import orjson

from fogbank.services.context import Context, Stack, World
from fogbank.services.lambda_ import packages, records
from fogbank.services.lambda_.names import Target
from fogbank.storage.keys import pack
from fogbank.storage.kv import Reader, Writer

PATH = "/_fogbank/lambda/code/"
VALID_S = 600

_SECRET_KEY = pack("lambda", "download-secret")


async def location(ctx: Context, record: records.Record) -> str:
    """Where the package that `record` names can be fetched."""
    secret = await ctx.store.read(lambda tx: tx.get(_SECRET_KEY), brief=True)
    if secret is None:
        fresh = ctx.ids.random_bytes(32)
        secret = await ctx.store.write(lambda tx: _keep(tx, fresh))
    config, world = record["config"], ctx.world
    name = quote(f"{config['FunctionName']}:{config['Version']}")
    path = f"{PATH}{world.account}/{world.region}/{name}"
    expires = str(ctx.clock.now_ms() // 1000 + VALID_S)
    query = {
        "sha256": config["CodeSha256"],
        "expires": expires,
        "signature": _sign(secret, path, config["CodeSha256"], expires),
    }
    return f"{ctx.stack.endpoint}{path}?{urlencode(query)}"


def _keep(tx: Writer, fresh: bytes) -> bytes:
    """The secret that was there first."""
    secret = tx.get(_SECRET_KEY)
    if secret is None:
        tx.put(_SECRET_KEY, fresh)
    return secret or fresh


def _sign(secret: bytes, *parts: str) -> str:
    return hmac.new(secret, "\n".join(parts).encode(), hashlib.sha256).hexdigest()


async def download(stack: Stack, path: str, query: str) -> bytes | None:
    """The package at `path`; None where the address is not one of ours, or no longer."""
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    sha256, expires = fields.get("sha256", ""), fields.get("expires", "")
    account, _, rest = path.removeprefix(PATH).partition("/")
    region, _, name = rest.partition("/")
    function, _, version = unquote(name).partition(":")
    key = records.stored_key(Target(World(account, region), function, version or None))

    def work(tx: Reader) -> tuple[bytes | None, bytes | None]:
        return tx.get(_SECRET_KEY), tx.get(key) if key else None

    secret, raw = await stack.store.read(work)
    if secret is None or raw is None:
        return None
    record = orjson.loads(raw)
    good = hmac.compare_digest(
        _sign(secret, path, sha256, expires).encode(), fields.get("signature", "").encode()
    )
    if not good or int(expires) * 1000 < stack.clock.now_ms():
        return None
    if record["config"]["CodeSha256"] != sha256:
        return None
    return await packages.fetch(stack, record["code"])
