"""Encrypted forms: the project's own key, and those that forms bring along."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from forms.indicators.sheets import Sheets
from forms.workbooks.workbook import Workbook
from forms.xforms.rewriting import encrypted_with, public_key_of
from forms.xforms.xform import compile_form
from sync.encryption.keys import NewKey, public_key
from sync.errors import Exists
from sync.journal import Journal
from sync.models import NEWEST, EncryptionKey, Form, FormVersion


def encrypt_project(journal: Journal, key: NewKey) -> EncryptionKey:
    """From now on the project's forms are filled in encrypted. A project gets a key once, and keeps it.

    `published_again` says which form versions have to follow. Raises Exists.
    """
    project = journal.project
    if project.key_id is not None:
        raise Exists("The project's forms are encrypted already; its key cannot be changed.")
    row = EncryptionKey(
        project_id=project.id,
        id=journal.new_id(),
        public=key.public,
        private=key.private,
        hint=key.hint,
        created_at=journal.now,
    )
    journal.session.add(row)
    journal.session.flush()
    project.key_id = row.id
    project.updated_at = journal.now
    return row


def locked(journal: Journal, workbook: Workbook) -> tuple[Workbook, int | None]:
    """The workbook as it is to be published here, and the key that its answers are encrypted with, if any.

    A form that brings its own key keeps that one. Raises Unexpected for what is no key.
    """
    key_id = brought_key(journal, workbook)
    if key_id is not None:
        return workbook, key_id
    if journal.project.key_id is None:
        return workbook, None
    key = journal.session.get_one(EncryptionKey, (journal.project_id, journal.project.key_id))
    xform = encrypted_with(workbook.xform, key.public)
    form = compile_form(xform, workbook.sheets.renames)
    return replace(workbook, xform=xform, form=form), key.id


def brought_key(journal: Journal, workbook: Workbook) -> int | None:
    """The key that the form brings along, if it does. Raises Unexpected for what is no key."""
    brought = public_key_of(workbook.xform)
    return None if brought is None else _key_of(journal, public_key(brought))


def open_forms(journal: Journal) -> list[Workbook]:
    """The newest versions of the project's forms that are filled in unencrypted."""
    rows = journal.session.execute(
        select(FormVersion.xform, FormVersion.source, FormVersion.sheets)
        .join(Form, NEWEST)
        .where(Form.project_id == journal.project_id, FormVersion.key_id.is_(None), Form.deleted_at.is_(None))
        .order_by(Form.form_id)
    ).all()
    return [_workbook(*row) for row in rows if public_key_of(row.xform) is None]


def _workbook(xform: bytes, source: bytes | None, stored: dict[str, object]) -> Workbook:
    sheets = Sheets.from_json(stored)
    return Workbook(compile_form(xform, sheets.renames), xform, source, sheets, ())


def _key_of(journal: Journal, public: str) -> int:
    """The key's number, a new one for a key that the project has not met. Its private half is not ours to keep."""
    session, project_id = journal.session, journal.project_id
    known = session.scalar(
        select(EncryptionKey.id).where(EncryptionKey.project_id == project_id, EncryptionKey.public == public)
    )
    if known is not None:
        return known
    row = EncryptionKey(
        project_id=project_id, id=journal.new_id(), public=public, private=None, hint=None, created_at=journal.now
    )
    session.add(row)
    session.flush()
    return row.id
