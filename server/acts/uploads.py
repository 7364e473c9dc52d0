"""Forms as somebody hands them in: a workbook or an XForm, read and tried out before anything waits for it."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote

from flask import request

from forms.findings import Faulty, Finding
from forms.indicators.sheets import Sheets
from forms.workbooks.oldexcel import is_old_excel
from forms.workbooks.spreadsheet import normalised
from forms.workbooks.workbook import Workbook, draft_workbook, finish, read_xform, unfit_id, unfit_list
from forms.xforms.corrections import not_filled_in
from forms.xforms.questions import GROUP, REPEAT, Question, questions_of
from forms.xforms.xform import Form
from server import current
from server.db import release, session
from server.wire.bodies import read_body
from sync.errors import Missing, TooLarge, Unexpected, WorkbookFaulty, WorkbookWarnings
from sync.exports.fields import common_kind
from sync.models import Form as FormRow
from sync.projects.catalogue import Unpublished, latest_sheets, published
from sync.projects.identities import carried_on, forms_before
from sync.projects.validate import require_loadable

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLS = "application/vnd.ms-excel"
MOST_BYTES = 16 * 1024 * 1024
_XML = (b"<", codecs.BOM_UTF8, b"\xff\xfe", b"\xfe\xff")  # how it begins, or the mark before it
_WHAT_IS_ASKED = frozenset(
    {"", "type", "command", "name", "value", "was", "calculation", "calculate", "trigger", "read_only", "readonly"}
)


@dataclass(frozen=True, slots=True)
class Handed:
    """A form that was read. `warnings` are about the form, `notes` about what could not be tried here."""

    workbook: Workbook
    warnings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)


def uploaded(field: str, limit: int = MOST_BYTES) -> bytes:
    """The file in a field of a page's form, empty if none was chosen. Raises TooLarge.

    Once it is here, the request waits for its turn to be worked on.
    """
    chosen = request.files.get(field)
    content = chosen.stream.read(limit + 1) if chosen is not None else b""
    if len(content) > limit:
        raise TooLarge(f"The file is larger than {limit // (1024 * 1024)} MB.")
    current.take_slot()
    return content


def read_handed(pid: int, fallback: str) -> Handed:
    """The form in the body. `fallback` is its id where it names none. Raises WorkbookFaulty with all that is wrong.

    Takes its time, so it is done before the project is locked, and without a connection to the database.
    """
    neighbours = latest_sheets(session(), pid)
    release()
    return tried(pid, read_body(MOST_BYTES), fallback, neighbours)


def tried(pid: int, body: bytes, fallback: str, neighbours: dict[str, Sheets]) -> Handed:
    """A form from its bytes, held against the others of its project and tried with ODK Validate."""
    if not body:
        raise Missing("There is no form in the body.")
    try:
        return _tried(pid, body, fallback, neighbours)
    except Faulty as faulty:
        raise WorkbookFaulty(
            f"The form cannot be taken: {faulty}", findings=faulty.told, details={"error": str(faulty)}
        ) from faulty


def fallback_id(default: str) -> str:
    """The form's id where its settings have none: what the client says, else the default."""
    return unquote(request.headers.get("X-XlsForm-FormId-Fallback", "")).strip() or default


def require_no_warnings(handed: Handed, workflow: Sequence[Finding], ignored: bool) -> None:
    """Raises WorkbookWarnings unless there are none, or they are to be passed over."""
    if ignored or not (handed.warnings or workflow):
        return
    details = {
        "warnings": {
            "xlsFormWarnings": [str(finding) for finding in handed.warnings],
            "workflowWarnings": [{"type": finding.column, "details": finding.fault} for finding in workflow],
        }
    }
    raise WorkbookWarnings(findings=[*handed.warnings, *workflow], details=details)


