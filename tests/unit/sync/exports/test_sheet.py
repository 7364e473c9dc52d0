"""A table for a spreadsheet: numbers reckon, links lead, and no text is ever run."""

import datetime as dt
import io
from typing import Any

import openpyxl

from sync.exports.sheet import Cell, Link, Number, write_sheet


def sheet_of(*rows: list[Cell]) -> Any:
    return openpyxl.load_workbook(io.BytesIO(write_sheet("Figures", ["A", "=B"], rows))).active


def test_no_text_becomes_a_formula_a_link_or_a_number() -> None:
    texts: list[Cell] = ["=1+1", "@SUM(A1)", "https://example.org", "007", "{=A1}"]

    sheet = sheet_of(texts)

    assert [(cell.value, cell.data_type, cell.hyperlink) for cell in sheet[2]] == [(one, "s", None) for one in texts]
    assert sheet["B1"].data_type == "s"


def test_numbers_have_the_decimals_and_the_sign_with_which_they_are_shown() -> None:
    sheet = sheet_of([Number(7879), Number(0.664, 1, percent=True), Number(2.5, 2), None])

    assert [(cell.value, cell.number_format) for cell in sheet[2]][:3] == [
        (7879, "#,##0"),
        (0.664, "0.0%"),
        (2.5, "#,##0.00"),
    ]


def test_a_moment_and_a_link_are_such() -> None:
    moment = dt.datetime(2026, 3, 31, 18, 5)

    sheet = sheet_of([moment, Link("Visits", "https://example.org/?is=sex:female&place=ML-2")])

    assert sheet["A2"].value == moment
    assert (sheet["B2"].value, sheet["B2"].hyperlink.target) == (
        "Visits",
        "https://example.org/?is=sex:female&place=ML-2",
    )


def test_an_address_too_long_to_be_a_link_is_text() -> None:
    address = f"https://example.org/?is=village:{'a' * 2100}"

    sheet = sheet_of([Link("Visits", address)])

    assert (sheet["A2"].value, sheet["A2"].hyperlink) == (address, None)


def test_a_table_without_rows_has_its_header() -> None:
    assert [cell.value for cell in sheet_of()[1]] == ["A", "=B"]
