"""A submission corrected in the office: its answers taken up, looked at as edited ones would be, and filed as an edit.

The way from the answers on is that of an item of a batch that came with `answers` and `edits`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.xforms.editing import texts_of
from forms.xforms.instance import Instance, read_instance
from forms.xforms.model import Form
from sync.errors import FormClosed, NotFound, Superseded, Unexpected, VersionUnknown
from sync.intake.prepare import Ready, Surroundings, Waiting, prepare_item, unpack
from sync.intake.receipts import Sender
from sync.intake.receive import file_items
from sync.journal import Journal
from sync.models import Submission, SubmissionVersion
from sync.projects.catalogue import Unpublished
from sync.review.decide import add_comment, comment_text

LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Taken:
    """One version of a submission, taken up to be edited. `first` is the instance that the submission began with,
    `current` the one that stands now; `answers` are texts, as they are in the instance."""

    submission: int
    form_id: str
    first: str
    current: str
    instance_id: str
    version: str
    recorded_at: dt.datetime
    dated: bool
    form: Form
    instance: Instance
    answers: Mapping[str, Any]


def take_up(around: Surroundings, submission_id: int, instance_id: str | None = None) -> Taken:
    """The current version, or another one of it. Raises NotFound, also for a deleted submission; FormClosed,
    VersionUnknown or Unexpected for what nobody can edit here, such as what is encrypted."""
    wanted = SubmissionVersion.instance_id == (instance_id or Submission.current_instance_id)
    row = around.session.execute(
        select(
            Submission.form_id,
            Submission.instance_id.label("first"),
            Submission.current_instance_id,
            SubmissionVersion.instance_id,
            SubmissionVersion.form_version,
            SubmissionVersion.recorded_at,
            SubmissionVersion.dated,
            SubmissionVersion.xml,
        )
        .join(
            SubmissionVersion,
            (SubmissionVersion.project_id == Submission.project_id)
            & (SubmissionVersion.submission_id == Submission.id)
            & wanted,
        )
        .where(
            Submission.project_id == around.project_id,
            Submission.id == submission_id,
            Submission.deleted_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    found = around.catalogue.published(row.form_id, row.form_version)
    if isinstance(found, Unpublished):
        raise VersionUnknown if found.form_known else NotFound
    if found.state == "closed":
        raise FormClosed
    instance = read_instance(unpack(row.xml))
    if instance.encrypted:
        raise Unexpected("Its answers are encrypted and cannot be edited here.")
    return Taken(
        submission=submission_id,
        form_id=row.form_id,
        first=row.first,
        current=row.current_instance_id,
        instance_id=row.instance_id,
        version=row.form_version,
        recorded_at=row.recorded_at,
        dated=row.dated,
        form=found.form,
        instance=instance,
        answers=texts_of(found.form, instance),
    )


def edited(around: Surroundings, taken: Taken, answers: Mapping[str, Any], instance_id: str) -> Ready:
    """What the version would be that these answers make, with all that follows from it; nothing is written.

    It keeps the time of the visit, and what nothing has dated stays undated unless an answer dates it. Raises
    Unexpected for what the intake would not file.
    """
    item = {
        "instance_id": instance_id,
        "form": taken.form_id,
        "version": taken.version,
        "answers": answers,
        "edits": taken.current,
        "recorded_at": taken.recorded_at.isoformat() if taken.dated else None,
    }
    prepared = prepare_item(around.of_what_arrived(taken.recorded_at), item, taken.first)
    if isinstance(prepared, Ready):
        return prepared
    raise Unexpected(prepared.message if isinstance(prepared, Waiting) else prepared.reason)


def file_edit(journal: Journal, ready: Ready, submission_id: int, reason: str, user_agent: str | None) -> bool:
    """Make it the current version, with the reason as a comment; False if it was filed before. The caller commits.

    Raises Superseded if somebody else has made another version current meanwhile, NotFound if it was deleted, and
    Unexpected for an empty or endless reason.
    """
    text = reason_text(reason)
    current = current_instance(journal.session, journal.project_id, submission_id)
    if current is None:
        raise NotFound
    if current == ready.instance_id:
        return False
    if current != ready.edits:
        raise Superseded
    receipt = file_items(journal, [ready], Sender(journal.actor_id, None, user_agent))[0]
    if receipt.outcome != "edited":
        raise Unexpected(receipt.reason)
    add_comment(journal, submission_id, text)
    return True


def reason_text(reason: str) -> str:
    """Why it was edited, as it is kept. Raises Unexpected for an empty or endless one."""
    if not reason.strip():
        raise Unexpected("Say why it is changed; whoever reads it later wants to know.")
    if len(reason) > LONGEST_REASON:
        raise Unexpected(f"A reason has {LONGEST_REASON} characters at most.")
    return comment_text(reason)


def current_instance(session: Session, project_id: int, submission_id: int) -> str | None:
    """The instance that stands now, if the submission is there."""
    return session.scalar(
        select(Submission.current_instance_id).where(
            Submission.project_id == project_id, Submission.id == submission_id, Submission.deleted_at.is_(None)
        )
    )


def instance_of_version(session: Session, project_id: int, submission_id: int, number: int) -> str:
    """The instance of a version of a submission by its number. Raises NotFound."""
    found = session.scalar(
        select(SubmissionVersion.instance_id).where(
            SubmissionVersion.project_id == project_id,
            SubmissionVersion.submission_id == submission_id,
            SubmissionVersion.number == number,
        )
    )
    if found is None:
        raise NotFound
    return found
