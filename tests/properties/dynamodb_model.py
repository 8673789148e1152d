"""DynamoDB as a few dictionaries: what each call does to them, and which orders explain answers.

Values are plain: a text, a whole number, a set of texts. Nothing here knows of requests or time:
seconds are counted from a moment that the caller chooses.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

Value: TypeAlias = str | int | frozenset[str]
Item: TypeAlias = Mapping[str, Value]
# A table's name, then the values of its key.
Place: TypeAlias = tuple[str | int, ...]
Units: TypeAlias = Mapping[tuple[str, str], float]

TTL_NAME = "exp"
# Items whose time passed longer ago than this stay.
TTL_PAST_S_MAX = 5 * 365 * 24 * 3600
TOKEN_LIFE_S = 600
# The names of keys: everything else of an item may change.
KEYS: Mapping[str, tuple[str, ...]] = {"things": ("p", "r"), "others": ("p",)}


@dataclass(frozen=True)
class Index:
    """`kept` are the attributes of its projection; None is all of them."""

    name: str
    keys: tuple[str, ...]
    kept: frozenset[str] | None
    is_global: bool = True

    def entry(self, item: Item | None) -> dict[str, Value] | None:
        """What the index shows of the item; None when it has no entry (sparse)."""
        if item is None or any(name not in item for name in self.keys):
            return None
        kept = self.kept
        return {name: one for name, one in item.items() if kept is None or name in kept}

    def units(self, old: Item | None, new: Item | None) -> float:
        """The write units of a change: an entry that moves is taken away and put again."""
        before, after = self.entry(old), self.entry(new)
        if before == after:
            return 0.0
        moves = before is not None and after is not None
        return 2.0 if moves and any(before[k] != after[k] for k in self.keys) else 1.0  # type: ignore[index]


@dataclass(frozen=True)
class Schema:
    """What of a table may be changed while it is written to."""

    indexes: frozenset[Index]
    streams: bool = True


@dataclass(frozen=True)
class Change:
    """A stream's record of one item; `expired` says that TTL deleted it."""

    old: Item | None
    new: Item | None
    expired: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a caller is told. `units` None: nothing about capacity."""

    code: str = ""
    items: tuple[Item | None, ...] = ()
    reasons: tuple[str, ...] = ()
    units: Units | None = None


@dataclass(frozen=True)
class State:
    """Everything that callers can tell apart. `read` counts each item's records that are explained.

    A token remembers the transaction that it was used for, and until when.
    """

    items: Mapping[Place, Item] = field(default_factory=dict)
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    tokens: Mapping[str, tuple["Transaction", int]] = field(default_factory=dict)
    read: Mapping[Place, int] = field(default_factory=dict)

    def fingerprint(self) -> object:
        """Equal for states that are equal."""
        return (
            frozenset((place, frozenset(item.items())) for place, item in self.items.items()),
            frozenset(self.schemas.items()),
            frozenset(self.tokens.items()),
            frozenset(self.read.items()),
        )


# Conditions


@dataclass(frozen=True)
class Condition:
    """`kind` is "absent", "present" or "below": n < bound, which an item without n is not."""

    kind: str
    bound: int = 0

    def holds(self, item: Item | None) -> bool:
        if self.kind == "below":
            number = (item or {}).get("n")
            return isinstance(number, int) and number < self.bound
        return (item is None) == (self.kind == "absent")


# Writes of one item. `after` is what becomes of it; `refusal` the code of an error, or nothing;
# `shown` is the item that the answer has.


@dataclass(frozen=True)
class Put:
    place: Place
    given: tuple[tuple[str, Value], ...]
    condition: Condition | None = None

    def after(self, old: Item | None) -> Item | None:
        return {**key_of(self.place), **dict(self.given)}

    def refusal(self, old: Item | None) -> str:
        return _refusal(self.condition, old)

    def shown(self, old: Item | None, new: Item | None) -> Item | None:
        return old


@dataclass(frozen=True)
class Delete:
    place: Place
    condition: Condition | None = None

    def after(self, old: Item | None) -> Item | None:
        return None

    def refusal(self, old: Item | None) -> str:
        return _refusal(self.condition, old)

    def shown(self, old: Item | None, new: Item | None) -> Item | None:
        return old


@dataclass(frozen=True)
class Update:
    """SET and ADD give values, DELETE takes members of a set, REMOVE takes attributes."""

    place: Place
    set: tuple[tuple[str, Value], ...] = ()
    add: tuple[tuple[str, Value], ...] = ()
    delete: tuple[tuple[str, Value], ...] = ()
    remove: tuple[str, ...] = ()
    condition: Condition | None = None

    def after(self, old: Item | None) -> Item | None:
        if old is None and not self.set and not self.add:
            return None
        new = {**(old or key_of(self.place)), **dict(self.set)}
        for name, value in self.add:
            new[name] = _sum(new.get(name), value)
        for name, value in self.delete:
            present = new.pop(name, None)
            assert isinstance(value, frozenset) and isinstance(present, frozenset | None)
            if present is not None and present - value:
                new[name] = present - value
        for name in self.remove:
            new.pop(name, None)
        return new

    def refusal(self, old: Item | None) -> str:
        return _refusal(self.condition, old)

    def shown(self, old: Item | None, new: Item | None) -> Item | None:
        return new


@dataclass(frozen=True)
class Insert(Put):
    """PartiQL's INSERT: the item must not be there."""

    def refusal(self, old: Item | None) -> str:
        return "DuplicateItem" if old is not None else ""

    def shown(self, old: Item | None, new: Item | None) -> Item | None:
        return None


