"""The sheets of an .xlsx file from a stranger: opened within limits, read as rows of texts under tolerant headers."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from forms.archive import MEGABYTE, Limits, unpack
from forms.findings import Faulty, Finding

LIMITS = Limits(members=1_000, unpacked=64 * MEGABYTE, ratio=200)
MOST_BYTES = 16 * MEGABYTE
MOST_COLUMNS = 500
MOST_ROWS = 20_000
MOST_CELLS = 400_000
_OLD_EXCEL_OR_LOCKED = b"\xd0\xcf\x11\xe0"
_ENCODING = re.compile(rb"^\s*<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)[\"']")
# A cell that has content, from row 10,000 on.
_FAR_DOWN = re.compile(rb"<c [^>]*?\br=[\"'][A-Za-z]{1,3}([0-9]{5,7})[\"'](?:[^>]*[^/>])?>")
_FILLED = re.compile(rb"<c(?: [^>]*[^/>])?>")
_ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as a text. `typed` says what it held where that was neither a text nor a number: a date, an error."""

    text: str
    typed: str = ""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row by normalised header. `number` counts as the spreadsheet shows it: the header is row 1."""

    number: int
    cells: Mapping[str, Cell]

    def text(self, column: str) -> str:
        cell = self.cells.get(column)
        return cell.text if cell else ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet's rows that are not empty, and its headers: normalised → as written."""

    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[SheetRow, ...] = ()


def open_workbook(
    data: bytes, place: str, wanted: Collection[str], as_typed: Collection[str] = ()
) -> tuple[dict[str, Sheet], list[Finding]]:
    """Sheets by lower-case name, and faults in how they are laid out (two headers alike, too many columns). Only the
    `wanted` ones are read; of the others there is the name. Those in `as_typed` show what was typed where a spreadsheet
    program took it for a formula (the comparison `= 1`), the others what the formula came to.

    Raises Faulty for what is not safe or not possible to open: no zip, a zip bomb, macros, an XML document type.
    """
    from openpyxl import load_workbook  # noqa: PLC0415 — 0.2 s that a server need not wait for when it starts

    _refuse_unsafe(data, place)
    try:
        book, typed = (
            load_workbook(io.BytesIO(data), read_only=True, data_only=data_only, keep_links=False)
            for data_only in (True, False)
        )
    except Exception as error:  # openpyxl raises whatever a malformed part makes it stumble over.
        raise Faulty([_damaged(place)]) from error
    findings: list[Finding] = []
    sheets: dict[str, Sheet] = {}
    try:
        for name in book.sheetnames:
            if hasattr(book[name], "iter_rows"):
                key = name.strip().lower()
                source = typed if key in as_typed else book
                sheets[key] = _sheet(source[name], name, place, findings) if key in wanted else Sheet(name)
    except Exception as error:
        raise Faulty([_damaged(place)]) from error
    finally:
        book.close()
        typed.close()
    return sheets, findings


def normalised(header: str) -> str:
    """`Label :: English  (en)` → `label::English (en)`; `per subject` → `per_subject`."""
    base, mark, language = header.partition("::")
    folded = re.sub(r"[\s-]+", "_", base.strip().lower())
    return f"{folded}::{' '.join(language.split())}" if mark else folded


def _refuse_unsafe(data: bytes, place: str) -> None:
    if len(data) > MOST_BYTES:
        raise Faulty(
            [Finding(f"The workbook is larger than {MOST_BYTES // MEGABYTE} MB.", "Take pictures out.", place)]
        )
    if data.startswith(_OLD_EXCEL_OR_LOCKED):
        raise Faulty(
            [Finding("This is an old .xls file, or it is locked with a password.", "Save it as .xlsx, open.", place)]
        )
    if not data.startswith(b"PK"):
        raise Faulty([Finding("This is not an .xlsx workbook.", "Save the form as an Excel workbook (.xlsx).", place)])
    members = unpack(data, place, LIMITS)
    findings = list(_unsafe_parts(members, place))
    if "xl/workbook.xml" not in {name.lstrip("/").lower() for name in members} and not findings:
        findings.append(_damaged(place))
    if findings:
        raise Faulty(findings)


