"""The submissions that a list's approval keeps waiting, and what becomes of them when it does not any more."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from forms.xforms.entities import entity_actions
from forms.xforms.instance import read_instance
from sync.entities.folding import WITHDRAWN
from sync.entities.steps import Arrived, apply_actions
from sync.intake.prepare import unpack
from sync.journal import Journal
from sync.models import CURRENT, EntityStep, FormVersion, Submission, SubmissionVersion
from sync.projects.catalogue import Catalogue, Published
from sync.review.counting import APPROVED, REJECTED

_AT_ONCE = 200


def waiting_submissions(journal: Journal, list_name: str) -> list[int]:
    """Those that want something of the list and act only when they are approved; none that was rejected."""
    acting = set(
        journal.session.scalars(
            select(EntityStep.submission_id).where(
                EntityStep.project_id == journal.project_id,
                EntityStep.list_name == list_name,
                EntityStep.state != WITHDRAWN,
            )
        )
    )
    return [id_ for id_, actions, _ in _undecided(journal) if id_ not in acting and _names(actions, list_name)]


def settle_submissions(journal: Journal, submission_ids: Collection[int]) -> None:
    """Let them act now, as far as the lists that they name let them."""
    wanted = set(submission_ids)
    arrived = [
        Arrived(row.id, row.version_event, actions, row.actor_id)
        for submission_id, actions, row in _undecided(journal)
        if submission_id in wanted
    ]
    apply_actions(journal, arrived)


def _names(actions: Collection[Any], list_name: str) -> bool:
    return any(action.list_name == list_name and not action.flags for action in actions)


def _undecided(journal: Journal) -> list[tuple[int, list[Any], Any]]:
    """The submissions of forms that write entities, that are neither approved nor rejected, with what they want."""
    catalogue = Catalogue(journal.session, journal.project_id)
    versions = journal.session.execute(
        select(FormVersion.form_id, FormVersion.version).where(FormVersion.project_id == journal.project_id)
    )
    forms = {
        form_id
        for form_id, version in versions
        if isinstance(known := catalogue.published(form_id, version), Published) and known.form.entities
    }
    found: list[tuple[int, list[Any], Any]] = []
    after = 0
    while True:
        rows = journal.session.execute(
            select(
                Submission.id,
                Submission.form_id,
                Submission.actor_id,
                SubmissionVersion.form_version,
                SubmissionVersion.xml,
                SubmissionVersion.event.label("version_event"),
            )
            .join(SubmissionVersion, CURRENT)
            .where(
                Submission.project_id == journal.project_id,
                Submission.id > after,
                Submission.form_id.in_(forms),
                Submission.deleted_at.is_(None),
                Submission.review_state.is_(None) | Submission.review_state.not_in((APPROVED, REJECTED)),
            )
            .order_by(Submission.id)
            .limit(_AT_ONCE)
        ).all()
        if not rows:
            return found
        after = rows[-1].id
        for row in rows:
            published, instance = catalogue.published(row.form_id, row.form_version), read_instance(unpack(row.xml))
            if isinstance(published, Published) and not instance.encrypted:
                found.append((row.id, entity_actions(published.form, instance), row))
