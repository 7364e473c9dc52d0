"""The audit trails of all projects, read as one: the newest first, in the words of ODK's REST."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from sync.accounts.audit import NO_PROJECT
from sync.models import Audit, Project

_AT_ONCE = 500
# How ODK's REST calls what we call by our own words; what is not here keeps its name.
ACTIONS = {
    "user.added": "user.create",
    "user.changed": "user.update",
    "user.password_changed": "user.update",
    "user.disabled": "user.delete",
    "role.given": "user.assignment.create",
    "role.taken": "user.assignment.delete",
    "session.began": "user.session.create",
    "session.began_by_link": "user.session.create",
    "session.ended": "user.session.end",
    "device.added": "field_key.create",
    "device.changed": "field_key.update",
    "device.revoked": "field_key.session.end",
    "form.given": "field_key.assignment.create",
    "form.taken": "field_key.assignment.delete",
    "public_link.added": "public_link.create",
    "public_link.closed": "public_link.session.end",
    "project.created": "project.create",
    "project.changed": "project.update",
    "project.deleted": "project.delete",
    "programme.loaded": "project.update",
    "form.published": "form.update.publish",
    "form.changed": "form.update",
    "form.deleted": "form.delete",
    "form.restored": "form.restore",
    "data.exported": "form.submission.export",
    "submission.reviewed": "submission.update",
    "submission.edited": "submission.update.version",
    "submission.file_added": "submission.attachment.update",
    "submission.file_removed": "submission.attachment.update",
    "submission.deleted": "submission.delete",
    "submission.restored": "submission.restore",
    "submission.purged": "submission.purge",
    "submission.commented": "comment.create",
}
# Left out of what is called `nonverbose`: whatever happens many times a day.
_VERBOSE = (
    "submission.viewed",
    "quarantine.viewed",
    "entity.viewed",
    "match.viewed",
    "people.viewed",
    "submission.file_added",
    "submission.file_removed",
)
_ABOUT_ACTORS = frozenset({"user", "device", "role", "session", "public_link", "token", "link"})


@dataclass(frozen=True, slots=True)
class Act:
    """A row of a trail. `action` is ODK's word, `own` ours; `actor_about` is the actor that it was done to, if any."""

    project_id: int | None
    number: int
    at: dt.datetime
    actor_id: int | None
    action: str
    own: str
    subject: str | None
    details: Mapping[str, Any] | None
    address: str | None
    request_id: str | None

    @property
    def about(self) -> str | None:
        """What it was done to, as one text: `user:7`, `submission:81/1.jpg`, `project:3`."""
        if self.subject is not None:
            return f"{self.own.partition('.')[0]}:{self.subject}"
        return f"project:{self.project_id}" if self.project_id is not None else None

    @property
    def about_actor(self) -> int | None:
        """The actor that it was done to, where it was one."""
        if self.own.partition(".")[0] not in _ABOUT_ACTORS or not (self.subject or "").isdecimal():
            return None
        return int(self.subject or "0")


def acts(
    session: Session,
    *,
    action: str | None = None,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> Iterator[Act]:
    """What was done in the whole installation, the newest first. The cost follows how far down one reads.

    `action` is a word of ODK's or ours, or what several begin with (`submission`), or `nonverbose`.
    """
    where = _filters(action, start, end)
    projects = [NO_PROJECT, *session.scalars(select(Project.id).order_by(Project.id))]
    merged = heapq.merge(
        *(_trail(session, project_id, where) for project_id in projects), key=lambda act: act.at, reverse=True
    )
    return islice(merged, offset, None if limit is None else offset + limit)


def _trail(session: Session, project_id: int, where: list[ColumnElement[bool]]) -> Iterator[Act]:
    """One project's, a portion at a time along its key: numbers and times go together."""
    below: int | None = None
    while True:
        query = select(Audit).where(Audit.project_id == project_id, *where).order_by(Audit.number.desc())
        rows = session.scalars((query if below is None else query.where(Audit.number < below)).limit(_AT_ONCE)).all()
        yield from map(_act, rows)
        if len(rows) < _AT_ONCE:
            return
        below = rows[-1].number


def _filters(action: str | None, start: dt.datetime | None, end: dt.datetime | None) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if start is not None:
        where.append(Audit.at >= start)
    if end is not None:
        where.append(Audit.at <= end)
    if action == "nonverbose":
        where.append(Audit.action.not_in(_VERBOSE))
    elif action:
        meant = [own for own, theirs in ACTIONS.items() if theirs == action or theirs.startswith(f"{action}.")]
        named = or_(Audit.action == action, Audit.action.startswith(f"{action}.", autoescape=True))
        # A word of ours that ODK calls otherwise is found by our own name in full, and by theirs.
        where.append(
            or_(Audit.action.in_(meant), and_(named, or_(Audit.action == action, Audit.action.not_in(list(ACTIONS)))))
        )
    return where


def _act(row: Audit) -> Act:
    return Act(
        project_id=row.project_id if row.project_id != NO_PROJECT else None,
        number=row.number,
        at=row.at,
        actor_id=row.actor_id,
        action=ACTIONS.get(row.action, row.action),
        own=row.action,
        subject=row.subject,
        details=row.details,
        address=row.address,
        request_id=row.request_id,
    )
