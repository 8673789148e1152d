"""The class of a table, which may be changed twice in thirty days.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.TableClasses.html
"""

from typing import Any

from fogbank.services.dynamodb.errors import LimitExceededException
from fogbank.services.dynamodb.schema import Record

CHANGES_MAX = 2
PERIOD_DAYS = 30
_DAY_MS = 24 * 3600 * 1000


def change_class(record: Record, wanted: str | None, now_ms: int) -> None:
    """The table has the class. Once no change is left, the class that it has is refused too."""
    if wanted is None:
        return
    period_ms = PERIOD_DAYS * _DAY_MS
    changes = [at for at in record.get("ClassChangesMs") or () if now_ms < at + period_ms]
    if len(changes) >= CHANGES_MAX:
        raise LimitExceededException(
            f"Subscriber limit exceeded: Updates to TableClass are limited to {CHANGES_MAX} times "
            f"in {PERIOD_DAYS} day(s)."
        )
    if wanted == (record.get("TableClass") or "STANDARD"):
        return
    record["TableClass"] = wanted
    record["ClassChangesMs"] = [*changes, now_ms]


def described(record: Record) -> dict[str, Any]:
    """TableClassSummary; without one the class is STANDARD."""
    if not record.get("TableClass"):
        return {}
    summary: dict[str, Any] = {"TableClass": record["TableClass"]}
    if record.get("ClassChangesMs"):
        summary["LastUpdateDateTime"] = record["ClassChangesMs"][-1] / 1000
    return {"TableClassSummary": summary}
