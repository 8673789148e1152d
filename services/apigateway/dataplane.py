"""The data plane: a request to a deployed API becomes a response.

Stage, route, API key, integration; each step may end the request with an answer of the gateway.
"""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass

from fogbank.services.apigateway import proxy_event, proxy_response
from fogbank.services.apigateway.compression import compressed
from fogbank.services.apigateway.gateway_responses import (
    CONFIGURATION_ERROR,
    FORBIDDEN,
    FOREIGN_ORIGIN,
    INTEGRATION_FAILURE,
    INTEGRATION_TIMEOUT,
    INVALID_API_KEY,
    MISSING_AUTHENTICATION_TOKEN,
    REQUEST_TOO_LARGE,
    GatewayResponse,
    Refused,
)
from fogbank.services.apigateway.parameters import Unmappable
from fogbank.services.apigateway.permission import permits
from fogbank.services.apigateway.proxy_event import Facts, Lists, RequestHeaders
from fogbank.services.apigateway.snapshot import Compiled, Function, Plan, Stage, remember
from fogbank.services.context import Caller, Context, Stack, World
from fogbank.services.errors import AwsError

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
BODY_BYTES_MAX = 10 * 1024 * 1024

ContextOf = Callable[[World, Caller], Context]
Headers = list[tuple[bytes, bytes]]

ANONYMOUS = Caller("", "", "")
NOWHERE = World("000000000000", "us-east-1")


@dataclass(slots=True)
class ApiRequest:
    """A request to an API: `path` and `query` as they came, the path without the stage.

    `body` is None when it is larger than API Gateway takes. Header names keep their case.
    `is_foreign`: a web page of a foreign origin sent it.
    """

    api_id: str
    stage: str
    method: str
    path: str
    query: str
    headers: Headers
    body: bytes | None
    source_ip: str
    http_version: str
    host: str
    is_foreign: bool = False


@dataclass(slots=True)
class ApiResponse:
    """What goes back to the client; header names keep their case."""

    status: int
    headers: Headers
    body: bytes


@dataclass(slots=True)
class _Exchange:
    """One request on its way: what is known of it so far."""

    ctx: Context
    request: ApiRequest
    extended_id: str
    headers: RequestHeaders
    route: str = ""


async def serve(stack: Stack, context_of: ContextOf, request: ApiRequest) -> ApiResponse:
    """The answer of the API that `request` is for; records the root span of the request's tree."""
    started = time.perf_counter()
    stage = await _stage(stack, request)
    ctx = context_of(stage.snapshot.world if stage else NOWHERE, ANONYMOUS)
    start_ms = ctx.clock.now_ms()
    exchange = _Exchange(
        ctx,
        request,
        base64.b64encode(ctx.ids.random_bytes(11)).decode(),
        RequestHeaders.of(request.headers),
    )
    error = "ok"
    status = 0
    try:
        response = await _answer(exchange, stage)
        status = response.status
        return response
    except Refused as refused:
        response = _refusal(exchange, refused.response)
        status, error = response.status, f"{refused.response.kind}: {refused}"[:300]
        return response
    except BaseException as failure:
        error = type(failure).__name__
        raise
    finally:
        ctx.stack.traces.record(
            ctx.span,
            f"apigateway {exchange.route or request.method}",
            "request",
            start_ms,
            (time.perf_counter() - started) * 1000,
            error,
            {"restApiId": request.api_id, "stage": request.stage, "path": request.path}
            | {"status": status},
        )


async def _stage(stack: Stack, request: ApiRequest) -> Stage | None:
    compiled = Compiled.of(stack)
    return await stack.store.read(
        lambda tx: compiled.find(tx, request.api_id, request.stage), brief=True
    )


async def _answer(exchange: _Exchange, stage: Stage | None) -> ApiResponse:
    request = exchange.request
    if stage is None:
        raise Refused(FORBIDDEN, f"no API {request.api_id} with a stage {request.stage!r}")
    if stage.snapshot.is_disabled:
        raise Refused(FORBIDDEN, "the API's disableExecuteApiEndpoint is set")
    if request.body is None:
        raise Refused(REQUEST_TOO_LARGE)
    found = stage.snapshot.router.match(request.path, request.method)
    if found is None:
        raise Refused(MISSING_AUTHENTICATION_TOKEN, "no route")
    if request.is_foreign and stage.snapshot.router.match(request.path, "OPTIONS") is None:
        raise Refused(FOREIGN_ORIGIN)
    plan, path_parameters = found
    exchange.route = f"{request.method} {plan.resource_path}"
    if plan.is_key_required:
        # Keys cannot be made yet, so no key that a caller sends can be known.
        raise Refused(INVALID_API_KEY)
    if plan.mock is not None:
        status, headers, body = plan.mock.answer(
            request.body,
            exchange.headers.last.get("content-type"),
            exchange.headers.last.get("accept"),
        )
    else:
        status, headers, body = await _invoke(exchange, stage, plan, path_parameters)
    size_min = stage.snapshot.compressed_from_bytes
    if size_min is not None:
        accepted = exchange.headers.last.get("accept-encoding")
        headers, body = await compressed(headers, body, accepted, size_min)
    return _response(exchange, status, headers, body)


