"""DynamoDB's errors, with AWS's texts."""

from typing import Any

from fogbank.services.errors import AwsError, ValidationException

__all__ = ["ValidationException"]


class SerializationException(AwsError):
    """The JSON does not have the shape that the model gives."""

    code = "SerializationException"


class ResourceNotFoundException(AwsError):
    code = "ResourceNotFoundException"

    def __init__(self, detail: str = "") -> None:
        super().__init__("Requested resource not found" + (f": {detail}" if detail else ""))


class ResourceInUseException(AwsError):
    code = "ResourceInUseException"


class LimitExceededException(AwsError):
    code = "LimitExceededException"


class ConditionalCheckFailedException(AwsError):
    """`item` is the stored item, when the caller asked for it."""

    code = "ConditionalCheckFailedException"

    def __init__(self, item: dict[str, Any] | None = None) -> None:
        fields = {} if item is None else {"Item": item}
        super().__init__("The conditional request failed", **fields)


class DuplicateItemException(AwsError):
    """A PartiQL INSERT finds its key taken."""

    code = "DuplicateItemException"

    def __init__(self) -> None:
        super().__init__("Duplicate primary key exists in table")


class TransactionCanceledException(AwsError):
    code = "TransactionCanceledException"

    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        codes = ", ".join(reason["Code"] for reason in reasons)
        super().__init__(
            "Transaction cancelled, please refer cancellation reasons for specific reasons "
            f"[{codes}]",
            CancellationReasons=reasons,
        )


class IdempotentParameterMismatchException(AwsError):
    code = "IdempotentParameterMismatchException"

    def __init__(self) -> None:
        super().__init__(
            "Failed to satisfy constraint: The request was rejected because the client token was "
            "used before with different parameters"
        )


class PolicyNotFoundException(AwsError):
    code = "PolicyNotFoundException"

    def __init__(self, detail: str) -> None:
        super().__init__(f"Resource-based policy not found for the provided ResourceArn: {detail}")


def invalid(text: str) -> ValidationException:
    return ValidationException(f"One or more parameter values were invalid: {text}")


def missing(member: str) -> ValidationException:
    """A required member is absent; `member` is its path in the model's case."""
    return ValidationException(
        f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
        "Member must not be null"
    )


class AccessDeniedException(AwsError):
    code = "AccessDeniedException"

    def __init__(
        self, caller_arn: str, operation: str, resource: str, *, foreign: bool = False
    ) -> None:
        action = f"dynamodb:{operation}"
        why = f" because no resource-based policy allows the {action} action" if foreign else ""
        super().__init__(
            f"User: {caller_arn} is not authorized to perform: {action} on resource: "
            f"{resource or '*'}{why}"
        )


class ProvisionedThroughputExceededException(AwsError):
    code = "ProvisionedThroughputExceededException"


class ThrottlingException(AwsError):
    code = "ThrottlingException"


class ExpiredIteratorException(AwsError):
    code = "ExpiredIteratorException"

    def __init__(self) -> None:
        # The model's text; no answer with this error is known.
        super().__init__("The provided iterator exceeds the maximum age allowed.")


class TrimmedDataAccessException(AwsError):
    code = "TrimmedDataAccessException"

    def __init__(self) -> None:
        super().__init__("The data you are trying to access has been trimmed")


class ItemCollectionSizeLimitExceededException(AwsError):
    """`reason` is what a transaction's cancellation says of it."""

    code = "ItemCollectionSizeLimitExceededException"
    reason = "Collection size exceeded."

    def __init__(self) -> None:
        # The model's text; no answer with this error is known.
        super().__init__(
            "The total size of an item collection has exceeded the maximum limit of 10 gigabytes."
        )


class TableNotFoundException(AwsError):
    code = "TableNotFoundException"

    def __init__(self, table: str) -> None:
        super().__init__(f"Table not found: {table}")
