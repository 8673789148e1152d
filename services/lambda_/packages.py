"""Code packages: where they come from, what is refused, and how they are kept."""

import asyncio
import base64
import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fogbank.functions.packages import names_sdk
from fogbank.services.context import Context, Input, Stack
from fogbank.services.errors import AwsError, NotImplementedYet
from fogbank.services.lambda_.errors import (
    UNZIPPED_SIZE_MAX,
    InvalidParameterValueException,
    RequestEntityTooLargeException,
)
from fogbank.storage.blobs import BlobRef, Staged

KEY_NAME = "lambda/code"
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 50 MB zipped, as base64.
UPLOAD_SIZE_MAX = 70_167_211
ZIPPED_SIZE_MAX = 52_428_800


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is on disk; `sha256` in base64, as Lambda shows it."""

    staged: Staged
    sha256: str
    size_bytes: int
    uses_sdk: bool


async def receive(ctx: Context, code: Input, operation: str) -> Package:
    """The package that a CreateFunction or UpdateFunctionCode brings, checked and staged."""
    if code.get("ImageUri"):
        raise NotImplementedYet("lambda", f"{operation} with a container image")
    if code.get("S3Bucket"):
        data = await _from_s3(ctx, code)
    else:
        data = code.get("ZipFile") or b""
        if len(data) > ZIPPED_SIZE_MAX:
            raise RequestEntityTooLargeException(UPLOAD_SIZE_MAX, operation)
    if not data:
        raise InvalidParameterValueException(
            "Please provide a source for function code."
            if "ZipFile" not in code and not code.get("S3Bucket")
            else "Uploaded file must be a non-empty zip"
        )
    sha256, uses_sdk = await asyncio.to_thread(_check, data)
    staged = await ctx.blobs.stage(_pieces(data), key_name=KEY_NAME)
    return Package(staged, sha256, len(data), uses_sdk)


def _check(data: bytes) -> tuple[str, bool]:
    """The base64 SHA-256 of a zip that can be unpacked within AWS's limit; if it uses the SDK."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unzipped = sum(entry.file_size for entry in archive.infolist())
            entries = len(archive.infolist())
            uses_sdk = unzipped < UNZIPPED_SIZE_MAX and names_sdk(archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError):
        raise InvalidParameterValueException(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from None
    if not entries:
        raise InvalidParameterValueException("Uploaded file must be a non-empty zip")
    if unzipped >= UNZIPPED_SIZE_MAX:
        raise InvalidParameterValueException(
            f"Unzipped size must be smaller than {UNZIPPED_SIZE_MAX} bytes"
        )
    return base64.b64encode(hashlib.sha256(data).digest()).decode(), uses_sdk


async def _from_s3(ctx: Context, code: Input) -> bytes:
    """https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCode.html"""
    request = {"Bucket": code["S3Bucket"], "Key": code.get("S3Key", "")}
    if code.get("S3ObjectVersion"):
        request["VersionId"] = code["S3ObjectVersion"]
    try:
        answer = await ctx.call("s3", "GetObject", request)
    except AwsError as error:
        raise InvalidParameterValueException(
            "Error occurred while GetObject. "
            f"S3 Error Code: {error.code}. S3 Error Message: {error.message}"
        ) from error
    return await _whole(answer.get("Body") or b"", ZIPPED_SIZE_MAX * 5)


async def _whole(body: bytes | AsyncIterator[bytes], size_max: int) -> bytes:
    if isinstance(body, bytes):
        return body
    pieces: list[bytes] = []
    size = 0
    async for piece in body:
        size += len(piece)
        if size > size_max:
            raise InvalidParameterValueException(
                f"Unzipped size must be smaller than {UNZIPPED_SIZE_MAX} bytes"
            )
        pieces.append(piece)
    return b"".join(pieces)


async def fetch(stack: Stack, ref: BlobRef) -> bytes:
    """The package that a function's record names."""
    small = await stack.store.read(lambda tx: stack.blobs.load(tx, ref))
    if small is not None:
        return small
    return b"".join([piece async for piece in stack.blobs.read(ref)])


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    view = memoryview(data)
    for at in range(0, len(data), 1 << 20):
        yield bytes(view[at : at + (1 << 20)])


def hex_of(sha256: str) -> str:
    """A CodeSha256 as hexadecimal digits, which make a file name."""
    return base64.b64decode(sha256).hex()


def members(package: Package) -> dict[str, Any]:
    return {"CodeSha256": package.sha256, "CodeSize": package.size_bytes}
