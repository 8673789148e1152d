"""The projection of an index of any kind, as definitions of tables give it."""

from typing import Any

from fogbank.services.dynamodb.errors import invalid


def check_projection(projection: dict[str, Any]) -> None:
    kind = projection.get("ProjectionType")
    others = projection.get("NonKeyAttributes")
    if kind not in ("ALL", "KEYS_ONLY", "INCLUDE"):
        raise invalid(f"Unknown ProjectionType: {kind or 'null'}")
    if kind == "INCLUDE":
        if others is None:
            raise invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
        if len(set(others)) < len(others):
            raise invalid("Duplicate attribute name in NonKeyAttributes")
    elif others is not None:
        raise invalid(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
