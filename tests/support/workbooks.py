"""Workbooks for tests, written as Markdown tables: the first row of a table names its sheet."""

from __future__ import annotations

import io

from openpyxl import Workbook as Spreadsheet

SETTINGS = """
    | settings |         |         |
    | form_id  | version | form_title |
    | {form_id} | {version} | {form_id} |
"""
ABOUT = """
    | settings |         |            |         |
    | form_id  | version | form_title | subject |
    | {form_id} | {version} | {form_id} | {subject} |
"""


def xlsx_of(markdown: str) -> bytes:
    """An .xlsx file of the tables in `markdown`; a table begins with a row of which only the first cell is filled."""
    book = Spreadsheet()
    assert book.active is not None
    book.remove(book.active)
    sheet = None
    for line in markdown.strip().splitlines():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if not any(cells):
            continue
        if cells[0] and not any(cells[1:]):
            sheet = book.create_sheet(cells[0])
            continue
        assert sheet is not None, "a table begins with the name of its sheet"
        sheet.append([cell or None for cell in cells])
        for cell in sheet[sheet.max_row]:
            if cell.data_type == "f":
                cell.data_type = "s"  # "= 1" is a text here, as after an apostrophe in a spreadsheet program
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def a_workbook(form_id: str, version: str, markdown: str, subject: str = "") -> bytes:
    """A workbook with these sheets and a settings sheet, which may say whom a visit is about."""
    settings = ABOUT if subject else SETTINGS
    return xlsx_of(markdown + settings.format(form_id=form_id, version=version, subject=subject))
