"""What a coordinator decides about a submission: its review state, and what is said about it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from forms.xforms.entities import entity_actions
from forms.xforms.instance import read_instance
from sync.dedup.doubles import settle_doubles
from sync.entities.steps import Arrived, apply_actions
from sync.errors import NotFound, Stale, Unexpected
from sync.indicators.recount import recount
from sync.intake.items import storable
from sync.intake.prepare import unpack
from sync.journal import Journal
from sync.models import Comment, Submission, SubmissionVersion
from sync.models.database import insert_rows
from sync.projects.catalogue import Unpublished, published
from sync.review.counting import REJECTED

STATES = (None, "edited", "hasIssues", "rejected", "approved")
_LONGEST_COMMENT = 10_000


def set_review_state(journal: Journal, submission_id: int, state: str | None, seen: int | None = None) -> int | None:
    """Decide on a submission; counts, entities and contributions follow. Gives the event, None if it was decided so.

    `seen` is the event of the submission that the coordinator was looking at: Stale if it has changed since. None as
    state takes a decision back. Raises Unexpected for a state that there is not.
    """
    if state not in STATES:
        raise Unexpected(f"{state!r} is not a review state; it is null, edited, hasIssues, rejected or approved.")
    submission = _living(journal, submission_id)
    if seen is not None and seen < submission.event:
        raise Stale
    before = submission.review_state
    if state == before:
        return None
    event = journal.record(_kind(before, state), submission_id, {"from": before, "to": state})
    _touch(journal, submission_id, event, review_state=state)
    if REJECTED in (before, state):
        actions = [] if state == REJECTED else _actions(journal, submission)
        apply_actions(journal, [Arrived(submission_id, submission.version_event, actions)])
    changed = settle_doubles(journal, [submission_id], event)
    recount(journal, changed, event)
    return event


def add_comment(journal: Journal, submission_id: int, body: str) -> int:
    """Write down what a coordinator says; the device is told if it has something to correct. Gives the comment's id."""
    text = storable(body.strip())
    if not text or len(text) > _LONGEST_COMMENT:
        raise Unexpected(f"A comment has between one and {_LONGEST_COMMENT} characters.")
    _living(journal, submission_id)
    event = journal.record("commented", submission_id)
    comment_id = journal.new_id()
    row = {
        "project_id": journal.project_id,
        "id": comment_id,
        "submission_id": submission_id,
        "actor_id": journal.actor_id,
        "body": text,
        "at": journal.now,
    }
    insert_rows(journal.session.connection(), Comment.__table__, [row])  # type: ignore[arg-type]
    _touch(journal, submission_id, event)
    return comment_id


def _kind(before: str | None, state: str | None) -> str:
    if state == REJECTED:
        return "rejected"
    return "restored" if before == REJECTED else "reviewed"


def _living(journal: Journal, submission_id: int) -> Any:
    row = journal.session.execute(
        select(
            Submission.form_id,
            Submission.review_state,
            Submission.event,
            SubmissionVersion.form_version,
            SubmissionVersion.xml,
            SubmissionVersion.event.label("version_event"),
        )
        .join(
            SubmissionVersion,
            (SubmissionVersion.project_id == Submission.project_id)
            & (SubmissionVersion.form_id == Submission.form_id)
            & (SubmissionVersion.instance_id == Submission.current_instance_id),
        )
        .where(
            Submission.project_id == journal.project_id,
            Submission.id == submission_id,
            Submission.deleted_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    return row


def _actions(journal: Journal, submission: Any) -> list[Any]:
    found = published(journal.session, journal.project_id, submission.form_id, submission.form_version)
    instance = read_instance(unpack(submission.xml))
    if isinstance(found, Unpublished) or instance.encrypted:
        return []
    return entity_actions(found.form, instance)


def _touch(journal: Journal, submission_id: int, event: int, **values: Any) -> None:
    journal.session.connection().execute(
        update(Submission)
        .where(Submission.project_id == journal.project_id, Submission.id == submission_id)
        .values(event=event, updated_at=journal.now, **values)
    )
