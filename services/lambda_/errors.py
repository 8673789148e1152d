"""Lambda's errors, each with its exact text in one place.

Errors that Lambda itself raises carry `Type`; those of the layer in front of it (validation,
authorization) do not.
"""

from fogbank.services.errors import AwsError

UNZIPPED_SIZE_MAX = 262_144_000


class AccessDeniedException(AwsError):
    """A function of another account; AWS gives no message."""

    code = "AccessDeniedException"
    status = 403

    def __init__(self) -> None:
        super().__init__(None)


class InvalidParameterValueException(AwsError):
    code = "InvalidParameterValueException"
    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message, Type="User")


class ResourceNotFoundException(AwsError):
    code = "ResourceNotFoundException"
    status = 404

    def __init__(self, message: str) -> None:
        super().__init__(message, Type="User")

    @classmethod
    def function(cls, arn: str) -> "ResourceNotFoundException":
        return cls(f"Function not found: {arn}")

    @classmethod
    def policy(cls) -> "ResourceNotFoundException":
        return cls("The resource you requested does not exist.")

    @classmethod
    def no_policy(cls) -> "ResourceNotFoundException":
        return cls("No policy is associated with the given resource.")

    @classmethod
    def statement(cls, sid: str) -> "ResourceNotFoundException":
        return cls(f"Statement {sid} is not found in resource policy.")

    @classmethod
    def region(cls, other: str, here: str) -> "ResourceNotFoundException":
        return cls(f"Functions from '{other}' are not reachable in this region ('{here}')")


class ResourceConflictException(AwsError):
    code = "ResourceConflictException"
    status = 409

    def __init__(self, message: str) -> None:
        super().__init__(message, Type="User")

    @classmethod
    def exists(cls, name: str) -> "ResourceConflictException":
        return cls(f"Function already exist: {name}")

    @classmethod
    def updating(cls, arn: str) -> "ResourceConflictException":
        return cls(
            "The operation cannot be performed at this time. "
            f"An update is in progress for resource: {arn}"
        )

    @classmethod
    def pending(cls) -> "ResourceConflictException":
        return cls(
            "The operation cannot be performed at this time. "
            "The function is currently in the following state: Pending"
        )

    @classmethod
    def statement(cls, sid: str) -> "ResourceConflictException":
        return cls(
            f"The statement id ({sid}) provided already exists. Please provide a new statement id, "
            "or remove the existing statement."
        )


class PreconditionFailedException(AwsError):
    code = "PreconditionFailedException"
    status = 412

    def __init__(self) -> None:
        super().__init__(
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id",
            Type="User",
        )


class InvalidRequestContentException(AwsError):
    code = "InvalidRequestContentException"
    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message, Type="User")


class RequestTooLargeException(AwsError):
    code = "RequestTooLargeException"
    status = 413

    def __init__(self, size_max: int, operation: str) -> None:
        super().__init__(
            f"Request must be smaller than {size_max} bytes for the {operation} operation",
            Type="User",
        )


class RequestEntityTooLargeException(AwsError):
    """What the layer in front of Lambda answers; it is in no model."""

    code = "RequestEntityTooLargeException"
    status = 413

    def __init__(self, size_max: int, operation: str) -> None:
        super().__init__(
            f"Request must be smaller than {size_max} bytes for the {operation} operation"
        )


class TooManyRequestsException(AwsError):
    code = "TooManyRequestsException"
    status = 429

    def __init__(self, reason: str) -> None:
        super().__init__("Rate Exceeded.", Reason=reason, Type="User")


class PolicyLengthExceededException(AwsError):
    code = "PolicyLengthExceededException"
    status = 400

    def __init__(self, size_max: int) -> None:
        super().__init__(
            f"The final policy size is bigger than the limit ({size_max}).", Type="User"
        )
