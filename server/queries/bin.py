"""What lies in the bin of a project, and what of it is erased when."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from forms.xpath.numbers import LARGEST
from server.queries.counting import counted
from sync.models import Actor, Delivery, Event, Form, Quarantined, Submission
from sync.review.paging import Page, not_a_cursor

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Gone:
    """A deleted submission. `by` is None where nobody knows any more."""

    id: int
    form_id: str
    instance_name: str | None
    received_at: dt.datetime
    deleted_at: dt.datetime
    by: str | None


@dataclass(frozen=True, slots=True)
class GoneForm:
    """A deleted form, which stays until somebody restores it."""

    form_id: str
    title: str
    number: int
    deleted_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Erased:
    """How much goes in the next night; COUNTED stands for that many or more."""

    submissions: int
    discarded: int
    deliveries: int

    def __bool__(self) -> bool:
        return bool(self.submissions or self.discarded or self.deliveries)


def deleted_submissions(session: Session, project_id: int, cursor: str | None, limit: int) -> Page[Gone]:
    """A page of them, the last deleted first. Raises Unexpected for what was never a cursor."""
    where: list[ColumnElement[bool]] = [Submission.project_id == project_id, Submission.deleted_at.is_not(None)]
    if cursor:
        at, id_ = _read_cursor(cursor)
        where.append(or_(Submission.deleted_at < at, and_(Submission.deleted_at == at, Submission.id < id_)))
    query = (
        select(
            Submission.id,
            Submission.form_id,
            Submission.instance_name,
            Submission.received_at,
            Submission.deleted_at,
            Actor.name,
        )
        .outerjoin(
            Event,
            and_(Event.project_id == Submission.project_id, Event.number == Submission.event, Event.kind == "deleted"),
        )
        .outerjoin(Actor, Actor.id == Event.actor_id)
        .where(*where)
        .order_by(Submission.deleted_at.desc(), Submission.id.desc())
    )
    rows = [
        Gone(id_, form_id, name, received_at, deleted_at, by)
        for id_, form_id, name, received_at, deleted_at, by in session.execute(query.limit(limit + 1))
        if deleted_at is not None
    ]
    items = rows[:limit]
    return Page(items, _cursor_to(items[-1]) if len(rows) > limit else None)


def how_many_deleted(session: Session, project_id: int) -> int:
    """How many submissions are in the bin; COUNTED stands for that many or more."""
    return counted(
        session, select(Submission.id).where(Submission.project_id == project_id, Submission.deleted_at.is_not(None))
    )


def how_many_discarded(session: Session, project_id: int) -> int:
    """How many items of the quarantine were discarded; COUNTED stands for that many or more."""
    return counted(
        session, select(Quarantined.id).where(Quarantined.project_id == project_id, Quarantined.state == "discarded")
    )


def deleted_forms(session: Session, project_id: int) -> list[GoneForm]:
    """The last deleted first."""
    rows = session.execute(
        select(Form.form_id, Form.title, Form.number, Form.deleted_at)
        .where(Form.project_id == project_id, Form.deleted_at.is_not(None))
        .order_by(Form.deleted_at.desc(), Form.form_id)
    )
    return [GoneForm(form_id, title, number, at) for form_id, title, number, at in rows if number is not None and at]


def erased_under(
    session: Session, project_id: int, keep_deleted: int, keep_deliveries: int, now: dt.datetime
) -> Erased:
    """What would be erased in the next night if the project kept such things for so many days."""
    before = now - dt.timedelta(days=keep_deleted)
    told_before = now - dt.timedelta(days=keep_deliveries)
    return Erased(
        counted(
            session,
            select(Submission.id).where(Submission.project_id == project_id, Submission.deleted_at < before),
        ),
        counted(
            session,
            select(Quarantined.id).where(Quarantined.project_id == project_id, Quarantined.discarded_at < before),
        ),
        counted(session, select(Delivery.event).where(Delivery.project_id == project_id, Delivery.at < told_before)),
    )


def _cursor_to(last: Gone) -> str:
    return f"{(last.deleted_at - _EPOCH) // dt.timedelta(microseconds=1)}-{last.id}"


def _read_cursor(cursor: str) -> tuple[dt.datetime, int]:
    moment, _, id_ = cursor.partition("-")
    try:
        if len(cursor) <= _LONGEST and moment.isdecimal() and id_.isdecimal() and int(id_) <= LARGEST:
            return _EPOCH + dt.timedelta(microseconds=int(moment)), int(id_)
    except (OverflowError, ValueError):
        pass
    raise not_a_cursor(cursor)
