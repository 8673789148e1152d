"""The indexes of a restored table: those of its source, or of those the ones that are wanted.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableFromBackup.html

That a vector index of an override must match one of the source is documented, its text is not: it
is modelled on the one for secondary indexes. Nor is a source known for names that occur twice.
"""

from collections.abc import Callable
from typing import Any

from fogbank.services.context import Input
from fogbank.services.dynamodb.definitions import check_unique
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.index_attributes import forget_unused, index_names
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.vector_indexes import definition, lasting
from fogbank.services.dynamodb.vector_rules import Definition, vector_name

_LOCAL = ("IndexName", "KeySchema", "Projection")
_GLOBAL = (*_LOCAL, "ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput")


def refused(text: str) -> ValidationException:
    return ValidationException(f"Invalid Request: {text}")


def take_indexes(record: Record, source: Record, request: Input) -> None:
    """The record has the source's indexes, as far as they are wanted, and their attributes."""
    for member, kept in (("LocalSecondaryIndexes", _LOCAL), ("GlobalSecondaryIndexes", _GLOBAL)):
        wanted = request.get(f"{member.removesuffix('es')}Override")
        indexes = _indexes(source.get(member) or [], wanted, kept)
        if indexes:
            record[member] = indexes
    vectors = _vectors(lasting(source), request.get("VectorIndexOverride"))
    if vectors:
        record["VectorIndexes"] = vectors
    check_unique(index_names(record))
    record["AttributeDefinitions"] = source["AttributeDefinitions"]
    forget_unused(record)


def _indexes(
    source: list[dict[str, Any]], wanted: list[dict[str, Any]] | None, kept: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The source's indexes, or of those the ones that are wanted, perhaps under other names."""
    chosen = source if wanted is None else wanted
    _check_known(chosen, source, _form, "a secondary")
    return [{member: index[member] for member in kept if member in index} for index in chosen]


def _vectors(source: list[Definition], wanted: list[Definition] | None) -> list[Definition]:
    """The same of vector indexes."""
    if wanted is None:
        return source
    _check_known(wanted, source, _vector_form, "a vector")
    return [definition(index) for index in wanted]


def _check_known(
    chosen: list[dict[str, Any]],
    source: list[dict[str, Any]],
    form: Callable[[dict[str, Any]], tuple[Any, ...]],
    kind: str,
) -> None:
    known = [form(index) for index in source]
    for index in chosen:
        if form(index) not in known:
            raise refused(
                f"Index {index['IndexName']} does not match {kind} index that existed in the "
                "source table and cannot be created during the restore operation"
            )


def _form(index: dict[str, Any]) -> tuple[Any, ...]:
    keys = tuple((element["AttributeName"], element["KeyType"]) for element in index["KeySchema"])
    return keys, *_projected(index)


def _vector_form(index: Definition) -> tuple[Any, ...]:
    searched = sorted(
        (element["AttributeName"], element["SearchSchemaElementType"])
        for element in index.get("SearchSchema") or ()
    )
    what = (vector_name(index), index["Dimensions"], index["DistanceFunction"])
    return tuple(searched), *what, *_projected(index)


def _projected(index: dict[str, Any]) -> tuple[Any, ...]:
    projection = index["Projection"]
    others = tuple(sorted(projection.get("NonKeyAttributes") or ()))
    return projection.get("ProjectionType"), others
