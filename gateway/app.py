"""The bare ASGI callable: a scope becomes a request, a response becomes bytes on the wire.

Our server adds three things to ASGI's scope: "by_name", the headers by their names in lower case;
"arrived_body", a small body that came in with its head; and "answer", which sends a response that
is complete in one step.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fogbank.gateway.exchange import Application, ClientGone
from fogbank.gateway.http import Headers, HttpRequest, HttpResponse
from fogbank.services.body import Body

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = Callable[[int, Headers, bytes], Awaitable[None]]
Respond = Callable[[HttpRequest], Awaitable[HttpResponse]]


def application(respond: Respond) -> Application:
    """An ASGI application that answers each request with what `respond` returns for it."""

    async def serve(scope: Any, receive: Receive, send: Send) -> None:
        request = HttpRequest(
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            scope["query_string"].decode("latin-1"),
            scope["headers"],
            _body(scope, receive),
            scope["client"][0] if scope["client"] else "",
            scope["http_version"],
            scope["by_name"],
        )
        try:
            await _send(await respond(request), send, scope["answer"])
        except ClientGone:
            # Nobody is left to answer; the handler has cleaned up on its way out.
            return

    return serve


def _body(scope: Any, receive: Receive) -> Body:
    length = _length(scope["by_name"])
    arrived: bytes | None = scope.get("arrived_body")
    if arrived is not None:
        return Body.here(lambda: arrived, length=length)
    return Body(_incoming(receive), length=length)


async def _incoming(receive: Receive) -> AsyncIterator[bytes]:
    """The body in pieces, as they arrive; raises ClientGone when it breaks off."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if message["body"]:
            yield message["body"]
        if not message["more_body"]:
            return


def _length(headers: dict[bytes, bytes]) -> int | None:
    """The announced size of the body; None when it comes in chunks of the transfer."""
    length = headers.get(b"content-length")
    if length is not None:
        return int(length)
    return None if b"transfer-encoding" in headers else 0


async def _send(response: HttpResponse, send: Send, answer: Answer) -> None:
    body = response.body
    headers = response.headers
    if body is None or isinstance(body, bytes):
        await answer(response.status, headers, body or b"")
        return
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        async for chunk in body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()
