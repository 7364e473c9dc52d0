"""Files of a submission that somebody puts there, or takes away, from the office."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.xforms.answers import attachments_named
from forms.xforms.instance import read_instance
from sync.errors import Exists, NotFound, Unexpected
from sync.intake.files import complete, flag_rivals, keep_file, recount_missing
from sync.intake.items import shortened, storable
from sync.intake.prepare import unpack
from sync.journal import Journal
from sync.models import Attachment, Submission, SubmissionVersion
from sync.projects.catalogue import Unpublished, published
from sync.review.standing import standing, touch


def attach_file(
    journal: Journal,
    submission_id: int,
    name: str,
    sha256: str,
    size: int,
    type: str | None,  # noqa: A002 — the wire's word
    *,
    replace: bool,
) -> bool:
    """Make content that is in the store a file of the current version; False if it was that before.

    A name that the form does not ask for is taken too: nothing that somebody sends is thrown away. Raises Exists where
    other content has the name, unless it is to be replaced; what it replaces stays in the store.
    """
    if not name or storable(name) != name or shortened(name) != name:
        raise Unexpected("A file's name has 1 to 1,000 bytes, and no NUL.")
    standing(journal, submission_id)
    instance_id = _current(journal.session, journal.project_id, submission_id)
    row = journal.session.get(Attachment, (journal.project_id, submission_id, instance_id, name))
    if row is not None and row.present and row.sha256 == sha256:
        return False
    if row is not None and row.sha256 not in (None, sha256) and row.present and not replace:
        raise Exists("Another file has this name already.", details={"name": name, "sha256": row.sha256})
    keep_file(journal, sha256, size, type)
    complete(journal, sha256)
    if row is None:
        row = Attachment(
            project_id=journal.project_id, submission_id=submission_id, instance_id=instance_id, name=name, extra=True
        )
        journal.session.add(row)
    before = row.sha256
    row.sha256, row.size, row.type, row.present = sha256, size, type, True
    _changed(journal, submission_id, {"name": name, "sha256": sha256, "before": before})
    return True


def detach_file(journal: Journal, submission_id: int, name: str) -> None:
    """Take a file away. One that the answers name is missing from then on. Raises NotFound."""
    submission = standing(journal, submission_id)
    instance_id = _current(journal.session, journal.project_id, submission_id)
    row = journal.session.get(Attachment, (journal.project_id, submission_id, instance_id, name))
    if row is None or not row.present:
        raise NotFound
    before = row.sha256
    found = published(journal.session, journal.project_id, submission.form_id, submission.form_version)
    instance = read_instance(unpack(submission.xml))
    if isinstance(found, Unpublished) or name in attachments_named(found.form, instance):
        row.sha256 = row.size = row.type = None
        row.present = False
    else:
        journal.session.delete(row)
    _changed(journal, submission_id, {"name": name, "sha256": None, "before": before})


def submission_called(session: Session, project_id: int, form_id: str, instance_id: str) -> int | None:
    """Our own id of the submission of which this is a version, None if there is none, or none that is not deleted."""
    return session.scalar(
        select(SubmissionVersion.submission_id)
        .join(
            Submission,
            (Submission.project_id == SubmissionVersion.project_id)
            & (Submission.id == SubmissionVersion.submission_id),
        )
        .where(
            SubmissionVersion.project_id == project_id,
            SubmissionVersion.form_id == form_id,
            SubmissionVersion.instance_id == instance_id,
            Submission.deleted_at.is_(None),
        )
        .limit(1)
    )


def files_of_version(session: Session, project_id: int, form_id: str, instance_id: str) -> list[Attachment]:
    """The files of one instance, those that have not arrived too. Raises NotFound, also for a deleted submission."""
    submission_id = submission_called(session, project_id, form_id, instance_id)
    if submission_id is None:
        raise NotFound
    return list(
        session.scalars(
            select(Attachment)
            .where(
                Attachment.project_id == project_id,
                Attachment.submission_id == submission_id,
                Attachment.instance_id == instance_id,
            )
            .order_by(Attachment.name)
        )
    )


def _changed(journal: Journal, submission_id: int, details: dict[str, str | None]) -> None:
    event = journal.record("attached", submission_id, details)
    journal.session.flush()
    touch(journal, submission_id, event)
    recount_missing(journal, submission_id)
    journal.session.flush()
    flag_rivals(journal, submission_id)


def _current(session: Session, project_id: int, submission_id: int) -> str:
    return session.scalars(
        select(Submission.current_instance_id).where(
            Submission.project_id == project_id, Submission.id == submission_id
        )
    ).one()