def _unsafe_parts(members: Mapping[str, bytes], place: str) -> Iterator[Finding]:
    if any(name.lower().endswith("vbaproject.bin") for name in members):
        yield Finding("The workbook holds macros.", "Save it as .xlsx, which keeps the sheets and drops macros.", place)
    for name, content in members.items():
        if not name.lower().endswith((".xml", ".rels")):
            continue
        where = f"{place}/{name}" if place else name
        if not _is_plain_xml(content):
            yield Finding("A part of the workbook is not XML in UTF-8.", "Save it again from Excel.", where)
        elif b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            yield Finding(
                "A part of the workbook declares a document type, which no spreadsheet program writes.",
                "Save it again from Excel or LibreOffice.",
                where,
            )
        elif "/worksheets/" in name:
            yield from _too_large(content, where)


def _too_large(content: bytes, where: str) -> Iterator[Finding]:
    """Told from the bytes, because a single cell far down costs the spreadsheet reader as much as a million rows."""
    if content.count(b"<c ") + content.count(b"<c>") > MOST_CELLS:
        yield Finding(f"A sheet has more than {MOST_CELLS:,} cells.", "Delete what is not used.", where)
    elif content.count(b"<row>") > MOST_ROWS or any(int(found[1]) > MOST_ROWS for found in _FAR_DOWN.finditer(content)):
        yield Finding(f"A sheet has more than {MOST_ROWS:,} rows.", "Move a long list to a CSV.", where)
    if len(_FILLED.findall(content.partition(b"</row>")[0])) > MOST_COLUMNS:
        yield Finding(f"A sheet has more than {MOST_COLUMNS} columns.", "Delete what is not used.", where)


def _is_plain_xml(content: bytes) -> bool:
    """Whether the bytes `<!DOCTYPE` can only be written as those bytes: no other encoding is in play."""
    body = content.removeprefix(b"\xef\xbb\xbf")
    if not body.lstrip().startswith(b"<"):
        return False
    declared = _ENCODING.match(body)
    return declared is None or declared[1].lower() in (b"utf-8", b"utf8", b"us-ascii")


def _sheet(sheet: Any, name: str, place: str, findings: list[Finding]) -> Sheet:
    """Reads one sheet, never further right or down than the limits."""
    sheet.reset_dimensions()
    lines = sheet.iter_rows(max_row=MOST_ROWS, max_col=MOST_COLUMNS + 1, values_only=True)
    first = next(lines, ())
    headers = _headers(first, name, place, findings)
    rows = []
    for number, line in enumerate(lines, start=2):
        if all(value is None for value in line):
            continue
        cells = {key: _cell(line[index]) for index, key in headers.items() if index < len(line)}
        filled = {key: cell for key, cell in cells.items() if cell.text}
        if filled:
            rows.append(SheetRow(number, filled))
    written = {key: _cell(first[index]).text for index, key in headers.items()}
    return Sheet(name, written, tuple(rows))


def _headers(line: tuple[object, ...], name: str, place: str, findings: list[Finding]) -> dict[int, str]:
    headers: dict[int, str] = {}
    for index, value in enumerate(line):
        text = _cell(value).text
        if not text:
            continue
        key = normalised(text)
        if index >= MOST_COLUMNS:
            findings.append(
                Finding(f"The sheet has more than {MOST_COLUMNS} columns.", "Delete the rest.", place, sheet=name)
            )
        elif key in headers.values():
            findings.append(
                Finding(f"Two columns are called ‘{text}’.", "Keep one.", place, sheet=name, row=1, column=text)
            )
        else:
            headers[index] = key
    return headers


def _cell(value: object) -> Cell:
    if value is None:
        return Cell("")
    if isinstance(value, bool):
        return Cell("TRUE" if value else "FALSE", "a yes/no value")
    if isinstance(value, float) and value.is_integer():
        return Cell(str(int(value)))
    if isinstance(value, dt.datetime | dt.date | dt.time | dt.timedelta):
        return Cell(str(value), "a date")
    text = str(value).replace("\xa0", " ").strip()
    return Cell(text, "an error" if text in _ERRORS else "")


def _damaged(place: str) -> Finding:
    return Finding("The workbook is damaged and cannot be read.", "Save it again from Excel or LibreOffice.", place)
