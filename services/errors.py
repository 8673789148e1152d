"""AWS's errors as exceptions: services raise, the dispatcher catches, codecs render."""

from typing import Any, ClassVar


class AwsError(Exception):
    """An answer that AWS would give. A subclass is named as the code and takes the facts.

    `fields` are the further members of the error document, in order; `headers` go on the response.
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 400

    def __init__(
        self, message: str | None, *, headers: dict[str, str] | None = None, **fields: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.fields = fields


class NotImplementedYet(AwsError):
    """The operation exists at AWS and is not built here; says so by name."""

    code = "NotImplemented"
    status = 501

    def __init__(self, service: str, operation: str) -> None:
        super().__init__(f"Fogbank does not implement {service}:{operation}.")


class UnknownOperation(AwsError):
    code = "UnknownOperationException"
    status = 404

    def __init__(self, what: str) -> None:
        super().__init__(what)


class ValidationException(AwsError):
    code = "ValidationException"


class AccessDenied(AwsError):
    code = "AccessDenied"
    status = 403

    def __init__(self, message: str = "Access Denied", **fields: Any) -> None:
        super().__init__(message, **fields)


class InternalFailure(AwsError):
    """A bug of ours. Its traceback is in the log under the request id."""

    code = "InternalFailure"
    status = 500

    def __init__(self) -> None:
        super().__init__("The request processing has failed because of an unknown error.")
