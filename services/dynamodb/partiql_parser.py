"""PartiQL statements parsed, once for each text, into the trees that expressions have.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.statements.html
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

from fogbank.services.dynamodb.conditions import (
    Node,
    compiled,
    placeholders,
    wrong_count,
    wrong_type,
)
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.partiql_conditions import EXISTENCE, arguments_of, where_of
from fogbank.services.dynamodb.partiql_literals import MapOf, Parameter
from fogbank.services.dynamodb.partiql_statements import (
    DELETE,
    EXISTS,
    INSERT,
    NO_KEY,
    SELECT,
    UPDATE,
    Ordering,
    Returning,
    Statement,
    shown_name,
)
from fogbank.services.dynamodb.partiql_terms import Terms
from fogbank.services.dynamodb.partiql_tokens import END, QUOTED, SYMBOL, WORD, malformed
from fogbank.services.dynamodb.paths import Projection
from fogbank.services.dynamodb.scope import Check, Scope
from fogbank.services.dynamodb.tokens import Path
from fogbank.services.dynamodb.updates import Action, Update, action_of
from fogbank.services.dynamodb.updates import compiled as compiled_update
from fogbank.services.dynamodb.values import SET_ORDER, kind_of

COMPILED_MAX = 1024
# A table, or a table and its index.
COMPONENTS_MAX = 2
# More additions in one assignment than people write, fewer than the stack holds.
TERMS_MAX = 50

_SET_FUNCTIONS = {"SET_ADD": "ADD", "SET_DELETE": "DELETE"}


@lru_cache(maxsize=COMPILED_MAX)
def statement(text: str) -> Statement:
    """The compiled statement; raises ValidationException in AWS's words."""
    terms = Terms(text)
    verb = terms.cursor.here.text.upper()
    parse = _VERBS.get(verb) if terms.cursor.here.kind == WORD else None
    if parse is None:
        raise malformed("Expected data manipulation")
    terms.cursor.take()
    result = parse(terms)
    terms.cursor.accept_symbol(";")
    if terms.cursor.here.kind != END:
        raise malformed("Unexpected token after expression")
    if terms.faults:
        raise ValidationException(terms.faults[0])
    return result


def _select(terms: Terms) -> Statement:
    projection, function = _projection(terms)
    terms.cursor.expect("FROM")
    table, index = _source(terms)
    if function is not None and index is None:
        raise ValidationException(function)
    _refuse_alias(terms)
    where = where_of(terms)
    order: list[Ordering] = []
    if terms.cursor.accept("ORDER"):
        terms.cursor.expect("BY")
        order.append(_ordering(terms))
        while terms.cursor.accept_symbol(","):
            order.append(_ordering(terms))
        if where is None:
            terms.faults.append(
                "Must have WHERE clause in the statement when using ORDER BY clause."
            )
    _refuse_clauses(terms)
    made = _made(terms, SELECT, table, where)
    return replace(
        made, index=index, projection=projection, order=tuple(order), unsupported=function
    )


def _insert(terms: Terms) -> Statement:
    terms.cursor.expect("INTO")
    name = terms.cursor.here
    table, index = _simple_source(terms)
    if index is not None:
        raise ValidationException(
            "FROM clause may only contain a single table name in data manipulation statements at "
            + terms.cursor.place(name)
        )
    if _is_alias(terms):
        raise malformed("Unexpected token after expression")
    terms.cursor.expect("VALUE")
    literal = terms.item()
    if not isinstance(literal, MapOf | Parameter):
        raise malformed("Unexpected term")
    item = terms.placeholder(literal).parts[0]
    if terms.cursor.is_word("RETURNING"):
        raise ValidationException("RETURNING clause is not supported in INSERT statements")
    return replace(_made(terms, INSERT, table, None), item=item)


def _update(terms: Terms) -> Statement:
    table, index = _source(terms)
    _refuse_alias(terms)
    actions = _actions(terms)
    _refuse_index(index)
    return _updated(terms, table, where_of(terms), actions)


def _from(terms: Terms) -> Statement:
    """The other form of an UPDATE: what is read stands first."""
    table, index = _source(terms)
    _refuse_alias(terms)
    where = where_of(terms)
    actions = _actions(terms)
    _refuse_index(index)
    return _updated(terms, table, where, actions)


def _updated(terms: Terms, table: str, where: Node | None, actions: list[Action]) -> Statement:
    if where is None:
        terms.faults.append(NO_KEY)
    made = _made(terms, UPDATE, table, where)
    return replace(made, update=_compiled(actions), returning=_returning(terms))


def _actions(terms: Terms) -> list[Action]:
    actions: list[Action] = []
    while terms.cursor.is_word("SET", "REMOVE"):
        action = _assignment if terms.cursor.take().text.upper() == "SET" else _removal
        actions.append(action(terms))
        while terms.cursor.accept_symbol(","):
            actions.append(action(terms))
    if not actions:
        raise malformed("Expected data manipulation")
    return actions


