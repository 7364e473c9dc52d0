"""Fetching many rows by their keys in one statement, at a cost that depends on the keys alone.

On PostgreSQL an index is probed for each key. A plan for `IN` is chosen by statistics that a new or fast-growing table
does not have yet: it may read all rows of a project, and did.
"""

from __future__ import annotations

import operator
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    BinaryExpression,
    BindParameter,
    Column,
    ColumnClause,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, psycopg
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

from forms.records import record
from sync.models.database import Bare, each_row, execute_plainly, execute_streamed, looking, sent_ahead

Attribute = InstrumentedAttribute[Any]
Condition = ColumnElement[bool] | tuple[Attribute, Any]  # a pair is equal
_AT_ONCE = 2000


def rows_of_ids(
    connection: Connection,
    columns: Sequence[Attribute],
    fixed: Sequence[tuple[Attribute, Any]],
    key: Attribute,
    ids: Sequence[Any],
) -> list[Any]:
    """The columns of the rows with these ids. `fixed` and then `key` are the primary key of the table, in its order."""
    if not ids:
        return []
    found: list[Any] = []
    postgres = connection.dialect.name == "postgresql"
    if len(ids) == 1:
        make_one = _one_from if postgres else _with_id
        statement = make_one(tuple(columns), tuple([attribute for attribute, _ in fixed]), key)
        given = {f"f{index}": value for index, (_, value) in enumerate(fixed)}
        return rows_of(connection, statement, {**given, "k0": ids[0]})
    make = _first_from if postgres else _with_ids
    statement = make(tuple(columns), tuple([attribute for attribute, _ in fixed]), key)
    given = {f"f{index}": value for index, (_, value) in enumerate(fixed)}
    for some in _portions(ids):
        found += rows_of(connection, statement, {**given, "k0": some})
    return found


def rows_of_keys(
    connection: Connection,
    columns: Sequence[Attribute],
    keys: Sequence[Attribute],
    values: Sequence[tuple[Any, ...]],
    *where: Condition,
) -> list[Any]:
    """The columns of all rows whose `keys` have one of the `values` and that satisfy `where`.

    A condition as a pair of column and value spares putting an expression together each time.

    Together with the columns that `where` fixes, the keys should lead an index.
    """
    if not values:
        return []
    found: list[Any] = []
    postgres = connection.dialect.name == "postgresql"
    single = len(values) == 1
    make = _of_one if single else _each_of if postgres else _with_keys
    compared, given = _comparisons(keys[0].class_, where)
    if compared is not None:
        statement = _made_once(make, tuple(columns), tuple(keys), compared)
    else:
        statement = make(columns, keys, [_written(condition) for condition in where])
    for some in _portions(values):
        if single:
            cells = {f"k{index}": value for index, value in enumerate(some[0])}
        elif postgres:
            cells = {f"k{index}": list(of_key) for index, of_key in enumerate(zip(*some, strict=True))}
        else:
            cells = {"k0": [value[0] for value in some] if len(keys) == 1 else list(some)}
        if compared is not None:
            found += rows_of(connection, statement, {**given, **cells})
        else:
            make_row = _row_of(tuple([attribute.key for attribute in columns]))._make
            found += map(make_row, each_row(connection, statement, {**given, **cells}))
    return found


def rows_of(connection: Connection | Bare, statement: Any, given: Mapping[str, Any]) -> list[Any]:
    """What a statement finds that is made once and asked again and again.

    It is put into words, and its columns are looked at, the first time only: SQLAlchemy's way to a dozen rows takes
    several times as long as the database's.
    """
    asked = _asked(statement, connection.dialect)
    return asked.read(execute_plainly(connection, *asked.sent(given)))


