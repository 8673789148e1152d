"""STS's errors; the query protocol names the field that failed in the text."""

from fogbank.services.errors import AwsError


class ValidationError(AwsError):
    code = "ValidationError"
    status = 400

    @classmethod
    def invalid_arn(cls, arn: str) -> "ValidationError":
        return cls(f"{arn} is invalid")

    @classmethod
    def one(cls, value: object, member: str, rule: str) -> "ValidationError":
        return cls(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
            f"constraint: {rule}"
        )
