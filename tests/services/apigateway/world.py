"""A stack in memory with API Gateway and a Lambda service whose answers a test chooses."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from fogbank.services.apigateway.dataplane import ApiRequest, ApiResponse, serve
from fogbank.services.apigateway.service import service as apigateway
from fogbank.services.context import Caller, Context, Input, Output, Stack, World
from fogbank.services.ids import Ids
from fogbank.services.registry import Catalog, Service
from fogbank.services.trace import TraceBuffer
from fogbank.storage.clock import ManualClock
from fogbank.storage.memory import MemoryStore

WORLD = World("111111111111", "eu-west-1")
CALLER = Caller("111111111111", "arn:aws:iam::111111111111:root", "111111111111")
FUNCTION = "arn:aws:lambda:eu-west-1:111111111111:function:echo"
URI = f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"

Invoke = Callable[[Input], Awaitable[Output]]


class _Catalog(Catalog):
    def __init__(self, lambda_: Service) -> None:
        super().__init__({})
        self._services = {"apigateway": apigateway, "lambda": lambda_}


class Gateway:
    """Drives operations and requests; `events` are what the stub function was sent."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answer: Any = {"statusCode": 200, "body": "hello"}
        self.function_error: str | None = None
        self.policy: dict[str, Any] | None = {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "apigateway.amazonaws.com"},
                    "Action": "lambda:InvokeFunction",
                }
            ]
        }
        lambda_ = Service("lambda")
        lambda_.operation("Invoke")(self._invoke)
        lambda_.operation("GetPolicy")(self._get_policy)
        ids = Ids()
        unused: Any = None
        self.clock = ManualClock()
        self.stack = Stack(
            store=MemoryStore(),
            blobs=unused,
            outbox=unused,
            functions=unused,
            clock=self.clock,
            ids=ids,
            traces=TraceBuffer(ids),
            catalog=_Catalog(lambda_),
            endpoint="http://127.0.0.1:4566",
        )
        self.api_id = ""
        self.root_id = ""

    async def _invoke(self, ctx: Context, request: Input) -> Output:
        self.events.append(orjson.loads(request["Payload"]))
        payload = self.answer if isinstance(self.answer, bytes) else orjson.dumps(self.answer)
        answer: Output = {"StatusCode": 200, "Payload": payload}
        if self.function_error:
            answer["FunctionError"] = self.function_error
        return answer

    async def _get_policy(self, ctx: Context, request: Input) -> Output:
        if self.policy is None:
            from fogbank.services.apigateway.errors import NotFoundException

            raise NotFoundException("The resource you requested does not exist.")
        return {"Policy": orjson.dumps(self.policy).decode(), "RevisionId": "1"}

    def context(self, world: World = WORLD, caller: Caller = CALLER) -> Context:
        span = self.stack.traces.begin(self.clock.now_ms())
        return Context(world, caller, self.stack.ids.uuid(), span, self.stack)

    async def call(self, operation: str, **request: Any) -> Output:
        return await self.stack.catalog.dispatch(self.context(), "apigateway", operation, request)

    async def create_api(self, **options: Any) -> None:
        api = await self.call("CreateRestApi", name="test", **options)
        self.api_id, self.root_id = api["id"], api["rootResourceId"]

    async def resource(self, path: str) -> str:
        """The id of the resource at `path`, made with its parents where it does not exist."""
        found = await self.call("GetResources", restApiId=self.api_id, limit=500)
        by_path = {one["path"]: one["id"] for one in found["items"]}
        at, resource_id = "", self.root_id
        for part in path.strip("/").split("/") if path != "/" else []:
            at = f"{at}/{part}"
            if at not in by_path:
                made = await self.call(
                    "CreateResource", restApiId=self.api_id, parentId=resource_id, pathPart=part
                )
                by_path[at] = made["id"]
            resource_id = by_path[at]
        return resource_id

    async def proxy(self, method: str, path: str, **integration: Any) -> dict[str, str]:
        """A method with a proxy integration to the function; the names to refer to it by."""
        names = {
            "restApiId": self.api_id,
            "resourceId": await self.resource(path),
            "httpMethod": method,
        }
        await self.call("PutMethod", **names, authorizationType="NONE")
        options = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": URI}
        await self.call("PutIntegration", **names, **{**options, **integration})
        return names

    async def deploy(self, stage: str = "dev", **options: Any) -> str:
        made = await self.call(
            "CreateDeployment", restApiId=self.api_id, stageName=stage, **options
        )
        deployment_id: str = made["id"]
        return deployment_id

    async def send(
        self,
        method: str,
        path: str,
        *,
        stage: str = "dev",
        headers: dict[str, str] | None = None,
        body: bytes | None = b"",
    ) -> ApiResponse:
        path, _, query = path.partition("?")
        raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        request = ApiRequest(
            self.api_id,
            stage,
            method,
            path,
            query,
            raw,
            body,
            "192.0.2.7",
            "1.1",
            f"{self.api_id}.execute-api.eu-west-1.amazonaws.com",
        )
        return await serve(self.stack, self.context, request)


def header(response: ApiResponse, name: str) -> str | None:
    """The first value of a response header, whose name is compared with its case."""
    for raw, value in response.headers:
        if raw.decode() == name:
            return value.decode()
    return None
