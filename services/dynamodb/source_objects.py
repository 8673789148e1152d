"""The objects in S3 that imports and bulk puts read: listed in order, opened, cut into records."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

from fogbank.services.context import Context
from fogbank.services.dynamodb import ion
from fogbank.services.dynamodb.import_formats import records, unpacked


@dataclass(frozen=True, slots=True)
class Source:
    """Where the objects are. `given` has the members that ImportTable and bulk puts share."""

    ctx: Context
    given: dict[str, Any]

    @property
    def _owner(self) -> dict[str, str]:
        owner = self.given.get("S3BucketOwner")
        return {"ExpectedBucketOwner": owner} if owner else {}

    async def listed(self, after: str = "") -> AsyncIterator[tuple[str, int]]:
        """The objects behind the key `after`, in order, with their sizes."""
        listing: dict[str, Any] = {
            "Bucket": self.given["S3Bucket"],
            "Prefix": self.given.get("S3KeyPrefix") or "",
            **self._owner,
        }
        if after:
            listing["StartAfter"] = after
        while True:
            page = await self.ctx.call("s3", "ListObjectsV2", listing)
            for found in page.get("Contents") or ():
                yield found["Key"], found["Size"]
            if not page.get("IsTruncated"):
                return
            listing["ContinuationToken"] = page["NextContinuationToken"]

    async def chunks(self, key: str) -> AsyncGenerator[bytes, None]:
        """The object's bytes as they lie in the bucket."""
        found = await self.ctx.call(
            "s3", "GetObject", {"Bucket": self.given["S3Bucket"], "Key": key, **self._owner}
        )
        body = found["Body"]
        if isinstance(body, bytes):
            yield body
            return
        pieces = aiter(body)
        try:
            async for chunk in pieces:
                yield chunk
        finally:
            # Who stops before the end leaves no file open.
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()


async def records_of(
    chunks: AsyncIterator[bytes], format_: str, compression: str
) -> AsyncIterator[tuple[Any, int]]:
    """Each record with its size: a line, or a value of Ion. Raises BadObject."""
    content = unpacked(chunks, compression)
    if format_ == "ION":
        async for value in ion.structs(content):
            yield value
        return
    async for record in records(content, quoted=format_ == "CSV"):
        yield record, len(record) + 1
