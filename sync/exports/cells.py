"""Cells that no spreadsheet takes for a formula, and the lines of a CSV file made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

Cell = str | int | float | None

BOM = b"\xef\xbb\xbf"
_ESCAPE = "'"
# What a spreadsheet skips before it looks at the first character: byte order mark, zero-width and no-break spaces.
_UNSEEN = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u180e\u00a0\u202f"
_STARTS = "=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20"
_SUSPECT = frozenset(_UNSEEN + _STARTS + _ESCAPE)
_FORMULA = re.compile(f"[{_UNSEEN}]*[{re.escape(_STARTS)}]")
_NUMBER = r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,4})?"
_POINT = rf"{_NUMBER}(?: {_NUMBER}){{1,3}}"
# A number, a phone number, a point, or a line of points: digits and signs between them, which reckon nothing secret.
_HARMLESS = re.compile(rf"{_NUMBER}|\+[0-9][0-9 ()./-]{{4,24}}|{_POINT}(?: ?; ?{_POINT})*;?", re.ASCII)
_ROWS_AT_ONCE = 16  # more than what stays near the processor take twice as long


def safe(text: str) -> str:
    """The text as a cell: with an apostrophe before it if a spreadsheet could run it, or if it begins with one already.

    So whoever takes one apostrophe off the front of each cell that has one gets the very values back
    (sync-contract.md §3). Numbers, phone numbers and points stay as they are.
    """
    if text[:1] not in _SUSPECT:
        return text
    if text[0] == _ESCAPE or (_FORMULA.match(text) and not _HARMLESS.fullmatch(text)):
        return _ESCAPE + text
    return text


def unsafe(cell: str) -> str:
    """The text behind a cell that `safe` made."""
    return cell.removeprefix(_ESCAPE)


def csv_pieces(
    header: Sequence[str], rows: Iterable[Sequence[Cell]], *, guarded: bool = True, bom: bool = False
) -> Iterator[bytes]:
    """A CSV file after RFC 4180 in UTF-8, a few lines at a time: CRLF, quotes around what needs them (a bare CR
    too), an empty cell for None.

    `guarded` makes every cell safe, those of the header too; without it the cells are what they are, for programs.
    """
    line = _guarded_line if guarded else _line
    # Half a character has no place in UTF-8; no text that was stored has one.
    yield (BOM if bom else b"") + line(header).encode("utf-8", "replace")
    following = iter(rows)
    while some := [line(row) for row in islice(following, _ROWS_AT_ONCE)]:
        yield "".join(some).encode("utf-8", "replace")


def _guarded_line(cells: Sequence[Cell]) -> str:
    return _joined(
        [
            ("" if cell is None else str(cell))
            if type(cell) is not str
            else cell
            if cell[:1] not in _SUSPECT
            else safe(cell)
            for cell in cells
        ]
    )


def _line(cells: Sequence[Cell]) -> str:
    return _joined([cell if type(cell) is str else "" if cell is None else str(cell) for cell in cells])


def _joined(texts: list[str]) -> str:
    """A line of the file. The library's writer looks at each character by itself, which takes four times as long."""
    whole = "".join(texts)  # to count the commas in the line would take longer than to make it
    if "," in whole or '"' in whole or "\n" in whole or "\r" in whole:
        texts = [_quoted(text) for text in texts]
    line = ",".join(texts)
    return f"{line}\r\n" if line else '""\r\n'


def _quoted(text: str) -> str:
    if '"' in text or "," in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def file_name(text: str) -> str:
    """The text as the name of a file on any system: no separators, no characters that some forbid, never hidden, never
    a formula in a listing."""
    plain = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", text).strip(". ")
    plain = re.sub(f"^[{re.escape(_STARTS + _ESCAPE)}{_UNSEEN}]+", "_", plain)
    return plain.encode("utf-8", "replace").decode()[:150] or "_"
