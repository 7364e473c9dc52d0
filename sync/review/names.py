"""What older rows do not say yet of their instances, although the raw bytes do: their names, and what locks them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from forms.xforms.instance import read_instance
from sync.intake.prepare import unpack
from sync.models import Submission, SubmissionVersion


@dataclass(frozen=True, slots=True)
class Lacking:
    """An instance whose row lacks its name, or the key that an encrypted one is locked with."""

    submission_id: int
    form_id: str
    instance_id: str
    current: bool
    instance_name: str | None
    encrypted_key: str | None


def names_lacking(session: Session, project_id: int, submission_ids: Collection[int]) -> list[Lacking]:
    """Among all versions of these submissions."""
    version = SubmissionVersion
    rows = session.execute(
        select(version.submission_id, version.form_id, version.instance_id, version.xml, Submission.current_instance_id)
        .join(Submission, (Submission.project_id == version.project_id) & (Submission.id == version.submission_id))
        .where(
            version.project_id == project_id,
            version.submission_id.in_(submission_ids),
            version.instance_name.is_(None),
            version.encrypted_key.is_(None),
        )
        .order_by(version.submission_id, version.number)
    )
    found = []
    for row in rows:
        raw = unpack(row.xml)
        # Most forms have no names: these need not be read.
        if b"instanceName" not in raw and b"encrypted" not in raw and b"\0" not in raw:
            continue
        instance = read_instance(raw)
        key = instance.root.findtext("base64EncryptedKey") if instance.encrypted else None
        if instance.instance_name or key:
            current = row.instance_id == row.current_instance_id
            found.append(Lacking(row.submission_id, row.form_id, row.instance_id, current, instance.instance_name, key))
    return found


def fill_names(session: Session, project_id: int, lacking: Sequence[Lacking]) -> None:
    """Write down what the rows lack."""
    for one in lacking:
        session.execute(
            update(SubmissionVersion)
            .where(
                SubmissionVersion.project_id == project_id,
                SubmissionVersion.form_id == one.form_id,
                SubmissionVersion.instance_id == one.instance_id,
            )
            .values(instance_name=one.instance_name, encrypted_key=one.encrypted_key)
        )
        if one.current:
            session.execute(
                update(Submission)
                .where(Submission.project_id == project_id, Submission.id == one.submission_id)
                .values(instance_name=one.instance_name)
            )
