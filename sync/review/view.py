"""Everything that a coordinator needs to see of one submission."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.form import Flag
from sync.errors import NotFound
from sync.indicators.causes import cause_of, told_as
from sync.indicators.contributions import BY, decimal_of, read_keys
from sync.indicators.definitions import definitions_at
from sync.intake.prepare import unpack
from sync.models import (
    Attachment,
    Comment,
    Contribution,
    EntityStep,
    Event,
    Indicator,
    Submission,
    SubmissionVersion,
)


@dataclass(frozen=True, slots=True)
class Named:
    """A submission as it is found by the id of one of its instances; `instance_id` is the first one's."""

    id: int
    instance_id: str
    current_instance_id: str


@dataclass(frozen=True, slots=True)
class VersionSeen:
    """One instance of a submission. `parent` is the one that it corrects."""

    instance_id: str
    number: int
    parent: str | None
    form_version: str
    actor_id: int
    device: str | None
    user_agent: str | None
    instance_name: str | None
    received_at: dt.datetime
    recorded_at: dt.datetime
    event: int
    encrypted: bool
    answers: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class CommentSeen:
    """What somebody said about it."""

    id: int
    actor_id: int
    body: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Cause:
    """The event that opened or closed something; `cause` is what readers of figures are told."""

    event: int
    cause: str
    at: dt.datetime
    actor_id: int | None


@dataclass(frozen=True, slots=True)
class ContributionSeen:
    """What it adds to an indicator, or added until `closed`. `by` is breakdown → keys, the key None for unknown."""

    indicator: str
    ordinal: int
    date: dt.date
    until: dt.date | None
    place: str | None
    subject: str | None
    value: Decimal | None
    text: str | None
    baseline: Decimal | None
    by: Mapping[str, Sequence[str | None]]
    opened: Cause
    closed: Cause | None


@dataclass(frozen=True, slots=True)
class AttachmentSeen:
    """A file of one of its versions; `sha256` is None as long as nobody has said it."""

    instance_id: str
    name: str
    sha256: str | None
    size: int | None
    type: str | None
    present: bool
    extra: bool
    rival_of: str | None


@dataclass(frozen=True, slots=True)
class EntityStepSeen:
    """What it does to an entity: `state` is applied, held or withdrawn; `version` is the entity's after it."""

    list_name: str
    entity_id: str
    path: str
    create: bool
    update: bool
    label: str | None
    data: Mapping[str, str]
    state: str
    version: int | None


@dataclass(frozen=True, slots=True)
class SubmissionSeen:
    """A submission with all that hangs on it. `event` is its last change: give it back as `seen` when deciding."""

    id: int
    form_id: str
    instance_id: str
    current_instance_id: str
    form_version: str
    review_state: str | None
    actor_id: int
    device: str | None
    user_agent: str | None
    instance_name: str | None
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
    versions: Sequence[VersionSeen]  # oldest first
    comments: Sequence[CommentSeen]
    contributions: Sequence[ContributionSeen]  # in the order of their opening
    attachments: Sequence[AttachmentSeen]
    entities: Sequence[EntityStepSeen]


