"""Figures as they would stand after what a transaction has done, worked out once it has been taken back.

A project has one writer, on SQLite all have: whoever only wants to know would keep the others waiting. What figures are
read from is noted while it is there, and laid over the tables of a transaction that reads: by temporary views of the
same names, which go with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, insert, or_, select, text
from sqlalchemy.orm import Session

from sync.indicators.contributions import Wanted, rows_of
from sync.indicators.definitions import indicator_ids
from sync.indicators.figures import Figure, figures
from sync.indicators.moments import resolve_as_of
from sync.indicators.moving import Totals
from sync.indicators.reading import Reading
from sync.indicators.recount import contributed
from sync.journal import Journal
from sync.models import Contribution, Membership, Project, Submission
from sync.models.database import begin_one_state
from sync.models.probing import rows_of_keys
from sync.review.counting import counting_by
from sync.review.shifts import Shift, Span, shifted, shifts_between

Rows = Mapping[Table, Sequence[Mapping[str, Any]]]

_AT_ONCE = 500
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


def shifts_by_rule(
    session: Session,
    project_id: int,
    rule: str,
    now: dt.datetime,
    known: Totals | None,
    tell: Callable[[int, int], None],
) -> list[Shift]:
    """The figures that would be others if the project counted by this rule, in the order of their names. What the
    session was at is taken back; nothing is written. `tell` is told how many are done of how many."""
    session.rollback()
    connection = begin_one_state(session)
    moment = resolve_as_of(session, project_id, None, now)
    before, after = (Reading(session, project_id, moment) for _ in range(2))
    names = sorted(name for name, one in before.definitions.items() if one.aggregate != "list")
    if known is not None and known.event == moment.event:
        known.tell(before)
    as_they_are = figures(before, names, sees_small_cells=True)
    _count_by(connection, session, project_id, rule, moment.event)
    as_they_would_be: list[Figure] = []
    for done, name in enumerate(names):
        tell(done, len(names))
        as_they_would_be += figures(after, [name], sees_small_cells=True)
    session.rollback()
    return shifted(as_they_are, as_they_would_be)


def _count_by(connection: Connection, session: Session, project_id: int, rule: str, event: int) -> None:
    """Have the table of contributions mean what it would hold by the rule, until the transaction ends."""
    some = select(Submission.id).where(Submission.project_id == project_id)
    coming = session.scalars(some.where(~Submission.counts, counting_by(rule)).order_by(Submission.id)).all()
    connection.execution_options(siby_writing=True)  # nobody is to keep what is read here
    stored_in = _where_tables_are(connection)
    beside, ids = _beside(connection, _CONTRIBUTIONS), indicator_ids(session, project_id)
    for start in range(0, len(coming), _AT_ONCE):
        told = contributed(session, project_id, coming[start : start + _AT_ONCE])
        wanted = [Wanted(id_, event, recorded_at, each, new=True) for id_, recorded_at, each in told]
        if rows := [row for one in wanted for row in rows_of(project_id, ids, one)]:
            connection.execute(insert(beside), rows)
    gone = Table("gone", MetaData(), Column("id", BigInteger, primary_key=True), prefixes=["TEMPORARY"])
    gone.create(connection)
    going = some.where(Submission.counts, ~counting_by(rule))
    connection.execute(insert(gone).from_select(["id"], going))
    left = f"SELECT 1 FROM gone WHERE stored.project_id = {project_id:d} AND gone.id = stored.submission_id"  # noqa: S608 — a number
    _stand_in(connection, _CONTRIBUTIONS, beside, left, stored_in)


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
    beside = _beside(connection, table)
    if rows:
        connection.execute(insert(beside), list(rows))
    same = " AND ".join(f"beside.{column.name} = stored.{column.name}" for column in table.primary_key)
    _stand_in(connection, table, beside, f"SELECT 1 FROM {beside.name} AS beside WHERE {same}", stored_in)  # noqa: S608 — names of our own


def _beside(connection: Connection, table: Table) -> Table:
    """An empty temporary table of the same columns."""
    beside = Table(
        f"rehearsed_{table.name}",
        MetaData(),
        *(Column(column.name, column.type, primary_key=column.primary_key) for column in table.columns),
        prefixes=["TEMPORARY"],
    )
    beside.create(connection)
    return beside


def _stand_in(connection: Connection, table: Table, beside: Table, gone: str, stored_in: str) -> None:
    """Have the table's name mean its rows but for those that are `gone`, with the rows of the one `beside`."""
    names = ", ".join(column.name for column in table.columns)
    connection.execute(
        text(
            f"CREATE TEMPORARY VIEW {table.name} AS SELECT {names} FROM {stored_in}.{table.name} AS stored "  # noqa: S608 — names of our own
            f"WHERE NOT EXISTS ({gone}) UNION ALL SELECT {names} FROM {beside.name}"
        )
    )