def _delete(terms: Terms) -> Statement:
    terms.cursor.expect("FROM")
    table, index = _simple_source(terms)
    _refuse_index(index)
    _refuse_alias(terms)
    where = where_of(terms)
    if where is None:
        terms.faults.append(NO_KEY)
    returning = _returning(terms)
    if returning is not None and (returning.new or not returning.everything):
        shown = (
            f"{'ALL' if returning.everything else 'MODIFIED'} {'NEW' if returning.new else 'OLD'}"
        )
        terms.faults.append(
            f"Invalid returning clause: RETURNING {shown} *. Only RETURNING ALL OLD * is allowed "
            "in DELETE statements."
        )
    return replace(_made(terms, DELETE, table, where), returning=returning)


def _exists(terms: Terms) -> Statement:
    terms.cursor.expect_symbol("(")
    terms.cursor.expect("SELECT")
    _, function = _projection(terms)
    if function is not None:
        raise ValidationException(function)
    terms.cursor.expect("FROM")
    table, index = _source(terms)
    _refuse_index(index)
    where = where_of(terms)
    terms.cursor.expect_symbol(")")
    if where is None:
        raise ValidationException(NO_KEY)
    return _made(terms, EXISTS, table, where)


def _made(terms: Terms, verb: str, table: str, where: Node | None) -> Statement:
    kind = "FilterExpression" if verb == SELECT else "ConditionExpression"
    return Statement(
        verb=verb,
        table=table,
        where=tuple(compiled(node, kind) for node in _joined(where)),
        names=terms.names,
        constants=terms.constants,
        literals=terms.literals,
        parameters=terms.parameters,
    )


def _joined(where: Node | None) -> Iterator[Node]:
    """The conditions that must all hold."""
    if where is not None and where.kind == "and":
        for node in where.parts:
            yield from _joined(node)
    elif where is not None:
        yield where


def _source(terms: Terms) -> tuple[str, str | None]:
    components = [terms.cursor.name()]
    while terms.cursor.accept_symbol("."):
        components.append(terms.cursor.name())
    if len(components) > COMPONENTS_MAX:
        raise ValidationException("A path may contain at most 2 components in the FROM clause")
    if "" in components:
        raise ValidationException("Path component cannot be an empty string")
    return components[0], components[1] if len(components) > 1 else None


def _simple_source(terms: Terms) -> tuple[str, str | None]:
    if terms.cursor.here.kind not in (WORD, QUOTED) or terms.is_reserved():
        raise malformed("Expected identifier for simple path")
    return _source(terms)


def _is_alias(terms: Terms) -> bool:
    if terms.cursor.here.kind == WORD and terms.cursor.here.text.upper() == "RETURNING":
        return False
    return terms.cursor.here.kind in (WORD, QUOTED) and not terms.is_reserved()


def _refuse_alias(terms: Terms) -> None:
    if terms.cursor.accept("AS") or _is_alias(terms):
        terms.cursor.name()
        terms.faults.append("Aliasing is not supported")


def _refuse_index(index: str | None) -> None:
    if index is not None:
        raise ValidationException("This operation is not supported on an index")


def _refuse_clauses(terms: Terms) -> None:
    for clause in ("LIMIT", "GROUP", "HAVING"):
        if terms.cursor.is_word(clause):
            token = terms.cursor.next if clause == "LIMIT" else terms.cursor.here
            shown = "GROUP BY" if clause == "GROUP" else clause
            raise ValidationException(f"Unsupported clause: {shown} at {terms.cursor.place(token)}")


def _projection(terms: Terms) -> tuple[Projection | None, str | None]:
    """The columns, and what is wrong with the first function among them."""
    if terms.cursor.accept_symbol("*"):
        if terms.cursor.is_symbol(","):
            raise ValidationException(
                "Other attributes should not be present in the projection when '*' is used."
            )
        return None, None
    columns = [_column(terms)]
    while terms.cursor.accept_symbol(","):
        columns.append(_column(terms))
    paths = [column for column in columns if not isinstance(column, str)]
    seen = set()
    for path in paths:
        name = shown_name(tuple(terms.plain(step) for step in path))
        if name in seen:
            raise ValidationException(f"Duplicate identifiers in select clause: {name}")
        seen.add(name)
    names = placeholders([Node("path", path) for path in paths])
    found = Projection("ProjectionExpression", names, (), (), tuple(paths))
    return found, next((column for column in columns if isinstance(column, str)), None)


def _column(terms: Terms) -> Path | str:
    """Where the column stands; of a function, which no projection can have, what is wrong."""
    if terms.cursor.next.kind == SYMBOL and terms.cursor.next.text == "(":
        if terms.cursor.here.text.lower() in EXISTENCE:
            place = terms.cursor.place(terms.cursor.here)
            raise ValidationException(f"Unexpected path component at {place}")
        return _skipped_call(terms)
    path = terms.path()
    _refuse_alias(terms)
    return path


