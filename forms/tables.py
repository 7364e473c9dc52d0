"""CSV files from strangers, read into rows with every fault gathered."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from forms.findings import Finding
from forms.spelling import suggestion

FINDINGS_SHOWN = 100
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class Row:
    """One record. `number` counts as a spreadsheet shows it: the header is row 1."""

    number: int
    cells: Mapping[str, str]


@dataclass(slots=True)
class Table:
    """The header, the readable rows, and what was wrong with the rest."""

    place: str
    columns: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def fault(self, row: Row | None, column: str | None, fault: str, remedy: str = "") -> None:
        self.findings.append(Finding(fault, remedy, self.place, row=row.number if row else None, column=column))


def read_table(data: bytes, place: str) -> Table:
    """Cells come stripped; empty rows are left out. Between cells stand commas or, as in French, semicolons."""
    table = Table(place)
    text = _decoded(data, table)
    if text is None:
        return table
    records = list(_records(text, table))
    if not records:
        if not table.findings:
            table.fault(None, None, "The file is empty.", "Its first row names the columns.")
        return table
    table.columns = _header(records[0][1], table)
    for number, record in records[1:]:
        _take(number, record, table)
    return table


def require_columns(table: Table, required: Sequence[str], allowed: Sequence[str] | None = None) -> None:
    """Reports missing columns and, where only `allowed` ones are taken, unknown ones."""
    if not table.columns:
        return
    for column in required:
        if column not in table.columns:
            table.fault(None, column, f"The column ‘{column}’ is missing.", "Add it to the first row.")
    for column in table.columns:
        if allowed is not None and column not in allowed:
            table.fault(None, column, f"‘{column}’ is not a column here.", suggestion(column, allowed))


def cut(findings: list[Finding], place: str) -> list[Finding]:
    """At most a hundred findings of one file, and how many more there are."""
    if len(findings) <= FINDINGS_SHOWN:
        return findings
    more = len(findings) - FINDINGS_SHOWN
    return [
        *findings[:FINDINGS_SHOWN],
        Finding(f"{more} more faults like these.", "Mend these first, then load it again.", place),
    ]


def decode(data: bytes) -> str | None:
    """The text of a UTF-8 file, or of a UTF-16 one that says so; None for anything else."""
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeError:
        return None


def _decoded(data: bytes, table: Table) -> str | None:
    text = decode(data)
    if text is None:
        table.fault(None, None, "The file is not in UTF-8.", "Save it as “CSV UTF-8”.")
    elif "\0" in text:
        table.fault(None, None, "The file holds NUL characters, so it is not a text file.", "Save it as “CSV UTF-8”.")
        return None
    return text


def _records(text: str, table: Table) -> Iterator[tuple[int, list[str]]]:
    first = text.split("\n", 1)[0]
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=";" if ";" in first and "," not in first else ",",
        strict=True,
    )
    number = 0
    while True:
        number += 1
        try:
            record = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            table.findings.append(
                Finding(
                    f"The row cannot be read: {error}.", "Look for a stray quotation mark.", table.place, row=number
                )
            )
            return
        if any(record):
            yield number, record


def _header(cells: list[str], table: Table) -> tuple[str, ...]:
    while cells and not cells[-1]:
        cells.pop()
    for index, cell in enumerate(cells):
        if not cell:
            table.fault(None, None, f"Column {index + 1} has no name.", "Name it in the first row, or take it out.")
        elif cell in cells[:index]:
            table.fault(None, cell, f"Two columns are called ‘{cell}’.", "Keep one of them.")
    return tuple(cells)


def _take(number: int, record: list[str], table: Table) -> None:
    width = len(table.columns)
    while len(record) > width and not record[-1]:
        record.pop()
    if len(record) != width:
        table.findings.append(
            Finding(
                f"The row has {len(record)} cells, but the first row names {width}.",
                "A text with a comma in it wants quotation marks; an empty cell wants its comma.",
                table.place,
                row=number,
            )
        )
        return
    table.rows.append(Row(number, dict(zip(table.columns, record, strict=True))))
