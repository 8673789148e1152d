"""What a handler knows of its request and of the stack that it runs in. Frozen, built once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from fogbank.functions.ports import Functions
from fogbank.services.ids import Ids
from fogbank.services.trace import Span, TraceBuffer
from fogbank.storage.blobs import Blobs
from fogbank.storage.clock import Clock
from fogbank.storage.kv import Store
from fogbank.storage.outbox import Outbox

if TYPE_CHECKING:
    from fogbank.services.registry import Catalog

Input = dict[str, Any]
Output = dict[str, Any]


class World(NamedTuple):
    """An account in a region: nothing leaks from one to another."""

    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


class Caller(NamedTuple):
    """Who signed the request. `user_id` is what GetCallerIdentity answers."""

    access_key: str
    arn: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Stack:
    """The parts that all requests share. `endpoint` is the URL that reaches the gateway."""

    store: Store
    blobs: Blobs
    outbox: Outbox
    functions: Functions
    clock: Clock
    ids: Ids
    traces: TraceBuffer
    catalog: "Catalog"
    endpoint: str
    options: dict[str, Any] = field(default_factory=dict)
    # Where services keep what they compile from the store (bounded caches), by service name.
    caches: dict[str, Any] = field(default_factory=dict)


class Context(NamedTuple):
    """A tuple, because one is made for every request: a third of a frozen dataclass's price."""

    world: World
    caller: Caller
    request_id: str
    span: Span
    stack: Stack

    @property
    def store(self) -> Store:
        return self.stack.store

    @property
    def blobs(self) -> Blobs:
        return self.stack.blobs

    @property
    def clock(self) -> Clock:
        return self.stack.clock

    @property
    def ids(self) -> Ids:
        return self.stack.ids

    async def call(self, service: str, operation: str, request: Input) -> Output:
        """Another service's operation, by the same door that HTTP uses; raises its AwsError.

        The call is a child span of this request and runs in the same account and region.
        """
        child = Context(
            self.world,
            self.caller,
            self.ids.uuid(),
            self.stack.traces.child(self.span),
            self.stack,
        )
        return await self.stack.catalog.dispatch(child, service, operation, request, kind="call")


Handler = Callable[[Context, Input], Awaitable[Output]]
