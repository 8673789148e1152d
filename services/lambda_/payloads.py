"""What comes with an invocation: refused where it is too large or not JSON."""

import asyncio
import base64
import binascii
import json

import orjson

from fogbank.services.lambda_.errors import (
    InvalidRequestContentException,
    RequestTooLargeException,
)

# Above this, parsing would hold the event loop for more than about a millisecond.
PARSED_ON_LOOP_MAX = 128 * 1024
CLIENT_CONTEXT_MAX = 3583

_EXPECTED = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_SOURCE = "Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)"


async def check(payload: bytes, size_max: int) -> None:
    """Raises for a payload that is too large, or that is not JSON; an empty one is fine."""
    if len(payload) > size_max:
        raise RequestTooLargeException(size_max, "InvokeFunction")
    if not payload:
        return
    try:
        if len(payload) <= PARSED_ON_LOOP_MAX:
            orjson.loads(payload)
        else:
            await asyncio.to_thread(orjson.loads, payload)
    except orjson.JSONDecodeError:
        raise InvalidRequestContentException(
            f"Could not parse request body into json: Could not parse payload into json: "
            f"{fault(payload)}"
        ) from None


def fault(payload: bytes) -> str:
    """What Lambda's parser says of a payload that is not JSON."""
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        if error.start == 0:
            return _unexpected(payload.decode("latin-1"), 0)
        return f"Invalid UTF-8 start byte 0x{payload[error.start]:x}{_at(1, error.start + 2)}"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text):
            return f"Unexpected end-of-input{_at(error.lineno, error.colno)}"
        return _unexpected(text, error.pos)
    except RecursionError:
        return "Document nesting depth exceeds the maximum allowed" + _at(1, 1)
    return f"Unexpected token{_at(1, 1)}"


def _unexpected(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    character = text[position]
    if character.isascii() and character.isalpha():
        end = position
        while end < len(text) and (text[end].isalnum() or text[end] in "_$"):
            end += 1
        token = text[position:end]
        # The parser stands behind the token when it gives it up.
        at = _at(line, column + len(token))
        return f"Unrecognized token '{token}': was expecting {_EXPECTED}{at}"
    printable = character.isprintable() and character.isascii()
    shown = f"'{character}' (code" if printable else "(CTRL-CHAR, code"
    code = f"{shown} {ord(character)})"
    expected = f"): expected a valid value {_EXPECTED}"
    return f"Unexpected character ({code}{expected}{_at(line, column)}"


def _at(line: int, column: int) -> str:
    return f"\n at [{_SOURCE}; line: {line}, column: {column}]"


def client_context(encoded: str | None) -> str | None:
    """The JSON text in an X-Amz-Client-Context header."""
    if not encoded:
        return None
    try:
        text = base64.b64decode(encoded, validate=True).decode()
        json.loads(text)
    except (binascii.Error, ValueError):
        raise InvalidRequestContentException(
            "Client context must be a valid Base64-encoded JSON object."
        ) from None
    return text
