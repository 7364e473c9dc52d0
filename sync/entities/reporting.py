"""Which entries of a register were heard of in a period and which were silent, as far as forms say who reports."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import orjson
from sqlalchemy import ColumnElement, bindparam, cast, exists, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from forms.indicators.subjects import NOBODY, OF_PEOPLE, reported_list
from sync.indicators import counting
from sync.indicators.definitions import Definition
from sync.indicators.periods import Period
from sync.indicators.reading import Reading
from sync.models import Entity, EntityList, Submission
from sync.models.database import is_sqlite
from sync.projects.catalogue import current_forms
from sync.review.counting import REJECTED

# The habit of a form is found out of its last submissions: of so many of the entries in them, so many days of each.
_LATELY, _MOST_ENTRIES, _MOST_DAYS = 500, 100, 40


@dataclass(frozen=True, slots=True)
class Register:
    """A list, and a form each of whose submissions is about one entry of it.

    `declared` says how a submission names the entry: with the list before it, because the form makes or changes it or
    says whom a visit is about; or by its id alone, because an indicator of the form has it for its subject. `expected`
    is the indicator that counts those of whom the form is expected; None for all.
    """

    list_name: str
    form_id: str
    title: str
    declared: bool
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """Of so many entries of a register, so many had no submission of the form dated in the period, and of those so many
    never had one."""

    register: Register
    entries: int
    silent: int
    never: int


@dataclass(frozen=True, slots=True)
class Silent:
    """An entry of which nothing came, with the last day of which anything did."""

    id: str
    label: str
    last: dt.date | None


def registers(session: Session, project_id: int) -> list[Register]:
    """By list and form. Lists of people are none, for nobody expects every person in each period, nor are forms that
    say that they are expected of nobody."""
    known_lists = session.execute(
        select(EntityList.name, EntityList.matching).where(
            EntityList.project_id == project_id, EntityList.deleted_at.is_(None)
        )
    )
    lists = {name for name, matching in known_lists if not OF_PEOPLE.intersection((matching or {}).values())}
    found = []
    for known, title in current_forms(session, project_id):
        if known.sheets.expected != NOBODY:
            list_name, declared = reported_list(known.form, known.sheets)
            if list_name in lists:
                found.append(Register(list_name, known.form.form_id, title, declared, known.sheets.expected or None))
    return sorted(found, key=lambda register: (register.list_name, register.form_id))


def expecting(reading: Reading, expected: str | None) -> Definition | None:
    """The indicator that counts those of whom a form is expected; None where all are, also where there is no such
    indicator any more, or it has become one that counts nobody."""
    definition = reading.definitions.get(expected or "")
    return definition if definition is not None and definition.counts_subjects else None


def expected_of(reading: Reading, register: Register, end: dt.date) -> set[str] | None:
    """The ids of which the form is expected by the end of a period: each record for itself, whoever is one person.
    None for all."""
    definition, upto = expecting(reading, register.expected), Period("", None, end)
    if definition is None:
        return None
    units = counting.units_of(definition, reading.entries(definition, upto, None), upto, str)
    return {unit.entry.subject for unit in units if unit.kept and not unit.lacking}


def silence(
    session: Session,
    project_id: int,
    register: Register,
    start: dt.date,
    end: dt.date,
    among: Collection[str] | None = None,
) -> Silence:
    """How many of the register's entries, or of those `among` them, were silent from `start` to `end`, both
    included."""
    living = _living(session, project_id, register, among)
    entries = session.scalars(select(func.count()).where(*living)).one()
    silent = session.scalars(select(func.count()).where(*living, ~_heard(project_id, register, start, end))).one()
    ever = _heard(project_id, register, dt.date.min, dt.date.max)
    never = session.scalars(select(func.count()).where(*living, ~ever)).one() if silent else 0
    return Silence(register, entries, silent, never)


def habit(session: Session, project_id: int, register: Register) -> int | None:
    """Every how many days an entry is reported of where no report is left out: the median over entries that were
    reported of lately, each with its own lower quartile, which neither reports that never came nor a rare one given
    twice change. None where most of them were so only once: nobody can say when they are due again."""
    of_form = (Submission.project_id == project_id, *_counting(register))
    lately = select(Submission.subject).where(*of_form).order_by(Submission.id.desc()).limit(_LATELY)
    entries = sorted(subject for subject in set(session.scalars(lately)) if subject is not None)
    # Looked up one by one, each by its index: for all at once a database may read and sort all that they ever sent.
    days_of = (
        select(Submission.day)
        .where(*of_form, Submission.subject == bindparam("entry"), Submission.day.is_not(None))
        .distinct()
        .order_by(Submission.day.desc())
        .limit(_MOST_DAYS)
    )
    every = max(1, math.ceil(len(entries) / _MOST_ENTRIES))
    days = [session.scalars(days_of, {"entry": entry}).all() for entry in entries[::every]]
    gaps = [
        sorted((later - earlier).days for later, earlier in pairwise(some) if later and earlier)
        for some in days
        if len(some) > 1
    ]
    reported = sum(bool(some) for some in days)
    return round(median(own[(len(own) - 1) // 4] for own in gaps)) if 2 * len(gaps) > reported else None


def silent_entries(
    session: Session,
    project_id: int,
    register: Register,
    start: dt.date,
    end: dt.date,
    after: str | None = None,
    limit: int = 100,
    among: Collection[str] | None = None,
) -> tuple[Sequence[Silent], str | None]:
    """Those that were silent, by id, from after an id on; and the id after which the next page begins."""
    of_entry = [Submission.project_id == project_id, Submission.subject == _subject(register)]
    last = select(func.max(Submission.day)).where(*of_entry, *_counting(register)).correlate(Entity).scalar_subquery()
    query = select(Entity.id, Entity.label, last.label("last")).where(
        *_living(session, project_id, register, among), ~_heard(project_id, register, start, end)
    )
    if after is not None:
        query = query.where(Entity.id > after)
    rows = session.execute(query.order_by(Entity.id).limit(limit + 1)).all()
    page = [Silent(*row) for row in rows[:limit]]
    return page, page[-1].id if len(rows) > limit else None


def _living(
    session: Session, project_id: int, register: Register, among: Collection[str] | None
) -> tuple[ColumnElement[bool], ...]:
    living = (
        Entity.project_id == project_id,
        Entity.list_name == register.list_name,
        Entity.withdrawn.is_(False),
        Entity.deleted_at.is_(None),
    )
    return living if among is None else (*living, Entity.id.in_(_each(session, among)))


def _each(session: Session, ids: Collection[str]) -> Any:
    """The ids as rows: as parameters there may be too many."""
    given = literal(orjson.dumps(sorted(ids)).decode())
    listed = func.json_each(given) if is_sqlite(session) else func.jsonb_array_elements_text(cast(given, JSONB))
    return select(listed.table_valued("value").c.value)


def _heard(project_id: int, register: Register, start: dt.date, end: dt.date) -> ColumnElement[bool]:
    return exists().where(
        Submission.project_id == project_id,
        Submission.subject == _subject(register),
        Submission.day.between(start, end),
        *_counting(register),
    )


def _subject(register: Register) -> Any:
    """How a submission of the form names the entry."""
    return f"{register.list_name}/" + Entity.id if register.declared else Entity.id


def _counting(register: Register) -> tuple[ColumnElement[bool], ...]:
    return (
        Submission.form_id == register.form_id,
        Submission.deleted_at.is_(None),
        func.coalesce(Submission.review_state, "") != REJECTED,
    )
