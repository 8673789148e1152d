"""What a StreamSpecification asks for: a stream with its view, or none.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_StreamSpecification.html
"""

from typing import Any

from fogbank.services.dynamodb.errors import invalid


def check_stream(wanted: dict[str, Any] | None, *, creating: bool) -> None:
    """The view goes with a stream, and only with one. AWS calls it by another name."""
    if wanted is None:
        return
    view = wanted.get("StreamViewType")
    if wanted["StreamEnabled"] and view is None:
        raise invalid(
            "Table is being created with a stream enabled, UpdateViewType is required"
            if creating
            else "If stream is being enabled then UpdateViewType is required"
        )
    if not wanted["StreamEnabled"] and view is not None:
        raise invalid(
            "Table is being created with a stream disabled, UpdateViewType should not be specified"
            if creating
            else "If stream is being disabled, then UpdateViewType must not be specified"
        )
