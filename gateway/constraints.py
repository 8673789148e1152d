"""The constraints that the models state, checked before a handler sees a request.

Every service words them alike; which error carries them, and who words some of them otherwise,
stands in one table. The texts are AWS's, as its answers show them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zlib import crc32

from fogbank.gateway.models import Member, OperationModel, Shape, shapes_within
from fogbank.services.errors import AwsError, ValidationException

# Appends what is wrong with a value, which stands at a path, to a list.
Check = Callable[[Any, str, list[str]], None]
Validator = Callable[[dict[str, Any]], list[str]]
# The same for the keys or values of a map, which are given with the map.
WholeCheck = Callable[[list[Any], Any, str, list[str]], None]

# A pattern is not tried on longer texts: they fail by their length, and some patterns backtrack.
PATTERN_TEXT_MAX = 4096
_MUST = "failed to satisfy constraint: Member must"
# No answer lists more errors than this.
MESSAGES_MAX = 10
# Marks, in a path, the beginning of a member's name whose case is not decided yet.
_MARK = "\0"
_MARKED = re.compile(f"{_MARK}(.?)", re.DOTALL)
_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]+")


class ValidationError(AwsError):
    code = "ValidationError"


class InvalidParameterException(AwsError):
    code = "InvalidParameterException"


@dataclass(frozen=True, slots=True)
class Manners:
    """How one service reports constraint errors."""

    error: type[AwsError] = ValidationException
    # Members of the payload are named under `<operation>Input.` (API Gateway).
    payload_prefix: bool = False
    # Elements of lists may not be null, and the text says so (Lambda).
    elements_not_null: bool = False
    # Shapes whose values the service judges itself, in its own words.
    own_shapes: frozenset[str] = frozenset()
    # The same for one member of a structure: `Structure.Member`.
    own_members: frozenset[str] = frozenset()
    # What the service looks at before all else; it raises, or adds messages of the common form.
    first: Callable[[OperationModel], Validator | None] | None = None
    # Patterns that have a sentence of their own instead of the common one.
    pattern_texts: tuple[tuple[str, str], ...] = ()
    # Members whose errors are told in another order than the model's, by their structure.
    orders: tuple[tuple[str, tuple[str, ...]], ...] = ()
    # Operations that say of a size or a range only where it is wrong, in the model's case.
    terse: frozenset[str] = frozenset()


# Those that read and write items leave an absent name to the framework, and take any length from 1.
_DATA_PLANE = frozenset(
    ("PutItem", "GetItem", "UpdateItem", "DeleteItem", "Query", "Scan", "SearchVectors")
)


def _dynamodb(operation: OperationModel) -> Validator | None:
    if operation.name in ("BatchGetItem", "BatchWriteItem"):
        return lambda request: _refuse_no_items(request, operation.name)
    return _table_name(operation)


def _refuse_no_items(request: dict[str, Any], operation: str) -> list[str]:
    if request.get("RequestItems") == {}:
        raise ValidationException(f"The requestItems parameter is required for {operation}")
    return []


def _table_name(operation: OperationModel) -> Validator | None:
    """DynamoDB judges a table's name before all else; only its pattern is told with other errors.

    The model's own constraint is that of ARNs, which a TableName may be.
    """
    shape = operation.input
    if shape is None or "TableName" not in shape.required:
        return None
    on_items = operation.name in _DATA_PLANE
    shortest = 1 if on_items else 3

    def check(request: dict[str, Any]) -> list[str]:
        name = request.get("TableName")
        if name is None:
            if on_items:
                return []
            raise ValidationException(
                "The parameter 'TableName' is required but was not present in the request"
            )
        if name.startswith("arn:") or (
            3 <= len(name) <= 255 and _TABLE_NAME.fullmatch(name) is not None
        ):
            return []
        size = length_of(name)
        if not shortest <= size <= 255:
            bound = "less than or equal to 255"
            if size < shortest:
                bound = f"greater than or equal to {shortest}"
            text = f"Value '{name}' at 'tableName' {_MUST} have length {bound}"
            raise ValidationException(summary([text]))
        if _TABLE_NAME.fullmatch(name):
            return []
        return [
            f"Value '{name}' at 'tableName' {_MUST} satisfy regular expression pattern: "
            f"{_TABLE_NAME.pattern}"
        ]

    return check


_IAM_NAMES = (
    r"[\w+=,.@-]+",
    "The specified value for {name} is invalid. It must contain only alphanumeric characters "
    "and/or the following: +=,.@_-",
)

# S3 is not here: it validates nothing against its model and has a text for each case of its own.
MANNERS: dict[str, Manners] = {
    "apigateway": Manners(payload_prefix=True),
    # TableName may be an ARN; the name itself is judged by `_dynamodb`.
    "dynamodb": Manners(
        first=_dynamodb,
        terse=frozenset({"Query", "BatchGetItem"}),
        own_members=frozenset(
            (
                "DescribeContributorInsightsInput.IndexName",
                "UpdateContributorInsightsInput.IndexName",
            )
        ),
        orders=(
            ("ProvisionedThroughput", ("WriteCapacityUnits", "ReadCapacityUnits")),
            ("TimeToLiveSpecification", ("AttributeName", "Enabled")),
            ("AttributeDefinition", ("AttributeType", "AttributeName")),
            ("TransactWriteItemsInput", ("ClientRequestToken",)),
        ),
        # Items and keys: the service measures them anyway. Tags have texts of their own.
        own_shapes=frozenset(
            (
                *("AttributeValue", "AttributeMap", "Key", "MapAttributeValue"),
                *("PutItemInputAttributeMap", "ExpressionAttributeValueMap"),
                *("Tag", "TagKeyString"),
            )
        ),
    ),
    "iam": Manners(ValidationError, pattern_texts=(_IAM_NAMES,)),
    # Runtimes come and go faster than models: every name is accepted, the service says the rest.
    "lambda": Manners(elements_not_null=True, own_shapes=frozenset({"Runtime"})),
    "logs": Manners(InvalidParameterException),
    "sns": Manners(ValidationError),
    "sqs": Manners(),
    "sts": Manners(ValidationError),
}
EXEMPT = frozenset({"s3"})

# The order of a value set follows no rule that its answers show, so it is AWS's where a recorded
# answer has it, else the model's.
ENUM_ORDERS = (
    "HTTP MOCK AWS_PROXY HTTP_PROXY AWS",
    "PRIVATE EDGE REGIONAL",
    "add remove move test replace copy",
    "REQUEST_TOO_LARGE RESOURCE_NOT_FOUND AUTHORIZER_CONFIGURATION_ERROR "
    "MISSING_AUTHENTICATION_TOKEN BAD_REQUEST_BODY INVALID_SIGNATURE INVALID_API_KEY "
    "BAD_REQUEST_PARAMETERS AUTHORIZER_FAILURE UNAUTHORIZED INTEGRATION_TIMEOUT ACCESS_DENIED "
    "DEFAULT_4XX DEFAULT_5XX WAF_FILTERED QUOTA_EXCEEDED THROTTLED API_CONFIGURATION_ERROR "
    "UNSUPPORTED_MEDIA_TYPE INTEGRATION_FAILURE EXPIRED_TOKEN",
    "LATEST AT_TIMESTAMP TRIM_HORIZON",
    "AFTER_SEQUENCE_NUMBER LATEST AT_TIMESTAMP AT_SEQUENCE_NUMBER TRIM_HORIZON",
    "SPECIFIC_ATTRIBUTES COUNT ALL_ATTRIBUTES ALL_PROJECTED_ATTRIBUTES",
    "ALL_NEW UPDATED_OLD ALL_OLD NONE UPDATED_NEW",
    "IN NULL BETWEEN LT NOT_CONTAINS EQ GT NOT_NULL NE LE BEGINS_WITH GE CONTAINS",
    "OR AND",
    "ADD DELETE PUT",
    "B N S",
    "OLD_IMAGE KEYS_ONLY NEW_AND_OLD_IMAGES NEW_IMAGE",
    "THROTTLED_KEYS ACCESSED_AND_THROTTLED_KEYS",
    "ALL INCLUDE KEYS_ONLY",
    "RESPONSE_STREAM BUFFERED",
    "Terminate Allow",
    "MILLISECOND MICROSECOND",
)
_ORDER_OF: dict[frozenset[str], tuple[str, ...]] = {
    frozenset(each.split()): tuple(each.split()) for each in ENUM_ORDERS
}


def validator(operation: OperationModel) -> Validator:
    """A function that raises the service's error when a constraint does not hold, else gives []."""
    found: Validator | None = operation.compiled.get("validator")
    if found is None:
        found = operation.compiled["validator"] = _raising(operation)
    return found


