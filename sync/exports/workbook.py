"""XLSX: a sheet for the submissions and one for each repeat, written row by row in memory that does not grow."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.exports.cells import Cell
from sync.exports.csvfiles import Tally, header_of, rows_of
from sync.exports.fields import Table
from sync.exports.flat import Outlet, moment_of
from sync.exports.growing import Scratch
from sync.exports.sheet import CREATED, LONGEST_CELL, PLAIN
from sync.exports.source import Source

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 1_048_576  # of a sheet; what is beyond goes on in a second one
MOST_COLUMNS = 16_384  # beyond which there is nowhere to go on
_CHECK_EVERY = 1_000  # rows
_LONGEST_NAME = 31
_EXACT = 2**53  # beyond it a spreadsheet rounds; such a number is written as text
_FIRST_DAY = dt.date(1900, 3, 1)  # before it spreadsheets disagree about the calendar
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,14})?")
# Of a sheet that unpacks to more than 2 GB the archive says so in the way that there is for it.
_LARGE = {"constant_memory": True, "use_zip64": True}

Put = Callable[[Any, int, int, Any], Any]


def write_workbook(source: Source, target: Path, scratch: Scratch, most_rows: int = MOST_ROWS) -> int:
    """Write the whole export to `target`, with what it takes on the way beside it; gives how many submissions.

    Texts are texts: none becomes a formula or a link. Numbers, days and moments (UTC) are such for the spreadsheet.
    """
    from xlsxwriter import Workbook  # noqa: PLC0415 — a server that starts need not wait for it

    book = Workbook(
        str(target), {**PLAIN, **_LARGE, "tmpdir": str(scratch.folder), "default_date_format": "yyyy-mm-dd"}
    )
    book.set_properties({"created": CREATED, "title": ""})
    tally, names = Tally(), _Names()
    for table in source.tables:
        _write_table(book, names, source, table, tally, scratch, most_rows)
    scratch.go_on(sum(path.stat().st_size for path in scratch.folder.iterdir()))  # each sheet is written once more
    book.close()
    return tally.rows


def _write_table(
    book: Workbook, names: _Names, source: Source, table: Table, tally: Tally, scratch: Scratch, most_rows: int
) -> None:
    outlets = source.outlets(table)
    header = header_of(table, outlets)
    puts = _Puts(book)
    kinds = [puts.of(kind) for kind in _kinds(table, outlets, len(header))]
    title = table.path[-1] if table.path else source.form_id
    sheet, at = _begin(book, names, title, header), 0
    for row in rows_of(source, table, outlets, tally):
        at += 1
        if at % _CHECK_EVERY == 0:
            scratch.go_on(0)
        if at == most_rows:
            sheet, at = _begin(book, names, title, header), 1
        for column, (value, put) in enumerate(zip(row, kinds, strict=True)):
            if value is not None and value != "":
                put(sheet, at, column, value)


def _begin(book: Workbook, names: _Names, title: str, header: Sequence[str]) -> Worksheet:
    sheet: Worksheet = book.add_worksheet(names.take(title))
    for column, text in enumerate(header):
        sheet.write_string(0, column, text[:LONGEST_CELL])
    sheet.freeze_panes(1, 0)
    return sheet


def _kinds(table: Table, outlets: Sequence[Outlet], width: int) -> list[str]:
    kinds = [outlet.kind for outlet in outlets]
    kinds = ["dateTime", *kinds] if table.parent is None else kinds
    return [*kinds, *["text"] * (width - len(kinds))]


class _Puts:
    """How a cell of each kind is written; an answer that is not of its kind is a text."""

    def __init__(self, book: Workbook) -> None:
        self._day: Format = book.add_format({"num_format": "yyyy-mm-dd"})
        self._moment: Format = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})

    def of(self, kind: str) -> Put:
        return {"number": _number, "flag": _number, "date": self._date, "dateTime": self._time}.get(kind, _text)

    def _date(self, sheet: Worksheet, row: int, column: int, value: Any) -> None:
        try:
            day = dt.date.fromisoformat(value)
        except (ValueError, TypeError):
            day = dt.date.min
        if day < _FIRST_DAY:
            _text(sheet, row, column, value)
        else:
            sheet.write_datetime(row, column, day, self._day)

    def _time(self, sheet: Worksheet, row: int, column: int, value: Any) -> None:
        moment = moment_of(value)
        if moment is None or moment.date() < _FIRST_DAY:
            _text(sheet, row, column, value)
        else:
            sheet.write_datetime(row, column, moment.replace(tzinfo=None), self._moment)


def _number(sheet: Worksheet, row: int, column: int, value: Any) -> None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, int | float) and abs(value) <= _EXACT:
        sheet.write_number(row, column, value)
    else:
        _text(sheet, row, column, value)


def _text(sheet: Worksheet, row: int, column: int, value: Cell) -> None:
    if isinstance(value, int) and abs(value) <= _EXACT:
        sheet.write_number(row, column, value)
    else:
        sheet.write_string(row, column, str(value)[:LONGEST_CELL])


class _Names:
    """Names of sheets: at most 31 characters, some forbidden, all different whatever their case."""

    def __init__(self) -> None:
        self._taken: set[str] = {"history"}  # which spreadsheets keep for themselves

    def take(self, text: str) -> str:
        plain = re.sub(r"[\x00-\x1f\[\]:*?/\\]", "_", text)[:_LONGEST_NAME].strip("'") or "_"
        name, number = plain, 1
        while name.casefold() in self._taken:
            number += 1
            ending = f" ({number})"
            name = plain[: _LONGEST_NAME - len(ending)] + ending
        self._taken.add(name.casefold())
        return name
