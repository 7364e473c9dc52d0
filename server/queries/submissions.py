"""What lists and pages show of submissions and of the journal beside what `sync.review` gives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from server.kept.remembered import Remembered
from sync.errors import NotFound
from sync.models import Actor, Assignment, Attachment, Entity, EntityList, Event, Form, Match, Submission


class Visit(NamedTuple):
    """A submission by our own id, and what its form calls it."""

    number: int
    name: str


class Decided(NamedTuple):
    """A decision about so many pairs of a list; of a single one its id, and the two records if it is a pair still."""

    list_name: str
    decision: str
    pairs: int
    match: str | None
    ends: tuple[str, str] | None


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


def visits_called(session: Session, project_id: int, form_id: str, instances: Iterable[str]) -> dict[str, Visit]:
    """Those of these first instance ids that the form has, and that were not deleted."""
    wanted = set(instances)
    if not wanted:
        return {}
    rows = session.execute(
        select(Submission.instance_id, Submission.id, Submission.instance_name).where(
            Submission.project_id == project_id,
            Submission.form_id == form_id,
            Submission.instance_id.in_(wanted),
            Submission.deleted_at.is_(None),
        )
    )
    return {instance: Visit(number, name or instance) for instance, number, name in rows}


def submissions_called(session: Session, project_id: int, numbers: Iterable[int]) -> dict[int, tuple[str, str | None]]:
    """The form of each of these submissions, and what the form calls it; also of those that were deleted."""
    wanted = set(numbers)
    if not wanted:
        return {}
    rows = session.execute(
        select(Submission.id, Submission.form_id, Submission.instance_name).where(
            Submission.project_id == project_id, Submission.id.in_(wanted)
        )
    )
    return {row.id: (row.form_id, row.instance_name) for row in rows}


def names_of_actors(session: Session, actor_ids: Iterable[int]) -> dict[int, str]:
    """Who is behind the numbers."""
    wanted = set(actor_ids)
    if not wanted:
        return {}
    return dict(session.execute(select(Actor.id, Actor.name).where(Actor.id.in_(wanted))).all())


def labels_of_subjects(session: Session, project_id: int, subjects: Iterable[str | None]) -> dict[str, str]:
    """What those are called whom visits are about, `{list}/{id}`, as far as that is known."""
    ids = {subject: subject.partition("/")[2] for subject in subjects if subject}
    labels = labels_of_entities(session, project_id, ids.values())
    return {subject: labels[one] for subject, one in ids.items() if one in labels}


def labels_of_entities(session: Session, project_id: int, entity_ids: Iterable[str]) -> dict[str, str]:
    """What entities are called."""
    wanted = set(entity_ids)
    if not wanted:
        return {}
    # The lists belong to what is asked: without them the key is of no use, and every entity is looked at.
    lists = select(EntityList.name).where(EntityList.project_id == project_id)
    rows = session.execute(
        select(Entity.id, Entity.label).where(
            Entity.project_id == project_id, Entity.list_name.in_(lists), Entity.id.in_(wanted)
        )
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


def how_many(session: Session, project_id: int) -> dict[str, int]:
    """How many submissions of each form there are that were not deleted; remembered until anything changes."""
    return _how_many.get(session, project_id, (), lambda: _count_by_form(session, project_id))


def _count_by_form(session: Session, project_id: int) -> dict[str, int]:
    """All are counted in an index, form by form, and the few deleted ones in theirs: no row of a submission is read. A
    database without statistics has to be asked like that, or it takes another index and reads them all."""
    forms = session.scalars(select(Form.form_id).where(Form.project_id == project_id).order_by(Form.form_id)).all()
    gone = dict(
        session.execute(
            select(Submission.form_id, func.count())
            .where(Submission.project_id == project_id, Submission.deleted_at.is_not(None))
            .group_by(Submission.form_id)
        ).all()
    )
    found = {}
    for form_id in forms:
        every = select(func.count()).where(
            Submission.project_id == project_id, Submission.form_id == form_id, Submission.id > 0
        )
        if left := session.scalars(every).one() - gone.get(form_id, 0):
            found[form_id] = left
    return found


def last_arrivals(session: Session, project_id: int, form_ids: Iterable[str]) -> dict[str, dt.datetime]:
    """When the last submission of each form came in that was not deleted; a form without any is left out."""
    found = {}
    for form_id in form_ids:
        last = (
            select(Submission.received_at)
            .where(Submission.project_id == project_id, Submission.form_id == form_id, Submission.deleted_at.is_(None))
            .order_by(Submission.id.desc())
            .limit(1)
        )
        if (at := session.scalar(last)) is not None:
            found[form_id] = at
    return found


def events_since(session: Session, project_id: int, since: int, limit: int) -> Sequence[Any]:
    """The journal after an event, in order."""
    return session.execute(
        select(Event.number, Event.kind, Event.at, Event.actor_id, Event.submission_id, Event.details)
        .where(Event.project_id == project_id, Event.number > since)
        .order_by(Event.number)
        .limit(limit)
    ).all()


def pairs_decided(session: Session, project_id: int, events: Sequence[int]) -> dict[int, Decided]:
    """Those of the events that were decisions about pairs."""
    query = select(Event.number, Event.details).where(
        Event.project_id == project_id, Event.number.in_(events), Event.kind.in_(("merged", "unmerged"))
    )
    found: dict[int, Any] = dict(session.execute(query).all())
    ids = {int(details["match"]) for details in found.values() if details and details.get("match")}
    pairs = session.execute(select(Match.id, Match.a, Match.b).where(Match.project_id == project_id, Match.id.in_(ids)))
    ends = {str(id_): (a, b) for id_, a, b in pairs}
    return {
        number: Decided(
            details["list"],
            details["decision"],
            details.get("pairs", 1),
            details.get("match"),
            ends.get(details.get("match")),
        )
        for number, details in found.items()
        if details
    }


def who_did(session: Session, project_id: int, events: Sequence[int]) -> dict[int, str]:
    """Who is behind these events, by name; those of the server itself are left out."""
    query = select(Event.number, Actor.name).join(Actor, Actor.id == Event.actor_id)
    return dict(session.execute(query.where(Event.project_id == project_id, Event.number.in_(events))).all())


def forms_and_places(session: Session, project_id: int, numbers: Iterable[int]) -> dict[int, tuple[str, str | None]]:
    """The form and the place, as it was written, of submissions by their numbers."""
    query = select(Submission.id, Submission.form_id, Submission.place)
    rows = session.execute(query.where(Submission.project_id == project_id, Submission.id.in_(set(numbers))))
    return {number: (form, place) for number, form, place in rows}


def collectors_of(session: Session, project_id: int) -> dict[int, str]:
    """Who may have collected: the devices of the project and the people with a role in it, by name, at most 300."""
    people = select(Assignment.actor_id).where(Assignment.project_id == project_id)
    rows = session.execute(
        select(Actor.id, Actor.name)
        .where(or_(Actor.project_id == project_id, Actor.id.in_(people)))
        .order_by(Actor.name, Actor.id)
        .limit(300)
    )
    return dict(rows.all())


def files_here(session: Session, project_id: int, numbers: Collection[int]) -> dict[int, list[Attachment]]:
    """The files of the current versions of these submissions, as far as they have arrived, by name."""
    query = (
        select(Attachment)
        .join(
            Submission,
            (Submission.project_id == Attachment.project_id) & (Submission.id == Attachment.submission_id),
        )
        .where(
            Attachment.project_id == project_id,
            Attachment.submission_id.in_(sorted(set(numbers))),
            Attachment.instance_id == Submission.current_instance_id,
            Attachment.present.is_(True),
        )
        .order_by(Attachment.submission_id, Attachment.name)
    )
    found: dict[int, list[Attachment]] = {}
    for one in session.scalars(query):
        found.setdefault(one.submission_id, []).append(one)
    return found


_how_many: Remembered[dict[str, int]] = Remembered()
