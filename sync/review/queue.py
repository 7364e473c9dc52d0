"""The submissions that a coordinator goes through, newest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from forms.form import Flag
from sync.errors import Unexpected
from sync.models import Form, Submission
from sync.models.database import is_sqlite
from sync.projects.places import codes_below
from sync.review.paging import PAGE, Page, cursor_to, id_at

STATES = ("received", "edited", "hasIssues", "rejected", "approved", "flagged")


@dataclass(frozen=True, slots=True)
class Sought:
    """What is to be listed. `place` includes everything below it, `collector` is an actor's id.

    The state `received` is that of what nobody has looked at; `flagged` stands for any state.
    """

    state: str | None = None
    form_id: str | None = None
    place: str | None = None
    collector: int | None = None
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A submission in the queue. Give `event` back as `seen` when deciding."""

    id: int
    form_id: str
    instance_id: str
    current_instance_id: str
    form_version: str
    versions: int
    review_state: str | None
    actor_id: int
    device: str | None
    received_at: dt.datetime
    recorded_at: dt.datetime
    updated_at: dt.datetime
    subject: str | None
    day: dt.date | None
    place: str | None
    missing: int
    counts: bool
    double_of: str | None  # the first instance id of the copy that counts
    event: int
    flags: Sequence[Flag]


def review_queue(
    session: Session, project_id: int, sought: Sought, cursor: str | None = None, limit: int = PAGE
) -> Page[Waiting]:
    """A page of what is sought; deleted ones, and those of deleted forms, are left out.

    A page costs the same however far down it lies. Raises Unexpected for an unknown state or cursor. An unknown place
    has no submissions.
    """
    where = _where(session, project_id, sought)
    before = id_at(cursor)
    if before is not None:
        where.append(Submission.id < before)
    rows = (
        session.execute(select(*_COLUMNS).where(*where).order_by(Submission.id.desc()).limit(limit + 1))
        .mappings()
        .all()
    )
    items = [Waiting(**dict(row) | {"flags": [Flag(*flag) for flag in row["flags"]]}) for row in rows[:limit]]
    return Page(items, cursor_to(items[-1].id) if len(rows) > limit else None)


def ids_sought(session: Session, project_id: int, sought: Sought, limit: int) -> list[int]:
    """The ids of what is sought, the oldest first, at most `limit`."""
    query = select(Submission.id).where(*_where(session, project_id, sought))
    return list(session.scalars(query.order_by(Submission.id).limit(limit)))


_COPY = aliased(Submission)
_DOUBLE_OF = (
    select(_COPY.instance_id)
    .where(_COPY.project_id == Submission.project_id, _COPY.id == Submission.double_of)
    .correlate(Submission)
    .scalar_subquery()
    .label("double_of")
)
_COLUMNS = [_DOUBLE_OF if field.name == "double_of" else getattr(Submission, field.name) for field in fields(Waiting)]


def _where(session: Session, project_id: int, sought: Sought) -> list[ColumnElement[bool]]:
    in_the_bin = select(Form.form_id).where(Form.project_id == project_id, Form.deleted_at.is_not(None))
    where = [Submission.project_id == project_id, Submission.deleted_at.is_(None), *_filters(session, sought)]
    where.append(Submission.form_id.not_in(in_the_bin))
    if sought.place is not None:
        where.append(Submission.place.in_(codes_below(session, project_id, sought.place, None)))
    return where


def _filters(session: Session, sought: Sought) -> list[ColumnElement[bool]]:
    if sought.state is not None and sought.state not in STATES:
        raise Unexpected(f"{sought.state!r} is not a state; it is one of {', '.join(STATES)}.")
    where: list[ColumnElement[bool]] = []
    if sought.state == "received":
        where.append(Submission.review_state.is_(None))
    elif sought.state not in (None, "flagged"):
        where.append(Submission.review_state == sought.state)
    if sought.flagged or sought.state == "flagged":
        length = func.json_array_length if is_sqlite(session) else func.jsonb_array_length
        where.append(length(Submission.flags) > 0)
    if sought.form_id is not None:
        where.append(Submission.form_id == sought.form_id)
    if sought.collector is not None:
        where.append(Submission.actor_id == sought.collector)
    return where
