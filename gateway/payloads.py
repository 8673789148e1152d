"""Reads request bodies that must be whole, within the limit of their service."""

from fogbank.gateway.http import HttpRequest
from fogbank.services.body import Body
from fogbank.services.errors import AwsError

MIB = 1024 * 1024
# AWS's limits for a request: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
# (50 MB of zip in base64), https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
# (BatchWriteItem carries 16 MB of items), DeleteObjects 2 MB of XML; a slack for the framing.
PAYLOAD_BYTES_MAX = {"lambda": 70_167_211, "s3": 16 * MIB}
PAYLOAD_BYTES_MAX_ELSE = 17 * MIB
FORM_BYTES_MAX = 1 * MIB


class RequestTooLarge(AwsError):
    code = "RequestEntityTooLarge"
    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"Request must be smaller than {limit} bytes")


def limit_of(service: str) -> int:
    return PAYLOAD_BYTES_MAX.get(service, PAYLOAD_BYTES_MAX_ELSE)


async def read(body: Body, limit: int) -> bytes:
    """The whole body; raises RequestTooLarge as soon as it is known to pass the limit."""
    if body.length == 0:
        return b""
    if body.length is not None and body.length > limit:
        raise RequestTooLarge(limit)
    if body.is_here:
        payload = body.whole()
        if len(payload) > limit:
            raise RequestTooLarge(limit)
        return payload
    pieces: list[bytes] = []
    size = 0
    async for piece in body:
        size += len(piece)
        if size > limit:
            raise RequestTooLarge(limit)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read_form(request: HttpRequest) -> bytes:
    """The body of a form, put back so that it can be read again."""
    form = await read(request.body, FORM_BYTES_MAX)
    request.body = Body.of(form)
    return form
