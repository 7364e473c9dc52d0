"""The files of forms: content that somebody gave, or the entity list that stands for it, by the name in the XForm."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.workbooks.workbook import Workbook
from forms.xforms.files import named_files
from sync.entities.delivery import list_names_of
from sync.intake.content import store_of
from sync.intake.files import keep_file
from sync.journal import Journal
from sync.models import FormFile, StoredFile


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands behind a file's name: content, a list, or nothing yet."""

    sha256: str | None = None
    list_name: str | None = None

    def __bool__(self) -> bool:
        return self.sha256 is not None or self.list_name is not None


def attach_files(
    journal: Journal, form_id: str, xform: bytes, media: Mapping[str, bytes | Filled], event: int | None
) -> None:
    """Give a published form the files that it names: what came along, else what it has, else the list of that name.

    `Filled` with nothing empties a file. Without an `event`, one is recorded if anything is different.
    """
    session = journal.session
    lists = list_names_of(session, journal.project_id)
    for file in named_files(xform):
        known = session.get(FormFile, (journal.project_id, form_id, file.name))
        filled = _given(journal, media.get(file.name))
        if filled is None:
            filled = standing_for(file.name, lists) or Filled(known.sha256 if known is not None else None)
        if known is not None and Filled(known.sha256, known.list_name) == filled:
            continue
        if event is None:
            event = journal.record("media", None, {"form": form_id})
        if known is None:
            known = FormFile(project_id=journal.project_id, form_id=form_id, name=file.name)
            session.add(known)
        known.type = type_of(file.name)
        known.sha256, known.list_name, known.event = filled.sha256, filled.list_name, event
    session.flush()


def standing_for(name: str, lists: list[str]) -> Filled:
    """The entity list that a file of this name stands for, if the project has one."""
    stem = name.removesuffix(".csv")
    return Filled(None, stem) if name.endswith(".csv") and stem in lists else Filled()


def keep_content(journal: Journal, content: bytes, content_type: str | None = None) -> str:
    """Store what was given for a form, and note its hashes; gives the SHA-256."""
    sha256 = keep_file(journal, store_of(journal.session).put(content), len(content), content_type)
    stored = journal.session.get_one(StoredFile, (journal.project_id, sha256))
    stored.md5 = stored.md5 or hashlib.md5(content, usedforsecurity=False).hexdigest()
    return sha256


def content_hash(workbook: Workbook) -> str:
    """One hash, one version: of the XForm and our own sheets, whatever else of the workbook has changed."""
    sheets = orjson.dumps(workbook.sheets.to_json(), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(workbook.xform + sheets).hexdigest()


def type_of(name: str) -> str:
    """The content type that a file's name promises."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def files_of(session: Session, project_id: int, form_id: str) -> dict[str, FormFile]:
    """All files that the form's versions name, by name."""
    rows = session.scalars(select(FormFile).where(FormFile.project_id == project_id, FormFile.form_id == form_id))
    return {row.name: row for row in rows}


def _given(journal: Journal, given: bytes | Filled | None) -> Filled | None:
    if isinstance(given, bytes):
        return Filled(keep_content(journal, given))
    return given
