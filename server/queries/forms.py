"""The published forms of a project with their versions, files and lists."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.errors import NotFound, Refusal
from sync.intake.changes import concerns
from sync.models import Entity, EntityList, Form, FormFile, FormVersion
from sync.projects.places import codes_below


class NoSuchVersion(Refusal):
    code = 404.6
    title = "There is no such version of the form"


def forms_of(session: Session, project_id: int, form_id: str | None = None) -> Sequence[Any]:
    """Each form with its current version, or only the one asked for."""
    query = (
        select(
            Form.form_id,
            Form.title,
            Form.version,
            Form.state,
            Form.created_at,
            FormVersion.md5,
            FormVersion.sha256,
            FormVersion.published_at,
        )
        .join(
            FormVersion,
            (FormVersion.project_id == Form.project_id)
            & (FormVersion.form_id == Form.form_id)
            & (FormVersion.version == Form.version),
        )
        .where(Form.project_id == project_id)
        .order_by(Form.form_id)
    )
    return session.execute(query if form_id is None else query.where(Form.form_id == form_id)).all()


def version_of(session: Session, project_id: int, form_id: str, version: str | None = None) -> FormVersion:
    """A version, by default the one that devices get. Raises NotFound for an unknown form, NoSuchVersion otherwise."""
    form = session.get(Form, (project_id, form_id))
    if form is None:
        raise NotFound
    found = session.get(FormVersion, (project_id, form_id, form.version if version is None else version))
    if found is None:
        raise NoSuchVersion
    return found


def versions_of(session: Session, project_id: int, form_id: str) -> Sequence[Any]:
    """All versions, the newest first."""
    rows = session.execute(
        select(FormVersion.version, FormVersion.number, FormVersion.md5, FormVersion.sha256, FormVersion.published_at)
        .where(FormVersion.project_id == project_id, FormVersion.form_id == form_id)
        .order_by(FormVersion.number.desc())
    ).all()
    if not rows:
        raise NotFound
    return rows


def files_of_form(session: Session, project_id: int, form_id: str) -> Sequence[FormFile]:
    """What the form's versions name, by name."""
    return session.scalars(
        select(FormFile).where(FormFile.project_id == project_id, FormFile.form_id == form_id).order_by(FormFile.name)
    ).all()


def list_as_csv(session: Session, project_id: int, name: str, places: Sequence[str]) -> bytes:
    """An entity list as ODK clients read it: `name,label,__version,` and the properties, rows by id.

    `places` bounds the rows as it does for a device; empty for all.
    """
    known = session.get(EntityList, (project_id, name))
    if known is None:
        raise NotFound
    codes = {code for place in places for code in codes_below(session, project_id, place, None)} if places else None
    rows = session.execute(
        select(Entity.id, Entity.label, Entity.version, Entity.data)
        .where(Entity.project_id == project_id, Entity.list_name == name, Entity.withdrawn.is_(False))
        .order_by(Entity.id)
    )
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["name", "label", "__version", *known.properties])
    for entity_id, label, version, data in rows:
        if concerns(data, codes):
            writer.writerow([entity_id, label, version, *(data.get(key, "") for key in known.properties)])
    return text.getvalue().encode()
