"""Which operations exist and who handles them; the door that HTTP and other services use."""

import importlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fogbank.services.context import Context, Handler, Input, Output
from fogbank.services.errors import AwsError, NotImplementedYet
from fogbank.storage.outbox import Event

Consumer = Callable[[Context, Event], Awaitable[None]]
Starter = Callable[[Context], Awaitable[None]]

# One package per service, imported at its first use: start-up pays for none of them.
PACKAGES = {
    "apigateway": "fogbank.services.apigateway",
    "dynamodb": "fogbank.services.dynamodb",
    "dynamodbstreams": "fogbank.services.dynamodb.streams",
    "iam": "fogbank.services.iam",
    "lambda": "fogbank.services.lambda_",
    "logs": "fogbank.services.logs",
    "s3": "fogbank.services.s3",
    "sts": "fogbank.services.sts",
}


class Service:
    """The operations of one AWS service, by their AWS names, and the events that it consumes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.operations: dict[str, Handler] = {}
        self.consumers: dict[str, Consumer] = {}

    def operation(self, name: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            assert name not in self.operations, name
            self.operations[name] = handler
            return handler

        return register

    def consumer(self, topic: str) -> Callable[[Consumer], Consumer]:
        """`topic` is `<service>.<what>`: its first part says which package to load."""
        assert topic.split(".")[0] == self.name, topic

        def register(consumer: Consumer) -> Consumer:
            self.consumers[topic] = consumer
            return consumer

        return register


class Catalog:
    """Loads services lazily and runs their operations, each within its span."""

    def __init__(self, packages: dict[str, str] | None = None) -> None:
        self._packages = PACKAGES if packages is None else packages
        self._services: dict[str, Service] = {}

    def names(self) -> list[str]:
        return sorted(self._packages)

    def loaded(self) -> list[str]:
        return sorted(self._services)

    def service(self, name: str) -> Service | None:
        service = self._services.get(name)
        if service is None and name in self._packages:
            service = importlib.import_module(self._packages[name]).service
            self._services[name] = service
        return service

    def handler(self, service: str, operation: str) -> Handler:
        found = self.service(service)
        handler = found.operations.get(operation) if found else None
        if handler is None:
            raise NotImplementedYet(service, operation)
        return handler

    async def dispatch(
        self, ctx: Context, service: str, operation: str, request: Input, *, kind: str = "request"
    ) -> Output:
        """Run one operation and record its span; raises AwsError as the operation does."""
        started = time.perf_counter()
        start_ms = ctx.clock.now_ms()
        status = "ok"
        try:
            return await self.handler(service, operation)(ctx, request)
        except AwsError as error:
            status = error.code
            raise
        except BaseException as error:
            status = type(error).__name__
            raise
        finally:
            ctx.stack.traces.record(
                ctx.span,
                f"{service}.{operation}",
                kind,
                start_ms,
                (time.perf_counter() - started) * 1000,
                status,
                _subject(request),
            )

    async def consume(self, ctx: Context, event: Event) -> None:
        """Give an event to the service that its topic names."""
        service = self.service(event.topic.split(".")[0])
        if service is None or event.topic not in service.consumers:
            raise LookupError(f"nobody consumes {event.topic}")
        await service.consumers[event.topic](ctx, event)


_SUBJECTS = frozenset(
    ("Bucket", "Key", "TableName", "FunctionName", "restApiId", "logGroupName", "RoleName")
)


def _subject(request: Input) -> dict[str, Any] | None:
    """The names in a request that tell a reader of the trace what it was about."""
    return {name: given for name, given in request.items() if name in _SUBJECTS} or None
