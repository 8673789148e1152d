"""Errors of the protocols themselves: what AWS answers to bytes that no operation can read."""

from typing import ClassVar

from fogbank.services.errors import AwsError, UnknownOperation


class SerializationException(AwsError):
    """The payload of a JSON protocol is not what the operation's shapes say."""

    code = "SerializationException"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message)


class InvalidRequestContentException(AwsError):
    """Lambda's word for a payload that is not JSON."""

    code = "InvalidRequestContentException"

    def __init__(self, why: str) -> None:
        super().__init__(f"Could not parse request body into json: {why}")


class MalformedXML(AwsError):
    code = "MalformedXML"

    def __init__(self) -> None:
        super().__init__(
            "The XML you provided was not well-formed or did not validate against our "
            "published schema"
        )


class MissingRequestBodyError(AwsError):
    code = "MissingRequestBodyError"

    def __init__(self) -> None:
        super().__init__("Request Body is empty")


class InvalidURI(AwsError):
    code = "InvalidURI"

    def __init__(self, uri: str) -> None:
        super().__init__("Couldn't parse the specified URI.", URI=uri)


class InvalidArgument(AwsError):
    """S3's answer to a header or a query parameter that it cannot read."""

    code = "InvalidArgument"

    def __init__(self, message: str, name: str, value: str) -> None:
        super().__init__(message, ArgumentName=name, ArgumentValue=value)


class MethodNotAllowed(UnknownOperation):
    """S3's answer to a method that the addressed resource does not have."""

    code = "MethodNotAllowed"
    status: ClassVar[int] = 405

    def __init__(self, method: str, resource_type: str) -> None:
        AwsError.__init__(
            self,
            "The specified method is not allowed against this resource.",
            Method=method,
            ResourceType=resource_type,
        )


class UnknownTarget(UnknownOperation):
    """No operation of a JSON service has the name that `x-amz-target` gives; it has no message."""

    status: ClassVar[int] = 400

    def __init__(self) -> None:
        AwsError.__init__(self, None)


class InvalidAction(UnknownOperation):
    code = "InvalidAction"
    status: ClassVar[int] = 400

    def __init__(self, action: str, version: str) -> None:
        super().__init__(f"Could not find operation {action} for version {version}")


class MissingAction(UnknownOperation):
    code = "MissingAction"
    status: ClassVar[int] = 400

    def __init__(self) -> None:
        super().__init__("The request is missing an Action parameter.")


class MalformedQueryString(AwsError):
    code = "MalformedQueryString"
    status: ClassVar[int] = 404

    def __init__(self, message: str) -> None:
        super().__init__(message)


class MalformedInput(AwsError):
    """A value of a query request that is not of its parameter's type."""

    code = "MalformedInput"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class BadRequestException(AwsError):
    """A rest-json service's answer to a path or a header that it cannot read."""

    code = "BadRequestException"

    def __init__(self, message: str) -> None:
        super().__init__(message)
