"""S3 over a store in memory, and a Lambda that remembers what it was asked."""

from typing import Any

import orjson

from fogbank.services.context import Caller, Context, Input, Output, Stack, World
from fogbank.services.errors import AwsError
from fogbank.services.ids import Ids
from fogbank.services.registry import Catalog, Service
from fogbank.services.s3 import service as s3_service
from fogbank.services.trace import Span, TraceBuffer
from fogbank.storage.clock import ManualClock
from fogbank.storage.kv import Writer
from fogbank.storage.memory import MemoryBlobs, MemoryStore
from fogbank.storage.outbox import Event

ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:seen"


class ResourceNotFound(AwsError):
    code = "ResourceNotFoundException"
    status = 404


class FakeLambda:
    """`policy` is the function's resource policy; None: the function does not exist."""

    def __init__(self) -> None:
        self.invoked: list[Input] = []
        self.policy: dict[str, Any] | None = {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "s3.amazonaws.com"},
                    "Action": "lambda:InvokeFunction",
                }
            ]
        }
        self.service = Service("lambda")
        self.service.operation("GetFunctionConfiguration")(self._configuration)
        self.service.operation("GetPolicy")(self._policy)
        self.service.operation("Invoke")(self._invoke)

    async def _configuration(self, ctx: Context, request: Input) -> Output:
        if self.policy is None:
            raise ResourceNotFound("no such function")
        return {}

    async def _policy(self, ctx: Context, request: Input) -> Output:
        if not self.policy:
            raise ResourceNotFound("no policy")
        return {"Policy": orjson.dumps(self.policy).decode()}

    async def _invoke(self, ctx: Context, request: Input) -> Output:
        if self.policy is None:
            raise ResourceNotFound("no such function")
        self.invoked.append(request)
        return {"StatusCode": 202}


class ListOutbox:
    """Keeps events in order, for a test to look at or to deliver."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(
        self, tx: Writer, topic: str, key: str, body: dict[str, Any], *, due_ms: int = 0
    ) -> None:
        # As in the store: what cannot be JSON fails here.
        body = orjson.loads(orjson.dumps(body))
        self.events.append(Event(str(len(self.events)), topic, key, body, 0, 1))

    async def run(self, deliver: Any) -> None:
        raise NotImplementedError


class S3World:
    """`await s3("PutObject", Bucket=..., Key=...)` as the owner of account 000000000000."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.blobs = MemoryBlobs(self.store)
        self.clock = ManualClock()
        self.outbox = ListOutbox()
        self.functions = FakeLambda()
        self.catalog = Catalog()
        self.catalog._services.update({"s3": s3_service, "lambda": self.functions.service})
        ids = Ids()
        self.stack = Stack(
            self.store,
            self.blobs,
            self.outbox,
            None,  # type: ignore[arg-type]  # S3 runs no function itself
            self.clock,
            ids,
            TraceBuffer(ids),
            self.catalog,
            "http://127.0.0.1:4566",
        )

    def context(self, account: str = ACCOUNT, region: str = "us-east-1") -> Context:
        caller = Caller(account, f"arn:aws:iam::{account}:root", account)
        span = Span("1-00000000-000000000000000000000000", "0000000000000000", None)
        return Context(World(account, region), caller, "REQUEST1", span, self.stack)

    async def __call__(
        self, operation: str, *, account: str = ACCOUNT, region: str = "us-east-1", **request: Any
    ) -> Output:
        return await self.catalog.dispatch(self.context(account, region), "s3", operation, request)

    async def get(self, bucket: str, key: str, **request: Any) -> bytes:
        answer = await self("GetObject", Bucket=bucket, Key=key, **request)
        body = answer["Body"]
        if isinstance(body, bytes):
            return body
        return b"".join([chunk async for chunk in body])

    async def upload(self, bucket: str, key: str, *parts: bytes, **create: Any) -> Output:
        """A multipart upload of `parts`, completed."""
        begun = await self("CreateMultipartUpload", Bucket=bucket, Key=key, **create)
        named = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
        told = []
        for number, data in enumerate(parts, 1):
            part = await self("UploadPart", **named, PartNumber=number, Body=data)
            told.append({"PartNumber": number, **part})
        return await self("CompleteMultipartUpload", **named, MultipartUpload={"Parts": told})

    def blob_keys(self) -> list[bytes]:
        """The bodies that are kept, named or not."""
        return [key for key in self.store._keys if b"blobs" in key]
