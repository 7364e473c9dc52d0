"""What the pages of a team and its devices read: members, acts of the trail, what a device sent last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session

from sync.models import (
    Actor,
    Assignment,
    Attachment,
    Audit,
    EntityAssignment,
    EntityList,
    Project,
    Quarantined,
    Submission,
)

# How many acts are looked through for one page: what is searched for may be rare.
_LOOKED_THROUGH = 20_000
_NEWEST_WAITING, _NEWEST_SENT = 2000, 1000


@dataclass(frozen=True, slots=True)
class Acts:
    """A page of the trail, the newest first; `below` is where the next one begins, None at the end. `count` is how many
    there are on all pages, or that many `or_more`."""

    rows: Sequence[Audit]
    below: int | None
    count: int
    or_more: bool


def members(session: Session, project_id: int) -> list[tuple[Actor, str]]:
    """The people with a role in the project, by name."""
    query = (
        select(Actor, Assignment.role)
        .join(Assignment, Assignment.actor_id == Actor.id)
        .where(Assignment.project_id == project_id, Actor.kind == "user", Actor.disabled_at.is_(None))
        .order_by(Actor.name, Actor.id)
    )
    return [(row.Actor, row.role) for row in session.execute(query)]


def administrators(session: Session) -> list[Actor]:
    """Those who administer the installation, and with it every project."""
    query = select(Actor).where(Actor.admin.is_(True), Actor.kind == "user", Actor.disabled_at.is_(None))
    return list(session.scalars(query.order_by(Actor.name, Actor.id)))


def names_of(session: Session, numbers: Iterable[int]) -> dict[int, str]:
    """What actors are called."""
    rows = session.execute(select(Actor.id, Actor.name).where(Actor.id.in_(sorted(set(numbers)))))
    return {row.id: row.name for row in rows}


def acts_of(
    session: Session,
    project_id: int,
    *,
    actor_id: int | None = None,
    action: str | None = None,
    without: Collection[str] = (),
    until: dt.datetime | None = None,
    below: int | None = None,
    limit: int = 50,
) -> Acts:
    """Acts before `until` and below a number. Looks through a bounded stretch; the next page goes on from there."""
    last = session.scalar(select(Project.last_audit).where(Project.id == project_id)) or 0
    top = last + 1 if until is None else _first_at(session, project_id, until, last)
    query = select(Audit).where(Audit.project_id == project_id)
    if actor_id is not None:
        query = query.where(Audit.actor_id == actor_id)
    if action is not None:
        query = query.where(Audit.action == action)
    if without:
        query = query.where(Audit.action.not_in(sorted(without)))
    below = top if below is None else below
    rows = session.scalars(_stretch(query, below).order_by(Audit.number.desc()).limit(limit)).all()
    end = rows[-1].number if len(rows) == limit else _floor(below)
    count = session.scalar(select(func.count()).select_from(_stretch(query, top).subquery())) or 0
    return Acts(rows, end if end > 1 else None, count, or_more=_floor(top) > 1)


def _stretch(query: Select[Audit], below: int) -> Select[Audit]:
    return query.where(Audit.number >= _floor(below), Audit.number < below)


def _floor(below: int) -> int:
    return max(below - _LOOKED_THROUGH, 1)


def _first_at(session: Session, project_id: int, moment: dt.datetime, last: int) -> int:
    """The number of the first act at or after the moment: times and numbers go together, so that halving finds it."""
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        query = select(Audit.at).where(Audit.project_id == project_id, Audit.number >= middle)
        at = session.scalar(query.order_by(Audit.number).limit(1))
        low, high = (middle + 1, high) if at is not None and at < moment else (low, middle)
    return low


def devices_page(session: Session, project_id: int, after: tuple[str, int] | None, limit: int) -> list[Actor]:
    """The devices of a project, by name."""
    query = select(Actor).where(Actor.kind == "device", Actor.project_id == project_id, Actor.disabled_at.is_(None))
    if after is not None:
        query = query.where(tuple_(Actor.name, Actor.id) > after)
    return list(session.scalars(query.order_by(Actor.name, Actor.id).limit(limit)))


def how_many_devices(session: Session, project_id: int) -> int:
    query = select(func.count()).select_from(Actor)
    living = (Actor.kind == "device") & (Actor.project_id == project_id) & Actor.disabled_at.is_(None)
    return session.scalar(query.where(living)) or 0


def sent_last(session: Session, project_id: int, actor_id: int, limit: int) -> list[Submission]:
    """What a device sent last, of what was not deleted."""
    query = select(Submission).where(
        Submission.project_id == project_id, Submission.actor_id == actor_id, Submission.deleted_at.is_(None)
    )
    return list(session.scalars(query.order_by(Submission.received_at.desc(), Submission.id.desc()).limit(limit)))


def parked_of(session: Session, project_id: int, actor_id: int) -> list[tuple[int, str]]:
    """What of a device waits in quarantine, as number and reason, among the newest that wait."""
    newest = (
        select(Quarantined.id, Quarantined.reason, Quarantined.actor_id)
        .where(Quarantined.project_id == project_id, Quarantined.state == "open")
        .order_by(Quarantined.id.desc())
        .limit(_NEWEST_WAITING)
        .subquery()
    )
    rows = session.execute(select(newest.c.id, newest.c.reason).where(newest.c.actor_id == actor_id))
    return [(row.id, row.reason) for row in rows]


def files_lacking(session: Session, project_id: int, actor_id: int) -> int:
    """How many files a device has announced that have not arrived, with the newest of its submissions that stand."""
    newest = (
        select(Submission.id, Submission.current_instance_id)
        .where(Submission.project_id == project_id, Submission.actor_id == actor_id, Submission.deleted_at.is_(None))
        .order_by(Submission.received_at.desc())
        .limit(_NEWEST_SENT)
        .subquery()
    )
    query = (
        select(func.count())
        .select_from(Attachment)
        .join(newest, Attachment.submission_id == newest.c.id)
        .where(
            Attachment.project_id == project_id,
            Attachment.instance_id == newest.c.current_instance_id,
            Attachment.present.is_(False),
        )
    )
    return session.scalar(query) or 0


def rows_given(session: Session, project_id: int, actor_id: int) -> dict[str, int]:
    """How many rows of each list were given to a device by hand."""
    # The index has the list before the device: without the names of all lists it would be read from end to end.
    lists = select(EntityList.name).where(EntityList.project_id == project_id)
    query = (
        select(EntityAssignment.list_name, func.count())
        .where(
            EntityAssignment.project_id == project_id,
            EntityAssignment.list_name.in_(lists),
            EntityAssignment.actor_id == actor_id,
        )
        .group_by(EntityAssignment.list_name)
    )
    return {row[0]: row[1] for row in session.execute(query)}
