"""Builds the stack from its settings, runs it, and takes it down in reverse order."""

import asyncio
import gc
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fogbank.functions.ports import IsolationUnavailable
from fogbank.functions.service import FunctionPool, FunctionsConfig, Limits
from fogbank.gateway.admin import Pages
from fogbank.gateway.app import application
from fogbank.gateway.authenticate import Authenticator
from fogbank.gateway.execute_api import ExecuteApi
from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.identify import Identifier
from fogbank.gateway.log import Log, LogHandler
from fogbank.gateway.origin import Door
from fogbank.gateway.randomness import RandomPool
from fogbank.gateway.server import HttpServer
from fogbank.gateway.settings import Account, Settings, load_accounts
from fogbank.gateway.stages import Gateway
from fogbank.services.context import Stack
from fogbank.services.events import context_of
from fogbank.services.ids import Ids
from fogbank.services.log_lines import lines_of
from fogbank.services.registry import Catalog
from fogbank.services.trace import TraceBuffer
from fogbank.storage.clock import SystemClock
from fogbank.storage.datadir import DatabaseDamaged, DataDir, DataDirInUse, NotWritable
from fogbank.storage.keyring import KeyFileUnsafe, MasterKeyMissing, MasterKeyWrong
from fogbank.storage.kv import StoreFailed
from fogbank.storage.outbox import Event

Announce = Callable[[Stack], None]

YOUNG_OBJECTS_MAX = 20_000

# What keeps a data directory from opening; each text is one line that says what to do.
START_FAILURES = (
    DataDirInUse,
    NotWritable,
    DatabaseDamaged,
    StoreFailed,
    MasterKeyMissing,
    MasterKeyWrong,
    KeyFileUnsafe,
    IsolationUnavailable,
)


async def run(settings: Settings, sock: socket.socket, announce: Announce) -> None:
    """Serve on the bound socket until SIGTERM or SIGINT; then drain and close everything.

    Raises one of START_FAILURES, or BadSetting, before anything is served.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    accounts = load_accounts(settings.accounts) if settings.accounts else []
    log = Log(settings.log_lines_max, requests=settings.log_level == "info")
    handler = LogHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        async with _data_dir(settings) as data, asyncio.TaskGroup() as tasks:
            await _serve(settings, sock, data, accounts, log, tasks, stop, announce)
    except BaseExceptionGroup as group:
        raise _start_failure_of(group) or group from None
    finally:
        logging.getLogger().removeHandler(handler)
        log.flush()


def _start_failure_of(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """What kept the stack from starting; a group of tasks wraps also what its own body raises."""
    found: BaseException | None = group.subgroup(START_FAILURES)
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


async def _serve(
    settings: Settings,
    sock: socket.socket,
    data: DataDir,
    accounts: list[Account],
    log: Log,
    tasks: asyncio.TaskGroup,
    stop: asyncio.Event,
    announce: Announce,
) -> None:
    async def respond(request: HttpRequest) -> HttpResponse:
        return await gateway.respond(request)

    async def deliver(event: Event) -> None:
        await _consume(stack, event)

    ids, clock = Ids(RandomPool()), SystemClock()
    server = HttpServer(application(respond), tasks)
    endpoint = endpoint_of(sock)
    async with FunctionPool(_functions_config(settings, endpoint, server), clock) as functions:
        stack = Stack(
            store=data.store,
            blobs=data.blobs,
            outbox=data.outbox,
            functions=functions,
            clock=clock,
            ids=ids,
            traces=TraceBuffer(ids, settings.trace_spans_max),
            catalog=Catalog(),
            endpoint=endpoint,
            options={"dynamodb_throttle": settings.dynamodb_throttle},
        )
        gateway = Gateway(
            stack,
            door=Door(
                settings.cors_origins, loopback=settings.loopback, own_names=settings.host_names
            ),
            identifier=Identifier(settings.region),
            authenticator=Authenticator(
                data.store, clock, accounts, strict=settings.auth == "strict"
            ),
            log=log,
            pages=Pages(stack, settings, log, data, lambda: server.requests_in_progress),
            data_plane=ExecuteApi(stack),
            requests_max=settings.requests_max,
        )
        chores = [log.run(), server.keep_time(), data.run(), data.outbox.run(deliver)]
        background = [tasks.create_task(chore) for chore in chores]
        writer = tasks.create_task(lines_of(stack).run())
        await server.serve(sock)
        _spare_the_collector()
        announce(stack)
        await stop.wait()
        await server.drain(settings.drain_s)
        # Deliveries end before the functions that they call.
        for task in reversed(background):
            task.cancel()
        await asyncio.wait(background)
    # By now no function runs: what they logged to the end is written before the store closes.
    writer.cancel()


async def _consume(stack: Stack, event: Event) -> None:
    """Deliver an event; its span joins the request that caused it to what it causes."""
    ctx = context_of(stack, event)
    started, start_ms = time.perf_counter(), stack.clock.now_ms()
    status = "ok"
    try:
        await stack.catalog.consume(ctx, event)
    except BaseException as error:
        status = type(error).__name__
        raise
    finally:
        duration_ms = (time.perf_counter() - started) * 1000
        detail = {"key": event.key, "attempt": event.attempt}
        stack.traces.record(ctx.span, event.topic, "event", start_ms, duration_ms, status, detail)


def _spare_the_collector() -> None:
    """What start-up made stays: it is never looked at again. Requests leave few cycles behind, and
    looking for them each 700 objects took 5 % of a GetItem."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, 10, 20)


def _functions_config(settings: Settings, endpoint: str, server: HttpServer) -> FunctionsConfig:
    return FunctionsConfig(
        driver=settings.function_driver,
        require_isolation=settings.require_isolation,
        endpoint=endpoint,
        stack_port=int(endpoint.rpartition(":")[2]),
        serve_stack=server.serve_soon,
        limits=Limits(concurrency_max=settings.function_concurrency_max),
    )


@asynccontextmanager
async def _data_dir(settings: Settings) -> AsyncIterator[DataDir]:
    data = await DataDir.open(
        settings.data_dir,
        key_file=settings.key_file,
        master_key=settings.master_key or None,
        durability="full" if settings.durability == "full" else "relaxed",
    )
    try:
        yield data
    finally:
        await data.close()


def endpoint_of(sock: socket.socket) -> str:
    """The URL that reaches a socket from this machine."""
    address, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address) or address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
