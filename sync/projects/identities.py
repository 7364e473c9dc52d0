"""A form's next version: what earlier versions renamed stays what it is, marked again or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from forms.findings import Finding
from forms.workbooks.renames import identities_after
from forms.workbooks.workbook import Workbook
from forms.xforms.repeated import repeat_around
from forms.xforms.xform import Form, compile_form
from sync.errors import WorkbookFaulty
from sync.projects.catalogue import form_versions


def carried_on(workbook: Workbook, earlier: Sequence[Form]) -> Workbook:
    """The workbook with the identities that its questions have by those of the versions before it, the newest first.
    Raises WorkbookFaulty where two questions would be one, or one would go on in the rows of another repeat."""
    before = {path: identity for form in reversed(earlier) for path, identity in _identities_of(form).items()}
    sheets = workbook.sheets
    identities, findings = identities_after(_paths(workbook.form), sheets.renames, before)
    findings.extend(_in_other_rows(workbook.form, identities, earlier))
    if findings:
        raise WorkbookFaulty("The form has faults.", findings=findings)
    renames = {path: identity for path, identity in identities.items() if path != identity}
    if renames == sheets.renames:
        return workbook
    now = {sheets.renames.get(path, path): identity for path, identity in identities.items()}
    fields = {name: now.get(identity, identity) for name, identity in sheets.fields.items()}
    form = compile_form(workbook.xform, renames)
    return replace(workbook, form=form, sheets=replace(sheets, renames=renames, fields=fields))


def forms_before(session: Session, project_id: int, form_id: str, version: str | None = None) -> list[Form]:
    """A form's versions, or the ones before a version, the newest first."""
    versions = form_versions(session, project_id, form_id)
    names = [one.version for one in versions]
    earlier = versions if version is None else versions[names.index(version) + 1 :]
    return [one.form() for one in earlier]


def _identities_of(form: Form) -> dict[str, str]:
    """Path → identity of everything in the instance, renamed or not."""
    return {path: form.renames.get(path, path) for path in _paths(form)}


def _in_other_rows(form: Form, identities: Mapping[str, str], earlier: Sequence[Form]) -> Iterator[Finding]:
    """What was in the rows of another repeat, or in none, when it was there last. Of what stands where it stood only
    repeats: a group may become a repeat, and each of its questions has a column in both tables then."""
    last: dict[str, tuple[str, str]] = {}  # by identity: path, and identity of the repeat around it
    for one in reversed(earlier):
        rows = {path: repeat_around(one, path) for path in _paths(one)}
        last |= {one.renames.get(path, path): (path, one.renames.get(row, row)) for path, row in rows.items()}
    told: list[str] = []
    for path, identity in identities.items():
        was, row = last.get(identity, (path, None))
        stays = row is None or row == identities[repeat_around(form, path)]
        if stays or (was == path and path not in form.repeats) or any(path.startswith(f"{one}/") for one in told):
            continue
        told.append(path)
        yield Finding(
            f"‘{path}’ cannot go on as ‘{identity}’, which was in the rows of another repeat, or in none.",
            "Give it a name that the form has not had, and leave ‘was’ empty.",
            place=path,
        )


def _paths(form: Form) -> Iterator[str]:
    """Of everything in the instance, groups before what is in them."""
    pending = [("/data", form.root)]
    while pending:
        around, element = pending.pop()
        for child in element:
            path = f"{around}/{child.tag}"
            yield path
            pending.append((path, child))
