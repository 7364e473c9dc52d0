"""A form's next version: what earlier versions renamed stays what it is, marked again or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from forms.workbooks.renames import identities_after
from forms.workbooks.workbook import Workbook
from forms.xforms.xform import Form, compile_form
from sync.errors import WorkbookFaulty
from sync.projects.catalogue import form_versions

Identities = Mapping[str, str]  # by path


def carried_on(workbook: Workbook, earlier: Sequence[Identities]) -> Workbook:
    """The workbook with the identities that its questions have by those of the versions before it, the newest first.
    Raises WorkbookFaulty where two questions would be one."""
    before = {path: identity for identities in reversed(earlier) for path, identity in identities.items()}
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


def identities_before(session: Session, project_id: int, form_id: str, version: str | None = None) -> list[Identities]:
    """Those of a form's versions, or of the ones before a version, the newest first."""
    versions = form_versions(session, project_id, form_id)
    names = [one.version for one in versions]
    earlier = versions if version is None else versions[names.index(version) + 1 :]
    return [identities_of(one.form(), one.sheets().renames) for one in earlier]


def identities_of(form: Form, renames: Mapping[str, str]) -> Identities:
    """Of everything in the instance, renamed or not."""
    return {path: renames.get(path, path) for path in _paths(form)}


def _paths(form: Form) -> Iterator[str]:
    """Of everything in the instance, groups before what is in them."""
    pending = [("/data", form.root)]
    while pending:
        around, element = pending.pop()
        for child in element:
            path = f"{around}/{child.tag}"
            yield path
            pending.append((path, child))
