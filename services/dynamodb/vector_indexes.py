"""Vector indexes as their table's record has them: added, removed and described.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearchWorkingWith.html

An index holds nothing of its own: searches look at the table's items. Its states follow from
times in the record. What UpdateTable refuses of an index that is being created, and of a sixth one,
is in no AWS page: it is as a public project says that it measured it at AWS in August 2026.
"""

from typing import Any

from fogbank.services.context import Input
from fogbank.services.dynamodb.definitions import check_attributes
from fogbank.services.dynamodb.errors import (
    LimitExceededException,
    ResourceInUseException,
    ResourceNotFoundException,
    ValidationException,
)
from fogbank.services.dynamodb.index_attributes import (
    define,
    forget_unused,
    index_names,
    types_with,
)
from fogbank.services.dynamodb.schema import Record, status_of
from fogbank.services.dynamodb.shapes import INTEGER, STRING
from fogbank.services.dynamodb.update_rules import one_at_a_time
from fogbank.services.dynamodb.vector_rules import (
    VECTOR_INDEXES_MAX,
    Definition,
    check_dimensions,
    check_no_key,
    check_vector,
    check_vector_billing,
    schema_names,
)

VECTOR_INDEX = {
    "IndexName!": STRING,
    "VectorAttribute!": {"AttributeName!": STRING},
    "SearchSchema": [{"AttributeName!": STRING, "SearchSchemaElementType!": STRING}],
    "Projection!": {"ProjectionType": STRING, "NonKeyAttributes": [STRING]},
    "Dimensions!": INTEGER,
    "DistanceFunction!": STRING,
}
VECTOR_UPDATES = [{"Create": VECTOR_INDEX, "Delete": {"IndexName!": STRING}}]


def present(record: Record, now_ms: int) -> list[Definition]:
    """Those that are not gone."""
    return [
        index
        for index in record.get("VectorIndexes") or ()
        if now_ms < index.get("DeletedAtMs", now_ms + 1)
    ]


def is_vector_index(record: Record, name: str, now_ms: int) -> bool:
    """Whether a vector index of that name is there, in whatever state."""
    if not record.get("VectorIndexes"):
        return False
    return any(index["IndexName"] == name for index in present(record, now_ms))


def state(record: Record, index: Definition, now_ms: int) -> tuple[str, bool | None]:
    """Its IndexStatus, and whether it is backfilling, which is only said of one that was added.

    Such a one is set up while its table is UPDATING, and filled as long again.
    """
    if record.get("DeletedAtMs") is not None or "DeletedAtMs" in index:
        return "DELETING", None
    if "ActiveAtMs" not in index:
        return ("CREATING" if status_of(record, now_ms) == "CREATING" else "ACTIVE"), None
    if now_ms < index["ActiveAtMs"]:
        return "CREATING", now_ms >= index["FilledFromMs"]
    return "ACTIVE", None


def is_changing(record: Record, now_ms: int) -> bool:
    """Whether an index is being added or removed."""
    return any(state(record, one, now_ms)[0] != "ACTIVE" for one in present(record, now_ms))


def _check_alone(record: Record, request: Input, now_ms: int) -> None:
    """No index, vector or not, is created or deleted while another is.

    But one that is being filled may be deleted, and its name is said to be taken.
    """
    for index in present(record, now_ms):
        if state(record, index, now_ms) != ("CREATING", True):
            continue
        for one in request.get("VectorIndexUpdates") or ():
            if (one.get("Delete") or {}).get("IndexName") == index["IndexName"]:
                return
            if (one.get("Create") or {}).get("IndexName") == index["IndexName"]:
                raise ResourceInUseException(
                    "Attempt to change a resource which is still in use: Index is being created.  "
                    f"Table: {record['TableName']} Index: {index['IndexName']}"
                )
    updates = (
        *(request.get("VectorIndexUpdates") or ()),
        *(request.get("GlobalSecondaryIndexUpdates") or ()),
    )
    filling = any(one.get("backfilling") for one in record.get("GlobalSecondaryIndexes") or ())
    if not any(one.get("Create") or one.get("Delete") for one in updates):
        return
    if is_changing(record, now_ms) or (filling and request.get("VectorIndexUpdates")):
        raise one_at_a_time()


