"""Deleting a submission, which can be taken back for a while, and purging it, which cannot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from sync.intake.content import ContentStore
from sync.journal import Journal
from sync.models import (
    Attachment,
    BulkReviewed,
    Comment,
    DraftFile,
    DraftSubmission,
    Entity,
    EntityAssignment,
    EntityStep,
    FormFile,
    Project,
    Quarantined,
    RepeatRow,
    StoredFile,
    Submission,
    SubmissionVersion,
)
from sync.review.standing import entities_follow, figures_follow, standing, touch

_ASIDE_FOR = dt.timedelta(days=1)
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Purged:
    """How many submissions, or discarded items, went, and the content that nothing in the project names any more, by
    SHA-256."""

    count: int
    contents: Sequence[str]


def delete_submission(journal: Journal, submission_id: int) -> int:
    """Take a submission out of figures, entities, lists and the choice between second copies; gives the event.

    Everything is kept, and `restore_submission` brings it back. Raises NotFound, also for one that is deleted already.
    """
    submission = standing(journal, submission_id)
    event = journal.record("deleted", submission_id, {"from": submission.review_state})
    touch(journal, submission_id, event, deleted_at=journal.now)
    entities_follow(journal, submission, submission.review_state, living=False)
    figures_follow(journal, [submission_id], event)
    return event


def restore_submission(journal: Journal, submission_id: int) -> int:
    """Take a deletion back; gives the event. Raises NotFound for what is not deleted, or has been purged."""
    submission = standing(journal, submission_id, deleted=True)
    event = journal.record("restored", submission_id, {"deleted": True, "to": submission.review_state})
    touch(journal, submission_id, event, deleted_at=None)
    entities_follow(journal, submission, submission.review_state)
    figures_follow(journal, [submission_id], event)
    return event


def projects_to_purge(session: Session, now: dt.datetime) -> dict[int, dt.datetime]:
    """The projects in which something was thrown away longer ago than they keep such things, each with the moment
    before which that is: they are purged one by one."""
    moments = {
        row.id: now - dt.timedelta(days=row.keep_deleted)
        for row in session.execute(select(Project.id, Project.keep_deleted).order_by(Project.id))
    }
    return {id_: before for id_, before in moments.items() if any(_thrown_away(session, id_, before))}


def purge(journal: Journal, before: dt.datetime, limit: int = _AT_ONCE) -> Purged:
    """Erase what was deleted before this moment, the longest gone first, at most `limit` submissions.

    Raw instances, answers, comments, entity steps, files and what waits in quarantine under the same ids go for good.
    The contributions stay, all of them closed: they name nobody, and what was reported once stays what it was
    (docs/decisions/0005). Once the caller has committed, `ContentStore.set_aside` takes the contents.
    """
    rows = journal.session.execute(
        select(Submission.id)
        .where(Submission.project_id == journal.project_id, Submission.deleted_at < before)
        .order_by(Submission.deleted_at, Submission.id)
        .limit(limit)
    )
    ids = [row.id for row in rows]
    return _purge(journal, ids) if ids else Purged(0, ())


def purge_discarded(journal: Journal, before: dt.datetime, limit: int = _AT_ONCE) -> Purged:
    """Erase what was discarded from the quarantine before this moment, with the files that nothing else names."""
    session, project_id = journal.session, journal.project_id
    rows = session.execute(
        select(Quarantined.id, Quarantined.envelope)
        .where(Quarantined.project_id == project_id, Quarantined.discarded_at < before)
        .order_by(Quarantined.discarded_at, Quarantined.id)
        .limit(limit)
    ).all()
    if not rows:
        return Purged(0, ())
    journal.record("purged", None, {"quarantine": [str(row.id) for row in rows]})
    ids = [row.id for row in rows]
    session.execute(delete(Quarantined).where(Quarantined.project_id == project_id, Quarantined.id.in_(ids)))
    return Purged(len(ids), _forget_files(session, project_id, _named_in(row.envelope for row in rows)))


def _purge(journal: Journal, ids: Sequence[int]) -> Purged:
    session, project_id = journal.session, journal.project_id
    journal.record("purged", None, {"submissions": [str(id_) for id_ in ids]})
    version = SubmissionVersion
    chains = session.execute(
        select(version.form_id, version.instance_id).where(
            version.project_id == project_id, version.submission_id.in_(ids)
        )
    ).all()
    forms, instances = {row.form_id for row in chains}, [row.instance_id for row in chains]
    named = set(
        session.scalars(
            select(Attachment.sha256).where(
                Attachment.project_id == project_id, Attachment.submission_id.in_(ids), Attachment.sha256.is_not(None)
            )
        )
    )
    _forget_entities(session, project_id, ids)
    for kind in (BulkReviewed, Comment, Attachment, RepeatRow, SubmissionVersion):
        session.execute(delete(kind).where(kind.project_id == project_id, kind.submission_id.in_(ids)))
    session.execute(delete(Submission).where(Submission.project_id == project_id, Submission.id.in_(ids)))
    session.execute(
        delete(Quarantined).where(
            Quarantined.project_id == project_id,
            or_(Quarantined.instance_id.in_(instances), Quarantined.edits.in_(instances)),
            or_(Quarantined.form_id.in_(forms), Quarantined.form_id.is_(None)),
        )
    )
    return Purged(len(ids), _forget_files(session, project_id, {sha256 for sha256 in named if sha256}))


def _forget_entities(session: Session, project_id: int, ids: Sequence[int]) -> None:
    """Steps go; of an entity that only they told of, its id stays, so that devices still learn that it is gone."""
    own = EntityStep.project_id == project_id, EntityStep.submission_id.in_(ids)
    keys = session.execute(select(EntityStep.list_name, EntityStep.entity_id).where(*own).distinct()).all()
    session.execute(delete(EntityStep).where(*own))
    for list_name, entity_id in keys:
        others = select(EntityStep.submission_id).where(
            EntityStep.project_id == project_id, EntityStep.list_name == list_name, EntityStep.entity_id == entity_id
        )
        if session.scalar(others.limit(1)) is not None:
            continue
        session.execute(
            delete(EntityAssignment).where(
                EntityAssignment.project_id == project_id,
                EntityAssignment.list_name == list_name,
                EntityAssignment.entity_id == entity_id,
            )
        )
        session.execute(
            update(Entity)
            .where(Entity.project_id == project_id, Entity.list_name == list_name, Entity.id == entity_id)
            .values(label="", data={})
        )


def _forget_files(session: Session, project_id: int, hashes: set[str]) -> list[str]:
    """Those of the hashes that nothing in the project names any more; their rows go."""
    left = set(hashes)
    for kind in (Attachment, FormFile, DraftFile):
        left -= set(session.scalars(select(kind.sha256).where(kind.project_id == project_id, kind.sha256.in_(left))))
    if left:
        left -= _in_drafts(session, project_id)
    if left:
        waiting = select(Quarantined.envelope).where(Quarantined.project_id == project_id)
        left -= _named_in(session.scalars(waiting.execution_options(yield_per=_AT_ONCE)))
    if left:
        session.execute(delete(StoredFile).where(StoredFile.project_id == project_id, StoredFile.sha256.in_(left)))
    return sorted(left)


def _in_drafts(session: Session, project_id: int) -> set[str]:
    trials = session.scalars(select(DraftSubmission.files).where(DraftSubmission.project_id == project_id))
    return {str(sha256) for files in trials for sha256 in files.values()}


def _named_in(envelopes: Iterable[Mapping[str, Any]]) -> set[str]:
    """The content that items in quarantine say came with them; what a device wrote there may be anything."""
    lists = (envelope.get("attachments") for envelope in envelopes)
    files = (file for files in lists if isinstance(files, list) for file in files if isinstance(file, dict))
    return {sha256 for file in files if isinstance(sha256 := file.get("sha256"), str)}


def _thrown_away(session: Session, project_id: int, before: dt.datetime) -> Iterator[bool]:
    deleted = select(Submission.id).where(Submission.project_id == project_id, Submission.deleted_at < before)
    yield session.scalar(deleted.limit(1)) is not None
    discarded = select(Quarantined.id).where(Quarantined.project_id == project_id, Quarantined.discarded_at < before)
    yield session.scalar(discarded.limit(1)) is not None


def forget_contents(session: Session, store: ContentStore, now: dt.datetime) -> int:
    """Delete for good the contents that were put away a day ago, unless some project has come to hold them again."""
    forgotten = 0
    for sha256 in list(store.aside_since(_ASIDE_FOR.total_seconds(), now.timestamp())):
        if session.scalar(select(StoredFile.sha256).where(StoredFile.sha256 == sha256).limit(1)) is None:
            store.forget(sha256)
            forgotten += 1
        else:
            store.holds(sha256)
    return forgotten
