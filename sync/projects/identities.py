"""A form's next version: what earlier versions renamed stays what it is, marked again or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.workbooks.renames import identities_after
from forms.workbooks.workbook import Workbook
from forms.xforms.xform import Form, compile_form
from sync.errors import WorkbookFaulty
from sync.models import FormVersion

Renames = Mapping[str, str]


def carried_on(workbook: Workbook, earlier: Sequence[Renames]) -> Workbook:
    """The workbook with the identities that its questions have by the renames of the versions before it, the newest
    first. Raises WorkbookFaulty where two questions would be one."""
    before = {path: identity for renames in reversed(earlier) for path, identity in renames.items()}
    if not before:
        return workbook
    sheets = workbook.sheets
    identities, findings = identities_after(_paths(workbook.form), sheets.renames, before)
    if findings:
        raise WorkbookFaulty("The form has faults.", findings=findings)
    renames = {path: identity for path, identity in identities.items() if path != identity}
    if renames == sheets.renames:
        return workbook
    now = {sheets.renames.get(path, path): identity for path, identity in identities.items()}
    fields = {name: now.get(identity, identity) for name, identity in sheets.fields.items()}
    form = compile_form(workbook.xform, renames)
    return replace(workbook, form=form, sheets=replace(sheets, renames=renames, fields=fields))


def renames_before(session: Session, project_id: int, form_id: str, version: str | None = None) -> list[Renames]:
    """Those of a form's versions, or of the ones before a version, the newest first."""
    of_form = (FormVersion.project_id == project_id, FormVersion.form_id == form_id)
    query = select(FormVersion.sheets["renames"]).where(*of_form).order_by(FormVersion.number.desc())
    if version is not None:
        itself = select(FormVersion.number).where(*of_form, FormVersion.version == version).scalar_subquery()
        query = query.where(FormVersion.number < itself)
    return list(session.scalars(query))


def _paths(form: Form) -> Iterator[str]:
    """Of everything in the instance, groups before what is in them."""
    pending = [("/data", form.root)]
    while pending:
        around, element = pending.pop()
        for child in element:
            path = f"{around}/{child.tag}"
            yield path
            pending.append((path, child))
