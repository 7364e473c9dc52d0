"""Figures as they would stand after what a transaction has done, worked out once it has been taken back.

A project has one writer, on SQLite all have: whoever only wants to know would keep the others waiting. What figures are
read from is noted while it is there, and laid over the tables of a transaction that reads: by temporary views of the
same names, which go with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, insert, or_, select, text

from sync.indicators.moving import Totals
from sync.journal import Journal
from sync.models import Contribution, Membership, Project
from sync.models.database import begin_one_state
from sync.models.probing import rows_of_keys
from sync.review.shifts import Shift, Span, shifts_between

Rows = Mapping[Table, Sequence[Mapping[str, Any]]]

_CONTRIBUTIONS: Table = Contribution.__table__  # type: ignore[assignment]
_MEMBERSHIPS: Table = Membership.__table__  # type: ignore[assignment]


def shifts_without(journal: Journal, span: Span, known: Totals | None) -> list[Shift] | None:
    """What `shifts_between` would tell now; but the transaction is taken back before. None if somebody else has changed
    the project in that very moment: then it is to be done again."""
    session, project_id = journal.session, journal.project_id
    rows = _written(journal, span)
    session.rollback()
    connection = begin_one_state(session)
    if session.scalar(select(Project.last_event).where(Project.id == project_id)) != span.before:
        session.rollback()
        return None
    connection.execution_options(siby_writing=True)  # nobody is to keep what is read here
    stored_in = _where_tables_are(connection)
    for table, some in rows.items():
        _lay_over(connection, table, some, stored_in)
    shifts = shifts_between(session, project_id, span, known)
    session.rollback()
    return shifts


def _written(journal: Journal, span: Span) -> Rows:
    """What figures are read from, as far as it was opened or closed in the span."""
    journal.session.flush()
    contributions = rows_of_keys(
        journal.connection,
        [getattr(Contribution, column.name) for column in _CONTRIBUTIONS.columns],
        [Contribution.submission_id],
        [(submission_id,) for submission_id in sorted(span.counted_anew)],
        (Contribution.project_id, journal.project_id),
    )
    memberships = journal.connection.execute(
        select(_MEMBERSHIPS).where(
            _MEMBERSHIPS.c.project_id == journal.project_id,
            or_(_MEMBERSHIPS.c.opened > span.before, _MEMBERSHIPS.c.closed > span.before),
        )
    )
    return {
        _CONTRIBUTIONS: [row._asdict() for row in contributions if span.before < max(row.opened, row.closed or 0)],
        _MEMBERSHIPS: [row._asdict() for row in memberships],
    }


def _where_tables_are(connection: Connection) -> str:
    """The schema of the stored ones. PostgreSQL is made to look for temporary ones first by name, though it does so
    anyway: what was prepared before is read anew only where it has to look in other schemas than then."""
    if connection.dialect.name == "sqlite":
        return "main"
    own: str = connection.scalar(text("SELECT quote_ident(current_schema())"))
    connection.execute(text(f"SET LOCAL search_path TO pg_temp, {own}"))
    return own


def _lay_over(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], stored_in: str) -> None:
    """Have the table's name mean it with these rows in it, instead of those with their keys, until the transaction
    ends."""
    beside = Table(
        f"rehearsed_{table.name}",
        MetaData(),
        *(Column(column.name, column.type, primary_key=column.primary_key) for column in table.columns),
        prefixes=["TEMPORARY"],
    )
    beside.create(connection)
    if rows:
        connection.execute(insert(beside), list(rows))
    names = ", ".join(column.name for column in table.columns)
    same = " AND ".join(f"beside.{column.name} = stored.{column.name}" for column in table.primary_key)
    connection.execute(
        text(
            f"CREATE TEMPORARY VIEW {table.name} AS SELECT {names} FROM {stored_in}.{table.name} AS stored "  # noqa: S608 — names of our own
            f"WHERE NOT EXISTS (SELECT 1 FROM {beside.name} AS beside WHERE {same}) "
            f"UNION ALL SELECT {names} FROM {beside.name}"
        )
    )
