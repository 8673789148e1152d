"""What CreateTable and UpdateTable check of the definition of a vector index.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearchWorkingWith.html

AWS documents the texts for attributes that are not defined and for too many indexes; those for
dimensions and billing are answers that public conformance tests hold, those for a vector that is
defined as something else answers that a public project says it measured. The other limits are
documented, their texts are not: those are ours.
"""

from typing import Any

from fogbank.services.dynamodb.errors import invalid
from fogbank.services.dynamodb.projections import check_projection

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
VECTOR_INDEXES_MAX = 5
DIMENSIONS_MAX = 4096
INLINE_FILTERS_MAX = 18
# The vector attribute, inline filters and other attributes that are projected, together.
PROJECTED_MAX = 20

Definition = dict[str, Any]


def check_vectors(indexes: list[Definition] | None, names: list[str], *, on_demand: bool) -> None:
    """The vector indexes of a new table hold together; `names` are its defined attributes."""
    if indexes is None:
        return
    if not indexes:
        raise invalid("List of VectorIndexes is empty")
    check_vector_billing(on_demand)
    for index in indexes:
        check_vector(index, names)
    if len(indexes) > VECTOR_INDEXES_MAX:
        raise invalid(f"VectorIndex count exceeds the per-table limit of {VECTOR_INDEXES_MAX}")
    check_dimensions(indexes)


def check_vector_updates(updates: list[dict[str, Any]] | None) -> None:
    """Each of an UpdateTable's updates says what is to be done, and one thing only."""
    if updates is None:
        return
    if not updates:
        raise invalid("List of VectorIndexUpdates is empty")
    if any((one.get("Create") is None) == (one.get("Delete") is None) for one in updates):
        raise invalid("One of VectorIndexUpdate's actions must be specified")


def check_vector_billing(on_demand: bool) -> None:
    if not on_demand:
        raise invalid("Vector indexes are only supported for PAY_PER_REQUEST tables")


def check_vector(index: Definition, names: list[str]) -> None:
    """The definition holds in itself; `names` are the attributes that its request defines."""
    schema = index.get("SearchSchema") or []
    attributes = [element["AttributeName"] for element in schema]
    if any(name not in names for name in attributes):
        raise invalid("One element in SearchSchema is not defined in attribute definitions")
    if len(set(attributes)) < len(attributes):
        raise invalid("Duplicate attribute name in SearchSchema")
    if vector_name(index) in names:
        raise invalid(
            f"Conflicting attribute definition for '{vector_name(index)}'. An attribute cannot be "
            "defined in AttributeDefinitions when used as a VectorAttribute."
        )
    kinds = [element["SearchSchemaElementType"] for element in schema]
    if kinds.count("HASH") > 1:
        raise invalid("SearchSchema can have only one HASH element")
    if kinds.count("INLINE_FILTER") > INLINE_FILTERS_MAX:
        raise invalid(f"SearchSchema can have at most {INLINE_FILTERS_MAX} INLINE_FILTER elements")
    check_projection(index["Projection"])
    others = index["Projection"].get("NonKeyAttributes") or ()
    if len(others) + kinds.count("INLINE_FILTER") + 1 > PROJECTED_MAX:
        raise invalid(
            "Number of projected attributes exceeds the limit of "
            f"{PROJECTED_MAX} for index: {index['IndexName']}"
        )
    if index["Dimensions"] > DIMENSIONS_MAX:
        raise invalid(f"Number of dimensions must be between 1 and {DIMENSIONS_MAX} inclusive.")


def check_no_key(index: Definition, schema: list[dict[str, str]], types: dict[str, str]) -> None:
    """The vector of an index that is added is no key of its table.

    The text is known of a table with one key; with two it is taken to tell both.
    """
    name = vector_name(index)
    keys = [(element["AttributeName"], element["KeyType"]) for element in schema]
    if name not in dict(keys):
        return
    told = ", ".join(f"SchemaElement: key{{{key}:{types[key]}:{kind}}}" for key, kind in keys)
    raise invalid(
        "Attributes cannot be redefined. Please check that your attribute has the same type as "
        f"previously defined. Existing schema: Schema:[{told}] New schema: VectorIndexSchema:"
        f"[VectorAttribute: key{{{name}:L:{index['Dimensions']}}}]"
    )


def check_dimensions(indexes: list[Definition]) -> None:
    found: dict[str, int] = {}
    for index in indexes:
        name = vector_name(index)
        if found.setdefault(name, index["Dimensions"]) != index["Dimensions"]:
            raise invalid(
                f"Conflicting attribute definition for '{name}'. All VectorIndexes on the same "
                "vector attribute must use the same dimensions."
            )


def vector_name(index: Definition) -> str:
    return str(index["VectorAttribute"]["AttributeName"])


def schema_names(index: Definition, kind: str | None = None) -> list[str]:
    """The attributes of its search schema, of one kind or all."""
    return [
        element["AttributeName"]
        for element in index.get("SearchSchema") or ()
        if kind in (None, element["SearchSchemaElementType"])
    ]
