"""XLSForm to XForm by pyxform and on to a form; what either complains about put into findings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from forms.findings import Faulty, Finding
from forms.spelling import did_you_mean
from forms.tables import cut
from forms.workbooks.formsheets import FormSheets
from forms.workbooks.parameters import parameter_named
from forms.workbooks.renames import rows_by_path
from forms.workbooks.spreadsheet import Sheet, SheetRow, open_workbook
from forms.workbooks.surveyfaults import faults_set_aside, missing_columns, nested_too_deep, unforeseen
from forms.xforms.xform import Form, compile_form

SHEETS = ("survey", "choices", "external_choices", "entities", "settings", "osm")
_ROW = re.compile(r"\[row : (\d+|unknown)\]\s*")
_NEXT_ROW = re.compile(r"\n(?=\[row : )")
_WHERE = re.compile(
    r"^On the '\w+' sheet, "
    r"(?:the '[^']+' value is|the entity declaration is|one or more column names are) invalid\.\s*"
)
_ON_SHEET = re.compile(r"(?:[Oo]n|for) (?:the )?(?:sheet:? )?'(\w+)'(?: sheet)?")
_REMEDY = re.compile(r" (?=Please |Either |Learn more)")
_COLUMN = re.compile(r"the '([^']+)' (?:value|column)")
_NAMED = re.compile(r"(?:survey element named|Question|for question) (?:'|\$\{)?([^\s'{}]+?)['}]?(?: |\.$)")
_NO_TITLE = re.compile(r"[\d.:, -]+|TRUE|FALSE")
_UNKNOWN_TYPE = re.compile(r"Unknown question type '([^']*)'")
_SPACE_IN_CHOICE = re.compile(r"See \[(.*)\] in \[(.*)\]")
# What pyxform stumbles over without naming the column: the column, the fault and the remedy.
_SAID_OF_ROWS = {
    "Question or group with no name": ("name", "The row has no name.", "Give it one in snake_case."),
    "Missing calculation": ("calculation", "The row has no calculation.", "Write one, or take the row out."),
    "has no label or hint": ("label", "The question has no label.", "Write what is asked."),
    "is not user-visible": ("trigger", "What is never asked cannot be a trigger.", "Name a question that is asked."),
    "Audits must always be named": ("name", "An audit is always called ‘audit’.", "Leave the cell empty."),
}
# How often a form is made over again without what was wrong, and how many rows that takes through pyxform at most.
_MOST_ROUNDS = 40
_MOST_ROWS = 20_000
_ENTITY = re.compile(r"/meta/entity(?:/@?(\w+))?$")
_OF_ENTITIES = {"label": "label", "id": "entity_id", "create": "create_if", "update": "update_if"}


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a workbook. With `faults` the form is what is left without them: good for looking at the rest, and
    for nothing else; None where there is no telling what the rest would be."""

    form: Form | None
    faults: Sequence[Finding]
    warnings: Sequence[Finding] = ()