def find_submission(session: Session, project_id: int, form_id: str, instance_id: str) -> Named:
    """The submission that has this instance among its versions. Raises NotFound, also for a deleted one."""
    row = session.execute(
        select(Submission.id, Submission.instance_id, Submission.current_instance_id)
        .join(
            SubmissionVersion,
            (SubmissionVersion.project_id == Submission.project_id)
            & (SubmissionVersion.submission_id == Submission.id),
        )
        .where(
            SubmissionVersion.project_id == project_id,
            SubmissionVersion.form_id == form_id,
            SubmissionVersion.instance_id == instance_id,
            Submission.deleted_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    return Named(*row)


def submission_view(session: Session, project_id: int, form_id: str, instance_id: str) -> SubmissionSeen:
    """Found by the id of any of its instances. Raises NotFound, also for a deleted one."""
    return submission_seen(session, project_id, find_submission(session, project_id, form_id, instance_id).id)


def submission_seen(session: Session, project_id: int, submission_id: int, whole: bool = True) -> SubmissionSeen:
    """By our own id. What it adds to indicators and what it does to entities is left out unless it is to be `whole`."""
    row = session.execute(
        select(*_COLUMNS, Submission.double_of, Submission.flags).where(
            Submission.project_id == project_id, Submission.id == submission_id
        )
    ).one()
    *columns, double_of, flags = row
    return SubmissionSeen(
        **dict(zip((column.key for column in _COLUMNS), columns, strict=True)),
        double_of=_first_instance(session, project_id, double_of),
        flags=[Flag(*flag) for flag in flags],
        versions=_versions(session, project_id, submission_id),
        comments=_comments(session, project_id, submission_id),
        contributions=_contributions(session, project_id, submission_id) if whole else (),
        attachments=_attachments(session, project_id, submission_id),
        entities=_entity_steps(session, project_id, submission_id) if whole else (),
    )


def raw_instance(session: Session, project_id: int, form_id: str, instance_id: str) -> bytes:
    """The XML of one instance, byte for byte as it was received. Raises NotFound."""
    packed = session.scalars(
        select(SubmissionVersion.xml).where(
            SubmissionVersion.project_id == project_id,
            SubmissionVersion.form_id == form_id,
            SubmissionVersion.instance_id == instance_id,
        )
    ).one_or_none()
    if packed is None:
        raise NotFound
    return unpack(packed)


_COLUMNS = [
    Submission.id,
    Submission.form_id,
    Submission.instance_id,
    Submission.current_instance_id,
    Submission.form_version,
    Submission.review_state,
    Submission.actor_id,
    Submission.device,
    Submission.user_agent,
    Submission.instance_name,
    Submission.received_at,
    Submission.recorded_at,
    Submission.updated_at,
    Submission.subject,
    Submission.day,
    Submission.place,
    Submission.missing,
    Submission.counts,
    Submission.event,
]


def _first_instance(session: Session, project_id: int, submission_id: int | None) -> str | None:
    if submission_id is None:
        return None
    return session.scalars(
        select(Submission.instance_id).where(Submission.project_id == project_id, Submission.id == submission_id)
    ).one()


def _versions(session: Session, project_id: int, submission_id: int) -> list[VersionSeen]:
    rows = session.execute(
        select(
            SubmissionVersion.instance_id,
            SubmissionVersion.number,
            SubmissionVersion.parent,
            SubmissionVersion.form_version,
            SubmissionVersion.actor_id,
            SubmissionVersion.device,
            SubmissionVersion.user_agent,
            SubmissionVersion.instance_name,
            SubmissionVersion.received_at,
            SubmissionVersion.recorded_at,
            SubmissionVersion.event,
            SubmissionVersion.encrypted_key.is_not(None),
            SubmissionVersion.answers,
        )
        .where(SubmissionVersion.project_id == project_id, SubmissionVersion.submission_id == submission_id)
        .order_by(SubmissionVersion.number)
    )
    return [VersionSeen(*tuple(row)) for row in rows]


def _comments(session: Session, project_id: int, submission_id: int) -> list[CommentSeen]:
    rows = session.execute(
        select(Comment.id, Comment.actor_id, Comment.body, Comment.at)
        .where(Comment.project_id == project_id, Comment.submission_id == submission_id)
        .order_by(Comment.id)
    )
    return [CommentSeen(*row) for row in rows]


def _contributions(session: Session, project_id: int, submission_id: int) -> list[ContributionSeen]:
    columns = [getattr(Contribution, name) for name in BY]
    rows = session.execute(
        select(Indicator.name, Contribution, *columns)
        .join(
            Indicator,
            (Indicator.project_id == Contribution.project_id) & (Indicator.id == Contribution.indicator_id),
        )
        .where(Contribution.project_id == project_id, Contribution.submission_id == submission_id)
        .order_by(Contribution.opened, Indicator.name, Contribution.ordinal)
        .execution_options(populate_existing=True)
    ).all()
    numbers = {row[1].opened for row in rows} | {row[1].closed for row in rows if row[1].closed is not None}
    causes = _causes(session, project_id, numbers)
    ways = {name: definition.ways for name, definition in definitions_at(session, project_id, None).items()}
    return [
        ContributionSeen(
            indicator=name,
            ordinal=row.ordinal,
            date=row.day,
            until=row.until,
            place=row.place,
            subject=row.subject,
            value=_amount(row.value),
            text=row.text,
            baseline=_amount(row.baseline),
            by={way.name: read_keys(keys[way.position - 1]) for way in ways.get(name, ())},
            opened=causes[row.opened],
            closed=causes[row.closed] if row.closed is not None else None,
        )
        for name, row, *keys in rows
    ]


def _causes(session: Session, project_id: int, numbers: set[int]) -> dict[int, Cause]:
    rows = session.execute(
        select(Event.number, Event.kind, Event.details, Event.at, Event.actor_id).where(
            Event.project_id == project_id, Event.number.in_(numbers)
        )
    )
    return {
        row.number: Cause(row.number, told_as(cause_of(row.kind, row.details)), row.at, row.actor_id) for row in rows
    }


def _attachments(session: Session, project_id: int, submission_id: int) -> list[AttachmentSeen]:
    rows = session.execute(
        select(
            Attachment.instance_id,
            Attachment.name,
            Attachment.sha256,
            Attachment.size,
            Attachment.type,
            Attachment.present,
            Attachment.extra,
            Attachment.rival_of,
        )
        .where(Attachment.project_id == project_id, Attachment.submission_id == submission_id)
        .order_by(Attachment.instance_id, Attachment.name)
    )
    return [AttachmentSeen(*row) for row in rows]


def _entity_steps(session: Session, project_id: int, submission_id: int) -> list[EntityStepSeen]:
    rows = session.execute(
        select(
            EntityStep.list_name,
            EntityStep.entity_id,
            EntityStep.path,
            EntityStep.create,
            EntityStep.update,
            EntityStep.label,
            EntityStep.data,
            EntityStep.state,
            EntityStep.version,
        )
        .where(EntityStep.project_id == project_id, EntityStep.submission_id == submission_id)
        .order_by(EntityStep.list_name, EntityStep.path)
    )
    return [EntityStepSeen(*row) for row in rows]


def _amount(stored: int | None) -> Decimal | None:
    return decimal_of(stored) if stored is not None else None
