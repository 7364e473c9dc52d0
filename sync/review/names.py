"""What older rows do not say yet of their instances, although the raw bytes do: their names, and what locks them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from forms.xforms.instance import read_instance
from sync.intake.prepare import unpack
from sync.models import Submission, SubmissionVersion
from sync.models.probing import rows_of_ids, rows_of_keys


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
    version, connection = SubmissionVersion, session.connection()
    rows = rows_of_keys(
        connection,
        [version.submission_id, version.number, version.form_id, version.instance_id, version.xml],
        [version.submission_id],
        [(id_,) for id_ in submission_ids],
        (version.project_id, project_id),
        version.instance_name.is_(None),
        version.encrypted_key.is_(None),
    )
    columns, at = [Submission.id, Submission.current_instance_id], [(Submission.project_id, project_id)]
    asked = sorted({row.submission_id for row in rows})
    current_of = {row[0]: row[1] for row in rows_of_ids(connection, columns, at, Submission.id, asked)}
    found = []
    for row in sorted(rows, key=lambda row: (row.submission_id, row.number)):
        raw = unpack(row.xml)
        # Most forms have no names: these need not be read.
        if b"instanceName" not in raw and b"encrypted" not in raw and b"\0" not in raw:
            continue
        instance = read_instance(raw)
        key = instance.root.findtext("base64EncryptedKey") if instance.encrypted else None
        if instance.instance_name or key:
            current = row.instance_id == current_of[row.submission_id]
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