@dataclass(frozen=True)
class Amend(Update):
    """PartiQL's UPDATE: the item must be there."""

    def refusal(self, old: Item | None) -> str:
        return "ConditionalCheckFailed" if old is None else ""

    def shown(self, old: Item | None, new: Item | None) -> Item | None:
        return None


@dataclass(frozen=True)
class Erase(Delete):
    """PartiQL's DELETE."""

    def shown(self, old: Item | None, new: Item | None) -> Item | None:
        return None


@dataclass(frozen=True)
class Check:
    """A transaction's condition on an item that it leaves alone."""

    place: Place
    condition: Condition

    def after(self, old: Item | None) -> Item | None:
        return old

    def refusal(self, old: Item | None) -> str:
        return _refusal(self.condition, old)

    def shown(self, old: Item | None, new: Item | None) -> Item | None:
        return None


Write: TypeAlias = Put | Delete | Update | Check
Statement: TypeAlias = Insert | Amend | Erase


def key_of(place: Place) -> dict[str, Value]:
    return dict(zip(KEYS[str(place[0])], place[1:], strict=True))


def place_of(table: str, item: Item) -> Place:
    values = [item[name] for name in KEYS[table]]
    return (table, *[one for one in values if not isinstance(one, frozenset)])


def _refusal(condition: Condition | None, old: Item | None) -> str:
    return "" if condition is None or condition.holds(old) else "ConditionalCheckFailed"


def _sum(one: Value | None, other: Value) -> Value:
    if one is None:
        return other
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        return one | other
    assert isinstance(one, int) and isinstance(other, int)
    return one + other


# Calls, as they are sent.


@dataclass(frozen=True)
class One:
    """PutItem, UpdateItem, DeleteItem, or ExecuteStatement of a statement."""

    write: Write


@dataclass(frozen=True)
class Batch:
    """BatchWriteItem: each write is on its own."""

    writes: tuple[Put | Delete, ...]


@dataclass(frozen=True)
class Transaction:
    """TransactWriteItems, or ExecuteTransaction when `writes` are statements."""

    writes: tuple[Write, ...]
    token: str = ""


@dataclass(frozen=True)
class Look:
    """GetItem of one place, TransactGetItems of several."""

    places: tuple[Place, ...]


@dataclass(frozen=True)
class Alter:
    """UpdateTable: an index is made or taken away, or the stream is switched."""

    table: str
    create: Index | None = None
    delete: Index | None = None
    streams: bool | None = None


Call: TypeAlias = One | Batch | Transaction | Look | Alter


@dataclass(frozen=True)
class Sent:
    """A call and what came of it; None when the caller did not stay to hear."""

    call: Call
    outcome: Outcome | None


