"""What CreateTable and UpdateTable check of a table's definition, in AWS's order and words."""

from typing import Any

from fogbank.services.context import Input
from fogbank.services.dynamodb.errors import ValidationException, invalid
from fogbank.services.dynamodb.projections import check_projection
from fogbank.services.dynamodb.vector_rules import check_vectors

Schema = list[dict[str, str]]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
LOCAL_INDEXES_MAX = 5
GLOBAL_INDEXES_MAX = 20
PROJECTED_MAX = 100
CAPACITY_MAX = 1_000_000_000_000
KEY_ATTRIBUTES_MAX = 2
MULTI_KEYS_MAX = 4


def check_create(request: Input) -> None:
    """The definition of a table holds together; raises what AWS raises first."""
    _check_lengths(request)
    on_demand = request.get("BillingMode") == "PAY_PER_REQUEST"
    throughput = request.get("ProvisionedThroughput")
    check_billing(on_demand, throughput)
    names = check_attributes(request["AttributeDefinitions"])
    schema = request["KeySchema"]
    if len(schema) > len(names):
        raise ValidationException("Invalid KeySchema: Some index key attribute have no definition")
    _check_defined(schema, names)
    check_schema(schema)
    local = request.get("LocalSecondaryIndexes")
    remote = request.get("GlobalSecondaryIndexes")
    _check_local(local, schema, names)
    _check_global(remote, names, on_demand)
    vectors = request.get("VectorIndexes")
    check_vectors(vectors, names, on_demand=on_demand)
    indexes = [*(local or ()), *(remote or ())]
    check_unique([index["IndexName"] for index in (*indexes, *(vectors or ()))])
    _check_projected(indexes)
    searched = [{"KeySchema": index.get("SearchSchema") or ()} for index in vectors or ()]
    check_used(request["AttributeDefinitions"], schema, [*indexes, *searched])


def _check_lengths(request: Input) -> None:
    """Keys of tables and of local indexes have one or two attributes; global ones may have more."""
    schemas = {"keySchema": request["KeySchema"]}
    for number, index in enumerate(request.get("LocalSecondaryIndexes") or (), 1):
        schemas[f"localSecondaryIndexes.{number}.member.keySchema"] = index["KeySchema"]
    wrong = [
        f"Value '[{', '.join(map(_shown, schema))}]' at '{path}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {KEY_ATTRIBUTES_MAX}"
        for path, schema in schemas.items()
        if len(schema) > KEY_ATTRIBUTES_MAX
    ]
    if wrong:
        plural = "s" if len(wrong) > 1 else ""
        raise ValidationException(
            f"{len(wrong)} validation error{plural} detected: {'; '.join(wrong)}"
        )


def _shown(element: dict[str, str]) -> str:
    name, kind = element["AttributeName"], element["KeyType"]
    return f"KeySchemaElement(attributeName={name}, keyType={kind})"


def check_billing(on_demand: bool, throughput: dict[str, Any] | None) -> None:
    if on_demand and throughput is not None:
        raise invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode "
            "is PAY_PER_REQUEST"
        )
    if not on_demand and throughput is None:
        raise invalid(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode "
            "is PROVISIONED"
        )
    if throughput is not None:
        check_throughput(throughput)


def check_throughput(throughput: dict[str, Any], index: str | None = None) -> None:
    for name in ("ReadCapacityUnits", "WriteCapacityUnits"):
        if throughput[name] > CAPACITY_MAX:
            suffix = f" for index {index}" if index else ""
            raise ValidationException(
                f"Given value {throughput[name]} for {name} is out of bounds{suffix}"
            )


def check_attributes(definitions: list[dict[str, str]]) -> list[str]:
    names = [definition["AttributeName"] for definition in definitions]
    if len(set(names)) < len(names):
        raise ValidationException("Cannot have two attributes with the same name")
    for definition in definitions:
        if definition["AttributeType"] not in ("S", "N", "B"):
            raise ValidationException(
                f"1 validation error detected: Value '{definition['AttributeType']}' at "
                "'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: "
                "Member must satisfy enum value set: [B, N, S]"
            )
    return names


