"""Submissions without their answers, as ODK's REST lists them: newest first, at a cost that follows what is asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from sync.errors import NotFound
from sync.models import CURRENT, Actor, Form, Submission, SubmissionVersion

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Current:
    """The newest instance of a submission."""

    instance_id: str
    instance_name: str | None
    actor_id: int
    device: str | None
    user_agent: str | None
    form_version: str
    received_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """A submission; who sent it, with what and when are of its first instance."""

    id: int
    form_id: str
    instance_id: str
    form_version: str
    versions: int
    review_state: str | None
    instance_name: str | None
    actor_id: int
    device: str | None
    user_agent: str | None
    received_at: dt.datetime
    updated_at: dt.datetime
    deleted_at: dt.datetime | None
    missing: int
    counts: bool
    event: int
    current: Current


def submissions_of(
    session: Session, project_id: int, form_id: str, *, deleted: bool = False, limit: int | None = None, offset: int = 0
) -> Iterator[Listed]:
    """Those of a form that are not deleted, or those that are; fetched in portions, so that a list may be long.

    None is missed or told twice while others arrive.
    """
    query = (
        _QUERY.where(
            Submission.project_id == project_id,
            Submission.form_id == form_id,
            Submission.deleted_at.is_not(None) if deleted else Submission.deleted_at.is_(None),
        )
        .order_by(Submission.id.desc())
        .offset(offset)
    )
    return _listed(session, query, limit)


def require_form(session: Session, project_id: int, form_id: str) -> None:
    """Raises NotFound for an unknown form, and for one that was deleted."""
    form = session.get(Form, (project_id, form_id))
    if form is None or form.deleted_at is not None:
        raise NotFound


def submission_listed(session: Session, project_id: int, form_id: str, instance_id: str) -> Listed:
    """By its first instance id. Raises NotFound, also for a deleted one."""
    row = session.execute(
        _QUERY.where(
            Submission.project_id == project_id,
            Submission.form_id == form_id,
            Submission.instance_id == instance_id,
            Submission.deleted_at.is_(None),
            # By which it is found at once: the key of versions begins with the instance id.
            Submission.id == _id_of(project_id, form_id, instance_id),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    return _as_listed(row)


def deleted_submission(session: Session, project_id: int, form_id: str, instance_id: str) -> int:
    """The id of a deleted submission by that of any of its instances. Raises NotFound for one that is not deleted."""
    found = session.scalar(
        select(Submission.id).where(
            Submission.project_id == project_id,
            Submission.id == _id_of(project_id, form_id, instance_id),
            Submission.deleted_at.is_not(None),
        )
    )
    if found is None:
        raise NotFound
    return found


def is_known(session: Session, project_id: int, form_id: str, instance_id: str) -> bool:
    """Whether some submission of the form has this instance, deleted or not."""
    return session.scalar(select(_id_of(project_id, form_id, instance_id))) is not None


def submitters_of(session: Session, project_id: int, form_id: str) -> Sequence[Actor]:
    """Whoever sent something to the form, by name."""
    sent = select(Submission.actor_id).where(Submission.project_id == project_id, Submission.form_id == form_id)
    return session.scalars(select(Actor).where(Actor.id.in_(sent.distinct())).order_by(Actor.name, Actor.id)).all()


_CURRENT = [
    SubmissionVersion.instance_id.label("current_instance_id"),
    SubmissionVersion.instance_name.label("current_instance_name"),
    SubmissionVersion.actor_id.label("current_actor_id"),
    SubmissionVersion.device.label("current_device"),
    SubmissionVersion.user_agent.label("current_user_agent"),
    SubmissionVersion.form_version.label("current_form_version"),
    SubmissionVersion.received_at.label("current_received_at"),
]
_OWN = [field.name for field in fields(Listed) if field.name != "current"]
_QUERY = select(*(getattr(Submission, name) for name in _OWN), *_CURRENT).join(SubmissionVersion, CURRENT)


def _listed(session: Session, query: Select[Any], limit: int | None) -> Iterator[Listed]:
    """From one portion to the next by the last id that was told, never by counting again."""
    left = limit
    while left is None or left > 0:
        portion = _AT_ONCE if left is None else min(left, _AT_ONCE)
        rows = session.execute(query.limit(portion)).all()
        yield from map(_as_listed, rows)
        if len(rows) < portion:
            return
        left = None if left is None else left - portion
        query = query.where(Submission.id < rows[-1].id).offset(None)


def _as_listed(row: Row[Any]) -> Listed:
    values: list[Any] = [*row[: len(_OWN)], Current(*row[len(_OWN) :])]
    return Listed(*values)


def _id_of(project_id: int, form_id: str, instance_id: str) -> Any:
    return (
        select(SubmissionVersion.submission_id)
        .where(
            SubmissionVersion.project_id == project_id,
            SubmissionVersion.form_id == form_id,
            SubmissionVersion.instance_id == instance_id,
        )
        .scalar_subquery()
    )