# What a call does to a state, in one step.


@dataclass(frozen=True)
class Evidence:
    """What was found afterwards: each item's new records, in order; and when that was."""

    records: Mapping[Place, Sequence[Change]]
    now_s: int
    has_ttl: bool = True


Step: TypeAlias = Callable[[State, Evidence], tuple[State, Outcome] | None]


def changed(
    state: State, place: Place, new: Item | None, found: Evidence, *, expired: bool = False
) -> State | None:
    """The state with the item changed; None when the stream tells another story."""
    old = state.items.get(place)
    if old == new:
        return state
    read = state.read
    if state.schemas[str(place[0])].streams:
        at = read.get(place, 0)
        records = found.records.get(place, ())
        if at >= len(records) or records[at] != Change(old, new, expired):
            return None
        read = {**read, place: at + 1}
    items = dict(state.items)
    if new is None:
        del items[place]
    else:
        items[place] = new
    return replace(state, items=items, read=read)


def _units(state: State, place: Place, old: Item | None, new: Item | None) -> dict[str, float]:
    """By index; the table itself is "". Items here are smaller than a unit."""
    indexes = state.schemas[str(place[0])].indexes
    return {"": 1.0, **{index.name: index.units(old, new) for index in indexes}}


def _told(units: Iterable[tuple[tuple[str, str], float]]) -> Units:
    total: dict[tuple[str, str], float] = {}
    for where, some in units:
        total[where] = total.get(where, 0.0) + some
    return {where: some for where, some in total.items() if some}


def _one(write: Write) -> Step:
    def step(state: State, found: Evidence) -> tuple[State, Outcome] | None:
        table, old = str(write.place[0]), state.items.get(write.place)
        refusal = write.refusal(old)
        if refusal:
            shown = (old,) if refusal == "ConditionalCheckFailed" else ()
            return state, Outcome(f"{refusal}Exception", shown)
        new = write.after(old)
        after = changed(state, write.place, new, found)
        if after is None:
            return None
        units = _units(state, write.place, old, new)
        told = _told(((table, name), some) for name, some in units.items())
        return after, Outcome(items=(write.shown(old, new),), units=told)

    return step


def _transaction(call: Transaction) -> Step:
    def step(state: State, found: Evidence) -> tuple[State, Outcome] | None:
        known, until_s = state.tokens.get(call.token, (None, 0))
        if found.now_s < until_s:
            if known != call:
                return state, Outcome("IdempotentParameterMismatchException")
            # A transaction that was done before is charged as a read of its items.
            reads = _told(((str(write.place[0]), ""), 2.0) for write in call.writes)
            return state, Outcome(units=reads)
        olds = [state.items.get(write.place) for write in call.writes]
        refusals = [write.refusal(old) for write, old in zip(call.writes, olds, strict=True)]
        if any(refusals):
            reasons = tuple(refusal or "None" for refusal in refusals)
            return state, Outcome("TransactionCanceledException", reasons=reasons)
        after: State | None = state
        units: list[tuple[tuple[str, str], float]] = []
        for write, old in zip(call.writes, olds, strict=True):
            new = write.after(old)
            some = _units(state, write.place, old, new)
            units += [((str(write.place[0]), name), 2 * one) for name, one in some.items()]
            after = None if after is None else changed(after, write.place, new, found)
        if after is None:
            return None
        if call.token:
            tokens = {**state.tokens, call.token: (call, found.now_s + TOKEN_LIFE_S)}
            after = replace(after, tokens=tokens)
        return after, Outcome(units=_told(units))

    return step


def _look(call: Look) -> Step:
    def step(state: State, found: Evidence) -> tuple[State, Outcome] | None:
        one = 1.0 if len(call.places) == 1 else 2.0
        units = _told(((str(place[0]), ""), one) for place in call.places)
        return state, Outcome(items=tuple(map(state.items.get, call.places)), units=units)

    return step


