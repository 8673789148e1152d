"""The life of a request, in order, on one page."""

import re
import time
from collections.abc import Awaitable, Callable

from fogbank.gateway import identify, payloads
from fogbank.gateway.authenticate import Authenticator
from fogbank.gateway.constraints import validator
from fogbank.gateway.exchange import ClientGone
from fogbank.gateway.execute_api import Address, ExecuteApi
from fogbank.gateway.faults import plain_error
from fogbank.gateway.http import HttpRequest, HttpResponse
from fogbank.gateway.identify import EXECUTE_API, Identifier, UnknownService
from fogbank.gateway.log import Log
from fogbank.gateway.models import ServiceModel, load
from fogbank.gateway.origin import Door
from fogbank.gateway.plans import Plan, Plans
from fogbank.gateway.protocols import codec_of
from fogbank.services.body import Body
from fogbank.services.context import Caller, Context, Stack, World
from fogbank.services.errors import AwsError, InternalFailure
from fogbank.services.trace import Span
from fogbank.storage.blobs import BlobStoreFull
from fogbank.storage.kv import StoreFull

# What a client may choose as a trace id; anything else is not taken over into the trace buffer.
_TRACE_HEADER = re.compile(r"[\w=:;. \-]{1,256}", re.ASCII)
# Rest services are told apart by method and path; the others by their headers or their payload.
_ROUTED_BY_HEAD = frozenset({"rest-xml", "rest-json"})

Page = Callable[[HttpRequest], Awaitable[HttpResponse]]
ContextOf = Callable[[World, Caller], Context]


class ServiceUnavailable(AwsError):
    code = "ServiceUnavailable"
    status = 503


class _Seen:
    """What is known of a request so far, for its log line and for the codec of its error."""

    __slots__ = ("account", "error", "model", "operation", "service")

    def __init__(self) -> None:
        self.service = self.account = self.operation = self.error = ""
        self.model: ServiceModel | None = None

    def know(self, plan: Plan) -> None:
        self.model = plan.model
        self.service = plan.model.name
        self.operation = plan.operation.name
        self.account = plan.world.account


