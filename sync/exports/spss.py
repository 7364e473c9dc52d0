"""SPSS: .sav files with labels of variables and values, written portion by portion in memory that does not grow.

The library wants a whole table in memory. So each portion becomes a small file of its own, all with one dictionary, and
what is kept of it are its rows; the dictionary of the first is told how many there are. It needs the extra `spss`.
"""

from __future__ import annotations

import datetime as dt
import importlib
import importlib.util
import marshal
import re
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from forms.spelling import unaccented
from sync.errors import NotImplementedHere
from sync.exports.cells import Cell
from sync.exports.csvfiles import Tally, header_of, rows_of
from sync.exports.fields import Table
from sync.exports.flat import POINT, Outlet, label_in, moment_of
from sync.exports.growing import Scratch, Sink
from sync.exports.source import Source

_AT_ONCE = 2000
_LONGEST_NAME = 64
_LONGEST_LABEL = 255
_LONGEST_VALUE_LABEL = 120
_LONGEST_TEXT = 32_767
_MOST_LABELS = 2000
_EPOCH = dt.datetime(1582, 10, 14, tzinfo=dt.UTC)
# How values are shown, and in how many characters; without it, numbers are shown with two decimals.
_FORMATS = {"date": "DATE11", "dateTime": "DATETIME20", "whole": "F16.0", "flag": "F1.0", "degrees": "F12.7"}
_WIDTHS, _WIDTH, _WIDEST = {"date": 11, "dateTime": 20, "whole": 16}, 12, 40
_CASES = 80  # where the number of rows stands in a file
_MADE = slice(92, 109)  # where the day and time of writing stand
_ALWAYS = b"01 Jan 8000:00:00"  # the same data are the same bytes
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_RESERVED = frozenset(["all", "and", "by", "eq", "ge", "gt", "le", "lt", "ne", "not", "or", "to", "with"])
_NAN = float("nan")


@dataclass(slots=True)
class Variable:
    """A column of the file. `kind` is text, number, whole (a number that is shown so), degrees, flag, date or
    dateTime."""

    name: str
    label: str
    kind: str
    values: Mapping[Any, str] = field(default_factory=dict)
    width: int = 1  # bytes of the longest text

    @property
    def is_text(self) -> bool:
        return self.kind == "text"

    @property
    def measure(self) -> str:
        """What may be reckoned with it: of a scale there are means."""
        return "nominal" if self.is_text or self.values else "scale"

    @property
    def shown(self) -> int:
        """How many characters wide it is shown."""
        return min(max(self.width, _WIDTH), _WIDEST) if self.is_text else _WIDTHS.get(self.kind, _WIDTH)

    def column(self, cells: Sequence[Cell]) -> list[Any]:
        """The cells as the file has them; the variable becomes as wide as the longest."""
        if not self.is_text:
            return [*map(_FROM.get(self.kind, _number), cells)]
        texts = [_text(cell) for cell in cells]
        longest = max((len(text) if text.isascii() else len(text.encode()) for text in texts if text), default=0)
        self.width = max(self.width, longest)
        return texts


def require_library() -> None:
    """Raises NotImplementedHere where the libraries for .sav are not installed."""
    if importlib.util.find_spec("pyreadstat") is None or importlib.util.find_spec("pandas") is None:
        raise NotImplementedHere("SPSS files need what is not installed here: pip install -c constraints.txt '.[spss]'")


def write_sav(source: Source, table: Table, sink: Sink, scratch: Scratch, tally: Tally) -> None:
    """One table as a .sav file. The widths of texts stand before the rows, which lie packed beside it until then."""
    outlets = source.outlets(table)
    variables = variables_of(source, table, outlets)
    rows = rows_of(source, table, outlets, tally)
    with tempfile.TemporaryFile(dir=scratch.folder) as seen:
        count = 0
        for some in iter(lambda: list(islice(rows, _AT_ONCE)), []):
            count += len(some)
            columns = [
                variable.column(cells) for variable, cells in zip(variables, zip(*some, strict=True), strict=True)
            ]
            packed = zlib.compress(marshal.dumps(columns), 1)
            scratch.go_on(len(packed))
            seen.write(len(packed).to_bytes(8))
            seen.write(packed)
        seen.seek(0)
        writing = _Writing(variables, scratch.folder)
        sink.write(writing.head(count))
        while size := int.from_bytes(seen.read(8)):
            scratch.go_on(0)
            sink.write(writing.body(marshal.loads(zlib.decompress(seen.read(size)))))  # noqa: S302 — we wrote it


def variables_of(source: Source, table: Table, outlets: Sequence[Outlet]) -> list[Variable]:
    """The variables of a table: names that SPSS takes, labels in the chosen language."""
    names, language = _Names(), source.options.labels or ""
    header = header_of(table, outlets)
    named = _by_header(header, outlets)
    return [_variable(names.take(text), text, outlet, language, source) for text, outlet in named]


def _by_header(header: Sequence[str], outlets: Sequence[Outlet]) -> Iterator[tuple[str, Outlet | None]]:
    """Each column of a row with the question that it answers; None for those that no question does."""
    before = 1 if header and header[0] == "SubmissionDate" else 0
    for index, text in enumerate(header):
        within = before <= index < before + len(outlets)
        yield text, outlets[index - before] if within else None


