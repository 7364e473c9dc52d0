"""Attachments on their way in: resumable uploads after tus 1.0, and what is complete when the last byte is here."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection
from typing import Any, BinaryIO

from sqlalchemy import bindparam, func, select, tuple_, update
from sqlalchemy.orm import Session

from forms.form import Flag
from sync.errors import Gone, HashDiffers, NotFound, OffsetDiffers, TooLarge, Unexpected
from sync.intake.content import store_of
from sync.intake.items import SHA256
from sync.journal import Journal
from sync.models import Attachment, StoredFile, Submission, Upload
from sync.models.probing import rows_of, rows_of_ids
from sync.review.flags import RIVAL_FILE, replace_code

EXPIRES_AFTER = dt.timedelta(days=7)


def create_upload(
    session: Session,
    project_id: int,
    actor_id: int,
    *,
    sha256: str,
    length: int,
    most: int,
    name: str | None,
    type: str | None,  # noqa: A002 — the wire's word
    now: dt.datetime,
) -> Upload:
    """Begin an upload of `length` bytes, `most` at the most. The caller has begun to write, and commits.

    Raises Unexpected for what is not a SHA-256 in hex, TooLarge, and DiskFull before anything is promised.
    """
    if not SHA256.fullmatch(sha256):
        raise Unexpected("Upload-Metadata needs sha256: the file's SHA-256 in 64 small hexadecimal digits, as base64.")
    if not 0 <= length <= most:
        raise TooLarge(f"A file may have {most} bytes at most.", details={"max_bytes": most})
    store_of(session).require_room(length)
    upload = Upload(
        project_id=project_id,
        id=secrets.token_hex(16),
        actor_id=actor_id,
        sha256=sha256,
        length=length,
        name=name,
        type=type,
        expires_at=now + EXPIRES_AFTER,
    )
    session.add(upload)
    session.flush()
    store_of(session).begin(upload.id)
    return upload


def find_upload(session: Session, project_id: int, actor_id: int, upload_id: str, now: dt.datetime) -> Upload:
    """The sender's own upload. Raises NotFound, or Gone when it has expired."""
    upload = session.get(Upload, (project_id, upload_id))
    if upload is None or upload.actor_id != actor_id:
        raise NotFound
    if upload.expires_at <= now:
        raise Gone
    return upload


def offset_of(session: Session, upload: Upload) -> int:
    """How many bytes need not be sent any more: all of them if the project has this content already."""
    if _is_here(session, upload):
        return upload.length
    return store_of(session).size(upload.id) or 0


def _is_here(session: Session, upload: Upload) -> bool:
    return session.get(StoredFile, (upload.project_id, upload.sha256)) is not None


def append(session: Session, upload: Upload, offset: int, source: BinaryIO) -> int:
    """Write what the request carries; gives the new offset. Touches no row, so it needs no lock on the project.

    Raises OffsetDiffers when the upload stands elsewhere, Busy when two requests write to it at once, TooLarge when
    more comes than was announced; then the upload stands where it stood before.
    """
    store = store_of(session)
    size = store.size(upload.id)
    if size is None and not _is_here(session, upload):
        store.begin(upload.id)
        size = 0
    if offset != size:
        stands = offset_of(session, upload)
        if offset != stands:
            raise OffsetDiffers(details={"offset": stands})
        return offset
    try:
        return store.append(upload.id, offset, source, upload.length - offset)
    except ValueError as error:
        raise OffsetDiffers from error


def finish(journal: Journal, upload: Upload) -> int:
    """File an upload whose last byte is in; gives how many submissions became complete by it.

    Raises HashDiffers, after which the upload begins at its first byte again.
    """
    store = store_of(journal.session)
    if store.size(upload.id) is None and _is_here(journal.session, upload):
        return 0
    if store.hash_of(upload.id) != upload.sha256:
        store.drop(upload.id)
        store.begin(upload.id)
        raise HashDiffers
    store.keep(upload.id, upload.sha256)
    keep_file(journal, upload.sha256, upload.length, upload.type)
    return complete(journal, upload.sha256)


def keep_file(journal: Journal, sha256: str, size: int, type: str | None = None) -> str:  # noqa: A002
    """Note that the project has this content, whose bytes are in the store; gives its hash."""
    if journal.session.get(StoredFile, (journal.project_id, sha256)) is None:
        journal.session.add(
            StoredFile(project_id=journal.project_id, sha256=sha256, size=size, type=type, stored_at=journal.now)
        )
        journal.session.flush()
    return sha256