def change_vectors(record: Record, request: Input, times: tuple[int, int]) -> None:
    """The record has the index of the request, or no longer; `times`: now, and when settled."""
    _check_alone(record, request, times[0])
    updates = request.get("VectorIndexUpdates")
    if updates is None:
        if request.get("BillingMode") == "PROVISIONED" and present(record, times[0]):
            check_vector_billing(False)
        return
    record["VectorIndexes"] = present(record, times[0])
    (update,) = updates
    if update.get("Create") is not None:
        _create(record, request, update["Create"], times)
    else:
        _delete(record, update["Delete"]["IndexName"], times)


def _create(record: Record, request: Input, wanted: Definition, times: tuple[int, int]) -> None:
    if wanted["IndexName"] in index_names(record):
        raise ValidationException("Attempting to create an index which already exists")
    check_vector_billing(record.get("BillingMode") == "PAY_PER_REQUEST")
    if len(record["VectorIndexes"]) >= VECTOR_INDEXES_MAX:
        raise LimitExceededException(
            "Subscriber limit exceeded: Number of vector secondary indexes exceeds per-table limit "
            f"of {VECTOR_INDEXES_MAX}"
        )
    given = request.get("AttributeDefinitions") or []
    check_attributes(given)
    types = types_with(record, given, schema_names(wanted))
    # What the table has defined for others does not count.
    check_vector(wanted, [one["AttributeName"] for one in given])
    check_no_key(wanted, record["KeySchema"], types)
    check_dimensions([*record["VectorIndexes"], wanted])
    define(record, types)
    now_ms, settled_ms = times
    record["VectorIndexes"].append(
        {**wanted, "FilledFromMs": settled_ms, "ActiveAtMs": settled_ms + (settled_ms - now_ms)}
    )


def _delete(record: Record, name: str, times: tuple[int, int]) -> None:
    for index in record["VectorIndexes"]:
        if index["IndexName"] == name:
            index["DeletedAtMs"] = times[1]
            break
    else:
        raise ResourceNotFoundException(f"Index {name} for table {record['TableName']}")
    forget_unused(record)


def describe_vectors(record: Record, now_ms: int) -> list[dict[str, Any]]:
    """As descriptions of their table show them."""
    return [_described(record, index, now_ms) for index in present(record, now_ms)]


_SHOWN = (
    *("IndexName", "SearchSchema", "Projection", "VectorAttribute", "Dimensions"),
    "DistanceFunction",
)


def definition(index: Definition) -> Definition:
    """What was asked for, without states and counts."""
    return {name: index[name] for name in _SHOWN if index.get(name) is not None}


def lasting(record: Record) -> list[Definition]:
    """The definitions of those that are not being removed: what backups and restores have."""
    return [
        definition(index)
        for index in record.get("VectorIndexes") or ()
        if "DeletedAtMs" not in index
    ]


def _described(record: Record, index: Definition, now_ms: int) -> dict[str, Any]:
    status, backfilling = state(record, index, now_ms)
    result = {
        **definition(index),
        "IndexStatus": status,
        "IndexSizeBytes": index.get("SizeBytes", 0),
        "ItemCount": index.get("ItemCount", 0),
        "IndexArn": f"{record['TableArn']}/index/{index['IndexName']}",
    }
    if backfilling is not None:
        result["Backfilling"] = backfilling
    return result


def begun(record: Record, request: Input, now_ms: int) -> list[dict[str, Any]]:
    """The indexes as the answer of an UpdateTable shows them: what it asks for has begun."""
    result = describe_vectors(record, now_ms)
    for update in request["VectorIndexUpdates"]:
        if update.get("Create") is not None:
            result[-1].update(IndexStatus="CREATING", Backfilling=False)
            continue
        name = update["Delete"]["IndexName"]
        result = [one for one in result if one["IndexName"] != name]
        result += [
            {**_described(record, one, now_ms), "IndexStatus": "DELETING"}
            for one in record["VectorIndexes"]
            if one["IndexName"] == name
        ]
    return result
