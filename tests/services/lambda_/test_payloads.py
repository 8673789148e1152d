"""What Lambda says of payloads that are not JSON."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.services.lambda_.errors import InvalidRequestContentException
from fogbank.services.lambda_.payloads import check, client_context, fault

EXPECTED = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"hello", f"Unrecognized token 'hello': was expecting {EXPECTED}"),
        (
            b"\x99",
            f"Unexpected character ((CTRL-CHAR, code 153)): expected a valid value {EXPECTED}",
        ),
        (b"n\x87r", "Invalid UTF-8 start byte 0x87"),
        (b'{"a":', "Unexpected end-of-input"),
        (b"<xml>", f"Unexpected character ('<' (code 60)): expected a valid value {EXPECTED}"),
    ],
)
def test_faults_are_told_in_the_words_of_aws(payload: bytes, text: str) -> None:
    assert fault(payload).startswith(text)


async def test_json_of_any_kind_is_fine() -> None:
    for payload in (b"", b"{}", b"[]", b'"x"', b"1.5", b"null"):
        await check(payload, 10)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text('{}[]":,0123tnuelfasr \n', max_size=40)))
def test_a_fault_can_be_told_of_any_payload(payload: bytes | str) -> None:
    raw = payload.encode() if isinstance(payload, str) else payload
    assert isinstance(fault(raw), str)


def test_a_client_context_is_json_in_base64() -> None:
    assert json.loads(client_context("eyJhIjogMX0=") or "") == {"a": 1}
    with pytest.raises(InvalidRequestContentException):
        client_context("what?")
