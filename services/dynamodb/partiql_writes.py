"""INSERT, UPDATE, DELETE and EXISTS as the works that PutItem, UpdateItem and DeleteItem are."""

from typing import Any

from fogbank.services.dynamodb import stored, values
from fogbank.services.dynamodb.conditions import Condition
from fogbank.services.dynamodb.errors import DuplicateItemException, ValidationException
from fogbank.services.dynamodb.items import (
    Change,
    Guard,
    Work,
    check_size,
    delete_work,
    put_work,
    update_work,
)
from fogbank.services.dynamodb.keys import check_item, check_key, item_key
from fogbank.services.dynamodb.moments import Moment
from fogbank.services.dynamodb.partiql_plans import check_key_types
from fogbank.services.dynamodb.partiql_statements import (
    DELETE,
    EXISTS,
    INSERT,
    NO_KEY,
    UPDATE,
    Statement,
    equality,
)
from fogbank.services.dynamodb.paths import select
from fogbank.services.dynamodb.schema import Table
from fogbank.services.dynamodb.scope import Scope
from fogbank.services.dynamodb.values import Item
from fogbank.storage.kv import Writer


def key_and_rest(
    statement: Statement, scope: Scope, table: Table
) -> tuple[Item, tuple[Condition, ...]] | None:
    """The key that the conditions name and the conditions beside it; None when they name none."""
    key: Item = {}
    rest = []
    for condition in statement.where:
        one = equality(condition.root, scope)
        if (
            one is not None
            and one.name in table.key_names
            and one.name not in key
            and len(one.values) == 1
        ):
            key[one.name] = one.values[0]
        else:
            rest.append(condition)
    if len(key) < len(table.key_names):
        return None
    check_key_types(table, key)
    return key, tuple(rest)


def work_of(
    statement: Statement, scope: Scope, table: Table, *, shows_item: bool
) -> tuple[Item, Work]:
    """The key, or the item, that a write is about, and the work that does it."""
    if statement.verb == INSERT:
        return _insert(statement, scope)
    found = key_and_rest(statement, scope, table)
    if found is None:
        raise ValidationException(NO_KEY)
    key, rest = found

    def holds(item: Item, scope: Scope) -> bool:
        if not item:
            # An UPDATE needs its item; a DELETE of none is done already.
            return statement.verb == DELETE
        return all(condition.holds(item, scope) for condition in rest)

    guard = Guard(holds, scope, shows_item)
    if statement.verb == DELETE:
        return key, delete_work(key, guard)
    if statement.verb == UPDATE:
        return key, update_work(key, statement.update, guard, scope)
    assert statement.verb == EXISTS, statement.verb
    if not rest:
        raise ValidationException(
            "EXISTS() must contain a single item read with additional condition"
        )
    return key, _check_work(key, guard)


def _insert(statement: Statement, scope: Scope) -> tuple[Item, Work]:
    assert statement.item is not None
    given = scope.values[statement.item]
    if "M" not in given:
        raise ValidationException("The item of an INSERT statement must be a map")
    item, size = values.item(given["M"])
    check_size(size)
    put = put_work(item, stored.seal(item, size), Guard(None, scope, False))

    def work(tx: Writer, table: Table, moment: Moment) -> Change:
        check_item(table, item)
        if tx.get(item_key(table, item)) is not None:
            raise DuplicateItemException
        return put(tx, table, moment)

    return item, work


def _check_work(key: Item, guard: Guard) -> Work:
    def work(tx: Writer, table: Table, moment: Moment) -> Change:
        check_key(table, key)
        old = tx.get(item_key(table, key))
        guard.check(old)
        return Change(table, old, old, {})

    return work


def returned(statement: Statement, scope: Scope, change: Change) -> list[dict[str, Any]]:
    """The items that RETURNING gives back of a write."""
    returning = statement.returning
    if returning is None:
        return []
    raw = change.new if returning.new else change.old
    if raw is None:
        return []
    item = stored.open_(raw)
    if not returning.everything and statement.update is not None:
        item = select(item, statement.update.paths(scope))
    return [item] if item else []
