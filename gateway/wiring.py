"""Builds the stack from its settings, runs it, and takes it down in reverse order."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from fogbank.functions.ports import FunctionVersion, Invocation, Outcome
from fogbank.gateway.admin import Pages
from fogbank.gateway.app import application
from fogbank.gateway.authenticate import Authenticator
from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.identify import Identifier
from fogbank.gateway.log import Log
from fogbank.gateway.origin import Door
from fogbank.gateway.server import HttpServer
from fogbank.gateway.settings import Settings, load_accounts
from fogbank.gateway.stages import ContextOf, Gateway
from fogbank.services.context import Stack
from fogbank.services.events import context_of
from fogbank.services.ids import Ids
from fogbank.services.registry import Catalog
from fogbank.services.trace import TraceBuffer
from fogbank.storage.clock import SystemClock
from fogbank.storage.memory import MemoryBlobs, MemoryStore
from fogbank.storage.outbox import Event


class _NoFunctions:
    async def invoke(self, version: FunctionVersion, invocation: Invocation) -> Outcome:
        raise NotImplementedError

    def retire(self, key: str) -> None:
        pass

    def isolation(self) -> dict[str, Any]:
        return {"level": "none"}


class _NoOutbox:
    def add(self, tx: Any, topic: str, key: str, body: dict[str, Any], *, due_ms: int = 0) -> None:
        pass

    async def run(self, deliver: Callable[[Event], Awaitable[None]]) -> None:
        await asyncio.Event().wait()


async def run(settings: Settings, sock: socket.socket, announce: Callable[[Stack], None]) -> None:
    """Serve on the bound socket until SIGTERM or SIGINT; then drain and close everything."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as exits:
        tasks = await exits.enter_async_context(asyncio.TaskGroup())
        log = Log(settings.log_lines_max, requests=settings.log_level == "info")
        store = MemoryStore()
        accounts = load_accounts(settings.accounts) if settings.accounts else []
        ids = Ids()
        stack = Stack(
            store=store,
            blobs=MemoryBlobs(store),
            outbox=_NoOutbox(),
            functions=_NoFunctions(),
            clock=SystemClock(),
            ids=ids,
            traces=TraceBuffer(ids, settings.trace_spans_max),
            catalog=Catalog(),
            endpoint=endpoint_of(sock),
        )

        async def data_plane(context: ContextOf, request: HttpRequest) -> HttpResponse:
            raise NotImplementedError

        async def respond(request: HttpRequest) -> HttpResponse:
            return await gateway.respond(request)

        async def dead(limit: int) -> list[dict[str, Any]]:
            return []

        server = HttpServer(application(respond))
        gateway = Gateway(
            stack,
            door=Door(settings.cors_origins, loopback=settings.loopback),
            identifier=Identifier(settings.region),
            authenticator=Authenticator(
                store, stack.clock, accounts, strict=settings.auth == "strict"
            ),
            log=log,
            pages=Pages(stack, settings, log, lambda: server.requests_in_progress, dead),
            data_plane=data_plane,
        )

        async def deliver(event: Event) -> None:
            await stack.catalog.consume(context_of(stack, event), event)

        background = [
            tasks.create_task(log.run()),
            tasks.create_task(server.keep_time()),
            tasks.create_task(stack.outbox.run(deliver)),
        ]
        await server.serve(sock)
        announce(stack)
        await stop.wait()
        await server.drain(settings.drain_s)
        for task in background:
            task.cancel()


def endpoint_of(sock: socket.socket) -> str:
    """The URL that reaches a socket from this machine."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