def make_form(data: bytes, name: str, fallback: str) -> Made:
    """Makes the form. What is wrong is set aside, and the form made again, until nothing more is found.

    `name` is the file's, `fallback` the form id where the settings give none.
    """
    # A server that only takes data never needs pyxform, and it costs 0.4 s to import.
    from pyxform.errors import PyXFormError  # noqa: PLC0415

    try:
        sheets = FormSheets(data, fallback)
    except PyXFormError as error:
        _, twice = open_workbook(data, name, SHEETS)
        return Made(None, twice or _located(str(error), name, error.context))
    except Exception as error:  # of a title that is a number, among others
        return Made(None, list(_untitled(data, name)) or [_cannot_be_made(error, name)])
    faults = missing_columns(sheets, name) or nested_too_deep(sheets, name)
    if faults:
        return Made(None, faults)
    faults = faults_set_aside(sheets, name)
    rounds = min(_MOST_ROUNDS, _MOST_ROWS // (len(sheets.sheet("survey").rows) + 1) + 3)
    for _ in range(rounds):
        form, found, warnings = _looked_at(sheets, name)
        if not found:
            rows = {(fault.sheet, fault.row) for fault in faults}
            others = [one for one in warnings if one.row is None or (one.sheet, one.row) not in rows]
            return Made(form, _in_order(faults, sheets, name), others)
        faults += found
        cells = {(finding.sheet, finding.row, finding.column): finding for finding in found}
        left = [finding for finding in cells.values() if not sheets.set_aside(finding)]
        if left:
            break
    more = Finding("There may be more that is wrong.", "Mend these first.", name)
    return Made(None, [*_in_order(faults, sheets, name), more])


def _in_order(faults: Sequence[Finding], sheets: FormSheets, name: str) -> list[Finding]:
    """Sheet by sheet, row by row, each once however often pyxform came upon it."""
    return [sheets.titled(finding) for finding in cut(sorted(dict.fromkeys(faults), key=_order), name)]


def _order(finding: Finding) -> tuple[int, int]:
    sheet = finding.sheet or ""
    return SHEETS.index(sheet) if sheet in SHEETS else len(SHEETS), finding.row or 0


def _untitled(data: bytes, name: str) -> Iterator[Finding]:
    """Titles of columns that a spreadsheet program took for a number, a date or a yes."""
    book, _ = open_workbook(data, name, SHEETS)
    for key in SHEETS:
        for title in book[key].headers.values() if key in book else ():
            if _NO_TITLE.fullmatch(title):
                fault, remedy = f"The title ‘{title}’ is not a text.", "Format the cell as text and write it again."
                yield Finding(fault, remedy, name, sheet=key, row=1, column=title)


def _cannot_be_made(error: Exception, name: str) -> Finding:
    fault = f"The form cannot be made: {type(error).__name__}: {str(error)[:300]}."
    return Finding(fault, "Look at the sheets survey, choices and settings.", name)


def compiled(xform: bytes, renames: Mapping[str, str], survey: Sheet, name: str) -> tuple[Form | None, list[Finding]]:
    """What is wrong with the XForm is told by the row of the survey that it comes from."""
    try:
        return compile_form(xform, renames), []
    except Faulty as faulty:
        rows = rows_by_path(survey)
        return None, [_in_sheet(finding, rows, name) for finding in faulty.findings]


def _looked_at(sheets: FormSheets, name: str) -> tuple[Form | None, list[Finding], list[Finding]]:
    """The form, faults, warnings."""
    from pyxform.errors import PyXFormError  # noqa: PLC0415 (as above)
    from pyxform.xls2xform import convert  # noqa: PLC0415

    warnings: list[str] = []
    try:
        xform = convert(sheets.as_taken(), warnings=warnings).xform.encode()
    except PyXFormError as error:
        told = list(_told(str(error), error.context, sheets, name))
        return None, told or _located(str(error), name, error.context), []
    except Exception as error:  # pyxform has no one error for what it did not foresee.
        return None, unforeseen(sheets, name) or [_cannot_be_made(error, name)], []
    form, faults = compiled(xform, {}, sheets.sheet("survey"), name)
    faults = [_in_its_row(fault, sheets) if fault.sheet == "entities" else fault for fault in faults]
    located = [one for warning in warnings for one in _located(warning, name, {})]
    return form, faults, [_numbered(one, sheets) for one in located]


def _told(message: str, context: Mapping[str, Any], sheets: FormSheets, name: str) -> Iterator[Finding]:
    """What pyxform stumbled over; where it does not say where, that is looked for."""
    survey = sheets.sheet("survey")
    if unknown := _UNKNOWN_TYPE.search(message):
        yield from _unknown_types(unknown[1], name, survey)
        return
    if spaced := _SPACE_IN_CHOICE.search(message):
        yield from _spaces_in_choices(spaced[2], name, sheets.sheet("choices"))
        return
    for finding in _located(message, name, context):
        where = finding
        if where.sheet == "settings" and where.column:
            where = replace(where, row=2)
        elif where.row is not None and where.sheet:
            where = _numbered(where, sheets)
            if not where.column and where.fault.startswith("Parameter "):
                where = replace(where, column="parameters")
        elif named := _NAMED.search(message):
            row = next((row.number for row in survey.rows if row.text("name") == named[1]), None)
            where = replace(where, sheet="survey", row=row)
        elif row := _row_of_parameter(message, survey):
            where = replace(where, sheet="survey", row=row, column="parameters")
        for said, (column, fault, remedy) in _SAID_OF_ROWS.items():
            if said in message:
                where = replace(where, column=column, fault=fault, remedy=remedy)
        yield where


def _numbered(finding: Finding, sheets: FormSheets) -> Finding:
    """With the row's number in the spreadsheet, whatever was set aside."""
    if finding.row is None or not finding.sheet:
        return finding
    return replace(finding, row=sheets.number(finding.sheet, finding.row))


def _row_of_parameter(message: str, survey: Sheet) -> int | None:
    """The first row with a parameter of which the message speaks."""
    return next((row.number for row in survey.rows if parameter_named(row.text("parameters"), message)), None)


def _located(message: str, name: str, context: Mapping[str, Any]) -> list[Finding]:
    """A message of pyxform, its sheet, row and column taken out of it where it tells them."""
    return [_one_located(one, name, context) for one in _NEXT_ROW.split(message)]


def _one_located(message: str, name: str, context: Mapping[str, Any]) -> Finding:
    row, sheet, column = _ROW.search(message), _ON_SHEET.search(message), _COLUMN.search(message)
    number = context.get("row") or (row[1] if row else None)
    words = _WHERE.sub("", _ROW.sub("", message).strip())
    fault, remedy = (*_REMEDY.split(words, maxsplit=1), "")[:2]
    return Finding(
        fault,
        remedy,
        name,
        sheet=context.get("sheet") or (sheet[1] if sheet else "survey" if row else None),
        row=int(number) if number is not None and str(number).isdecimal() else None,
        column=context.get("column") or (column[1] if column else None),
    )


def _unknown_types(kind: str, name: str, survey: Sheet) -> Iterator[Finding]:
    """pyxform does not say where, nor what was perhaps meant."""
    from pyxform.question_type_dictionary import QUESTION_TYPE_DICT  # noqa: PLC0415 (as above)

    remedy = did_you_mean(kind, [*QUESTION_TYPE_DICT, "select_one", "select_multiple", "calculate"])
    rows: list[int | None] = [row.number for row in survey.rows if " ".join(row.text("type").split()) == kind]
    for number in rows or [None]:
        fault = f"‘{kind}’ is not a type of question."
        yield Finding(fault, remedy, name, sheet=survey.name, row=number, column="type")


def _spaces_in_choices(list_name: str, name: str, choices: Sheet) -> Iterator[Finding]:
    """All of the list; pyxform names the first, and not its row."""
    for row in choices.rows:
        chosen = row.text("name")
        if row.text("list_name") == list_name and " " in chosen:
            fault = f"‘{chosen}’ is chosen together with others, and spaces stand between those."
            remedy = "Write a name without spaces."
            yield Finding(fault, remedy, name, sheet="choices", row=row.number, column="name")


def _in_sheet(finding: Finding, rows: Mapping[str, SheetRow], name: str) -> Finding:
    """What was found at a path, in the cell that its rule was written in."""
    path = finding.place
    if row := rows.get(path):
        return replace(finding, place=name, sheet="survey", row=row.number)
    if path.endswith("_count") and (row := rows.get(path.removesuffix("_count"))):
        return replace(finding, place=name, sheet="survey", row=row.number, column="repeat_count")
    if path.endswith("/meta/instanceName"):
        return replace(finding, place=name, sheet="settings", row=2, column="instance_name")
    if entity := _ENTITY.search(path):
        column = _OF_ENTITIES.get(entity[1] or "", finding.column)
        return replace(finding, place=name, sheet="entities", column=column)
    return replace(finding, place=f"{name}, {path}" if path else name)


def _in_its_row(finding: Finding, sheets: FormSheets) -> Finding:
    """The row of a rule of entities, where only one has such a rule."""
    rows = [row.number for row in sheets.sheet("entities").rows if row.text(finding.column or "")]
    return replace(finding, row=rows[0]) if len(rows) == 1 else finding