def _alter(call: Alter) -> Step:
    def step(state: State, found: Evidence) -> tuple[State, Outcome] | None:
        schema = state.schemas[call.table]
        names = {index.name: index for index in schema.indexes}
        if call.create is not None:
            if call.create.name in names:
                return state, Outcome("ValidationException")
            schema = replace(schema, indexes=schema.indexes | {call.create})
        elif call.delete is not None:
            if call.delete.name not in names:
                return state, Outcome("ResourceNotFoundException")
            schema = replace(schema, indexes=schema.indexes - {names[call.delete.name]})
        else:
            assert call.streams is not None
            if call.streams == schema.streams:
                return state, Outcome("ValidationException")
            schema = replace(schema, streams=call.streams)
        return replace(state, schemas={**state.schemas, call.table: schema}), Outcome()

    return step


# Orders that explain what was seen.


@dataclass(frozen=True)
class Atom:
    """A step that happens at once, after those in `needs`.

    `must`: it was acknowledged. `is_idle`: by its answer it changed nothing.
    """

    step: Step
    outcome: Outcome | None
    must: bool
    needs: frozenset[int]
    is_idle: bool


def atoms_of(callers: Iterable[Sequence[Sent]]) -> list[Atom]:
    """Each caller waits for the answer of a call before its next, unless it gave up on it."""
    atoms: list[Atom] = []
    for calls in callers:
        needs: frozenset[int] = frozenset()
        for sent in calls:
            steps = _steps(sent.call)
            # The answer of a batch says nothing of its writes.
            outcome = None if isinstance(sent.call, Batch) else sent.outcome
            numbers = range(len(atoms), len(atoms) + len(steps))
            must = sent.outcome is not None
            is_idle = outcome is not None and bool(outcome.code or isinstance(sent.call, Look))
            atoms += [Atom(step, outcome, must, needs, is_idle) for step in steps]
            if must:
                needs |= frozenset(numbers)
    return atoms


def _steps(call: Call) -> list[Step]:
    if isinstance(call, One):
        return [_one(call.write)]
    if isinstance(call, Batch):
        return [_one(write) for write in call.writes]
    if isinstance(call, Transaction):
        return [_transaction(call)]
    return [_look(call) if isinstance(call, Look) else _alter(call)]


def explanations(
    starts: Iterable[State],
    callers: Iterable[Sequence[Sent]],
    found: Evidence,
    is_end: Callable[[State], bool],
) -> list[State]:
    """The states that the calls may have led to, in any order that answers and records allow.

    Every acknowledged call is in it, of the others any; items expire at any point from their time
    on. Distinct results differ in what only later calls can tell, such as tokens.
    """
    atoms = atoms_of(callers)
    must = frozenset(number for number, atom in enumerate(atoms) if atom.must)
    ends: dict[object, State] = {}
    seen: set[object] = set()
    todo = [(frozenset[int](), state) for state in starts]
    while todo:
        done, state = todo.pop()
        mark = (done, state.fingerprint())
        if mark in seen:
            continue
        seen.add(mark)
        if must <= done and is_end(state):
            ends[mark[1]] = state
        todo += _following(atoms, done, state, found)
    return list(ends.values())


def _following(
    atoms: list[Atom], done: frozenset[int], state: State, found: Evidence
) -> list[tuple[frozenset[int], State]]:
    following: list[tuple[frozenset[int], State]] = []
    for number, atom in enumerate(atoms):
        if number in done or not atom.needs <= done:
            continue
        result = atom.step(state, found)
        if result is None or (atom.outcome is not None and not _fits(result[1], atom.outcome)):
            continue
        after = result[0]
        if atom.is_idle:
            # It may as well happen now: whatever follows finds what it would have found.
            return [(done | {number}, after)]
        following.append((done | {number}, after))
    for place, item in state.items.items():
        if found.has_ttl and is_expired(item, found.now_s):
            gone = changed(state, place, None, found, expired=True)
            following += [] if gone is None else [(done, gone)]
    return following


def _fits(expected: Outcome, told: Outcome) -> bool:
    if told.units is None:
        expected = replace(expected, units=None)
    return expected == told


def is_expired(item: Item, now_s: int) -> bool:
    time_s = item.get(TTL_NAME)
    return isinstance(time_s, int) and now_s - TTL_PAST_S_MAX <= time_s <= now_s