def since_published(pid: int, workbook: Workbook) -> list[Finding]:
    """What happens to the columns that the published version's questions have in exports. A question that has left the
    form keeps its column; one that was only renamed should say so. One whose type has changed makes a text of it, and
    those of a repeat that has become a group, or the reverse, have columns in both tables.
    """
    form = workbook.form
    row = session().get(FormRow, (pid, form.form_id))
    before = published(session(), pid, form.form_id, row.version) if row is not None else None
    if before is None or isinstance(before, Unpublished):
        return []
    with suppress(WorkbookFaulty):  # which is said where it is handed in
        form = carried_on(workbook, forms_before(session(), pid, form.form_id)).form
    pairs = [(field, form.by_identity.get(identity)) for identity, field in before.form.by_identity.items()]
    gone = [was.name for was, now in pairs if now is None]
    changed = [
        f"{now.name} ({was.type} → {now.type})"
        for was, now in pairs
        if now is not None and was.type != now.type and common_kind((was.type, now.type)) == "string"
    ]
    groups = _groups_of(form)
    turned = [
        f"{now.name} ({was.kind} → {now.kind})"
        for identity, was in _groups_of(before.form).items()
        if (now := groups.get(identity)) and now.kind != was.kind
    ]
    findings = []
    if gone:
        fault = f"The form has no more: {', '.join(gone)}."
        remedy = "If they were renamed, say so in the column ‘was’ of the survey."
        findings.append(Finding(fault, remedy, form.form_id, column="structureChanged"))
    if changed:
        fault = f"These questions have another type than before: {', '.join(changed)}."
        remedy = "Their columns in exports and feeds become text. What asks something else needs another name."
        findings.append(Finding(fault, remedy, form.form_id, column="typeChanged"))
    if turned:
        fault = f"These are asked once, and were asked several times, or the reverse: {', '.join(turned)}."
        remedy = "In exports and feeds their former answers stay in columns of their own, and figures go on with them."
        findings.append(Finding(fault, remedy, form.form_id, column="structureChanged"))
    return findings


def _groups_of(form: Form) -> dict[str, Question]:
    """The groups and repeats by what they are."""
    return {one.identity: one for one in questions_of(form) if one.kind in (GROUP, REPEAT)}


def _tried(pid: int, body: bytes, fallback: str, neighbours: dict[str, Sheets]) -> Handed:
    """Raises Faulty with what is found here and by ODK Validate, and all warnings, together."""
    workbook, faulty = _read(body, fallback, neighbours)
    form = workbook.form
    faults, warnings = (faulty.findings, faulty.warnings) if faulty is not None else ([], [*workbook.warnings])
    unfit = (unfit_id(form.form_id), *(unfit_list(declared.list_name) for declared in form.entities))
    if not faults and any(unfit):
        raise Unexpected(next(filter(None, unfit)))
    try:
        notes = require_loadable(workbook.xform, form.form_id)
    except Faulty as unloadable:
        faults = [*faults, *unloadable.findings]
    if not faults:
        return Handed(workbook, [*warnings, *not_filled_in(form)], notes)
    if not any(_says_what_is_asked(fault) for fault in faults):
        warnings += [*not_filled_in(form), *since_published(pid, workbook)]
    raise Faulty(faults, warnings)


def _read(body: bytes, fallback: str, neighbours: dict[str, Sheets]) -> tuple[Workbook, Faulty | None]:
    """The form, or what is left of it without its faults."""
    if body.startswith(b"PK") or is_old_excel(body):
        draft = draft_workbook(body, f"{fallback}.xlsx", fallback)
        others = [sheets for form_id, sheets in neighbours.items() if form_id != draft.form.form_id]
        try:
            return finish(draft, others), None
        except Faulty as faulty:
            return Workbook(draft.form, draft.form.xform, draft.source, draft.sheets, ()), faulty
    if body.lstrip().startswith(_XML):
        # Editors on Windows begin a file with the mark; ODK Collect opens no form that does.
        return read_xform(body.removeprefix(codecs.BOM_UTF8), f"{fallback}.xml"), None
    raise Faulty([Finding("This is neither a workbook nor an XForm.", "Send it as .xlsx, .xls or XML.", fallback)])


def _says_what_is_asked(fault: Finding) -> bool:
    """Whether it is in a cell that says which form this is, or what its questions are: without it another form would be
    held against the published one."""
    sheet, column = (fault.sheet or "").strip().lower(), normalised(fault.column or "").partition("::")[0]
    return sheet in ("settings", "entities") or (sheet == "survey" and column in _WHAT_IS_ASKED)
