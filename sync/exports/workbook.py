"""XLSX: a sheet for the submissions and one for each repeat, of which what is written is sent on at once."""

from __future__ import annotations

import datetime as dt
import math
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from xml.sax.saxutils import escape

from sync.exports.cells import Cell
from sync.exports.csvfiles import Tally, entry, header_of, rows_of, zipped
from sync.exports.fields import Table
from sync.exports.flat import Outlet, moment_of
from sync.exports.growing import Sink
from sync.exports.parts import DAY, MOMENT, SHEET_END, STYLES, parts_of, sheet_begin, sheet_path
from sync.exports.sheet import LONGEST_CELL
from sync.exports.source import Source

MOST_ROWS = 1_048_576  # of a sheet; what is beyond goes on in a second one
MOST_COLUMNS = 16_384  # beyond which there is nowhere to go on
_MOST_BYTES = 2_000_000_000  # the same, of a sheet of which the archive did not say that it would be larger
_CELL = 100  # bytes that a cell may well take
_AT_ONCE = 16  # rows
_LONGEST_NAME = 31
# Characters; in a column that is narrower than a day, spreadsheets show ### in its place.
_WIDTHS, _WIDTH, _WIDEST = {"date": 12, "dateTime": 20}, 16, 40
_EXACT = 2**53  # beyond it a spreadsheet rounds; such a number is written as text
_FIRST_DAY = dt.date(1900, 3, 1)  # before it spreadsheets disagree about the calendar
_DAY_0, _MOMENT_0 = dt.date(1899, 12, 30), dt.datetime(1899, 12, 30, tzinfo=dt.UTC)
_A_DAY = dt.timedelta(days=1)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,14})?")
# What XML cannot hold is written by its code, and so is the beginning of what would be taken for such a code.
_BY_CODE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9a-fA-F]{4}_)")

Put = Callable[[Cell], str]  # a cell, from behind its address to before its end


def write_workbook(source: Source, sink: Sink, rows: int) -> int:
    """Write the whole export, of so many submissions as far as is known; gives how many there were.

    Texts are texts: none becomes a formula or a link. Numbers, days and moments (UTC) are such for the spreadsheet.
    """
    tally, sheets = Tally(), list[str]()
    with zipped(sink) as archive:
        _put(archive, "xl/styles.xml", STYLES)
        for table in source.tables:
            _write_table(archive, sheets, source, table, tally, rows)
        for path, text in parts_of(sheets).items():
            _put(archive, path, text)
    return tally.rows


def _put(archive: zipfile.ZipFile, path: str, text: str) -> None:
    with entry(archive, path) as file:
        file.write(text.encode("utf-8", "replace"))


def _write_table(
    archive: zipfile.ZipFile, sheets: list[str], source: Source, table: Table, tally: Tally, expected: int
) -> None:
    outlets = source.outlets(table)
    header = header_of(table, outlets)
    kinds = _kinds(table, outlets, len(header))
    puts = [_PUTS.get(kind, _text) for kind in kinds]
    begin = sheet_begin(
        [min(_WIDEST, max(len(text), _WIDTHS.get(kind, _WIDTH))) for text, kind in zip(header, kinds, strict=True)]
    )
    title = table.path[-1] if table.path else source.form_id
    # Of a sheet that unpacks to more than 2 GB the archive has to say so at its beginning.
    large = expected * len(header) * _CELL > zipfile.ZIP64_LIMIT
    rows, first = rows_of(source, table, outlets, tally), list[list[Cell]]()
    while True:
        sheets.append(_sheet_name(title, sheets))
        with entry(archive, sheet_path(len(sheets)), large=large) as file:
            for piece in _pieces(begin, header, puts, chain(first, rows), math.inf if large else _MOST_BYTES):
                file.write(piece)
        first = [*islice(rows, 1)]
        if not first:
            return


def _pieces(
    begin: str, header: Sequence[str], puts: Sequence[Put], rows: Iterator[Sequence[Cell]], most_bytes: float
) -> Iterator[bytes]:
    """A sheet, from its beginning, with as many of the rows as it takes."""
    letters = [*map(_letters, range(len(header)))]
    columns = [*zip(letters, puts, strict=True)]
    at, size = 1, 0
    yield (begin + _row(at, [(one, _text) for one in letters], header)).encode("utf-8", "replace")
    while at < MOST_ROWS and size < most_bytes and (some := [*islice(rows, min(_AT_ONCE, MOST_ROWS - at))]):
        piece = "".join([_row(number, columns, row) for number, row in enumerate(some, at + 1)])
        yield (encoded := piece.encode("utf-8", "replace"))
        at, size = at + len(some), size + len(encoded)
    yield SHEET_END.encode()


def _row(number: int, columns: Sequence[tuple[str, Put]], cells: Sequence[Cell]) -> str:
    told = [
        f'<c r="{letters}{number}"{put(cell)}</c>'
        for (letters, put), cell in zip(columns, cells, strict=True)
        if cell is not None and cell != ""
    ]
    return f'<row r="{number}">{"".join(told)}</row>'


def _kinds(table: Table, outlets: Sequence[Outlet], width: int) -> list[str]:
    kinds = [outlet.kind for outlet in outlets]
    kinds = ["dateTime", *kinds] if table.parent is None else kinds
    return [*kinds, *["text"] * (width - len(kinds))]


def _text(value: Cell) -> str:
    """A cell of any kind, which an answer that is not of its column's kind becomes too."""
    if type(value) is not str:
        if isinstance(value, int) and abs(value) <= _EXACT:
            return f"><v>{value}</v>"
        value = str(value)
    text = value[:LONGEST_CELL]
    # Few texts have anything of this, and to look for it character by character takes ten times as long.
    if not text.isprintable() or "&" in text or "<" in text or ">" in text or "_x" in text or text != text.strip():
        text = _BY_CODE.sub(lambda found: f"_x{ord(found[0]):04X}_", escape(text))
        return f' t="inlineStr"><is><t xml:space="preserve">{text}</t></is>'
    return f' t="inlineStr"><is><t>{text}</t></is>'


def _number(value: Cell) -> str:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, int | float) and abs(value) <= _EXACT:
        return f"><v>{value!r}</v>"
    return _text(value)


def _date(value: Cell) -> str:
    try:
        day = dt.date.fromisoformat(value)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return _text(value)
    return _text(value) if day < _FIRST_DAY else f' s="{DAY}"><v>{(day - _DAY_0).days}</v>'


def _moment(value: Cell) -> str:
    moment = moment_of(value)
    if moment is None or moment.date() < _FIRST_DAY:
        return _text(value)
    return f' s="{MOMENT}"><v>{(moment - _MOMENT_0) / _A_DAY:.16G}</v>'


_PUTS: dict[str, Put] = {"number": _number, "flag": _number, "date": _date, "dateTime": _moment}


def _letters(index: int) -> str:
    """What a sheet calls a column: A, B, …, Z, AA, …"""
    before, last = divmod(index, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)


def _sheet_name(text: str, taken: Sequence[str]) -> str:
    """At most 31 characters, some forbidden, all different whatever their case."""
    plain = re.sub(r"[\x00-\x1f\[\]:*?/\\]", "_", text)[:_LONGEST_NAME].strip("'") or "_"
    known = {"history", *map(str.casefold, taken)}  # which spreadsheets keep for themselves
    name, number = plain, 1
    while name.casefold() in known:
        number += 1
        ending = f" ({number})"
        name = plain[: _LONGEST_NAME - len(ending)] + ending
    return name
