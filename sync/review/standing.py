"""A submission as a decision finds it under the project's lock, and what follows when one has been made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from forms.xforms.entities import EntityAction, entity_actions
from forms.xforms.instance import read_instance
from sync.dedup.doubles import causing_events, settle_doubles
from sync.entities.steps import Arrived, apply_actions
from sync.errors import NotFound
from sync.indicators.recount import recount
from sync.intake.prepare import unpack
from sync.journal import Journal
from sync.models import CURRENT, Submission, SubmissionVersion
from sync.projects.catalogue import Unpublished, published
from sync.review.counting import APPROVED, REJECTED


def standing(journal: Journal, submission_id: int, deleted: bool = False) -> Any:
    """The submission with its current version. Raises NotFound; a deleted one is found only if it is asked for."""
    row = journal.session.execute(
        _STANDING.where(
            Submission.project_id == journal.project_id,
            Submission.id == submission_id,
            Submission.deleted_at.is_not(None) if deleted else Submission.deleted_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    return row


def all_standing(journal: Journal, submission_ids: Sequence[int]) -> list[Any]:
    """Those of these submissions that are not deleted, each with its current version, in the order of their ids."""
    query = _STANDING.where(
        Submission.project_id == journal.project_id,
        Submission.id.in_(submission_ids),
        Submission.deleted_at.is_(None),
    )
    return list(journal.session.execute(query.order_by(Submission.id)))


def touch(journal: Journal, submission_id: int, event: int, **values: Any) -> None:
    """Set columns of a submission, as changed by the event."""
    journal.session.connection().execute(
        update(Submission)
        .where(Submission.project_id == journal.project_id, Submission.id == submission_id)
        .values(event=event, updated_at=journal.now, **values)
    )


def entities_follow(journal: Journal, submission: Any, state: str | None, living: bool = True) -> None:
    """Make the submission's entity steps what they should be in this review state: none while it is rejected."""
    all_entities_follow(journal, [submission], state, living)


def all_entities_follow(journal: Journal, submissions: Sequence[Any], state: str | None, living: bool = True) -> None:
    """The same for many that come to have one state."""
    arrived = [
        Arrived(
            submission.id,
            submission.version_event,
            _actions(journal, submission) if living and state != REJECTED else [],
            approved=state == APPROVED,
        )
        for submission in submissions
    ]
    apply_actions(journal, arrived)


def figures_follow(
    journal: Journal, submission_ids: Sequence[int], event: int, events: Mapping[int, int] | None = None
) -> Collection[int]:
    """Decide anew which copies count, among these submissions and their neighbours, and count accordingly; gives all
    that were counted anew.

    `events` says by which event a submission changed, where several come at once; `event` is the last.
    """
    changed, _ = settle_doubles(journal, submission_ids, event)
    recount(journal, changed.keys(), event, causing_events(changed, events or {}))
    return changed.keys()


_STANDING = select(
    Submission.id,
    Submission.form_id,
    Submission.instance_id,
    Submission.review_state,
    Submission.event,
    SubmissionVersion.form_version,
    SubmissionVersion.xml,
    SubmissionVersion.event.label("version_event"),
).join(SubmissionVersion, CURRENT)


def _actions(journal: Journal, submission: Any) -> list[EntityAction]:
    found = published(journal.session, journal.project_id, submission.form_id, submission.form_version)
    instance = read_instance(unpack(submission.xml))
    if isinstance(found, Unpublished) or instance.encrypted:
        return []
    return entity_actions(found.form, instance)
