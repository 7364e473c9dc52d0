"""Drafts: the next version of a form while it is tried out, with its files, its token and its trial answers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from forms.indicators.sheets import Sheets
from forms.workbooks.workbook import Workbook
from forms.xforms.files import NamedFile, named_files
from forms.xforms.rewriting import opened_again, with_version
from forms.xforms.xform import compile_form
from sync.accounts.tokens import digest
from sync.entities.delivery import list_names_of
from sync.errors import FormDeleted, NeverPublished, NotFound, Unexpected, VersionDiffers
from sync.journal import Journal
from sync.models import DraftFile, DraftSubmission, EncryptionKey, Form, FormDraft, FormVersion
from sync.projects.identities import carried_on, forms_before
from sync.projects.media import Filled, content_hash, files_of, keep_content, standing_for, type_of
from sync.projects.publish import publish_form


def draft_of(session: Session, project_id: int, form_id: str) -> FormDraft:
    """Raises NotFound for a form that has no draft now."""
    draft = session.get(FormDraft, (project_id, form_id))
    if draft is None:
        raise NotFound
    return draft


def put_draft(journal: Journal, workbook: Workbook) -> FormDraft:
    """Make the workbook the form's draft, in place of one that it has. Its trial answers go; its token stays.

    Files of the same name are taken over from the draft before, else from the published form. Raises FormDeleted, and
    WorkbookFaulty where publishing it would.
    """
    session, project_id, form_id = journal.session, journal.project_id, workbook.form.form_id
    published = session.get(Form, (project_id, form_id))
    if published is not None and published.deleted_at is not None:
        raise FormDeleted(details={"form": form_id})
    carried_on(workbook, forms_before(session, project_id, form_id))  # what publishing would refuse
    before = session.get(FormDraft, (project_id, form_id))
    kept = _files_before(session, project_id, form_id)
    token = before.token if before is not None else f"siby_{secrets.token_urlsafe(32)}"
    created_at = before.created_at if before is not None else journal.now
    if before is not None:
        drop_draft(journal, form_id)
    draft = FormDraft(
        project_id=project_id,
        form_id=form_id,
        version=workbook.form.version,
        title=workbook.form.title,
        xform=workbook.xform,
        source=workbook.source,
        sheets=workbook.sheets.to_json(),
        md5=hashlib.md5(workbook.xform, usedforsecurity=False).hexdigest(),
        sha256=content_hash(workbook),
        token=token,
        token_sha256=digest(token),
        actor_id=journal.actor_id,
        created_at=created_at,
        updated_at=journal.now if before is not None else None,
    )
    session.add(draft)
    session.flush()
    lists = list_names_of(session, project_id)
    for file in named_files(workbook.xform):
        known = kept.get(file.name)
        filled = standing_for(file.name, lists) if known is None else known
        _add_file(journal, form_id, file, filled, given=known is not None or bool(filled))
    session.flush()
    return draft


def copy_to_draft(journal: Journal, form_id: str) -> FormDraft:
    """Make the published form its own draft. Raises NotFound for a form that was never published."""
    session = journal.session
    form = session.get(Form, (journal.project_id, form_id))
    if form is None or form.deleted_at is not None:
        raise NotFound
    version = session.get_one(FormVersion, (journal.project_id, form_id, form.version))
    sheets = Sheets.from_json(version.sheets)
    xform = opened_again(version.xform) if _is_ours(session, version) else version.xform
    return put_draft(journal, Workbook(compile_form(xform, sheets.renames), xform, version.source, sheets, ()))


def publish_draft(journal: Journal, form_id: str, version: str | None = None) -> int:
    """Publish the draft, under another version if one is given, with exactly its files. Trial answers go.

    Gives how many submissions were released from quarantine. Raises VersionDiffers for a version that has been
    published already.
    """
    session = journal.session
    draft = draft_of(session, journal.project_id, form_id)
    sheets = Sheets.from_json(draft.sheets)
    xform = draft.xform if version in (None, draft.version) else with_version(draft.xform, version)
    workbook = Workbook(compile_form(xform, sheets.renames), xform, draft.source, sheets, ())
    released = publish_form(journal, workbook, _given(session, journal.project_id, form_id))
    if released is None:
        raise VersionDiffers(
            "This version has been published already; give the draft another one",
            details={"form": form_id, "version": workbook.form.version},
        )
    drop_draft(journal, form_id)
    return released


def discard_draft(journal: Journal, form_id: str) -> None:
    """Throw the draft of a published form away. Raises NeverPublished where nothing of the form would be left."""
    draft_of(journal.session, journal.project_id, form_id)
    if journal.session.get(Form, (journal.project_id, form_id)) is None:
        raise NeverPublished("The form has never been published; delete the form itself to throw its draft away")
    drop_draft(journal, form_id)


def drop_draft(journal: Journal, form_id: str) -> None:
    """Take the draft away, if there is one, with its files and its trial answers."""
    for table in (DraftSubmission, DraftFile, FormDraft):
        of_draft = (table.project_id == journal.project_id, table.form_id == form_id)
        journal.session.execute(delete(table).where(*of_draft).execution_options(synchronize_session=False))
    journal.session.expire_all()


def draft_files(session: Session, project_id: int, form_id: str) -> list[DraftFile]:
    """The files that the draft names, by name."""
    return list(
        session.scalars(
            select(DraftFile)
            .where(DraftFile.project_id == project_id, DraftFile.form_id == form_id)
            .order_by(DraftFile.name)
        )
    )


def fill_draft_file(journal: Journal, form_id: str, name: str, content: bytes, content_type: str) -> DraftFile:
    """Give the draft a file that it names. Raises NotFound for one that it does not name."""
    file = _file(journal.session, journal.project_id, form_id, name)
    file.sha256, file.list_name = keep_content(journal, content, content_type), None
    file.type, file.updated_at = content_type, journal.now
    journal.session.flush()
    return file


def link_draft_file(journal: Journal, form_id: str, name: str, to_list: bool) -> DraftFile:
    """Let the entity list of that name stand for the file, or no more. Raises NotFound where there is no such list."""
    file = _file(journal.session, journal.project_id, form_id, name)
    if to_list:
        filled = standing_for(name, list_names_of(journal.session, journal.project_id))
        if not filled:
            raise Unexpected(f"The project has no entity list that {name} could stand for.")
        file.sha256, file.list_name = None, filled.list_name
    else:
        file.list_name = None
    file.updated_at = journal.now
    journal.session.flush()
    return file


def empty_draft_file(journal: Journal, form_id: str, name: str) -> None:
    """Take content and list away from a file. Raises NotFound where it has neither."""
    file = _file(journal.session, journal.project_id, form_id, name)
    if not Filled(file.sha256, file.list_name):
        raise NotFound
    file.sha256 = file.list_name = None
    file.updated_at = journal.now
    journal.session.flush()


def _files_before(session: Session, project_id: int, form_id: str) -> Mapping[str, Filled]:
    published = files_of(session, project_id, form_id).values()
    kept = {row.name: filled for row in published if (filled := Filled(row.sha256, row.list_name))}
    return kept | _given(session, project_id, form_id)


def _given(session: Session, project_id: int, form_id: str) -> dict[str, Filled]:
    """The files that somebody filled or emptied; for the others a list of their name may come along later."""
    files = draft_files(session, project_id, form_id)
    return {row.name: Filled(row.sha256, row.list_name) for row in files if row.updated_at is not None}


def _add_file(journal: Journal, form_id: str, file: NamedFile, filled: Filled, *, given: bool) -> None:
    journal.session.add(
        DraftFile(
            project_id=journal.project_id,
            form_id=form_id,
            name=file.name,
            type=type_of(file.name),
            sha256=filled.sha256,
            list_name=filled.list_name,
            updated_at=journal.now if given else None,
        )
    )


def _file(session: Session, project_id: int, form_id: str, name: str) -> DraftFile:
    draft_of(session, project_id, form_id)
    file = session.get(DraftFile, (project_id, form_id, name))
    if file is None:
        raise NotFound
    return file


def _is_ours(session: Session, version: FormVersion) -> bool:
    """Whether it is encrypted with a key of the project, which publishing puts in again."""
    if version.key_id is None:
        return False
    return session.get_one(EncryptionKey, (version.project_id, version.key_id)).private is not None