def _variable(name: str, header: str, outlet: Outlet | None, language: str, source: Source) -> Variable:
    if outlet is None:
        kind = "dateTime" if header == "SubmissionDate" else "text"
        kind = "whole" if header in ("SubmitterID", "AttachmentsPresent", "AttachmentsExpected", "Edits") else kind
        return Variable(name, header, kind)
    column = outlet.column
    label = label_in(column.labels, language) or header
    if outlet.kind == "flag":
        chosen = next((labels for value, labels in column.choices if value == outlet.choice), {})
        return Variable(name, _cut(f"{label}: {label_in(chosen, language) or outlet.choice}"), "flag", {1: "✓", 0: "–"})
    kind = "whole" if column.kind == "int" and outlet.kind == "number" else outlet.kind
    if outlet.part is not None:
        label = f"{label} {outlet.part}"
        kind = "degrees" if outlet.part in POINT[:2] else kind
    label = _cut(label)
    labels = {value: _cut(label_in(said, language) or value, _LONGEST_VALUE_LABEL) for value, said in column.choices}
    disguised = source.pseudonym is not None and column.identifying
    if column.kind != "select_one" or disguised or not labels or len(labels) > _MOST_LABELS:
        return Variable(name, label, kind)
    if all(_WHOLE.fullmatch(value) and str(int(value)) == value for value in labels):
        return Variable(name, label, "whole", {float(value): text for value, text in labels.items()})
    longest = max(len(value.encode()) for value in labels)
    return Variable(name, label, "text", labels, longest)


def _text(cell: Cell) -> str | None:
    if type(cell) is str and len(cell) <= _LONGEST_TEXT and cell.isascii():
        return cell
    return None if cell is None else _cut(str(cell), _LONGEST_TEXT)


def _number(cell: Cell) -> float:
    try:
        return _NAN if cell is None else float(cell)
    except ValueError:  # an answer that is no number has no place under one
        return _NAN


@lru_cache(maxsize=10_000)
def _day(cell: Cell) -> float:
    try:
        day = dt.datetime.fromisoformat(str(cell)).date()
        return (dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) - _EPOCH).total_seconds()
    except ValueError:
        return _NAN


def _moment(cell: Cell) -> float:
    moment = None if cell is None else moment_of(cell)
    return _NAN if moment is None else (moment - _EPOCH).total_seconds()


_FROM: Mapping[str, Callable[[Cell], float]] = {"date": _day, "dateTime": _moment}


class _Writing:
    """Portions of one file. Each begins with a row whose texts are as wide as any, so that all have one layout."""

    def __init__(self, variables: Sequence[Variable], folder: Path) -> None:
        self._pandas: Any = importlib.import_module("pandas")
        self._library: Any = importlib.import_module("pyreadstat")
        self._variables = variables
        self._path = folder / "portion.sav"
        self._widest = [("x" * one.width if one.is_text else 0.0) for one in variables]
        one, two = self._file([[] for _ in variables]), self._file([[widest] for widest in self._widest])
        self._row = len(two) - len(one)
        self._head = one[: -self._row]
        # The number of rows stands in two places, and nothing else tells a file with one row from a file with two.
        self._counts = [index for index in range(len(self._head)) if two[index] != one[index]]

    def head(self, rows: int) -> bytes:
        """The dictionary, which says how many rows follow."""
        first, second = self._counts
        if first != _CASES:
            raise RuntimeError("the library writes the number of rows elsewhere")
        head = bytearray(self._head)
        struct.pack_into("<i", head, first, rows)
        struct.pack_into("<q", head, second, rows)
        return bytes(head)

    def body(self, columns: Sequence[list[Any]]) -> bytes:
        """The bytes of rows, which are given by the column."""
        body = self._file(columns)[len(self._head) + self._row :]
        if len(body) != len(columns[0]) * self._row:
            raise RuntimeError("a row is not as wide as the others")
        return body

    def _file(self, columns: Sequence[list[Any]]) -> bytes:
        frame = self._pandas.DataFrame(
            {
                variable.name: self._pandas.Series([widest, *cells], dtype=object if variable.is_text else "float64")
                for variable, widest, cells in zip(self._variables, self._widest, columns, strict=True)
            }
        )
        self._library.write_sav(
            frame,
            str(self._path),
            column_labels={variable.name: variable.label for variable in self._variables},
            variable_value_labels={one.name: dict(one.values) for one in self._variables if one.values},
            variable_display_width={one.name: one.shown for one in self._variables},
            variable_measure={one.name: one.measure for one in self._variables},
            variable_format={one.name: _FORMATS[one.kind] for one in self._variables if one.kind in _FORMATS},
        )
        made = bytearray(self._path.read_bytes())
        made[_MADE] = _ALWAYS
        return bytes(made)


class _Names:
    """Names of variables: a letter first, 64 bytes at most, all different whatever their case."""

    def __init__(self) -> None:
        self._taken = set(_RESERVED)

    def take(self, text: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", unaccented(text, spelt_out=False))
        plain = plain if plain[:1].isalpha() else f"v{plain}"
        name, number = plain[:_LONGEST_NAME].rstrip("_") or "v", 1
        while name.casefold() in self._taken:
            number += 1
            ending = f"_{number}"
            name = plain[: _LONGEST_NAME - len(ending)] + ending
        self._taken.add(name.casefold())
        return name


def _cut(text: str, most: int = _LONGEST_LABEL) -> str:
    """The text in so many bytes of UTF-8 at most."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
