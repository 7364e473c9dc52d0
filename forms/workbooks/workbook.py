"""A workbook from its bytes: the XForm that pyxform makes of it, and our own sheets, checked together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from forms.findings import Faulty, Finding
from forms.indicators.sheets import Sheets
from forms.spelling import did_you_mean
from forms.workbooks.desk import Desk
from forms.workbooks.neighbours import check_among
from forms.workbooks.oldexcel import as_xlsx, is_old_excel
from forms.workbooks.ownsheets import COLUMNS, OwnSheets, paths_by_name, read_own_sheets
from forms.workbooks.spreadsheet import Sheet, open_workbook
from forms.workbooks.xlsform import SHEETS, Made, compiled, make_form
from forms.xforms.rewriting import submission_address
from forms.xforms.xform import Form, compile_form

# Clients shorten an address with such a part: what they ask of `forms/..` is asked of the project.
_DOTS_ALONE = re.compile(r"(?:\A|/)\.+(?:/|\Z)")


@dataclass(frozen=True, slots=True)
class Workbook:
    """A form version ready to be published: `source` is the workbook as it came, `xform` what clients download.

    Without a `source` the form came as an XForm, which has none of our own sheets.
    """

    form: Form
    xform: bytes
    source: bytes | None
    sheets: Sheets
    warnings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A workbook that was read, but not yet held against the others of its project. `desk` has the findings so far."""

    name: str
    source: bytes
    form: Form
    own: OwnSheets
    book: Mapping[str, Sheet]
    desk: Desk

    @property
    def sheets(self) -> Sheets:
        return self.own.sheets


def read_workbook(
    data: bytes, name: str, neighbours: Sequence[Sheets] = (), *, fallback: str | None = None
) -> Workbook:
    """Raises Faulty with everything that is wrong, and all warnings. `name` is the file's.

    The form id where the settings give none is the `fallback`, else the file's name without folder and ending.
    `neighbours` are the sheets of the project's other forms: their indicators may be used in ratios and fed together.
    Labels are taken as they are, mark-up and all: whoever shows them escapes them.
    """
    return finish(draft_workbook(data, name, fallback), neighbours)


def read_xform(data: bytes, name: str) -> Workbook:
    """A form that comes as the XForm itself. Raises Faulty for what is none."""
    try:
        form = compile_form(data)
    except Faulty as faulty:
        raise Faulty([replace(finding, place=finding.place or name) for finding in faulty.findings]) from faulty
    return Workbook(form, data, None, Sheets(form.form_id), tuple(_sent_elsewhere(data, Finding("", place=name))))


def unfit_id(form_id: str) -> str:
    """Why no address could tell this id from something else; empty for one that will do."""
    if form_id.lower().endswith((".svc", ".xls", ".xlsx", ".xml")):
        return "A form's id cannot end in .svc, .xls, .xlsx or .xml; give it another form_id in the settings."
    if _DOTS_ALONE.search(form_id):
        return "A form's id cannot be dots alone, nor be so after a slash; give it another form_id in the settings."
    if not form_id.isprintable():
        return "A form's id stands on one line; give it another form_id in the settings."
    return ""


def unfit_list(name: str) -> str:
    """The same of an entity list's name."""
    if name.lower().endswith(".svc"):
        return "A list's name cannot end in .svc; give it another one."
    if _DOTS_ALONE.search(name):
        return "A list's name cannot be dots alone; give it another one."
    return ""


def draft_workbook(data: bytes, name: str, fallback: str | None = None) -> Draft:
    """Reads a workbook without its neighbours, else as `read_workbook` does. Raises Faulty only where no form comes of
    it; other findings wait in the draft until `finish`, and its form is then what is left without them."""
    opened = as_xlsx(data, name) if is_old_excel(data) else data
    book, findings = open_workbook(opened, name, {"survey", "settings", *COLUMNS}, as_typed=COLUMNS)
    _require_survey(book, name, findings)
    # A workbook that is laid out wrongly keeps pyxform very long, and it would only say so worse.
    unfit = any((finding.sheet or "").strip().lower() in SHEETS for finding in findings)
    made = Made(None, ()) if unfit else make_form(opened, name, fallback or PurePosixPath(name).stem)
    form = made.form
    desk = Desk(name, form, paths_by_name(form) if form else {}, [*findings, *made.faults], list(made.warnings))
    desk.warnings += _sheets_misspelt(book, name)
    own = read_own_sheets(book, form.form_id if form else "", desk)
    if form is None:
        raise Faulty(desk.findings, desk.warnings)
    if own.sheets.renames:
        renamed, found = compiled(form.xform, own.sheets.renames, book["survey"], name)
        desk.findings += found
        form = desk.form = renamed or form
    return Draft(name, data, form, own, book, desk)


def finish(draft: Draft, neighbours: Sequence[Sheets] | None) -> Workbook:
    """Holds a draft against its neighbours. Raises Faulty with all findings, those of the draft too.

    None for a version that a later one has followed: its sheets count no more, so they need not agree with anybody.
    """
    if neighbours is not None:
        check_among(draft.own, neighbours, draft.book, draft.desk)
    if draft.desk.findings:
        raise Faulty(draft.desk.findings, draft.desk.warnings)
    at = Finding("", place=draft.name, sheet="settings", row=2, column="submission_url")
    warnings = (*draft.desk.warnings, *_sent_elsewhere(draft.form.xform, at))
    return Workbook(draft.form, draft.form.xform, draft.source, draft.sheets, warnings)


def _sent_elsewhere(xform: bytes, at: Finding) -> list[Finding]:
    """A warning at that place, if tablets would send what is filled in to an address that the form names."""
    address = submission_address(xform)
    if address is None:
        return []
    fault = f"Tablets send what is filled in to {address}, not to the server that they have the form from."
    return [replace(at, fault=fault, remedy="Leave submission_url empty, unless that is meant.")]


def _require_survey(book: Mapping[str, Sheet], name: str, findings: list[Finding]) -> None:
    if "survey" in book:
        return
    remedy = did_you_mean("survey", book) or "Call the sheet with the questions ‘survey’."
    raise Faulty([*findings, Finding("The workbook has no sheet ‘survey’.", remedy, name)])


def _sheets_misspelt(book: Mapping[str, Sheet], name: str) -> list[Finding]:
    """Sheets that nothing reads, though they are called almost like one that is; a leading `_` says so."""
    known = {*SHEETS, *COLUMNS}
    return [
        Finding("Nothing reads this sheet.", remedy, name, sheet=sheet.name)
        for key, sheet in book.items()
        if key not in known and not key.startswith("_") and (remedy := did_you_mean(key, COLUMNS))
    ]
