"""What lists and pages show of submissions and of the journal beside what `sync.review` gives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sync.errors import NotFound
from sync.models import Actor, Entity, Event, Form, Quarantined, Submission


def name_of_submission(session: Session, project_id: int, submission_id: int) -> tuple[str, str]:
    """Form id and first instance id of a submission by our own id. Raises NotFound, also for what was deleted."""
    row = session.execute(
        select(Submission.form_id, Submission.instance_id)
        .join(Form, (Form.project_id == Submission.project_id) & (Form.form_id == Submission.form_id))
        .where(
            Submission.project_id == project_id,
            Submission.id == submission_id,
            Submission.deleted_at.is_(None),
            Form.deleted_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    return row.form_id, row.instance_id


def names_of_actors(session: Session, actor_ids: Iterable[int]) -> dict[int, str]:
    """Who is behind the numbers."""
    rows = session.execute(select(Actor.id, Actor.name).where(Actor.id.in_(set(actor_ids))))
    return dict(rows.all())


def labels_of_entities(session: Session, project_id: int, entity_ids: Iterable[str]) -> dict[str, str]:
    """What entities are called."""
    rows = session.execute(
        select(Entity.id, Entity.label).where(Entity.project_id == project_id, Entity.id.in_(set(entity_ids)))
    )
    return dict(rows.all())


def moments_of(session: Session, project_id: int, events: Iterable[int]) -> dict[int, dt.datetime]:
    """When these events of the journal happened."""
    query = select(Event.number, Event.at).where(Event.project_id == project_id, Event.number.in_(set(events)))
    return dict(session.execute(query).all())


def titles_of_forms(session: Session, project_id: int) -> dict[str, str]:
    """Form id → title."""
    rows = session.execute(select(Form.form_id, Form.title).where(Form.project_id == project_id))
    return dict(rows.all())


def how_many(session: Session, project_id: int) -> Mapping[str, int]:
    """How many submissions of each form there are that were not deleted."""
    rows = session.execute(
        select(Submission.form_id, func.count())
        .where(Submission.project_id == project_id, Submission.deleted_at.is_(None))
        .group_by(Submission.form_id)
        .order_by(Submission.form_id)
    )
    return dict(rows.all())


def how_many_wait(session: Session, project_id: int) -> int:
    """How many items in quarantine nobody has decided about."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Quarantined)
            .where(Quarantined.project_id == project_id, Quarantined.state == "open")
        )
        or 0
    )


def events_since(session: Session, project_id: int, since: int, limit: int) -> Sequence[Any]:
    """The journal after an event, in order."""
    return session.execute(
        select(Event.number, Event.kind, Event.at, Event.actor_id, Event.submission_id, Event.details)
        .where(Event.project_id == project_id, Event.number > since)
        .order_by(Event.number)
        .limit(limit)
    ).all()