class Gateway:
    """Answers every request that comes in by HTTP."""

    def __init__(
        self,
        stack: Stack,
        *,
        door: Door,
        identifier: Identifier,
        authenticator: Authenticator,
        log: Log,
        pages: Page,
        data_plane: ExecuteApi,
        requests_max: int,
    ) -> None:
        self._stack = stack
        self._door = door
        self._identifier = identifier
        self._authenticator = authenticator
        self._log = log
        self._pages = pages
        self._data_plane = data_plane
        self._requests_max = requests_max
        self._in_progress = 0
        self._known = frozenset(stack.catalog.names())
        self._plans = Plans()

    async def respond(self, request: HttpRequest) -> HttpResponse:
        """The answer to `request`, whatever it is; raises only ClientGone."""
        started = time.perf_counter()
        request_id = self._stack.ids.uuid()
        seen = _Seen()
        self._in_progress += 1
        try:
            if self._in_progress > self._requests_max:
                raise ServiceUnavailable("Please reduce your request rate.")
            plan = self._plans.of(request)
            if plan is None:
                response = await self._respond(request, request_id, seen)
            else:
                seen.know(plan)
                payload = await payloads.read(request.body, payloads.limit_of(seen.service))
                response = await self._perform(plan, payload, request, request_id)
        except ClientGone:
            seen.error = "ClientGone"
            self._note(request_id, seen, started, 499)
            raise
        except AwsError as error:
            seen.error = error.code
            response = self._render(error, seen, request_id)
        except (StoreFull, BlobStoreFull) as error:
            seen.error = type(error).__name__
            self._log.message(f"507 id={request_id} {error}")
            full = ServiceUnavailable("There is no space left to store anything.")
            response = self._render(full, seen, request_id)
        except Exception as error:
            # A bug of ours: the client learns the id, the log has the rest.
            seen.error = type(error).__name__
            self._log.failure(request_id, error)
            response = self._render(InternalFailure(), seen, request_id)
        finally:
            self._in_progress -= 1
        self._note(request_id, seen, started, response.status)
        extra = self._door.headers_for(request) if seen.service != EXECUTE_API else None
        if extra:
            response.headers = [*response.headers, *extra]
        return response

    async def _respond(self, request: HttpRequest, request_id: str, seen: _Seen) -> HttpResponse:
        """Who may come in, and which way."""
        # Pages of which origins may call an API is for its own CORS methods to say.
        api = self._data_plane.address_of(request)
        refusal = (
            self._door.refuse_host(request)
            if api is not None
            else self._door.refuse(request) or self._door.preflight(request)
        )
        if refusal is not None:
            return refusal
        if api is not None:
            return await self._to_data_plane(request, request_id, seen, api)
        if identify.is_page(request.path):
            return await self._special(request, seen)
        return await self._serve(request, request_id, seen)

    async def _serve(self, request: HttpRequest, request_id: str, seen: _Seen) -> HttpResponse:
        # identify
        form = b""
        if identify.names_service_in_form(request):
            form = await payloads.read_form(request)
        identity = self._identifier.identify(request, form)
        service = seen.service = identity.service
        if service not in self._known:
            raise UnknownService(service, self._known)
        model = seen.model = load(service)
        codec = codec_of(model)
        refusal = self._door.refuse_embedded(request, service)
        if refusal is not None:
            return refusal

        # authenticate
        account, caller = await self._authenticator.admit(request, identity, model.protocol)
        seen.account = account
        if identity.host.bucket is not None and service == "s3":
            request = identify.path_style(request, identity.host.bucket)

        # parse
        payload: Body | bytes
        if model.protocol in _ROUTED_BY_HEAD:
            operation = codec.route(model, request, b"")
            seen.operation = operation.name
            if operation.streams_input:
                payload = request.body
            else:
                payload = await payloads.read(request.body, payloads.limit_of(service))
        else:
            payload = await payloads.read(request.body, payloads.limit_of(service))
            operation = codec.route(model, request, payload)
            seen.operation = operation.name
        plan = Plan(model, codec, operation, World(account, identity.region), caller)
        if self._authenticator.is_constant(identity):
            self._plans.keep(request, plan)
        return await self._perform(plan, payload, request, request_id)

    async def _perform(
        self, plan: Plan, payload: Body | bytes, request: HttpRequest, request_id: str
    ) -> HttpResponse:
        model, codec, operation, world, caller = plan
        # parse
        handler_input = codec.parse(operation, request, payload)

        # validate
        validator(operation)(handler_input)

        # dispatch
        ctx = self._context(world, caller, request, request_id)
        output = await self._stack.catalog.dispatch(ctx, model.name, operation.name, handler_input)

        # serialize
        return codec.serialize(operation, output, request_id)

    async def _special(self, request: HttpRequest, seen: _Seen) -> HttpResponse:
        """Paths that begin with an underscore: no bucket's name does."""
        seen.service = "fogbank"
        seen.operation = request.path[:100]
        return self._door.refuse_embedded(request, seen.service) or await self._pages(request)

    async def _to_data_plane(
        self, request: HttpRequest, request_id: str, seen: _Seen, api: Address
    ) -> HttpResponse:
        seen.service = EXECUTE_API
        seen.operation = f"{request.method} {api.api_id}/{api.stage}"[:100]

        def context_of(world: World, caller: Caller) -> Context:
            seen.account = world.account
            return self._context(world, caller, request, request_id)

        is_foreign = self._door.is_foreign(request)
        return await self._data_plane.respond(context_of, request, api, is_foreign=is_foreign)

    def _context(
        self, world: World, caller: Caller, request: HttpRequest, request_id: str
    ) -> Context:
        return Context(world, caller, request_id, self._span(request), self._stack)

    def _span(self, request: HttpRequest) -> Span:
        header = request.header(b"x-amzn-trace-id")
        if header is not None and not _TRACE_HEADER.fullmatch(header):
            header = None
        return self._stack.traces.begin(self._stack.clock.now_ms(), header)

    def _render(self, error: AwsError, seen: _Seen, request_id: str) -> HttpResponse:
        model = seen.model
        if model is None:
            return plain_error(error, request_id)
        operation = model.operations.get(seen.operation)
        return codec_of(model).error(model, operation, error, request_id)

    def _note(self, request_id: str, seen: _Seen, started: float, status: int) -> None:
        self._log.request(
            (
                time.time(),
                request_id,
                seen.account,
                seen.service,
                seen.operation,
                status,
                seen.error,
                (time.perf_counter() - started) * 1000,
            )
        )
