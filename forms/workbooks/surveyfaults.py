"""What is wrong in the sheets of a form and can be told from its cells, so that pyxform need not stumble over it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches

from forms.findings import Finding
from forms.spelling import did_you_mean
from forms.workbooks.formsheets import FormSheets
from forms.workbooks.grammar import grammar_faults
from forms.workbooks.spreadsheet import Sheet, SheetRow

_CHOOSES = re.compile(
    r"(?:select[ _](?:one|multiple)|select (?:one|all that apply)(?: from)?|select1|rank)\s+([^\s$]+)"
    r"(?:\s+or[_ ]other)?"
)
_MOST_LEVELS = 50  # what is filled in may be nested 60 levels deep
_CONTROL = re.compile(r"(begin|end)[\s_]+(?!time$)(.+)", re.IGNORECASE)  # `end time` is a question
_CONTROL_OF_PYXFORM = re.compile(r"(?:begin|end)[ _](?:lgroup|group|repeat|loop|looped group)(?: (?:over )?\S+)?")
_CONTROLS = ("begin_group", "begin_repeat", "end_group", "end_repeat")
_OF_ROWS = re.compile(r"group|repeat", re.IGNORECASE)
_KINDS = {"group": "group", "lgroup": "repeat", "repeat": "repeat", "looped": "repeat", "loop": "loop"}
_REFERENCE = re.compile(r"\$\{(?:last-saved#)?([^{}\s]+)\}")
_SEVERAL_OF_REPEAT = re.compile(r"select[ _]multiple\s+\$\{")
_NO_NAME = (  # as pyxform says it
    "Names must begin with a letter or underscore. "
    "After the first character, names may contain letters, digits, underscores, hyphens, or periods."
)
_MOST_COMPARED = 50_000  # names with names
# Their names are of another kind.
_NAMED_OTHERWISE = frozenset({"audit", "form_title", "set_form_title", "form_id", "set_form_id", "prefix"})
_KEPT_COLUMNS = ("actions", "bind", "body", "children", "choices", "control", "instance", "itemset", "media", "parent")
# Where expressions stand, and nothing else.
_EXPRESSIONS = {
    "survey": ("relevant", "constraint", "calculation", "required", "read_only", "choice_filter", "repeat_count"),
    "entities": ("create_if", "update_if", "entity_id", "label"),
    "settings": ("instance_name",),
}
# Where a reference is none, or pyxform looks at it itself.
_NO_REFERENCES = {"survey": ("type", "name", "trigger"), "entities": ("list_name", "repeat"), "settings": ()}


def missing_columns(sheets: FormSheets, place: str) -> list[Finding]:
    """Columns without which the sheets mean nothing."""
    if not sheets.has("survey"):  # its name has a space before or after it
        return [Finding("The workbook has no sheet ‘survey’.", "Call the sheet with the questions ‘survey’.", place)]
    survey, choices = sheets.sheet("survey"), sheets.sheet("choices")
    required = [(survey, "type")]
    if any(row.text("type") not in ("", "note", *_NAMED_OTHERWISE) and not _ends(row) for row in survey.rows):
        required.append((survey, "name"))
    if choices.rows and any(_CHOOSES.fullmatch(row.text("type").strip()) for row in survey.rows):
        required += [(choices, "list_name"), (choices, "name")]
    return [
        Finding(
            f"The column ‘{column}’ is missing.", "Add it to the first row.", place, sheet=sheet.name, column=column
        )
        for sheet, column in required
        if column not in sheet.headers
    ]


def nested_too_deep(sheets: FormSheets, place: str) -> list[Finding]:
    """The first row that lies deeper than can be filled in."""
    depth = 0
    for row in sheets.sheet("survey").rows:
        kind = row.text("type").lower().replace(" ", "_")
        depth += kind.startswith("begin_") - kind.startswith("end_")
        if depth > _MOST_LEVELS:
            fault = f"Groups and repeats are nested more than {_MOST_LEVELS} levels deep."
            return [Finding(fault, "Take some of them out.", place, sheet="survey", row=row.number, column="type")]
    return []


def faults_set_aside(sheets: FormSheets, place: str) -> list[Finding]:
    """Groups that are not closed, rows without a name of their own, lists and questions that there are not. Each is set
    aside in `sheets`."""
    return [
        *_balanced(sheets, place),
        *_unknown_lists(sheets, place),
        *_unknown_references(sheets, place),
        *_misnamed(sheets, place),
    ]


def unforeseen(sheets: FormSheets, place: str) -> list[Finding]:
    """What pyxform has no words for: columns that it keeps for itself, and several choices out of a repeat."""
    survey = sheets.sheet("survey")
    found = [
        Finding(f"‘{survey.headers[column]}’ is not a column here.", "Rename it.", place, sheet="survey", column=column)
        for column in _KEPT_COLUMNS
        if any(row.text(column) for row in survey.rows)
    ]
    for row in survey.rows:
        if _SEVERAL_OF_REPEAT.match(row.text("type")):
            fault = "Only one choice can be taken from the answers in a repeat, not several."
            found.append(Finding(fault, "Use select_one.", place, sheet="survey", row=row.number, column="type"))
    return found


def _balanced(sheets: FormSheets, place: str) -> list[Finding]:
    """What begins without an end, ends without a beginning, or ends as something else."""
    found: list[Finding] = []
    around: list[tuple[str, SheetRow]] = []

    def fault(row: SheetRow, fault: str, remedy: str) -> None:
        found.append(Finding(fault, remedy, place, sheet="survey", row=row.number, column="type"))

    def never_closed(kind: str, begun: SheetRow, before: SheetRow | None) -> None:
        fault(
            begun,
            f"‘{begun.text('name') or begun.text('type')}’ begins here and ends nowhere.",
            f"Add a row ‘end_{kind}’.",
        )
        sheets.close(kind, begun.number, before.number if before else None)

    for row in sheets.sheet("survey").rows:
        written = " ".join(row.text("type").split())
        control = _control(written)
        if control is None:
            continue
        begins, kind = control[1].lower() == "begin", _kind(control[2])
        if not _CONTROL_OF_PYXFORM.fullmatch(written):
            meant = f"{control[1].lower()}_{kind}"
            fault(row, f"‘{written}’ is not a type of question.", f"Did you mean ‘{meant}’?")
            sheets.put(row.number, "type", meant)
        if begins:
            around.append((kind, row))
            continue
        while len(around) > 1 and around[-1][0] != kind and any(one == kind for one, _ in around):
            never_closed(*around.pop(), row)
        if not around:
            fault(row, f"‘{written}’ ends nothing: no group or repeat is open here.", "Take the row out.")
            sheets.drop(row.number)
            continue
        other, begun = around.pop()
        if other != kind:
            fault(
                row,
                f"‘{written}’ ends ‘{begun.text('name') or begun.text('type')}’, which begins in row {begun.number}.",
                f"Write ‘end_{other}’.",
            )
            sheets.put(row.number, "type", f"end_{other}")
    for kind, row in reversed(around):
        never_closed(kind, row, None)
    return found


def _control(written: str) -> re.Match[str] | None:
    """Also where the first word is spelt wrongly, which would make its other end seem wrong."""
    near: list[str] = []
    if not (found := _CONTROL.fullmatch(written)) and _OF_ROWS.search(written):
        near = get_close_matches(written.lower().replace(" ", "_"), _CONTROLS, n=1, cutoff=0.85)
    return _CONTROL.fullmatch(near[0]) if near else found


def _kind(written: str) -> str:
    word = written.lower().split()[0]
    close = get_close_matches(word, _KINDS, n=1, cutoff=0.5)
    return _KINDS[close[0]] if close else "group"


def _unknown_lists(sheets: FormSheets, place: str) -> list[Finding]:
    """Every question that chooses from a list that there is not; pyxform names the first, and not its row."""
    known = {row.text("list_name") for row in sheets.sheet("choices").rows} - {""}
    found, lacking = [], set()
    for row in sheets.sheet("survey").rows:
        asked = _CHOOSES.fullmatch(row.text("type").strip())
        if asked and asked[1] not in known:
            remedy = did_you_mean(asked[1], known) or "Write its choices in the sheet ‘choices’."
            fault = f"There is no list ‘{asked[1]}’ in the sheet ‘choices’."
            found.append(Finding(fault, remedy, place, sheet="survey", row=row.number, column="type"))
            lacking.add(asked[1])
    for name in sorted(lacking):
        sheets.add_list(name)
    return found


class _Suggestions:
    """How often each name is there, and what was perhaps meant by others: for as many as does not take long."""

    def __init__(self, names: Mapping[str, int]) -> None:
        self.names = names
        self._found: dict[str, str] = {}

    def nearest(self, name: str) -> str:
        if name not in self._found and len(self._found) * len(self.names) < _MOST_COMPARED:
            self._found[name] = did_you_mean(name, self.names)
        return self._found.get(name, "")


def _unknown_references(sheets: FormSheets, place: str) -> list[Finding]:
    """Every `${…}` that names no question, or several; and what else is wrong with how those cells are written, because
    they are set aside."""
    names = Counter(row.text("name") for row in sheets.sheet("survey").rows if not _ends(row))
    names.update(["instanceID"])
    suggestions = _Suggestions(names)
    found = []
    for name, passed_over in _NO_REFERENCES.items():
        sheet = sheets.sheet(name)
        columns = [column for column in sheet.headers if column not in passed_over]
        found += [
            one for row in sheet.rows for column in columns for one in _in_cell(sheet, row, column, suggestions, place)
        ]
    choices = sheets.sheet("choices")
    labels = [column for column in choices.headers if column.partition("::")[0] == "label"]
    found += [
        one for row in choices.rows for column in labels for one in _in_cell(choices, row, column, suggestions, place)
    ]
    for finding in found:
        sheets.set_aside(finding)
    return found


def _misnamed(sheets: FormSheets, place: str) -> list[Finding]:
    """Rows without a type or a name, and names that are none or are taken within their group."""
    from pyxform.parsing.expression import is_xml_tag  # noqa: PLC0415 — see xlsform

    found = []
    taken: list[dict[str, int]] = [{}]
    for row in sheets.sheet("survey").rows:
        kind, name = row.text("type"), row.text("name")
        if _ends(row):
            taken = taken[:-1] or taken
            continue
        fault, column, remedy = "", "name", ""
        if not kind and (name or any(column.partition("::")[0] == "label" for column in row.cells)):
            fault, column, remedy = "The row has no type.", "type", "Write one, such as text or integer."
        elif not kind or kind in _NAMED_OTHERWISE or (kind == "note" and not name):
            continue
        elif not name:
            fault, remedy = "The row has no name.", "Give it one in snake_case."
        elif not is_xml_tag(name):
            fault = _NO_NAME
        elif name in taken[-1]:
            fault, remedy = f"‘{name}’ is also the name of row {taken[-1][name]}.", "Rename one."
        if fault:
            found.append(Finding(fault, remedy, place, sheet="survey", row=row.number, column=column))
        taken[-1].setdefault(name, row.number)
        if _CONTROL.fullmatch(kind):
            taken.append({})
    for finding in found:
        sheets.set_aside(finding)
    return found


def _in_cell(sheet: Sheet, row: SheetRow, column: str, known: _Suggestions, place: str) -> Iterator[Finding]:
    found = list(_unknown_in(row.text(column), known))
    if found and column in _EXPRESSIONS.get(sheet.name, ()):
        found += grammar_faults(row.text(column))
    for finding in found:
        yield replace(finding, place=place, sheet=sheet.name, row=row.number, column=sheet.headers[column])


def _unknown_in(text: str, known: _Suggestions) -> Iterator[Finding]:
    for name in dict.fromkeys(_REFERENCE.findall(text)):
        if name not in known.names:
            fault, remedy = f"‘{name}’ is not a question of this form.", known.nearest(name)
        elif known.names[name] > 1:
            fault, remedy = f"The form has {known.names[name]} questions called ‘{name}’.", "Rename all but one."
        else:
            continue
        yield Finding(fault, remedy)


def _ends(row: SheetRow) -> bool:
    control = _CONTROL.fullmatch(row.text("type"))
    return control is not None and control[1].lower() == "end"
