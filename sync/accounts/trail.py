"""The audit trails of all projects, read as one: the newest first, in the words of ODK's REST."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from sync.accounts.audit import NO_PROJECT
from sync.models import Actor, Audit, Event, Form, FormDraft, Project, Server, Submission

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
    "form.drafted": "form.update.draft.set",
    "form.draft_discarded": "form.update.draft.delete",
    "form.file_given": "form.attachment.update",
    "form.file_linked": "form.attachment.update",
    "form.file_taken": "form.attachment.update",
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
_CAME, _MADE = "submission.create", "form.create"
_ARRIVAL = (
    Event.number,
    Event.at,
    Event.actor_id,
    Event.submission_id,
    Submission.form_id,
    Submission.instance_id,
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
    projects = [NO_PROJECT, *session.scalars(select(Project.id).order_by(Project.id))]
    trails = [
        _trail(session, project_id, [*_filters(action), *_between(Audit.at, start, end)]) for project_id in projects
    ]
    if _means(action, _MADE):
        trails += [_made(session, project_id, start, end) for project_id in projects]
    if _means(action, _CAME) and action != "nonverbose":
        trails += [_came(session, project_id, _between(Event.at, start, end)) for project_id in projects]
    merged = heapq.merge(*trails, key=lambda act: act.at, reverse=True)
    return islice(merged, offset, None if limit is None else offset + limit)


def state_of_trails(session: Session) -> list[tuple[Any, ...]]:
    """What `acts` follow from, and what people are called, which stands in no trail."""
    projects = select(Project.id, Project.last_event, Project.last_audit).order_by(Project.id)
    rest = select(
        select(Server.epoch).scalar_subquery(),
        select(func.max(Audit.number)).where(Audit.project_id == NO_PROJECT).scalar_subquery(),
        select(func.max(Actor.updated_at)).scalar_subquery(),
    )
    return [tuple(row) for query in (projects, rest) for row in session.execute(query)]


def _trail(session: Session, project_id: int, where: list[ColumnElement[bool]]) -> Iterator[Act]:
    """One project's acts."""
    for row in _portioned(session, select(Audit.__table__).where(Audit.project_id == project_id, *where), Audit.number):
        yield Act(
            project_id=project_id if project_id != NO_PROJECT else None,
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


def _came(session: Session, project_id: int, where: list[ColumnElement[bool]]) -> Iterator[Act]:
    """The submissions that came, by the journal: of what tablets send no act is written."""
    of = and_(Submission.project_id == Event.project_id, Submission.id == Event.submission_id)
    query = select(*_ARRIVAL).outerjoin(Submission, of)
    query = query.where(Event.project_id == project_id, Event.kind == "submitted", *where)
    for row in _portioned(session, query, Event.number):
        details = {"form": row.form_id, "instanceId": row.instance_id}
        yield _known(project_id, row.number, row.at, row.actor_id, _CAME, str(row.submission_id), details)


def _made(session: Session, project_id: int, start: dt.datetime | None, end: dt.datetime | None) -> Iterator[Act]:
    """The forms that were made, in whatever way; those that never were more than a draft too."""
    published = select(Form.form_id, Form.actor_id, Form.created_at).where(
        Form.project_id == project_id, *_between(Form.created_at, start, end)
    )
    drafted = select(FormDraft.form_id, FormDraft.actor_id, FormDraft.created_at).where(
        FormDraft.project_id == project_id,
        FormDraft.form_id.not_in(select(Form.form_id).where(Form.project_id == project_id)),
        *_between(FormDraft.created_at, start, end),
    )
    rows = [row for query in (published, drafted) for row in session.execute(query)]
    for form_id, actor_id, at in sorted(rows, key=lambda row: row.created_at, reverse=True):
        yield _known(project_id, 0, at, actor_id, _MADE, form_id, {})


def _known(
    project_id: int, number: int, at: dt.datetime, actor_id: int | None, action: str, subject: str, details: Any
) -> Act:
    """What is known without an act, by its word of ODK's; from where it was done nobody has noted."""
    return Act(project_id, number, at, actor_id, action, action, subject, details, None, None)


def _portioned(session: Session, query: Select[*tuple[Any, ...]], number: Any) -> Iterator[Row[Any]]:
    """A portion at a time along the key: numbers and times go together."""
    query = query.order_by(number.desc()).limit(_AT_ONCE)
    rows = session.execute(query).all()
    while rows:
        yield from rows
        rows = session.execute(query.where(number < rows[-1].number)).all() if len(rows) == _AT_ONCE else []


def _means(action: str | None, name: str) -> bool:
    return action in (None, "nonverbose", name) or name.startswith(f"{action}.")


def _between(at: Any, start: dt.datetime | None, end: dt.datetime | None) -> list[ColumnElement[bool]]:
    since = [at >= start] if start is not None else []
    return [*since, at <= end] if end is not None else since


def _filters(action: str | None) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
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