def _raising(operation: OperationModel) -> Validator:
    service = operation.service.name
    if service in EXEMPT:
        return lambda request: []
    manners = MANNERS.get(service, Manners())
    judge = judge_of(operation, manners)
    first = manners.first(operation) if manners.first else None

    def validate(request: dict[str, Any]) -> list[str]:
        found = judge(request) if first is None else first(request) + judge(request)
        if found:
            raise manners.error(summary(found))
        return found

    return validate


def summary(messages: list[str]) -> str:
    """All messages in one text; a sentence of the service's own stands without the count."""
    common = [message for message in messages if message.startswith("Value ")]
    if not common:
        return messages[0]
    messages = common[:MESSAGES_MAX]
    plural = "s" if len(messages) > 1 else ""
    return f"{len(messages)} validation error{plural} detected: {'; '.join(messages)}"


def judge_of(operation: OperationModel, manners: Manners) -> Validator:
    """A function that lists what is wrong with a request, in the order of the members."""
    shape = operation.input
    if shape is None:
        return lambda request: []
    prefix = f"{_lower(operation.name)}Input." if manners.payload_prefix else ""
    terse = operation.name in manners.terse
    check = _Checks(manners, terse).top(shape, prefix)

    def judge(request: dict[str, Any]) -> list[str]:
        found: list[str] = []
        try:
            check(request, "", found)
        except RecursionError:
            found.append("The request is nested too deeply")
        if terse and found:
            return [_MARKED.sub(lambda mark: mark[1].lower(), message) for message in found]
        return found

    return judge


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def is_constrained(shape: Shape) -> bool:
    return any(_has_own(each) or _keys_have(each) for each in shapes_within(shape))