def held_files(session: Session, project_id: int, hashes: Collection[str]) -> set[str]:
    """Those of the hashes whose content the project has."""
    fixed = [(StoredFile.project_id, project_id)]
    found = rows_of_ids(session.connection(), [StoredFile.sha256], fixed, StoredFile.sha256, sorted(hashes))
    return {row.sha256 for row in found}


def complete(journal: Journal, sha256: str) -> int:
    """Mark the file as present wherever it was waited for; gives how many submissions lack nothing any more."""
    if (Attachment, sha256) in journal.seen.absent:
        return 0  # what came with it since does not wait
    project_id = journal.project_id
    waiting = {
        row.submission_id for row in rows_of(journal.connection, _WAITING, {"project": project_id, "sha256": sha256})
    }
    if not waiting:
        return 0
    journal.session.execute(
        update(Attachment)
        .where(Attachment.project_id == project_id, Attachment.sha256 == sha256)
        .values(present=True)
        .execution_options(synchronize_session=False)
    )
    return sum(recount_missing(journal, submission_id) == 0 for submission_id in sorted(waiting))


_WAITING = select(Attachment.submission_id).where(
    Attachment.project_id == bindparam("project"),
    Attachment.sha256 == bindparam("sha256"),
    Attachment.present.is_(False),
)


def flag_rivals(journal: Journal, submission_id: int) -> list[Any]:
    """Flag the submission for each rival among the files of its current version, and no others; gives its flags."""
    session, project_id = journal.session, journal.project_id
    own = Submission.project_id == project_id, Submission.id == submission_id
    current = select(Submission.current_instance_id).where(*own).scalar_subquery()
    rivals = session.execute(
        select(Attachment.name, Attachment.rival_of)
        .where(
            Attachment.project_id == project_id,
            Attachment.submission_id == submission_id,
            Attachment.instance_id == current,
            Attachment.rival_of.is_not(None),
        )
        .order_by(Attachment.name)
    ).all()
    flags = [
        Flag(RIVAL_FILE, "/data", f"Two files came under the name {name}; the second one is kept as {rival}.")
        for rival, name in rivals
    ]
    stored: list[Any] = session.execute(select(Submission.flags).where(*own)).scalar_one()
    wanted = replace_code(stored, RIVAL_FILE, flags)
    if wanted != stored:
        values = {"flags": wanted, "event": journal.last_event, "updated_at": journal.now}
        session.execute(update(Submission).where(*own).values(values))
    return wanted


def drop_upload(session: Session, upload: Upload) -> None:
    """Forget an upload that its sender gave up."""
    store_of(session).drop(upload.id)
    session.delete(upload)


def sweep(session: Session, now: dt.datetime) -> int:
    """Delete uploads that have expired, and parts that no upload owns; gives how many."""
    store = store_of(session)
    expired = session.scalars(select(Upload).where(Upload.expires_at <= now)).all()
    for upload in expired:
        drop_upload(session, upload)
    session.flush()
    strays = 0
    for part in store.parts_older_than(EXPIRES_AFTER.total_seconds(), now.timestamp()):
        if session.scalar(select(func.count()).select_from(Upload).where(Upload.id == part)) == 0:
            store.drop(part)
            strays += 1
    return len(expired) + strays


def recount_missing(journal: Journal, submission_id: int) -> int:
    """Count anew which files the current version of a submission lacks; when none is left, it is complete."""
    session, project_id = journal.session, journal.project_id
    submission = session.scalars(
        select(Submission)
        .where(tuple_(Submission.project_id, Submission.id) == tuple_(project_id, submission_id))
        .execution_options(populate_existing=True)
    ).one()
    before = submission.missing
    submission.missing = session.scalars(
        select(func.count())
        .select_from(Attachment)
        .where(
            Attachment.project_id == project_id,
            Attachment.submission_id == submission_id,
            Attachment.instance_id == submission.current_instance_id,
            Attachment.present.is_(False),
        )
    ).one()
    submission.missing += submission.more_to_come
    if submission.missing == 0 < before:
        submission.event = journal.record("completed", submission_id)
        submission.updated_at = journal.now
    return submission.missing