def streamed_rows_of(connection: Connection, statement: Any, given: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    """The same row by row, of which PostgreSQL makes the next ones while the first are looked at. Whoever asks for them
    asks nothing else of the connection meanwhile."""
    if connection.dialect.name != "postgresql":
        yield from each_row(connection, statement, given)
        return
    asked = _asked(statement, connection.dialect)
    for cursor in execute_streamed(connection, *asked.sent(given)):
        yield from asked.read(cursor)


def rows_of_each(connection: Connection, *asked: tuple[Any, Mapping[str, Any]]) -> list[list[Any]]:
    """The same for several statements, which PostgreSQL is sent together and works on one after the other."""
    found = []
    with sent_ahead(connection):
        for statement, given in asked:
            each = _asked(statement, connection.dialect)
            found.append((each, execute_plainly(connection, *each.sent(given), ahead=True)))
    return [each.read(cursor) for each, cursor in found]


def look_up(session: Session, statement: Any, given: Mapping[str, Any]) -> list[Any]:
    """The same for whoever may not have begun a transaction, and needs none for one look."""
    with looking(session) as connection:
        return rows_of(connection, statement, given)


def change_ahead(connection: Connection, statement: Any, given: Mapping[str, Any]) -> None:
    """The same for a statement that changes rows, of which nobody asks what it did: PostgreSQL may be sent it ahead."""
    execute_plainly(connection, *_asked(statement, connection.dialect).sent(given), ahead=True)


@record
class Probe:
    """Whether there is a row whose columns have these values. `by_id`: they are its primary key, in its order."""

    columns: tuple[Attribute, ...]
    values: tuple[Any, ...]
    by_id: bool = False


def look(
    dialect: str, probes: Sequence[Probe], also: tuple[Any, ...], given: Mapping[str, Any]
) -> tuple[Any, Mapping[str, Any]]:
    """One statement and what it is to be given, for all that is asked: whether each probe finds a row, then the scalars
    `also`, given `given`."""
    statement = _look(tuple([(probe.columns, probe.by_id) for probe in probes]), also, dialect)
    values = {f"v{i}_{j}": value for i, probe in enumerate(probes) for j, value in enumerate(probe.values)}
    return statement, {**given, **values}


class _Asked:
    """A statement in words, and how its values are sent and its rows read."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=_NUMBERED if dialect.name == "postgresql" else dialect)
        self._text: str = compiled.string
        self._order: Sequence[str] = compiled.positiontup
        self._own = {name: bind.value for name, bind in compiled.binds.items() if bind.value is not None}
        self._lists = {name for name, bind in compiled.binds.items() if bind.expanding}
        self._senders = {
            name: [_impl(kind, dialect).bind_processor(dialect) for kind in getattr(bind.type, "types", [bind.type])]
            for name, bind in compiled.binds.items()
        }
        self._sender = {name: senders[0] for name, senders in self._senders.items()}
        columns = list(getattr(statement, "selected_columns", ()))
        self._kinds = [_impl(column.type, dialect) for column in columns]
        self._row = _row_of(tuple([column.key for column in columns]))
        self._dialect = dialect
        self._readers: list[Any] = []

    def sent(self, given: Mapping[str, Any]) -> tuple[str, Any]:
        """The words, with a mark for each value of a list, and the values as the driver takes them."""
        given = {**self._own, **given}
        if not self._lists:
            return self._text, tuple(
                [send(given[name]) if (send := self._sender[name]) else given[name] for name in self._order]
            )
        text, values = self._text, []
        for name in self._order:
            senders = self._senders[name]
            if name not in self._lists:
                values += _converted((given[name],), senders)
                continue
            several = len(senders) > 1
            for value in given[name] if several else ():
                values += _converted(value, senders)
            if not several:
                values += map(senders[0], given[name]) if senders[0] else given[name]
            mark = f"({', '.join('?' * len(senders))})" if several else "?"
            marks = ", ".join([mark] * len(given[name]))
            text = text.replace(f"__[POSTCOMPILE_{name}]", f"VALUES {marks}" if several else marks)
        return text, tuple(values)

    def read(self, cursor: Any) -> list[Any]:
        """The rows that were found, with columns as the statement has them."""
        rows = cursor.fetchall()
        # PostgreSQL's numbers are told apart by the codes that come with the first answer.
        self._readers = self._readers or [
            kind.result_processor(self._dialect, described[1])
            for kind, described in zip(self._kinds, cursor.description, strict=True)
        ]
        if any(self._readers):
            return [self._row._make(_converted(row, self._readers)) for row in rows]
        return [*map(self._row._make, rows)]


# PostgreSQL's own marks: $1, $2.
_NUMBERED = psycopg.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


def _impl(kind: TypeEngine[Any], dialect: Dialect) -> Any:
    return kind.dialect_impl(dialect)


def _converted(values: Sequence[Any], converters: Sequence[Callable[[Any], Any] | None]) -> list[Any]:
    return [convert(value) if convert else value for value, convert in zip(values, converters, strict=True)]


_asked = lru_cache(maxsize=512)(_Asked)


@cache
def _row_of(names: tuple[str, ...]) -> Any:
    return namedtuple("Row", names, rename=True)


@cache
def _look(shape: tuple[tuple[tuple[Attribute, ...], bool], ...], also: tuple[Any, ...], dialect: str) -> Any:
    asked = []
    for number, (columns, by_id) in enumerate(shape):
        values = [bindparam(f"v{number}_{index}", type_=each.type) for index, each in enumerate(columns)]
        if by_id and dialect == "postgresql":
            asked.append(_first_at(columns[-1:], columns, values).exists())
        else:
            same = (each == value for each, value in zip(columns, values, strict=True))
            asked.append(select(columns[0]).where(*same).exists())
    return select(*(exists.label(f"there{number}") for number, exists in enumerate(asked)), *also)


def _written(condition: Condition) -> ColumnElement[bool]:
    if isinstance(condition, tuple):
        attribute, value = condition
        return attribute == value  # type: ignore[no-any-return]
    return condition


def _comparisons(model: Any, where: Sequence[Condition]) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
    """What is compared with what, apart from the values, if every condition compares a column with a value."""
    compared, given = [], {}
    for index, condition in enumerate(where):
        if isinstance(condition, tuple):
            compared.append((condition[0].key, operator.eq))
            given[f"f{index}"] = condition[1]
            continue
        if not (
            isinstance(condition, BinaryExpression)
            and condition.operator in (operator.eq, operator.ne)
            and isinstance(condition.right, BindParameter)
            and isinstance(column := condition.left, Column)
            and column.table is model.__table__
        ):
            return None, {}
        compared.append((column.key, condition.operator))
        given[f"f{index}"] = condition.right.value
    return tuple(compared), given


@cache
def _made_once(
    make: Callable[..., Any], columns: tuple[Attribute, ...], keys: tuple[Attribute, ...], compared: tuple[Any, ...]
) -> Any:
    table = keys[0].class_.__table__
    return make(
        columns,
        keys,
        [
            compare(table.c[key], bindparam(f"f{index}", type_=table.c[key].type))
            for index, (key, compare) in enumerate(compared)
        ],
    )


def _with_keys(columns: Sequence[Attribute], keys: Sequence[Attribute], where: Sequence[ColumnElement[bool]]) -> Any:
    if len(keys) == 1:
        wanted = keys[0].in_(bindparam("k0", type_=keys[0].type, expanding=True))
        return select(*columns).where(*where, wanted)
    # An index of rows that have a value is only used where SQLite hears that these have one.
    present = (key.is_not(None) for key in keys if key.nullable)
    return select(*columns).where(*where, *present, tuple_(*keys).in_(bindparam("k0", expanding=True)))


# Statements are made once for all that ask the same: to put one together costs more than to run it.
@cache
def _with_ids(columns: tuple[Attribute, ...], fixed: tuple[Attribute, ...], key: Attribute) -> Any:
    same = (attribute == bindparam(f"f{index}", type_=attribute.type) for index, attribute in enumerate(fixed))
    return select(*columns).where(*same, key.in_(bindparam("k0", type_=key.type, expanding=True)))


@cache
def _with_id(columns: tuple[Attribute, ...], fixed: tuple[Attribute, ...], key: Attribute) -> Any:
    same = (attribute == bindparam(f"f{index}", type_=attribute.type) for index, attribute in enumerate(fixed))
    return select(*columns).where(*same, key == bindparam("k0", type_=key.type))


@cache
def _one_from(columns: tuple[Attribute, ...], fixed: tuple[Attribute, ...], key: Attribute) -> Any:
    """As `_first_from`, of one id: the plan is the same whatever the id, so that PostgreSQL makes it only once."""
    values = [bindparam(f"f{index}", type_=attribute.type) for index, attribute in enumerate(fixed)]
    return _first_at(columns, (*fixed, key), [*values, bindparam("k0", type_=key.type)])


def _first_at(columns: Sequence[Attribute], id_: Sequence[Attribute], values: Sequence[Any]) -> Any:
    leading, *order = id_
    start = values[1:]
    probe = (
        select(*dict.fromkeys([*columns, *order]))
        .where(leading == values[0], tuple_(*order) >= tuple_(*start))
        .order_by(*order)
        .limit(literal_column("1"))
        .subquery()
    )
    same = (probe.c[attribute.key] == value for attribute, value in zip(order, start, strict=True))
    return select(*(probe.c[attribute.key] for attribute in columns)).where(*same)


@cache
def _first_from(columns: tuple[Attribute, ...], fixed: tuple[Attribute, ...], key: Attribute) -> Any:
    # Without statistics the planner takes any index on the first columns for as good as the primary key. Only that one
    # has the rows in order, so it is asked for the first row from the id on, which has the id or there is none.
    wanted = _unnested([key])
    leading, *others = fixed
    values = [bindparam(f"f{index}", type_=attribute.type) for index, attribute in enumerate(fixed)]
    order = [*others, key]
    start = [*values[1:], wanted.c.k0]
    probe = (
        select(*dict.fromkeys([*columns, *order]))
        .where(leading == values[0], tuple_(*order) >= tuple_(*start))
        .order_by(*order)
        .limit(literal_column("1"))
        .lateral()
    )
    same = (probe.c[attribute.key] == value for attribute, value in zip(order, start, strict=True))
    chosen = [probe.c[attribute.key] for attribute in columns]
    return select(*chosen).select_from(wanted.join(probe, and_(*same)))


def _each_of(columns: Sequence[Attribute], keys: Sequence[Attribute], where: Sequence[ColumnElement[bool]]) -> Any:
    wanted = _unnested(keys)
    same = (key == wanted.c[f"k{index}"] for index, key in enumerate(keys))
    # The offset keeps the planner from turning the probes into one join.
    probe = select(*columns).where(*where, *same).offset(literal_column("0")).lateral()
    return select(probe).select_from(wanted.join(probe, true()))


def _of_one(columns: Sequence[Attribute], keys: Sequence[Attribute], where: Sequence[ColumnElement[bool]]) -> Any:
    same = (key == bindparam(f"k{index}", type_=key.type) for index, key in enumerate(keys))
    return select(*columns).where(*where, *same)


def _unnested(keys: Sequence[Attribute]) -> Any:
    arrays = [unseen(f"k{index}", ARRAY(key.type)) for index, key in enumerate(keys)]
    names: list[ColumnClause[Any]] = [column(f"k{index}", key.type) for index, key in enumerate(keys)]
    return func.unnest(*arrays).table_valued(*names).render_derived()


def unseen(name: str, kind: Any) -> Any:
    """A value that the planner does not see: of an array it makes a plan for each one that is shorter than what it
    would expect, and so of whatever finds less, which takes it longer than to look for all that is asked."""
    return select(bindparam(name, type_=kind)).scalar_subquery()


def _portions(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
