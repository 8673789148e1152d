"""CloudWatch Logs' errors, each with its exact text in one place."""

from typing import Any

from fogbank.services.errors import AwsError


class ResourceNotFoundException(AwsError):
    code = "ResourceNotFoundException"
    status = 400

    @classmethod
    def group(cls) -> "ResourceNotFoundException":
        return cls("The specified log group does not exist.")

    @classmethod
    def stream(cls) -> "ResourceNotFoundException":
        return cls("The specified log stream does not exist.")


class ResourceAlreadyExistsException(AwsError):
    code = "ResourceAlreadyExistsException"
    status = 400

    @classmethod
    def group(cls) -> "ResourceAlreadyExistsException":
        return cls("The specified log group already exists")

    @classmethod
    def stream(cls) -> "ResourceAlreadyExistsException":
        return cls("The specified log stream already exists")


class InvalidParameterException(AwsError):
    code = "InvalidParameterException"
    status = 400

    @classmethod
    def token(cls) -> "InvalidParameterException":
        return cls("The specified nextToken is invalid.")

    @classmethod
    def one(cls, value: object, member: str, rule: str) -> "InvalidParameterException":
        return cls(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
            f"constraint: {rule}"
        )


def refuse_null_elements(elements: list[Any], member: str) -> None:
    """Raises for a list that holds null, which the models forbid and JSON permits."""
    if None in elements:
        raise InvalidParameterException(
            f"1 validation error detected: Value null at '{member}.{elements.index(None) + 1}"
            ".member' failed to satisfy constraint: Member must not be null"
        )


class TooManyTagsException(AwsError):
    code = "TooManyTagsException"
    status = 400

    def __init__(self) -> None:
        super().__init__("A resource can have no more than 50 tags.")


class ValidationException(AwsError):
    """The tagging operations answer with this one."""

    code = "ValidationException"
    status = 400