def _has_own(shape: Shape) -> bool:
    sized = shape.min is not None or shape.max is not None
    return bool(shape.required or shape.enum or shape.pattern or sized)


def _keys_have(shape: Shape) -> bool:
    return shape.key is not None and _has_own(shape.key.shape)


class _Checks:
    """Checks compiled once per shape; None where there is nothing to check."""

    def __init__(self, manners: Manners, terse: bool = False) -> None:
        self._manners = manners
        self._terse = terse
        self._done: dict[str, Check | None] = {}

    def top(self, shape: Shape, payload_prefix: str) -> Check:
        """The check of a whole input. What is given is less than what may be: that comes first,
        and only when something is wrong are all members asked for in their order."""
        structure = self._structure(shape, payload_prefix)
        required = shape.required
        checks = {name: self.of(member.shape) for name, member in shape.members.items()}
        find = {name: check for name, check in checks.items() if check is not None}.get

        def is_sound(value: dict[str, Any]) -> bool:
            for name in required:
                if value.get(name) is None:
                    return False
            wrong: list[str] = []
            for name, each in value.items():
                check = find(name)
                if check is not None and each is not None:
                    check(each, "", wrong)
            return not wrong

        def check(value: Any, path: str, found: list[str]) -> None:
            if not is_sound(value):
                structure(value, path, found)

        return check

    def of(self, shape: Shape) -> Check | None:
        name = shape.name
        if name not in self._done:
            if name in self._manners.own_shapes or not is_constrained(shape):
                self._done[name] = None
            else:
                self._done[name] = self._late(name)
                self._done[name] = self._compile(shape)
        return self._done[name]

    def _late(self, name: str) -> Check:
        """For a shape that contains itself: the check that its compilation will have made."""

        def check(value: Any, path: str, found: list[str]) -> None:
            compiled = self._done[name]
            if compiled is not None:
                compiled(value, path, found)

        return check

    def _compile(self, shape: Shape) -> Check:
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        return self._scalar(shape)

    def _structure(self, shape: Shape, payload_prefix: str = "") -> Check:
        members: list[tuple[str, str, bool, Check | None]] = []
        for member in self._ordered(shape):
            required = member.name in shape.required
            own = f"{shape.name}.{member.name}" in self._manners.own_members
            check = None if own else self.of(member.shape)
            if required or check is not None:
                prefix = payload_prefix if member.location is None else ""
                name = _MARK + member.name if self._terse else _lower(member.name)
                members.append((member.name, prefix + name, required, check))

        def structure(value: Any, path: str, found: list[str]) -> None:
            path = path and f"{path}."
            get = value.get
            for name, wire, required, check in members:
                each = get(name)
                if each is None:
                    if required:
                        found.append(f"Value null at '{path}{wire}' {_MUST} not be null")
                elif check is not None:
                    check(each, path + wire, found)

        return structure

    def _ordered(self, shape: Shape) -> list[Member]:
        names = dict(self._manners.orders).get(shape.name, ())
        order = [*names, *(name for name in shape.members if name not in names)]
        return [shape.members[name] for name in order]

    def _list(self, shape: Shape) -> Check:
        own, inner = self._size(shape), self._elements(shape)

        def check(value: Any, path: str, found: list[str]) -> None:
            if own is not None:
                own(value, path, found)
            if inner is not None:
                inner(value, path, found)

        return check

    def _elements(self, shape: Shape) -> Check | None:
        """What is asked of the elements of a list, whatever its own length."""
        assert shape.member is not None
        element = shape.member.shape
        inner = self.of(element)
        if inner is None:
            return None
        judge = inner
        scalar = element.type not in ("structure", "list", "map")
        demands = self._demands(element) if scalar else []

        def check(value: Any, path: str, found: list[str]) -> None:
            if demands:
                # Scalars are reported as one list, with all that is asked of each element.
                if _any_wrong(judge, value):
                    found.append(
                        f"Value '{text_of(value, shape)}' at '{path}' {_MUST} satisfy constraint: "
                        f"[{', '.join(demands)}]"
                    )
                return
            for number, each in enumerate(value, 1):
                if each is not None:
                    judge(each, f"{path}.{number}.member", found)

        return check

    def _map(self, shape: Shape) -> Check:
        """Keys, scalar values and the lengths of lists are reported with the whole map."""
        assert shape.value is not None and shape.key is not None
        value_shape = shape.value.shape
        own = self._size(shape)
        keys = self._whole(shape, shape.key.shape, "keys")
        whole = None
        if value_shape.type not in ("structure", "map"):
            whole = self._whole(shape, value_shape, "value")
        inner = self.of(value_shape)
        if value_shape.type == "list":
            inner = self._elements(value_shape)
        elif whole is not None:
            inner = None

        def check(value: Any, path: str, found: list[str]) -> None:
            if own is not None:
                own(value, path, found)
            if keys is not None:
                keys(list(value), value, path, found)
            if whole is not None:
                whole(list(value.values()), value, path, found)
            if inner is not None:
                for key, each in value.items():
                    if each is not None:
                        inner(each, f"{path}.{key}.member", found)

        return check

    def _whole(self, shape: Shape, part: Shape, word: str) -> WholeCheck | None:
        """Of a map of `shape`: every one of its keys, or values, is as `part` asks."""
        demands = self._demands(part)
        judge = self._size(part) if part.type == "list" else self.of(part)
        if not demands or judge is None:
            return None
        asked = f"Map {word} must satisfy constraint: [{', '.join(demands)}]"

        def check(parts: list[Any], value: Any, path: str, found: list[str]) -> None:
            if _any_wrong(judge, parts):
                text = text_of(value, shape)
                found.append(f"Value '{text}' at '{path}' failed to satisfy constraint: {asked}")

        return check

    def _scalar(self, shape: Shape) -> Check:
        checks = [
            each
            for each in (_enum(shape), self._pattern(shape), self._size(shape), self._range(shape))
            if each is not None
        ]
        if len(checks) == 1:
            return checks[0]

        def check(value: Any, path: str, found: list[str]) -> None:
            for each in checks:
                each(value, path, found)

        return check

    def _pattern(self, shape: Shape) -> Check | None:
        if shape.pattern is None or shape.type != "string":
            return None
        compiled = java_pattern(shape.pattern)
        if compiled is None:
            return None
        fits = compiled.fullmatch
        own = dict(self._manners.pattern_texts).get(shape.pattern)

        def check(value: Any, path: str, found: list[str]) -> None:
            if len(value) <= PATTERN_TEXT_MAX and not fits(value):
                if own is not None:
                    found.append(own.format(name=path))
                else:
                    found.append(
                        f"Value '{value}' at '{path}' {_MUST} satisfy regular expression "
                        f"pattern: {shape.pattern}"
                    )

        return check

    def _size(self, shape: Shape) -> Check | None:
        low, high, terse = shape.min, shape.max, self._terse
        if shape.type in ("integer", "long", "float", "double") or low is high is None:
            return None

        def check(value: Any, path: str, found: list[str]) -> None:
            size = length_of(value)
            if high is not None and size > high:
                word = f"less than or equal to {high}"
            elif low is not None and size < low:
                word = f"greater than or equal to {low}"
            else:
                return
            told = f"'{text_of(value, shape)}' " if not terse else ""
            found.append(f"Value {told}at '{_shown(path, terse)}' {_MUST} have length {word}")

        return check

    def _range(self, shape: Shape) -> Check | None:
        low, high, terse = shape.min, shape.max, self._terse
        if shape.type not in ("integer", "long", "float", "double") or low is high is None:
            return None

        def check(value: Any, path: str, found: list[str]) -> None:
            if high is not None and value > high:
                word = f"less than or equal to {high}"
            elif low is not None and value < low:
                word = f"greater than or equal to {low}"
            else:
                return
            told = f"'{value}' " if not terse else ""
            found.append(f"Value {told}at '{_shown(path, terse)}' {_MUST} have value {word}")

        return check

    def _demands(self, shape: Shape) -> list[str]:
        """All constraints of a list's elements, as the text of the list names them."""
        demands = []
        if shape.enum:
            demands.append(f"Member must satisfy enum value set: [{_listed(shape.enum)}]")
        if shape.max is not None:
            demands.append(f"Member must have length less than or equal to {shape.max}")
        if shape.min is not None:
            demands.append(f"Member must have length greater than or equal to {shape.min}")
        if shape.pattern:
            demands.append(f"Member must satisfy regular expression pattern: {shape.pattern}")
        if demands and self._manners.elements_not_null:
            demands.append("Member must not be null")
        return demands


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(_ORDER_OF.get(frozenset(values), values))


