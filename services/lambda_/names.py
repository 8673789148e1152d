"""Which function a request means: a name, a partial or a full ARN, with or without a qualifier."""

import re
from dataclasses import dataclass
from functools import lru_cache

from fogbank.services.context import World
from fogbank.services.errors import ValidationException
from fogbank.services.lambda_.errors import (
    AccessDeniedException,
    InvalidParameterValueException,
    ResourceNotFoundException,
)

LATEST = "$LATEST"
NAME_LENGTH_MAX = 64
ARN_LENGTH_MAX = 140
INVOKE_ARN_LENGTH_MAX = 170

_ARN_HEAD = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?"
)
MANAGE_PATTERN = _ARN_HEAD + r"([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
INVOKE_PATTERN = _ARN_HEAD + r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
_MANAGE = re.compile(MANAGE_PATTERN)
_INVOKE = re.compile(INVOKE_PATTERN)
_REGION, _ACCOUNT, _NAME, _QUALIFIER = 3, 9, 11, 13


@dataclass(frozen=True, slots=True)
class Target:
    """A function in a world; `qualifier` is None where the request named no version or alias."""

    world: World
    name: str
    qualifier: str | None

    @property
    def arn(self) -> str:
        """The function's ARN, without a qualifier."""
        return self.world.arn("lambda", f"function:{self.name}")

    @property
    def qualified_arn(self) -> str:
        """The ARN as the request meant it: with the qualifier where it gave one."""
        return self.arn if self.qualifier is None else f"{self.arn}:{self.qualifier}"


@lru_cache(maxsize=1024)
def parse(
    world: World, function_name: str, qualifier: str | None = None, *, invoking: bool = False
) -> Target:
    """The function that `function_name` and `qualifier` mean; raises as AWS does."""
    found = (_INVOKE if invoking else _MANAGE).fullmatch(function_name)
    length_max = INVOKE_ARN_LENGTH_MAX if invoking else ARN_LENGTH_MAX
    if found is None or len(function_name) > length_max:
        raise ValidationException(
            f"1 validation error detected: Value '{function_name}' at 'functionName' failed to "
            f"satisfy constraint: {_broken_rule(found is None, length_max, invoking)}"
        )
    region = (found[_REGION] or "").rstrip(":")
    account = (found[_ACCOUNT] or "").rstrip(":")
    if region and region != world.region:
        raise ResourceNotFoundException.region(region, world.region)
    if account and account != world.account:
        raise AccessDeniedException()
    own = found[_QUALIFIER]
    if own and qualifier and own != qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return Target(world, found[_NAME], own or qualifier or None)


def _broken_rule(malformed: bool, length_max: int, invoking: bool) -> str:
    if not malformed:
        return f"Member must have length less than or equal to {length_max}"
    pattern = INVOKE_PATTERN if invoking else MANAGE_PATTERN
    return f"Member must satisfy regular expression pattern: {pattern}"
