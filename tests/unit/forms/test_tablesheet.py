"""A list out of a spreadsheet is the list of a CSV file with the same rows."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from forms.tables import read_table
from forms.workbooks.tablesheet import read_any_table

OLD_EXCEL = Path(__file__).parents[2] / "support" / "old_excel.xls"


def a_spreadsheet(*rows: list[Any]) -> bytes:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.create_sheet("other").append(["not", "read"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_the_first_sheet_is_read_as_a_csv_file_is() -> None:
    sheet = read_any_table(a_spreadsheet(["First name", "born"], ["Awa", 1990], [None, None], ["Oumou", None]), "x")
    csv = read_any_table(b"First name,born\nAwa,1990\n,\nOumou,\n", "x")

    assert (sheet.columns, sheet.findings) == (csv.columns, csv.findings) == (("First name", "born"), [])
    assert [(row.number, row.cells) for row in sheet.rows] == [(row.number, row.cells) for row in csv.rows]


def test_a_day_is_a_day_and_a_whole_number_has_no_point() -> None:
    [row] = read_any_table(a_spreadsheet(["day", "age"], [dt.datetime(2026, 3, 31), 34.0]), "x").rows

    assert row.cells == {"day": "2026-03-31", "age": "34"}


def test_a_cell_with_an_error_is_told_with_its_row() -> None:
    [finding] = read_any_table(a_spreadsheet(["age"], ["#DIV/0!"]), "x").findings

    assert (finding.row, finding.column) == (2, "age")
    assert "#DIV/0!" in finding.fault


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0 not Excel", a_spreadsheet(), b"", b"\xff\xfe\x00"])
def test_what_cannot_be_read_is_a_finding_and_no_failure(data: bytes) -> None:
    table = read_any_table(data, "x")

    assert table.findings
    assert not table.rows


def test_old_excel_is_read_too() -> None:
    assert read_any_table(OLD_EXCEL.read_bytes(), "x").columns


def test_csv_stays_csv() -> None:
    data = b"a;b\n1;2\n"

    assert read_any_table(data, "x") == read_table(data, "x")
