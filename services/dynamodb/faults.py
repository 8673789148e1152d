"""What is wrong with a request's values, in the two forms in which DynamoDB tells it.

PutItem, UpdateItem, DeleteItem, GetItem, BatchGetItem and Query tell the newer form, the three that
write behind a count of errors; the batches and transactions that write, TransactGetItems, Scan and
PartiQL tell the older one. These are answers of AWS of October 2026, in the regions that agree; AWS
documents none of it. Where only the older form is known, it stands for both.
"""

from fogbank.services.dynamodb.errors import ValidationException

_COUNTED = "1 validation error detected: "


class Fault(ValidationException):
    """`message` is the older form."""

    def __init__(self, older: str, newer: str | None = None) -> None:
        super().__init__(older)
        self.older = older
        self.newer = older if newer is None else newer


class ValueFault(Fault):
    """An attribute value cannot be one, wherever in the request it stands."""

    def within(self, older: str) -> "ValueFault":
        """The same, in a member of which only the older form speaks; `{}` is the value's fault."""
        return ValueFault(older.format(self.older), self.newer)


class NestingFault(ValueFault):
    def __init__(self) -> None:
        super().__init__(
            "Nesting Levels have exceeded supported limits: "
            "Attributes in the item have nested levels beyond supported limit"
        )


class NameFault(ValueFault):
    """Of an attribute of an item, or of a map's member."""

    def __init__(self) -> None:
        super().__init__("Empty attribute name")


class KindFault(ValueFault):
    """A set or a null that no value of its type can be."""


def bare(fault: ValueFault) -> ValidationException:
    """As operations that read tell it."""
    return ValidationException(fault.newer)


def counted(error: ValidationException) -> ValidationException:
    """As operations that write one item tell it."""
    text = error.newer if isinstance(error, Fault) else str(error.message)
    # What breaks the model's constraints is counted already.
    return error if text.startswith(_COUNTED) else ValidationException(_COUNTED + text)
