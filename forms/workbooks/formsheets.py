"""The sheets of a form as pyxform takes them. A faulty cell can be set aside, so that everything else is looked at."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

from forms.findings import Finding
from forms.workbooks.parameters import parameters_without
from forms.workbooks.spreadsheet import Cell, Sheet, SheetRow, normalised

# The only choice of a list that there is not.
STAND_IN = "set_aside"
# Other names of columns, as pyxform knows them.
_ALIASES = {
    "survey": {
        "command": "type",
        "tag": "name",
        "value": "name",
        "caption": "label",
        "relevance": "relevant",
        "calculate": "calculation",
        "readonly": "read_only",
        "count": "repeat_count",
        "jr:count": "repeat_count",
    },
    "choices": {"value": "name", "caption": "label"},
    "entities": {"dataset": "list_name"},
}
_DISABLED = frozenset({"yes", "true", "true()"})
_SHOWN = frozenset({"type", "name", "label", "hint"})
_OF_TYPES = frozenset({"parameters", "choice_filter", "appearance", "repeat_count"})  # mean nothing for another type


class FormSheets:
    """What pyxform makes a form of. Rows are numbered as the spreadsheet shows them, whatever was set aside."""

    def __init__(self, data: bytes, fallback: str) -> None:
        """`fallback` is the form id where the settings give none. Raises PyXFormError."""
        from pyxform.xls2json_backends import Definition, SupportedFileTypes, xlsx_to_dict  # noqa: PLC0415 — see xlsform

        given = Definition(data=io.BytesIO(data), file_type=SupportedFileTypes.xlsx, file_path_stem=fallback)
        self._sheets: dict[str, Any] = {**xlsx_to_dict(given), "fallback_form_name": fallback}
        self._numbers = list(range(2, 2 + len(self._rows("survey"))))

    def as_taken(self) -> dict[str, Any]:
        """What pyxform converts."""
        return self._sheets

    def has(self, name: str) -> bool:
        """Whether there is a sheet that pyxform knows by this name."""
        return name in self._sheets

    def sheet(self, name: str) -> Sheet:
        """Under the names that pyxform gives the columns, without what it passes over."""
        columns = self._columns(name)
        rows = []
        for number, row in zip(self._numbers_of(name), self._rows(name), strict=True):
            cells = {columns[header]: Cell(text) for header, text in row.items()}
            if cells and not (name == "survey" and _is_disabled(cells)):
                rows.append(SheetRow(number, cells))
        return Sheet(name, {key: header for header, key in columns.items()}, tuple(rows))

    def number(self, sheet: str, row: int) -> int:
        """Which row it is, where pyxform says that it is this one."""
        numbers = self._numbers_of(sheet)
        return numbers[row - 2] if 2 <= row < len(numbers) + 2 else row

    def titled(self, finding: Finding) -> Finding:
        """With the title that the column has, where pyxform calls it otherwise."""
        titles = {key: header for header, key in self._columns(finding.sheet or "").items()}
        return replace(finding, column=titles.get(finding.column or "", finding.column))

    def set_aside(self, finding: Finding) -> bool:
        """Puts something harmless where the fault is. False where there is nothing to put: what else is wrong cannot be
        told before that is mended."""
        sheet, number = finding.sheet or "", finding.row
        column = normalised(finding.column or "")
        column = _ALIASES.get(sheet, {}).get(column, column)
        if number is None:
            return self._drop(sheet, column)
        at = self._at(sheet, number)
        if at is None:
            return False
        row = self._rows(sheet)[at]
        before = dict(row)
        self._empty(number, row, column, finding)
        return row != before

    def put(self, number: int, column: str, text: str) -> None:
        """Another content of a cell of the survey."""
        self._write("survey", self._rows("survey")[self._numbers.index(number)], column, text)

    def drop(self, number: int) -> None:
        """A row of the survey is as if it were empty."""
        self._rows("survey")[self._numbers.index(number)].clear()

    def close(self, kind: str, begun: int, before: int | None) -> None:
        """Ends the group or repeat that begins in one row of the survey before another, or at the end."""
        at = self._numbers.index(before) if before is not None else len(self._numbers)
        row: dict[str, str] = {}
        self._write("survey", row, "type", f"end_{kind}")
        self._rows("survey").insert(at, row)
        self._numbers.insert(at, begun)

    def add_list(self, name: str) -> None:
        """A list of one choice."""
        row: dict[str, str] = {}
        for column, text in (("list_name", name), ("name", STAND_IN), (self._label_column("choices"), STAND_IN)):
            self._write("choices", row, column, text)
        self._sheets["choices"] = [*self._rows("choices"), row]

    def _rows(self, name: str) -> list[dict[str, str]]:
        return self._sheets.get(name) or []

    def _numbers_of(self, name: str) -> list[int]:
        return self._numbers if name == "survey" else list(range(2, 2 + len(self._rows(name))))

    def _at(self, sheet: str, number: int) -> int | None:
        if sheet == "survey":
            return self._numbers.index(number) if number in self._numbers else None
        return number - 2 if 2 <= number < len(self._rows(sheet)) + 2 else None

    def _columns(self, name: str) -> dict[str, str]:
        """Header → name of the column."""
        keys = {}
        for header in (self._sheets.get(f"{name}_header") or [{}])[0]:
            key = normalised(header)
            keys[header] = _ALIASES.get(name, {}).get(key, key)
        return keys

    def _label_column(self, name: str) -> str:
        """One that the sheet has: another would be a language without translations."""
        columns = self._columns(name).values()
        return next((column for column in columns if column.partition("::")[0] == "label"), "label")

    def _write(self, name: str, row: dict[str, str], column: str, text: str) -> None:
        for header, key in self._columns(name).items():
            if key == column:
                row[header] = text
                return
        headers = (self._sheets.get(f"{name}_header") or [{}])[0]
        self._sheets[f"{name}_header"] = [{**headers, column: None}]
        row[column] = text

    def _empty(self, number: int, row: dict[str, str], column: str, finding: Finding) -> None:
        sheet = finding.sheet or ""
        match sheet, column.partition("::")[0]:
            case "survey", "" | "type":
                self._make_plain(row, column)
            case (("survey" | "choices"), "name"):
                self._write(sheet, row, "name", "audit" if "audit" in row.values() else f"row_{number}")
            case (("survey" | "choices"), ("label" | "hint")):
                self._write(sheet, row, column, "…")
            case "survey", "calculation":
                self._write(sheet, row, "calculation", "''")
            case "survey", "parameters":
                [header] = [one for one, key in self._columns(sheet).items() if key == column]
                row[header] = parameters_without(row.get(header, ""), f"{finding.fault} {finding.remedy}")
            case "choices", "":
                row.clear()
            case "entities", ("create_if" | "update_if"):
                self._write(sheet, row, column, "true()")
            case "entities", ("label" | "entity_id"):
                self._write(sheet, row, column, "'x'")
            case (("survey" | "choices" | "settings"), _):
                for header, key in self._columns(sheet).items():
                    if header == finding.column or key == column:
                        row.pop(header, None)

    def _drop(self, sheet: str, column: str) -> bool:
        if column in ("type", "name"):  # without them every row would seem wrong
            return False
        headers = [header for header, key in self._columns(sheet).items() if key == column]
        filled = [row for row in self._rows(sheet) if any(row.pop(header, None) for header in headers)]
        return bool(filled)

    def _make_plain(self, row: dict[str, str], column: str) -> None:
        """A question for a text, or a group; its rules stay, unless they may be what is wrong."""
        columns = self._columns("survey")
        for header in list(row):
            if columns[header] in _OF_TYPES or not (column or columns[header].partition("::")[0] in _SHOWN):
                del row[header]
        written = next((text for header, text in row.items() if columns[header] == "type"), "")
        if not re.match(r"(begin|end)[\s_]", written):
            self._write("survey", row, "type", "text")
        if not any(columns[header].partition("::")[0] == "label" for header in row):
            self._write("survey", row, self._label_column("survey"), "…")


def _is_disabled(cells: dict[str, Cell]) -> bool:
    return "disabled" in cells and cells["disabled"].text.lower() in _DISABLED
