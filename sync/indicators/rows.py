"""The rows of an indicator in the database, as of an event: which there are, and how they are read."""

from __future__ import annotations

import datetime as dt
import operator
from collections import defaultdict, namedtuple
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, Table, func, or_, select, tuple_, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from sync.indicators.counting import Entry, Heads
from sync.indicators.definitions import Definition
from sync.models.database import fetch_rows
from sync.models.indicators import Contribution
from sync.models.probing import rows_of_keys

# Where a row of an indicator stands in the order of dates: its day, submission, ordinal and event.
Slot = tuple[dt.date, int, int, int]
_SLOT = ("day", "submission_id", "ordinal", "opened")
_BETWEEN = "\x1f"
ROWS: Table = Contribution.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Rows:
    """What a project's submissions contribute, as of an event."""

    session: Session
    project_id: int
    event: int

    def visible(
        self,
        definition: Definition,
        names: Iterable[str],
        conditions: Iterable[ColumnElement[bool]],
        since: int | None = None,
    ) -> CompoundSelect[Any]:
        """Rows that were open at the event, or at any time from `since` up to it."""
        return union_all(*self.each(definition, names, conditions, since))

    def each(
        self,
        definition: Definition,
        names: Iterable[str],
        conditions: Iterable[ColumnElement[bool]],
        since: int | None = None,
    ) -> tuple[Select[Any], ...]:
        """Those still open, those of them that are wide, and those closed later: each has an index of its own."""
        query = select(*(ROWS.c[name] for name in names)).where(
            ROWS.c.project_id == self.project_id,
            ROWS.c.indicator_id == definition.id,
            ROWS.c.opened <= self.event,
            *conditions,
        )
        still_open, closed_after = ROWS.c.closed.is_(None), self.event if since is None else since
        return (
            query.where(still_open, ~ROWS.c.wide),
            query.where(still_open, ROWS.c.wide),
            query.where(ROWS.c.closed > closed_after),
        )

    def of_keys(
        self,
        key: InstrumentedAttribute[Any],
        values: Sequence[Any],
        definition: Definition,
        conditions: Iterable[ColumnElement[bool]],
    ) -> list[Entry]:
        """Those that were open at the event, with these values in a column."""
        names, event = needed_columns(definition), self.event
        return rows_of_keys(
            self.session.connection(),
            [getattr(Contribution, name) for name in names],
            [key],
            [(value,) for value in values],
            Contribution.project_id == self.project_id,
            Contribution.indicator_id == definition.id,
            Contribution.opened <= event,
            # In one term, or SQLite reads all rows of the indicator by the two indexes that have to do with closing.
            func.coalesce(Contribution.closed, event + 1) > event,
            *conditions,
        )

    def heads(
        self, definition: Definition, names: Sequence[str], conditions: Sequence[ColumnElement[bool]]
    ) -> list[Heads]:
        """The subjects of the visible rows, put together by these columns. The database does so, in one text for each,
        because thousands of short rows take several times longer to hand over; but not by places, of which there are
        too many for that to be quick on PostgreSQL. The same may stand in the columns of several parts."""
        if "place" not in names and (found := self._told_together(definition, names, conditions)) is not None:
            return found
        query = self.visible(definition, ["subject", *names], conditions)
        return heads_of(fetch_rows(self.session.connection(), query), names)

    def _told_together(
        self, definition: Definition, names: Sequence[str], conditions: Sequence[ColumnElement[bool]]
    ) -> list[Heads] | None:
        """None if somebody's id holds what stands between them."""
        subject, texts = ROWS.c.subject, [ROWS.c[name] for name in names]
        together: list[ColumnElement[Any]] = [func.count(subject), func.aggregate_strings(subject, _BETWEEN), *texts]
        parts = self.each(definition, [], conditions)
        query = union_all(*(part.with_only_columns(*together).group_by(*texts) for part in parts))
        found: list[Heads] = []
        for n, subjects, *others in fetch_rows(self.session.connection(), query):
            told = subjects.split(_BETWEEN) if n else []
            if len(told) != n:
                return None
            if n:
                found.append(Heads(dict(zip(names, others, strict=True)), n, set(told)))
        return found

    def following(
        self,
        definition: Definition,
        conditions: Iterable[ColumnElement[bool]],
        after: Slot,
        limit: int,
        *,
        newest_first: bool,
    ) -> list[Entry]:
        """So many of them in the order of `Slot` or, with the `newest_first`, against it."""
        names = list(dict.fromkeys([*_SLOT, *needed_columns(definition)]))
        day, *others = (ROWS.c[name] for name in _SLOT)
        beyond, not_before = (operator.lt, operator.le) if newest_first else (operator.gt, operator.ge)
        # Not one comparison of all four: SQLite finds no way into the index by that.
        behind = or_(beyond(day, after[0]), beyond(tuple_(*others), tuple_(*after[1:])))
        order = [column.desc() if newest_first else column for column in (day, *others)]
        found: list[Entry] = []
        for query in self.each(definition, names, [*conditions, not_before(day, after[0]), behind]):
            found += self.read(query.order_by(*order).limit(limit), names)
        return sorted(found, key=slot_of, reverse=newest_first)[:limit]

    def between(self, definition: Definition, start: dt.date | None, end: dt.date | None) -> list[ColumnElement[bool]]:
        """What is true of the rows that lie on any of these days, and that have what the definition counts."""
        conditions = self.days(definition, start, end)
        if definition.counts_subjects:
            # Written so that no database takes it for a way into the index of subjects.
            conditions.append(ROWS.c.subject.concat("").is_not(None))
        return conditions

    def days(self, definition: Definition, start: dt.date | None, end: dt.date | None) -> list[ColumnElement[bool]]:
        """What is true of the rows that lie on any of these days."""
        conditions: list[ColumnElement[bool]] = []
        if end is not None:
            conditions.append(ROWS.c.day <= end)
        if start is not None:
            starts = ROWS.c.day >= start
            conditions.append(or_(starts, ROWS.c.until >= start) if definition.spreads else starts)
        return conditions

    def read(self, query: Select[Any] | CompoundSelect[Any], names: Sequence[str]) -> list[Entry]:
        """As named tuples, whose columns are looked up several times sooner than those of the rows of a result."""
        return [*map(_entry(tuple(names))._make, fetch_rows(self.session.connection(), query))]


@cache
def _entry(names: tuple[str, ...]) -> Any:
    return namedtuple("Entry", names)


def heads_of(rows: Iterable[Sequence[str | None]], names: Sequence[str]) -> list[Heads]:
    """The subjects of rows that have one, put together by the columns that follow it in each row."""
    found: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    for subject, *texts in rows:
        if subject is not None:
            found[tuple(texts)].append(subject)
    return [
        Heads(dict(zip(names, texts, strict=True)), len(subjects), set(subjects)) for texts, subjects in found.items()
    ]


def slot_of(entry: Entry) -> Slot:
    """Where a row of an indicator stands."""
    return entry.day, entry.submission_id, entry.ordinal, entry.opened


def needed_columns(definition: Definition) -> list[str]:
    """The columns that counting looks at."""
    names = ["submission_id", "opened", "ordinal", "day", "recorded", "place"]
    names += ["subject"] if definition.has_subject else []
    names += ["value"] if definition.has_value else []
    names += ["until"] if definition.spreads else []
    names += ["baseline"] if definition.row.baseline is not None else []
    names += ["text"] if definition.aggregate == "list" else []
    return names + [f"by{way.position}" for way in definition.ways]
