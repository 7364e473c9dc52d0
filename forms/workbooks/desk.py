"""What the readers of our own sheets share: the form, the findings, and how a cell is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from forms.findings import Faulty, Finding
from forms.indicators.references import references, substitute, visible
from forms.spelling import did_you_mean, suggestion
from forms.workbooks.grammar import grammar_faults
from forms.workbooks.spreadsheet import Sheet, SheetRow
from forms.xforms.xform import Form
from forms.xpath.expressions import compile_expression

_TRANSLATED = frozenset({"label", "description"})
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WORDS_OF_JINJA = frozenset({"and", "or", "not", "in", "is", "if", "else", "true", "false", "none"})


@dataclass(slots=True)
class Desk:
    """What the readers share: the form, its names, and the findings so far. `form` is None when pyxform made none:
    then only what stands in the cells is checked."""

    place: str
    form: Form | None
    paths: Mapping[str, list[str]]  # name → paths of the questions, groups and repeats called so
    findings: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def fault(self, sheet: Sheet, row: SheetRow | None, column: str | None, fault: str, remedy: str = "") -> None:
        self.findings.append(
            Finding(
                fault,
                remedy,
                self.place,
                sheet=sheet.name,
                row=row.number if row else None,
                column=sheet.headers.get(column, column) if column else None,
            )
        )


def check_columns(sheet: Sheet | None, allowed: Sequence[str], desk: Desk) -> None:
    """Faults of unknown columns and of cells that hold no text; a warning for a language that the form has not."""
    if sheet is None:
        return
    for key in sheet.headers:
        base, _, language = key.partition("::")
        if base not in allowed or (language and base not in _TRANSLATED):
            desk.fault(sheet, None, key, f"‘{sheet.headers[key]}’ is not a column here.", suggestion(base, allowed))
        elif language and desk.form and desk.form.languages and language not in desk.form.languages:
            desk.warnings.append(
                Finding(
                    f"The form has no language ‘{language}’.",
                    did_you_mean(language, desk.form.languages),
                    desk.place,
                    sheet=sheet.name,
                    column=sheet.headers[key],
                )
            )
    for row in sheet.rows:
        for key, cell in row.cells.items():
            if cell.typed:
                desk.fault(
                    sheet,
                    row,
                    key,
                    f"The cell holds {cell.typed} ({cell.text}), not a text.",
                    "Format the column as text and write it again.",
                )


def labels_of(row: SheetRow, base: str) -> dict[str, str]:
    """Language → text of the columns `label::…` or `description::…`; a plain column has the language `""`."""
    found = {}
    for key, cell in row.cells.items():
        column, _, language = key.partition("::")
        if column == base:
            found[language] = cell.text
    return found


def new_name(sheet: Sheet, row: SheetRow, column: str, taken: Mapping[str, SheetRow], desk: Desk) -> str | None:
    """The row's name, if it can be one; a second row of the same name is a fault."""
    name = row.text(column)
    if not name:
        desk.fault(sheet, row, column, "The row has no name.", "Give it one in snake_case.")
        return None
    if not _NAME.fullmatch(name) or name in _WORDS_OF_JINJA:
        desk.fault(
            sheet,
            row,
            column,
            f"‘{name}’ cannot be a name.",
            "Use up to 64 small letters, digits and underscores, beginning with a letter.",
        )
        return None
    if name in taken:
        desk.fault(sheet, row, column, f"‘{name}’ is also the name of row {taken[name].number}.", "Rename one.")
        return None
    return name


def choice(sheet: Sheet, row: SheetRow, column: str, known: Sequence[str], default: str, desk: Desk) -> str:
    """One of the known words, in any case and with spaces for underscores; the default after a fault."""
    text = row.text(column).lower().replace(" ", "_") or default
    if text in known:
        return text
    written = row.text(column)
    fault = f"‘{written}’ is not a {column} known here." if written else f"The row has no {column}."
    desk.fault(sheet, row, column, fault, suggestion(text, known))
    return default


def whole_number(sheet: Sheet, row: SheetRow, column: str, most: int, desk: Desk) -> int | None:
    """None for a blank cell, and after a fault."""
    text = row.text(column)
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}", text) or int(text) > most:
        desk.fault(sheet, row, column, f"‘{text}’ is not a whole number from 0 to {most}.", "Correct it.")
        return None
    return int(text)


def amount(sheet: Sheet, row: SheetRow, column: str, desk: Desk) -> Decimal | None:
    """None for a blank cell, and after a fault."""
    text = row.text(column)
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) >= 10**12:
        desk.fault(sheet, row, column, f"‘{text}’ is not a number.", "Write it like 2200 or 0.4.")
        return None
    return amount


def expression_in(
    sheet: Sheet, row: SheetRow, column: str, repeat: str | None, desk: Desk, text: str | None = None
) -> str | None:
    """The expression as written, its names and its grammar checked from inside `repeat`."""
    text = text or row.text(column)
    if not text:
        return None
    if desk.form is None:
        return text
    faults = list(_reference_faults(text, repeat, desk.form, desk.paths))
    if faults:
        # What the rest of it comes to cannot be told; how it is written can.
        faults += [(finding.fault, finding.remedy) for finding in grammar_faults(text)]
        for fault, remedy in faults:
            desk.fault(sheet, row, column, fault, remedy)
        return text
    try:
        written = substitute(text, lambda name: desk.paths[name][0])
        compile_expression(written, form=desk.form, at=repeat or "/data")
    except Faulty as faulty:
        for finding in faulty.findings:
            desk.fault(sheet, row, column, finding.fault, finding.remedy)
    return text


def _reference_faults(
    text: str, repeat: str | None, form: Form, paths: Mapping[str, list[str]]
) -> Iterable[tuple[str, str]]:
    for reference in references(text):
        name = reference.name
        if reference.quoted:
            yield (f"${{{name}}} stands inside quotation marks, where it is only text.", "Use concat().")
        elif name not in paths:
            yield (f"‘{name}’ is not a question of this form.", did_you_mean(name, paths))
        elif len(paths[name]) > 1:
            yield (f"The form has {len(paths[name])} questions called ‘{name}’.", "Rename all but one.")
        elif not reference.of_many and not visible(paths[name][0], repeat, form.repeats):
            yield (
                f"‘{name}’ is asked inside a repeat, so it has many values here.",
                "Name its repeat in the column ‘each’, or use sum(), count(), max() …",
            )
