"""The model's calls as requests of DynamoDB's protocol, and its answers as the model's outcomes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.properties.dynamodb_model import (
    KEYS,
    TTL_NAME,
    Alter,
    Amend,
    Batch,
    Call,
    Check,
    Condition,
    Delete,
    Erase,
    Index,
    Insert,
    Item,
    Look,
    One,
    Outcome,
    Place,
    Put,
    Transaction,
    Update,
    Value,
    Write,
    key_of,
)

Json = dict[str, Any]
Request = tuple[str, Json]

_TYPES = {"p": "S", "r": "N", "g": "S", "n": "N", "v": "N", TTL_NAME: "N"}
_TELL = {"ReturnConsumedCapacity": "INDEXES"}
_SHOW = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


@dataclass(frozen=True)
class Wire:
    """`epoch_s` is the second from which the model counts those of TTL."""

    epoch_s: int

    # Values

    def value(self, name: str, value: Value) -> Json:
        if isinstance(value, str):
            return {"S": value}
        if isinstance(value, frozenset):
            return {"SS": sorted(value)}
        return {"N": str(value + self.epoch_s if name == TTL_NAME else value)}

    def item(self, item: Item) -> Json:
        return {name: self.value(name, value) for name, value in item.items()}

    def key(self, place: Place) -> Json:
        return self.item(key_of(place))

    def seen(self, given: Json | None) -> Item | None:
        """The model's item of an answer's."""
        if given is None:
            return None
        item: dict[str, Value] = {}
        for name, value in given.items():
            ((kind, member),) = value.items()
            if kind == "SS":
                assert len(set(member)) == len(member)
                item[name] = frozenset(member)
            else:
                item[name] = member if kind == "S" else int(member)
                if name == TTL_NAME:
                    item[name] = int(member) - self.epoch_s
        return item

    # Requests

    def request(self, call: Call) -> Request:
        if isinstance(call, One):
            return self._one(call.write)
        if isinstance(call, Batch):
            tables: dict[str, list[Json]] = {}
            for write in call.writes:
                tables.setdefault(str(write.place[0]), []).append(self._in_batch(write))
            return "BatchWriteItem", {"RequestItems": tables}
        if isinstance(call, Transaction):
            return self._transaction(call)
        if isinstance(call, Alter):
            return "UpdateTable", _update_table(call)
        return self._look(call)

    def _one(self, write: Write) -> Request:
        if isinstance(write, Insert | Amend | Erase):
            return "ExecuteStatement", {**self._statement(write), **_TELL}
        operation = f"{type(write).__name__}Item"
        shown = "ALL_NEW" if isinstance(write, Update) else "ALL_OLD"
        return operation, {**self._write(write), **_TELL, "ReturnValues": shown}

    def _in_batch(self, write: Put | Delete) -> Json:
        if isinstance(write, Put):
            return {"PutRequest": {"Item": self._item_of(write)}}
        return {"DeleteRequest": {"Key": self.key(write.place)}}

    def _item_of(self, write: Put) -> Json:
        return {**self.key(write.place), **self.item(dict(write.given))}

    def _write(self, write: Write) -> Json:
        """The members that a write has alone and in a transaction."""
        table = str(write.place[0])
        request: Json = {"TableName": table, **_SHOW}
        names: set[str] = set()
        values: Json = {}
        if isinstance(write, Put):
            request["Item"] = self._item_of(write)
        else:
            request["Key"] = self.key(write.place)
        if isinstance(write, Update):
            request["UpdateExpression"] = self._update(write, names, values)
        if write.condition is not None:
            request["ConditionExpression"] = _condition(write.condition, names, values)
        if names:
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in sorted(names)}
        if values:
            request["ExpressionAttributeValues"] = values
        return request

    def _update(self, write: Update, names: set[str], values: Json) -> str:
        sections: list[str] = []
        for word, pairs in (("SET", write.set), ("ADD", write.add), ("DELETE", write.delete)):
            sign = " =" if word == "SET" else ""
            for name, value in pairs:
                names.add(name)
                values[f":{name}"] = self.value(name, value)
            if pairs:
                sections.append(f"{word} " + ", ".join(f"#{n}{sign} :{n}" for n, _ in pairs))
        names.update(write.remove)
        if write.remove:
            sections.append("REMOVE " + ", ".join(f"#{name}" for name in write.remove))
        return " ".join(sections)

    def _statement(self, write: Insert | Amend | Erase) -> Json:
        table = str(write.place[0])
        key = self.key(write.place)
        where = " AND ".join(f'"{name}" = ?' for name in key)
        if isinstance(write, Insert):
            item = self._item_of(write)
            members = ", ".join(f"'{name}': ?" for name in item)
            text, values = f'INSERT INTO "{table}" VALUE {{{members}}}', list(item.values())
        elif isinstance(write, Amend):
            parts = [f'SET "{name}" = ?' for name, _ in write.set]
            parts += [f'REMOVE "{name}"' for name in write.remove]
            text = f'UPDATE "{table}" {" ".join(parts)} WHERE {where}'
            values = [*self.item(dict(write.set)).values(), *key.values()]
        else:
            text, values = f'DELETE FROM "{table}" WHERE {where}', list(key.values())
        return {"Statement": text, "Parameters": values, **_SHOW}

    def _transaction(self, call: Transaction) -> Request:
        token = {"ClientRequestToken": call.token} if call.token else {}
        if isinstance(call.writes[0], Insert | Amend | Erase):
            statements = [
                self._statement(write)
                for write in call.writes
                if isinstance(write, Insert | Amend | Erase)
            ]
            return "ExecuteTransaction", {"TransactStatements": statements, **token, **_TELL}
        items = []
        for write in call.writes:
            name = "ConditionCheck" if isinstance(write, Check) else type(write).__name__
            items.append({name: self._write(write)})
        return "TransactWriteItems", {"TransactItems": items, **token, **_TELL}

    def _look(self, call: Look) -> Request:
        gets = [{"TableName": place[0], "Key": self.key(place)} for place in call.places]
        if len(gets) == 1:
            return "GetItem", {**gets[0], "ConsistentRead": True, **_TELL}
        return "TransactGetItems", {"TransactItems": [{"Get": get} for get in gets], **_TELL}

    # Answers

    def outcome(self, call: Call, status: int, answer: Json) -> Outcome:
        if status != 200:
            return self._error(answer)
        if isinstance(call, Batch):
            assert answer["UnprocessedItems"] == {}
            return Outcome()
        if isinstance(call, Alter):
            return Outcome()
        items: tuple[Item | None, ...] = ()
        if isinstance(call, One):
            items = (self.seen(answer.get("Attributes")),)
        elif isinstance(call, Look) and len(call.places) == 1:
            items = (self.seen(answer.get("Item")),)
        elif isinstance(call, Look):
            items = tuple(self.seen(one.get("Item")) for one in answer["Responses"])
        told = answer["ConsumedCapacity"]
        return Outcome(items=items, units=units_of(told if isinstance(told, list) else [told]))

    def _error(self, answer: Json) -> Outcome:
        code = answer["__type"].rpartition("#")[2]
        if code == "ConditionalCheckFailedException":
            return Outcome(code, (self.seen(answer.get("Item")),))
        reasons = tuple(reason["Code"] for reason in answer.get("CancellationReasons", ()))
        return Outcome(code, reasons=reasons)


def units_of(told: Iterable[Json]) -> dict[tuple[str, str], float]:
    """By table and index, the table itself being ""; each total is the sum of its parts."""
    units: dict[tuple[str, str], float] = {}
    for one in told:
        table = one["TableName"]
        parts = {"": one["Table"]}
        for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
            parts.update(one.get(member, {}))
        some = {(table, name): part["CapacityUnits"] for name, part in parts.items()}
        assert one["CapacityUnits"] == sum(some.values()), one
        units.update({where: part for where, part in some.items() if part})
    return units


def _condition(condition: Condition, names: set[str], values: Json) -> str:
    if condition.kind == "below":
        names.add("n")
        values[":bound"] = {"N": str(condition.bound)}
        return "#n < :bound"
    word = "not_exists" if condition.kind == "absent" else "exists"
    return f"attribute_{word}(p)"


# Tables


def create_table(table: str, indexes: Iterable[Index]) -> Json:
    """The request that makes the table with its stream on."""
    indexes = sorted(indexes, key=lambda index: index.name)
    request: Json = {
        "TableName": table,
        "KeySchema": _key_schema(KEYS[table]),
        "AttributeDefinitions": _definitions(KEYS[table], *[index.keys for index in indexes]),
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
    for member, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
        some = [_index(table, index) for index in indexes if index.is_global == is_global]
        if some:
            request[member] = some
    return request


def _update_table(call: Alter) -> Json:
    request: Json = {"TableName": call.table}
    if call.create is not None:
        request["AttributeDefinitions"] = _definitions(call.create.keys)
        request["GlobalSecondaryIndexUpdates"] = [{"Create": _index(call.table, call.create)}]
    elif call.delete is not None:
        request["GlobalSecondaryIndexUpdates"] = [{"Delete": {"IndexName": call.delete.name}}]
    else:
        view = {"StreamViewType": "NEW_AND_OLD_IMAGES"} if call.streams else {}
        request["StreamSpecification"] = {"StreamEnabled": call.streams, **view}
    return request


def _key_schema(names: Iterable[str]) -> list[Json]:
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]


def _definitions(*keys: Iterable[str]) -> list[Json]:
    names = dict.fromkeys(name for some in keys for name in some)
    return [{"AttributeName": name, "AttributeType": _TYPES[name]} for name in names]


def _index(table: str, index: Index) -> Json:
    projection: Json = {"ProjectionType": "ALL"}
    if index.kept is not None:
        others = sorted(index.kept - {*KEYS[table], *index.keys})
        projection = {"ProjectionType": "KEYS_ONLY"}
        if others:
            projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": others}
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.keys),
        "Projection": projection,
    }
