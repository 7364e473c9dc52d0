"""Contribution rows: what submissions add to indicators, opened and closed by events and never changed otherwise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any

from sqlalchemy import Table, bindparam, delete, update
from sqlalchemy.orm import Session

import forms.indicators.contributing
from forms.records import record
from forms.xpath.numbers import LARGEST
from sync.indicators.amounts import decimal_of as decimal_of
from sync.indicators.amounts import millionths as millionths
from sync.indicators.definitions import ids_for, indicator_ids
from sync.journal import Journal
from sync.models.database import insert_rows
from sync.models.indicators import BREAKDOWNS, Contribution
from sync.models.probing import rows_of_keys

BY = tuple(f"by{number}" for number in range(1, BREAKDOWNS + 1))
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_TABLE: Table = Contribution.__table__  # type: ignore[assignment]
_CONTENT = ("day", "until", "place", "subject", "value", "text", "baseline", "recorded", *BY)
_KEY = ("submission_id", "indicator_id", "ordinal")
_TEXTS = itemgetter("place", "subject", *BY)
_NARROW = 600  # characters, each of up to four bytes; PostgreSQL's indexes take rows of 2,704

Row = dict[str, Any]


@record
class Wanted:
    """What a submission shall contribute from `event` on; nothing, if it does not count.

    `new` promises that the submission has no contributions yet, so that nobody needs to look.
    """

    submission_id: int
    event: int
    recorded_at: dt.datetime
    contributions: Sequence[forms.indicators.contributing.Contribution]
    new: bool


def replace_contributions(journal: Journal, wanted: Sequence[Wanted]) -> int:
    """Make these the open contributions of their submissions; say how many rows were closed and opened.

    A row that is the same as before stays open. An amount too large to be stored (beyond nine million million) makes
    no contribution, like a blank one.
    """
    ids = ids_for(journal) if any(one.contributions for one in wanted) else {}
    opening = [row for one in wanted for row in rows_of(journal.project_id, ids, one)]
    events = {one.submission_id: one.event for one in wanted if not one.new}
    closing: list[Row] = []
    if events:
        there = _open_rows(journal.session, journal.project_id, list(events))
        opening, closing = _difference(opening, there, events)
    _close(journal, closing, events)
    insert_rows(journal.connection, _TABLE, opening)
    return len(opening) + len(closing)


def differing(session: Session, project_id: int, wanted: Sequence[Wanted]) -> set[int]:
    """The submissions among these whose open contributions are not the wanted ones."""
    ids = indicator_ids(session, project_id)
    should_be = {_COMPARED(row) for one in wanted for row in rows_of(project_id, ids, one)}
    is_open = set(map(_COMPARED, _open_rows(session, project_id, [one.submission_id for one in wanted])))
    return {submission_id for submission_id, *_ in should_be ^ is_open}


def rows_of(project_id: int, ids: Mapping[str, int], wanted: Wanted) -> Iterable[Row]:
    """The rows that a submission contributes, as they are stored; `ids` are those of the indicators by name."""
    recorded = microseconds(wanted.recorded_at)
    for contribution in wanted.contributions:
        value = _stored(contribution.value)
        if value is None and contribution.value is not None:
            continue
        row: Row = {
            "project_id": project_id,
            "submission_id": wanted.submission_id,
            "opened": wanted.event,
            "indicator_id": ids[contribution.indicator],
            "ordinal": contribution.ordinal,
            "closed": None,
            "day": contribution.date,
            "until": contribution.until,
            "place": contribution.place,
            "subject": contribution.subject,
            "value": value,
            "text": contribution.text,
            "baseline": _stored(contribution.baseline),
            "recorded": recorded,
            **_NO_KEYS,
        }
        for column, keys in zip(BY, contribution.by, strict=False):
            row[column] = written_keys(keys)
        row["wide"] = sum(len(text) for text in _TEXTS(row) if text) > _NARROW
        yield row


def written_keys(keys: Sequence[str]) -> str | None:
    """A breakdown's keys as its column holds them."""
    if not keys:
        return None
    return keys[0].strip() if len(keys) == 1 else f" {' '.join(keys)} "


def read_keys(written: str | None) -> tuple[str | None, ...]:
    """The keys that a column holds; blank is the key None."""
    if written is None:
        return (None,)
    return tuple(written.split()) if written[:1] == " " else (written,)


def microseconds(moment: dt.datetime) -> int:
    """Since 1970, as `recorded` holds them."""
    return (moment - _EPOCH) // _MICROSECOND


_NO_KEYS: Mapping[str, str | None] = dict.fromkeys(BY)


def _stored(amount: Decimal | None) -> int | None:
    if amount is None or not amount.is_finite() or amount.adjusted() > 18:
        return None
    stored = millionths(amount)
    return stored if abs(stored) <= LARGEST else None


def _open_rows(session: Session, project_id: int, submission_ids: Sequence[int]) -> list[Row]:
    # Closed ones are few, and are left out here: asked for open ones, PostgreSQL may read the index of those, whole.
    at, ids = (Contribution.project_id, project_id), [(id_,) for id_ in submission_ids]
    rows = rows_of_keys(session.connection(), [*_STORED, Contribution.closed], [Contribution.submission_id], ids, at)
    names = [column.key for column in _STORED]
    return [dict(zip(names, row, strict=False)) for row in rows if row.closed is None]


def _difference(wanted: list[Row], there: list[Row], events: Mapping[int, int]) -> tuple[list[Row], list[Row]]:
    """Rows to open and rows to close. Those of submissions that are not in `events` are all to be opened."""
    known = {_key(row): row for row in there}
    opening = []
    for row in wanted:
        before = known.get(_key(row)) if row["submission_id"] in events else None
        if before is not None and _content(before) == _content(row):
            del known[_key(row)]
        else:
            opening.append(row)
    return opening, list(known.values())


_key = itemgetter(*_KEY)
_content = itemgetter(*_CONTENT)
_COMPARED = itemgetter(*_KEY, *_CONTENT)
_STORED = [getattr(Contribution, name) for name in (*_KEY, "opened", *_CONTENT)]


def _close(journal: Journal, rows: list[Row], events: Mapping[int, int]) -> None:
    """What was opened at this very event was never seen by anybody and goes; the rest is closed."""
    if not rows:
        return
    this_row = (
        _TABLE.c.project_id == journal.project_id,
        *(_TABLE.c[name] == bindparam(f"the_{name}") for name in (*_KEY, "opened")),
    )
    unseen, seen = [], []
    for row in rows:
        event = events[row["submission_id"]]
        named = {f"the_{name}": row[name] for name in (*_KEY, "opened")}
        if row["opened"] == event:
            unseen.append(named)
        else:
            seen.append(named | {"event": event})
    connection = journal.connection
    if unseen:
        connection.execute(delete(_TABLE).where(*this_row), unseen)
    if seen:
        connection.execute(update(_TABLE).where(*this_row).values(closed=bindparam("event")), seen)
