"""API Gateway's errors: few codes, many texts; each text stands here once."""

from collections.abc import Iterable

from fogbank.services.errors import AwsError


class NotFoundException(AwsError):
    """What a path names does not exist."""

    code = "NotFoundException"
    status = 404

    @classmethod
    def api(cls, account: str, api_id: str) -> "NotFoundException":
        return cls(f"Invalid API identifier specified {account}:{api_id}")

    @classmethod
    def resource(cls) -> "NotFoundException":
        return cls("Invalid Resource identifier specified")

    @classmethod
    def method(cls) -> "NotFoundException":
        return cls("Invalid Method identifier specified")

    @classmethod
    def integration(cls) -> "NotFoundException":
        return cls("Invalid Integration identifier specified")

    @classmethod
    def response(cls) -> "NotFoundException":
        return cls("Invalid Response status code specified")

    @classmethod
    def deployment(cls) -> "NotFoundException":
        return cls("Invalid Deployment identifier specified")

    @classmethod
    def stage(cls) -> "NotFoundException":
        return cls("Invalid stage identifier specified")

    @classmethod
    def model(cls, name: str) -> "NotFoundException":
        return cls(f"Invalid model name specified: {name}")

    @classmethod
    def arn(cls) -> "NotFoundException":
        return cls("Invalid ARN specified in the request")


class ConflictException(AwsError):
    code = "ConflictException"
    status = 409

    @classmethod
    def resource(cls, path_part: str) -> "ConflictException":
        return cls(f"Another resource with the same parent already has this name: {path_part}")

    @classmethod
    def method(cls) -> "ConflictException":
        return cls("Method already exists for this resource")

    @classmethod
    def response(cls) -> "ConflictException":
        return cls("Response already exists for this resource")

    @classmethod
    def stage(cls) -> "ConflictException":
        return cls("Stage already exists")


class BadRequestException(AwsError):
    """The request is wrong in itself; the text says how."""

    code = "BadRequestException"

    @classmethod
    def patch_path(cls, path: str) -> "BadRequestException":
        return cls(f"Invalid patch path {path}")

    @classmethod
    def patch_op(cls, allowed: Iterable[str]) -> "BadRequestException":
        return cls(f"Invalid patch operation specified. Must be one of: [{', '.join(allowed)}]")

    @classmethod
    def sibling(cls, path_part: str) -> "BadRequestException":
        return cls(
            f"A sibling ({path_part}) of this resource already has a variable path part"
            " -- only one is allowed"
        )

    @classmethod
    def greedy_parent(cls, path_part: str) -> "BadRequestException":
        return cls(f"Cannot create a child of a resource with a greedy path variable: {path_part}")

    @classmethod
    def path_part(cls) -> "BadRequestException":
        return cls(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable"
            " and curly braces at the beginning and the end."
        )

    @classmethod
    def authorizer(cls) -> "BadRequestException":
        return cls(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or"
            " COGNITO_USER_POOLS requires a valid authorizer."
        )

    @classmethod
    def validator(cls) -> "BadRequestException":
        return cls("Invalid Request Validator identifier specified")

    @classmethod
    def model(cls, name: str) -> "BadRequestException":
        return cls(f"Invalid model identifier specified: {name}")

    @classmethod
    def mapping(cls, expression: str) -> "BadRequestException":
        return cls(
            "Invalid mapping expression specified: Validation Result: warnings : [], errors :"
            f" [Invalid mapping expression parameter specified: {expression}]"
        )

    @classmethod
    def compression(cls) -> "BadRequestException":
        return cls("Invalid minimum compression size, must be between 0 and 10485760")


class NotBuilt(AwsError):
    """The operation is built, this feature of it is not: refused by name, never ignored."""

    code = "NotImplemented"
    status = 501

    def __init__(self, feature: str) -> None:
        super().__init__(f"Fogbank does not implement {feature} of API Gateway.")
