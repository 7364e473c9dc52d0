"""One table as a workbook for a spreadsheet: numbers as numbers, moments as moments, links; all else is text."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_CELL = 32_767
# A text stays a text: it becomes no formula, link or number.
PLAIN = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
# The same data are the same bytes.
_CREATED = dt.datetime(1980, 1, 1)  # noqa: DTZ001 — a workbook takes no zone
_WIDEST = 400  # pixels
_MOST_LINKS, _LONGEST_LINK = 65_530, 2_079  # of a sheet, and its length


@dataclass(frozen=True, slots=True)
class Number:
    """With as many decimals as are shown; a `percent` is a fraction."""

    value: int | float
    decimals: int = 0
    percent: bool = False

    @property
    def format(self) -> str:
        """As spreadsheets write it down; each shows it as its own language does."""
        whole = "0" if self.percent else "#,##0"
        return f"{whole}{'.' if self.decimals else ''}{'0' * self.decimals}{'%' if self.percent else ''}"


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead to an address of the web."""

    words: str
    address: str


Cell = str | Number | Link | dt.datetime | None  # a moment without a zone, as it is to be read


def write_sheet(title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A workbook with one sheet, whose first row stays in sight and filters the others. No text becomes a formula."""
    from xlsxwriter import Workbook  # noqa: PLC0415 — a server that starts need not wait for it

    out = io.BytesIO()
    book = Workbook(out, {**PLAIN, "in_memory": True})
    book.set_properties({"created": _CREATED, "title": title})
    formats: dict[str, Any] = {}
    sheet = book.add_worksheet(title)
    bold = book.add_format({"bold": True})
    for column, text in enumerate(header):
        sheet.write_string(0, column, text, bold)
    last = 0
    for last, row in enumerate(rows, 1):
        for column, cell in enumerate(row):
            match cell:
                case Number():
                    if cell.format not in formats:
                        formats[cell.format] = book.add_format({"num_format": cell.format})
                    sheet.write_number(last, column, cell.value, formats[cell.format])
                case dt.datetime():
                    if "at" not in formats:
                        formats["at"] = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
                    sheet.write_datetime(last, column, cell, formats["at"])
                case Link() if last <= _MOST_LINKS and len(cell.address) <= _LONGEST_LINK:
                    sheet.write_url(last, column, cell.address, string=cell.words)
                case Link():
                    sheet.write_string(last, column, cell.address[:LONGEST_CELL])
                case str():
                    sheet.write_string(last, column, cell[:LONGEST_CELL])
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, last, len(header) - 1)
    sheet.autofit(_WIDEST)
    book.close()
    return out.getvalue()
