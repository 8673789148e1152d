"""Inputs and outputs that fit a model's shapes, made from a seed, for round trips with botocore."""

import random
from datetime import UTC, datetime
from typing import Any

from fogbank.gateway.models import Member, OperationModel, Shape

PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789-"
RICH = PLAIN + " &<>'\"/%+=;:é日.\t"
DEPTH_MAX = 4


class Sample:
    """Values for shapes; the same seed gives the same values."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def structure(self, shape: Shape, depth: int = 0) -> dict[str, Any]:
        chosen = [
            member
            for member in shape.members.values()
            if member.name in shape.required or (self._random.random() < 0.6 and depth < DEPTH_MAX)
        ]
        if not chosen and shape.members:
            chosen = list(shape.members.values())[:1]
        found = {}
        for member in chosen:
            if depth <= DEPTH_MAX + 4 and usable(member.shape):
                found[member.name] = self._member(member, depth)
        return found

    def _member(self, member: Member, depth: int) -> Any:
        shape = member.shape
        outside = member.location is not None
        if member.location == "headers":
            return {self._text(PLAIN): self._text(PLAIN) for _ in range(2)}
        if member.location == "statusCode":
            return 200
        return self.value(shape, depth + 1, PLAIN if outside else RICH)

    def value(self, shape: Shape, depth: int = 0, alphabet: str = RICH) -> Any:
        if shape.type == "structure":
            return self.structure(shape, depth)
        if shape.type == "list":
            assert shape.member is not None
            element = shape.member.shape
            return [self.value(element, depth + 1, alphabet) for _ in range(self._few())]
        if shape.type == "map":
            assert shape.value is not None and shape.key is not None
            return {
                self.value(shape.key.shape, depth, PLAIN): self.value(
                    shape.value.shape, depth + 1, alphabet
                )
                for _ in range(self._few())
            }
        return self._scalar(shape, alphabet)

    def _scalar(self, shape: Shape, alphabet: str) -> Any:
        if shape.type in ("integer", "long"):
            return self._random.randrange(0, 10_000)
        if shape.type in ("float", "double"):
            return self._random.randrange(0, 10_000) / 4
        if shape.type == "boolean":
            return self._random.random() < 0.5
        if shape.type == "timestamp":
            return datetime.fromtimestamp(self._random.randrange(10**9, 2 * 10**9), UTC)
        if shape.type == "blob":
            return self._random.randbytes(self._random.randrange(1, 20))
        if shape.enum:
            return self._random.choice(shape.enum)
        return self._text(alphabet)

    def _text(self, alphabet: str) -> str:
        inner = "".join(self._random.choices(alphabet, k=self._random.randrange(0, 12)))
        return f"x{inner}x"

    def _few(self) -> int:
        return self._random.randrange(1, 4)


def usable(shape: Shape) -> bool:
    """Whether a value of the shape survives every protocol: an empty structure does not."""
    if shape.eventstream:
        return False
    return shape.type != "structure" or bool(shape.members)


def streams_events(operation: OperationModel) -> bool:
    shapes = [shape for shape in (operation.input, operation.output) if shape is not None]
    return any(member.shape.eventstream for shape in shapes for member in shape.members.values())