def _skipped_call(terms: Terms) -> str:
    """Take a call, whatever its arguments."""
    unsupported = f"Unsupported function: {terms.cursor.take().text}"
    open_ = 0
    while terms.cursor.here.kind != END:
        token = terms.cursor.take()
        if token.kind == SYMBOL and token.text in ("(", ")"):
            open_ += 1 if token.text == "(" else -1
            if not open_:
                return unsupported
    raise ValidationException(unsupported)


def _ordering(terms: Terms) -> Ordering:
    path = terms.path()
    if len(path) != 1:
        raise malformed("Unexpected path component")
    descending = terms.cursor.accept("DESC")
    if not descending:
        terms.cursor.accept("ASC")
    return Ordering(str(terms.plain(path[0])), descending)


def _returning(terms: Terms) -> Returning | None:
    if not terms.cursor.accept("RETURNING"):
        return None
    everything = terms.cursor.accept("ALL")
    if not everything:
        terms.cursor.expect("MODIFIED")
    new = terms.cursor.accept("NEW")
    if not new:
        terms.cursor.expect("OLD")
    terms.cursor.expect_symbol("*")
    return Returning(everything, new)


def _removal(terms: Terms) -> Action:
    return action_of("REMOVE", terms.path(), None)


def _assignment(terms: Terms) -> Action:
    path = terms.path()
    terms.cursor.expect_symbol("=")
    function = _SET_FUNCTIONS.get(terms.cursor.here.text.upper()) if terms.is_call() else None
    if function is None:
        return action_of("SET", path, _sum(terms))
    token = terms.cursor.here
    name = token.text.upper()
    # Behind the parenthesis.
    first = terms.cursor.tokens[min(terms.cursor.at + 2, len(terms.cursor.tokens) - 1)]
    arguments = arguments_of(terms)
    if len(arguments) != 2:
        raise ValidationException(
            f"{name} must have exactly two arguments at {terms.cursor.place(token)}"
        )
    if arguments[0].kind != "path" or arguments[0].parts != path:
        raise ValidationException(
            f"The first argument to {name} must equal the assignment value at "
            + terms.cursor.place(token)
        )
    given = arguments[1]
    constant = terms.constants.get(given.parts[0]) if given.kind == "value" else None
    if given.kind != "value" or (constant is not None and kind_of(constant) not in SET_ORDER):
        raise ValidationException(
            f"The second argument to {name} must be a value with type SET at "
            + terms.cursor.place(first)
        )
    return action_of(function, path, given)


def _sum(terms: Terms) -> Node:
    node = _term(terms)
    count = 1
    while terms.cursor.is_symbol("+", "-"):
        sign = terms.cursor.take().text
        terms.cursor.expect_right_side()
        node = Node("arithmetic", (sign, node, _term(terms)))
        count += 1
        if count > TERMS_MAX:
            raise malformed("Expression is nested too deeply")
    return node


def _term(terms: Terms) -> Node:
    terms.cursor.deeper()
    if terms.cursor.accept_symbol("("):
        node = _sum(terms)
        terms.cursor.expect_symbol(")")
    elif terms.is_literal():
        node = terms.placeholder(terms.literal())
    elif terms.is_call():
        node = _append(terms)
    else:
        node = Node("path", terms.path())
    terms.cursor.depth -= 1
    return node


def _append(terms: Terms) -> Node:
    name = terms.cursor.here.text
    if name.lower() != "list_append":
        raise ValidationException(f"Unsupported function: {name}")
    terms.cursor.take()
    terms.cursor.expect_symbol("(")
    arguments = [_sum(terms)]
    while terms.cursor.accept_symbol(","):
        arguments.append(_sum(terms))
    terms.cursor.expect_symbol(")")
    if len(arguments) != 2:
        raise ValidationException(wrong_count("list_append", len(arguments)))
    return Node("call", ("list_append", *arguments))


def _compiled(actions: list[Action]) -> Update:
    update = compiled_update(actions, "UpdateExpression")
    sets = [
        _is_set("set_add" if action.section == "ADD" else "set_delete", action.operand.parts[0])
        for action in actions
        if action.operand is not None and action.section != "SET"
    ]
    return replace(update, checks=(*sets, *update.checks))


def _is_set(function: str, placeholder: str) -> Check:
    def checked(scope: Scope) -> str | None:
        kind = kind_of(scope.values[placeholder])
        return None if kind in SET_ORDER else wrong_type(function, kind)

    return checked


_VERBS: dict[str, Callable[[Terms], Statement]] = {
    SELECT: _select,
    INSERT: _insert,
    UPDATE: _update,
    "FROM": _from,
    DELETE: _delete,
    EXISTS: _exists,
}