def check_schema(schema: Schema, index: str | None = None) -> None:
    """One HASH, then at most one RANGE; a global index may have four of each."""
    kinds = [element["KeyType"] for element in schema]
    names = [element["AttributeName"] for element in schema]
    if len(set(names)) < len(names):
        raise ValidationException(
            "Both the Hash Key and the Range Key element in the KeySchema have the same name"
        )
    if not kinds or kinds[0] != "HASH":
        raise ValidationException(
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"
        )
    most = MULTI_KEYS_MAX if index else 1
    hashes = kinds.count("HASH")
    ordered = kinds == ["HASH"] * hashes + ["RANGE"] * (len(kinds) - hashes)
    if not ordered or hashes > most:
        raise ValidationException(
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"
        )
    if len(kinds) - hashes > most:
        raise ValidationException("Invalid KeySchema: Too many RANGE KeySchemaElements")


def _check_defined(schema: Schema, names: list[str]) -> None:
    keys = [element["AttributeName"] for element in schema]
    if any(key not in names for key in keys):
        raise invalid(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(keys)}], AttributeDefinitions: [{', '.join(names)}]"
        )


def _check_local(indexes: list[dict[str, Any]] | None, schema: Schema, names: list[str]) -> None:
    if indexes is None:
        return
    if not indexes:
        raise invalid("List of LocalSecondaryIndexes is empty")
    if len(schema) == 1:
        raise invalid(
            "Table KeySchema does not have a range key, which is required when specifying a "
            "LocalSecondaryIndex"
        )
    hash_name = schema[0]["AttributeName"]
    for index in indexes:
        _check_defined(index["KeySchema"], names)
        check_schema(index["KeySchema"])
        if index["KeySchema"][0]["AttributeName"] != hash_name:
            raise invalid(
                "Index KeySchema does not have the same leading hash key as table KeySchema for "
                f"index: {index['IndexName']}. index hash key: "
                f"{index['KeySchema'][0]['AttributeName']}, table hash key: {hash_name}"
            )
        if len(index["KeySchema"]) == 1:
            raise invalid(
                f"Index KeySchema does not have a range key for index: {index['IndexName']}"
            )
        check_projection(index["Projection"])
    if len(indexes) > LOCAL_INDEXES_MAX:
        raise invalid("Number of LocalSecondaryIndexes exceeds per-table limit of 5")


def _check_global(indexes: list[dict[str, Any]] | None, names: list[str], on_demand: bool) -> None:
    if indexes is None:
        return
    if not indexes:
        raise invalid("List of GlobalSecondaryIndexes is empty")
    for index in indexes:
        check_global(index, names, on_demand)
    if len(indexes) > GLOBAL_INDEXES_MAX:
        raise invalid("GlobalSecondaryIndex count exceeds the per-table limit of 20")


def check_global(index: dict[str, Any], names: list[str], on_demand: bool) -> None:
    """A global index, new with its table or added later."""
    _check_defined(index["KeySchema"], names)
    check_schema(index["KeySchema"], index["IndexName"])
    check_projection(index["Projection"])
    throughput = index.get("ProvisionedThroughput")
    if on_demand and throughput is not None:
        raise invalid(
            f"ProvisionedThroughput should not be specified for index: {index['IndexName']} when "
            "BillingMode is PAY_PER_REQUEST"
        )
    if not on_demand and throughput is None:
        raise invalid(f"ProvisionedThroughput is not specified for index: {index['IndexName']}")
    if throughput is not None:
        check_throughput(throughput, index["IndexName"])


def check_unique(names: list[str]) -> None:
    for at, name in enumerate(names):
        if name in names[:at]:
            raise invalid(f"Duplicate index name: {name}")


def _check_projected(indexes: list[dict[str, Any]]) -> None:
    total = sum(len(index["Projection"].get("NonKeyAttributes") or ()) for index in indexes)
    if total > PROJECTED_MAX:
        raise invalid(
            "Number of projected attributes across all indexes exceeds the per-table limit of 100"
        )


def units_in(holder: dict[str, Any], member: str) -> dict[str, int]:
    """The units that a request names; a structure without any is taken for none at all."""
    return {name: units for name, units in (holder.get(member) or {}).items() if units is not None}


def check_used(
    definitions: list[dict[str, str]], schema: Schema, indexes: list[dict[str, Any]]
) -> None:
    """Every defined attribute is a key of the table or of an index."""
    names = [definition["AttributeName"] for definition in definitions]
    keys = [element["AttributeName"] for element in schema]
    used = dict.fromkeys(keys)
    for index in indexes:
        used.update(dict.fromkeys(element["AttributeName"] for element in index["KeySchema"]))
    if set(names) <= set(used):
        return
    if not indexes:
        raise invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes "
            "defined in AttributeDefinitions"
        )
    raise invalid(
        f"Some AttributeDefinitions are not used. AttributeDefinitions: [{', '.join(names)}], "
        f"keys used: [{', '.join(used)}]"
    )
