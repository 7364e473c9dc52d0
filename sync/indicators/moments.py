"""Moments in a project's history: what `as_of` means, and how the project was set up then."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, literal_column, select
from sqlalchemy.orm import Session

from forms.findings import Finding
from sync.entities.reach import writes
from sync.errors import NotFound, Unexpected
from sync.indicators.changed import Changed, as_of_event
from sync.models.kept import Kept
from sync.models.probing import rows_of
from sync.models.projects import Event, Project

_SETTINGS = (Project.name, Project.time_zone, Project.languages, Project.fiscal_year_start, Project.counts)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class AsOf:
    """A moment in a project's history: everything up to and with this event. `at` is when the event happened."""

    event: int
    at: dt.datetime

    def to_json(self) -> dict[str, Any]:
        return {"event": self.event, "at": self.at.isoformat()}


def resolve_as_of(session: Session, project_id: int, text: str | None, now: dt.datetime, place: str = "as_of") -> AsOf:
    """The moment that a text names: an event's number, a time, or a date (the end of that day in the project's zone).

    Now, for None. Raises NotFound for an unknown project, Unexpected for what is no moment or has not come yet: its
    finding says at which `place` the text stood.
    """
    found = rows_of(session.connection(), _NOW, {"project": project_id})
    if not found:
        raise NotFound
    [project] = found
    if text is None:
        return AsOf(project.last_event, project.at or now)
    if text.isascii() and text.isdigit() and len(text) < 19:
        if int(text) > project.last_event:
            raise _no_moment(place, f"The journal has come to event {project.last_event}.")
        return _at_event(session, project_id, int(text), now if int(text) else project.created_at)
    moment = _moment(text, project.time_zone, place)
    return _at_event(session, project_id, _last_before(session, project_id, moment, project.last_event), moment)


_NOW = (
    select(Project.last_event, Project.time_zone, Project.created_at, Event.at)
    .outerjoin(Event, (Event.project_id == Project.id) & (Event.number == Project.last_event))
    .where(Project.id == bindparam("project"))
)


def settings_at(session: Session, project_id: int, event: int, changed: Changed) -> Mapping[str, Any]:
    """A project's settings as of an event; those that hold still are kept by the process.

    Raises NotFound for an unknown project.
    """
    return as_of_event(_settings, session, project_id, (changed.epoch, changed.settings), event, _read_settings)


def _read_settings(session: Session, project_id: int, event: int) -> Mapping[str, Any]:
    details = session.scalar(
        select(Event.details)
        .where(Event.project_id == project_id, literal_column("kind = 'settings'"), Event.number <= event)
        .order_by(Event.number.desc())
        .limit(1)
    )
    project = session.execute(select(*_SETTINGS).where(Project.id == project_id)).one_or_none()
    if project is None:
        raise NotFound
    return {**project._mapping, **(details or {})}


def _last_before(session: Session, project_id: int, moment: dt.datetime, last_event: int) -> int:
    """The last event up to a moment, 0 if there is none. By number: a clock that ran ahead may be set right, so that an
    event may be older than those before it. Most of the journal is therefore looked through once for each moment."""
    up_to = last_event - last_event % _PART
    known = _moments.get(session, project_id, up_to, not writes(session), dict)
    last = select(func.max(Event.number)).where(Event.project_id == project_id, Event.at <= moment)
    before = known.get(moment)
    if before is None:
        if len(known) >= _MOST_MOMENTS:
            known.clear()
        before = known[moment] = session.scalar(last.where(Event.number <= up_to)) or 0
    return session.scalar(last.where(Event.number > up_to)) or before


_PART, _MOST_MOMENTS = 4096, 1000
_moments: Kept[dict[dt.datetime, int]] = Kept()
_settings: Kept[Mapping[str, Any]] = Kept()


def _at_event(session: Session, project_id: int, number: int, otherwise: dt.datetime) -> AsOf:
    at = session.scalar(select(Event.at).where(Event.project_id == project_id, Event.number == number))
    return AsOf(number, at or otherwise)


def _moment(text: str, time_zone: str, place: str) -> dt.datetime:
    # In an address, the plus of an offset that was not encoded arrives as a space.
    written = text.strip().replace(" ", "+") if "T" in text else text.strip()
    try:
        if _DATE.fullmatch(written):
            end = dt.datetime.combine(dt.date.fromisoformat(written), dt.time.max)
            moment = end.replace(tzinfo=ZoneInfo(time_zone))
        else:
            moment = dt.datetime.fromisoformat(written)
        moment.astimezone(dt.UTC)  # the first and the last days of the calendar may not have their time there
    except (ValueError, OverflowError):
        raise _no_moment(
            place, "Write an event's number, a date, or a time such as 2026-03-31T18:00:00+00:00."
        ) from None
    if moment.tzinfo is None:
        raise _no_moment(place, "Write the time with its offset, such as 2026-03-31T18:00:00+00:00.")
    return moment


def _no_moment(place: str, remedy: str) -> Unexpected:
    return Unexpected(findings=[Finding("This is not a moment of the project's history.", remedy, place)])