async def _invoke(
    exchange: _Exchange, stage: Stage, plan: Plan, path_parameters: dict[str, str] | None
) -> tuple[int, Headers, bytes]:
    """Status, headers and body of the function behind a proxy integration."""
    function = stage.function(plan)
    if function is None:
        raise Refused(CONFIGURATION_ERROR, f"no function {plan.function_arn}")
    if not plan.is_posted:
        raise Refused(CONFIGURATION_ERROR, "a function is invoked by POST only")
    ctx = _in_world(exchange.ctx, function.world)
    if not plan.has_credentials:
        await _check_permission(ctx, exchange, stage, plan, function)
    event = proxy_event.build(stage.target(plan), _facts(exchange, stage, plan, path_parameters))
    try:
        async with asyncio.timeout(plan.timeout_s):
            answer = await ctx.call(
                "lambda", "Invoke", {"FunctionName": function.arn, "Payload": event}
            )
    except TimeoutError:
        raise Refused(INTEGRATION_TIMEOUT) from None
    except AwsError as error:
        # Also where Lambda throttles: AWS does not hand its 429 on to the client.
        raise Refused(CONFIGURATION_ERROR, f"{error.code}: {error.message}") from None
    if answer.get("FunctionError"):
        raise Refused(INTEGRATION_FAILURE, "the function failed")
    try:
        status, headers, body = proxy_response.read(
            answer.get("Payload") or b"", stage.snapshot.binary, exchange.headers.last.get("accept")
        )
    except proxy_response.Malformed as malformed:
        raise Refused(
            INTEGRATION_FAILURE, f"malformed Lambda proxy response: {malformed}"
        ) from None
    headers.append((b"X-Amzn-Trace-Id", exchange.ctx.span.header().encode()))
    return status, headers, body


def _in_world(ctx: Context, world: World) -> Context:
    """The same request where the function lives, which may be another account or region."""
    if ctx.world == world:
        return ctx
    return Context(world, ctx.caller, ctx.request_id, ctx.span, ctx.stack)


async def _check_permission(
    ctx: Context, exchange: _Exchange, stage: Stage, plan: Plan, function: Function
) -> None:
    """Raise unless the function's resource policy allows this method's ARN.

    The handler is asked directly: reading a policy is no event that a trace should show.
    """
    snapshot = stage.snapshot
    source = snapshot.world.arn(
        "execute-api",
        f"{snapshot.api_id}/{stage.name}/{exchange.request.method}"
        f"/{plan.resource_path.lstrip('/')}",
    )
    try:
        answer = await ctx.stack.catalog.handler("lambda", "GetPolicy")(
            ctx, {"FunctionName": function.arn}
        )
    except AwsError as error:
        raise Refused(CONFIGURATION_ERROR, f"{error.code}: {error.message}") from None
    permissions = Compiled.of(ctx.stack).permissions
    policy = answer["Policy"]
    allowed = permissions.get((policy, source))
    if allowed is None:
        allowed = permits(policy, source, snapshot.world.account)
        remember(permissions, (policy, source), allowed)
    if not allowed:
        raise Refused(CONFIGURATION_ERROR, f"the policy of {function.arn} does not allow {source}")


def _facts(
    exchange: _Exchange, stage: Stage, plan: Plan, path_parameters: dict[str, str] | None
) -> Facts:
    request, ctx = exchange.request, exchange.ctx
    is_binary = stage.snapshot.binary.holds(exchange.headers.last.get("content-type"))
    facts = Facts(
        request.method,
        request.path or "/",
        f"/{request.stage}{request.path}",
        path_parameters,
        exchange.headers.last,
        _forwarded(exchange),
        proxy_event.lists_of_query(request.query),
        request.body or b"",
        is_binary,
        request.source_ip,
        exchange.headers.last.get("user-agent"),
        f"HTTP/{request.http_version}",
        request.host,
        request.api_id,
        ctx.request_id,
        exchange.extended_id,
        ctx.clock.now_ms(),
    )
    try:
        for apply in plan.parameters:
            apply(facts)
    except Unmappable as header:
        raise Refused(CONFIGURATION_ERROR, f"the header {header} cannot be mapped") from None
    return facts


def _forwarded(exchange: _Exchange) -> Lists:
    """The request's headers and those that the gateway adds on the way."""
    request, sent = exchange.request, exchange.headers.last
    headers = exchange.headers.lists
    if not sent.keys().isdisjoint(_OURS):
        headers = {name: values for name, values in headers.items() if name.lower() not in _OURS}
    before = sent.get("x-forwarded-for")
    headers["X-Amzn-Trace-Id"] = [f"Root={exchange.ctx.span.trace_id}"]
    headers["X-Forwarded-For"] = [f"{before}, {request.source_ip}" if before else request.source_ip]
    port = request.host.rpartition(":")[2]
    headers["X-Forwarded-Port"] = [port if port.isdigit() else "80"]
    headers["X-Forwarded-Proto"] = ["http"]
    return headers


_OURS = frozenset({"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"})


def _response(exchange: _Exchange, status: int, headers: Headers, body: bytes) -> ApiResponse:
    ctx = exchange.ctx
    headers += [
        (b"x-amzn-RequestId", ctx.request_id.encode()),
        (b"x-amz-apigw-id", exchange.extended_id.encode()),
    ]
    return ApiResponse(status, headers, body)


def _refusal(exchange: _Exchange, response: GatewayResponse) -> ApiResponse:
    headers = [
        (b"Content-Type", b"application/json"),
        (b"x-amzn-ErrorType", response.error.encode()),
    ]
    return _response(exchange, response.status, headers, response.body)
