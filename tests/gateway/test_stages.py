"""What becomes of a request whose handler fails, and of one too many."""

import asyncio
import io
from typing import Any

from fogbank.gateway.admin import Pages
from fogbank.gateway.authenticate import Authenticator
from fogbank.gateway.execute_api import ExecuteApi
from fogbank.gateway.http import HttpResponse
from fogbank.gateway.identify import Identifier
from fogbank.gateway.log import Log
from fogbank.gateway.origin import Door
from fogbank.gateway.stages import Gateway
from fogbank.services.context import Context, Stack
from fogbank.services.ids import Ids
from fogbank.services.registry import Catalog, Service
from fogbank.services.trace import TraceBuffer
from fogbank.storage.clock import SystemClock
from fogbank.storage.kv import StoreFull
from fogbank.storage.memory import MemoryBlobs, MemoryStore
from tests.gateway.requests import authorization, request


class _Known(Catalog):
    """A catalog with one service that is not in a package."""

    def __init__(self, service: Service) -> None:
        super().__init__({service.name: ""})
        self._services[service.name] = service


class Site:
    """A gateway with an `sts` whose GetCallerIdentity does what the test says."""

    def __init__(self, handler: Any, *, requests_max: int = 10) -> None:
        service = Service("sts")
        service.operation("GetCallerIdentity")(handler)
        store, clock, ids = MemoryStore(), SystemClock(), Ids()
        nothing: Any = None
        self.stack = Stack(
            store, MemoryBlobs(store), nothing, nothing, clock, ids, TraceBuffer(ids),
            _Known(service), "http://127.0.0.1:1",
        )  # fmt: skip
        self.log = Log(100, out=io.StringIO())
        pages: Pages = nothing
        self.gateway = Gateway(
            self.stack,
            door=Door((), loopback=True),
            identifier=Identifier("us-east-1"),
            authenticator=Authenticator(store, clock, (), strict=False),
            log=self.log,
            pages=pages,
            data_plane=ExecuteApi(self.stack),
            requests_max=requests_max,
        )

    async def call(self, **headers: str) -> HttpResponse:
        return await self.gateway.respond(
            request(
                "POST",
                body=b"Action=GetCallerIdentity&Version=2011-06-15",
                authorization=authorization("123456789012", "sts"),
                **headers,
            )
        )


def body_of(response: HttpResponse) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


async def answer(ctx: Context, _: Any) -> Any:
    return {"Account": ctx.world.account, "Arn": ctx.world.region, "UserId": "u"}


async def test_the_handler_sees_the_account_and_the_region_of_the_scope() -> None:
    response = await Site(answer).call()
    assert response.status == 200
    assert b"<Account>123456789012</Account>" in body_of(response)
    assert b"<Arn>eu-west-1</Arn>" in body_of(response)


async def test_a_bug_is_a_500_with_the_id_and_its_traceback_in_the_log_only() -> None:
    async def fail(ctx: Context, _: Any) -> Any:
        raise KeyError("the inside")

    site = Site(fail)
    response = await site.call()
    log = "\n".join(site.log.lines(10))
    assert response.status == 500
    assert b"the inside" not in body_of(response)
    assert "KeyError: 'the inside'" in log
    (request_id,) = {value for name, value in response.headers if name == b"x-amzn-RequestId"}
    assert request_id.decode() in log


async def test_a_full_disk_is_no_bug() -> None:
    async def fail(ctx: Context, _: Any) -> Any:
        raise StoreFull("no space")

    assert (await Site(fail).call()).status == 503


async def test_a_request_too_many_is_told_to_come_later() -> None:
    entered, released = asyncio.Event(), asyncio.Event()

    async def wait(ctx: Context, request: Any) -> Any:
        entered.set()
        await released.wait()
        return await answer(ctx, request)

    site = Site(wait, requests_max=1)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(site.call())
        await entered.wait()
        assert (await site.call()).status == 503
        released.set()
    assert first.result().status == 200
    assert (await site.call()).status == 200


async def test_a_request_joins_the_trace_that_its_header_names() -> None:
    site = Site(answer)
    root = "1-5759e988-bd862e3fe1be46a994272793"
    await site.call(x_amzn_trace_id=f"Root={root};Parent=53995c3f42cd8ad8;Sampled=1")
    trace = site.stack.traces.trace(root)
    assert trace is not None
    assert trace["spans"][0]["name"] == "sts.GetCallerIdentity"


async def test_a_service_that_is_not_there_is_named_with_those_that_are() -> None:
    response = await Site(answer).gateway.respond(
        request("POST", authorization=authorization("test", "braket"))
    )
    assert response.status == 501
    assert b"'braket'" in body_of(response)
    assert b"It has: sts" in body_of(response)