def _enum(shape: Shape) -> Check | None:
    if not shape.enum:
        return None
    values = frozenset(shape.enum)
    listed = _listed(shape.enum)

    def check(value: Any, path: str, found: list[str]) -> None:
        if value not in values:
            found.append(f"Value '{value}' at '{path}' {_MUST} satisfy enum value set: [{listed}]")

    return check


def _shown(path: str, terse: bool) -> str:
    """The path of a message that is told in the model's case."""
    return path.replace(_MARK, "") if terse else path


def _any_wrong(judge: Check, values: list[Any]) -> bool:
    wrong: list[str] = []
    for each in values:
        if each is not None:
            judge(each, "", wrong)
    return bool(wrong)


def length_of(value: Any) -> int:
    """Java counts a text in UTF-16 units."""
    if isinstance(value, str) and not value.isascii():
        return len(value.encode("utf-16-le", "surrogatepass")) // 2
    return len(value)


# Classes that print as Java's objects do: the class and a number.
_OPAQUE = {"AttributeValue": "com.amazonaws.dynamodb.v20120810.AttributeValue"}


def text_of(value: Any, shape: Shape) -> str:
    """A value as Java prints it: [a, b], {k=v}, Name(member=value, other=null)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list) and shape.member is not None:
        element = shape.member.shape
        return f"[{', '.join(text_of(each, element) for each in value)}]"
    if isinstance(value, dict) and shape.value is not None:
        of_value = shape.value.shape
        return f"{{{', '.join(f'{key}={text_of(each, of_value)}' for key, each in value.items())}}}"
    if isinstance(value, dict) and shape.name in _OPAQUE:
        digest = crc32(repr(value).encode(errors="surrogatepass"))
        return f"{_OPAQUE[shape.name]}@{digest:x}"
    if isinstance(value, dict):
        fields = (
            f"{_lower(member.name)}={text_of(value.get(member.name), member.shape)}"
            for member in shape.members.values()
        )
        return f"{shape.name}({', '.join(fields)})"
    return str(value)


# Java's classes of Unicode properties, as near as Python's own come.
_PROPERTIES = {
    "L": r"\w",
    "M": "\u0300-\u036f",
    "Z": r"\s",
    "N": r"\d",
    "S": r"$+<=>^`|~\u00a2-\u00a9\u2100-\u23ff",
    "P": r"!-#%-*,-/:;?@\[-\]_{}\u00a1-\u00bf\u2010-\u2027",
    "Graph": "!-~",
    "Print": " -~",
    "ASCII": "\x00-\x7f",
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
}


# Spellings that Java reads and Python does not.
_RESPELT = (
    (r"\w-_", r"\w\-_"),
    (r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff"),
    (r"\z", r"\Z"),
)
_TOKEN = re.compile(r"\\p\{(?:Is)?(\w+)\}|\\.|[\[\]]|[^\\\[\]]+", re.DOTALL)


def java_pattern(pattern: str) -> re.Pattern[str] | None:
    """`pattern` for Python; None where it uses what Python does not have."""
    flags = re.ASCII
    for java, python in _RESPELT:
        pattern = pattern.replace(java, python)
    if r"\p{" in pattern:
        flags = re.NOFLAG
        pattern = _with_properties(pattern)
    try:
        return re.compile(pattern, flags)
    except (re.error, RecursionError):
        return None


def _with_properties(pattern: str) -> str:
    """The pattern with each Unicode property as the characters of a class."""
    pieces = []
    depth = 0
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if token[1] is not None:
            characters = _PROPERTIES.get(token[1]) or _PROPERTIES.get(token[1][:1], "")
            text = characters if depth else f"[{characters}]"
        elif text == "[":
            depth += 1
        elif text == "]":
            depth -= 1
        pieces.append(text)
    return "".join(pieces)
