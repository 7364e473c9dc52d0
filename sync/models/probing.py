"""Fetching many rows by their keys in one statement, at a cost that depends on the keys alone.

On PostgreSQL an index is probed for each key. A plan for `IN` is chosen by statistics that a new or fast-growing table
does not have yet: it may read all rows of a project, and did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

Attribute = InstrumentedAttribute[Any]
_AT_ONCE = 2000


def rows_of_ids(
    connection: Connection,
    columns: Sequence[Attribute],
    fixed: Sequence[tuple[Attribute, Any]],
    key: Attribute,
    ids: Sequence[Any],
) -> list[Any]:
    """The columns of the rows with these ids. `fixed` and then `key` are the primary key of the table, in its order."""
    found: list[Any] = []
    for some in _portions(ids):
        if connection.dialect.name == "postgresql":
            found += connection.execute(_first_from(columns, fixed, key), {"k0": some})
        else:
            same = (attribute == value for attribute, value in fixed)
            found += connection.execute(select(*columns).where(*same, key.in_(some)))
    return found


def rows_of_keys(
    connection: Connection,
    columns: Sequence[Attribute],
    keys: Sequence[Attribute],
    values: Sequence[tuple[Any, ...]],
    *where: ColumnElement[bool],
) -> list[Any]:
    """The columns of all rows whose `keys` have one of the `values` and that satisfy `where`.

    Together with the columns that `where` fixes, the keys should lead an index.
    """
    found: list[Any] = []
    for some in _portions(values):
        if connection.dialect.name == "postgresql":
            cells = {f"k{index}": list(of_key) for index, of_key in enumerate(zip(*some, strict=True))}
            found += connection.execute(_each_of(columns, keys, where), cells)
        elif len(keys) == 1:
            found += connection.execute(select(*columns).where(*where, keys[0].in_([value[0] for value in some])))
        else:
            # An index of rows that have a value is only used where SQLite hears that these have one.
            present = (key.is_not(None) for key in keys if key.nullable)
            found += connection.execute(select(*columns).where(*where, *present, tuple_(*keys).in_(some)))
    return found


def _first_from(columns: Sequence[Attribute], fixed: Sequence[tuple[Attribute, Any]], key: Attribute) -> Any:
    # Without statistics the planner takes any index on the first columns for as good as the primary key. Only that one
    # has the rows in order, so it is asked for the first row from the id on, which has the id or there is none.
    wanted = _unnested([key])
    (leading, value), *others = fixed
    order = [*(attribute for attribute, _ in others), key]
    start = [*(literal(value, attribute.type) for attribute, value in others), wanted.c.k0]
    probe = (
        select(*dict.fromkeys([*columns, *order]))
        .where(leading == value, tuple_(*order) >= tuple_(*start))
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


def _unnested(keys: Sequence[Attribute]) -> Any:
    arrays = [bindparam(f"k{index}", type_=ARRAY(key.type)) for index, key in enumerate(keys)]
    names: list[ColumnClause[Any]] = [column(f"k{index}", key.type) for index, key in enumerate(keys)]
    return func.unnest(*arrays).table_valued(*names).render_derived()


def _portions(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
