"""The rows of an existing list, as somebody hands it over: read, checked, and with every fault told of its row."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from forms.findings import Finding
from forms.spelling import suggestion
from forms.tables import Row, Table
from forms.workbooks.tablesheet import read_any_table
from sync.entities.writing import MOST_AT_ONCE
from sync.exports.cells import unsafe
from sync.intake.items import storable
from sync.models import EntityList

MOST_BYTES = 16 * 1024 * 1024
_LONGEST = 10_000
_OLDEST = 120
_IDS = ("name", "uuid", "__id")
_BESIDE = ("__createdAt", "__creatorId", "__creatorName", "__updates", "__updatedAt", "__version")
_NAMES = ("full_name", "name", "first_name", "last_name")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WHOLE = re.compile(r"[0-9]{1,4}(?:\.0+)?")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file. `entity_id` is the one that it names itself, if any; with `faults` it cannot be loaded.

    `label` is as it is written, `called` is what its names come to.
    """

    number: int
    entity_id: str | None = None
    label: str = ""
    called: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[Finding] = ()


def read_lines(data: bytes, place: str, known: EntityList, today: dt.date) -> tuple[list[Line], list[Finding]]:
    """The rows of a CSV file or of a spreadsheet's first sheet, and what is wrong with the file as a whole.

    Its columns are properties of the list, `label`, and `name` or `uuid` for the id of an entity that is there; those
    that only our own exports have are passed over, and what an export guards against formulas loses its guard. Blank
    cells say nothing. Without a label somebody new is called by
    the names in the row.
    """
    if len(data) > MOST_BYTES:
        return [], [Finding(f"The file is larger than {MOST_BYTES >> 20} MB.", "Load it in parts.", place)]
    table = read_any_table(data, place)
    if len(table.rows) > MOST_AT_ONCE:
        return [], [Finding(f"The file has more than {MOST_AT_ONCE:,} rows.", "Load it in parts.", place)]
    _check_columns(table, known)
    reading = _Reading(table, known, today)
    lines = [reading.line(row) for row in table.rows]
    return sorted([*lines, *reading.unreadable()], key=lambda line: line.number), reading.of_file


class _Reading:
    """A table on its way to lines: the faults of the file, and by row those of its rows."""

    def __init__(self, table: Table, known: EntityList, today: dt.date) -> None:
        self._table, self._today = table, today
        self._properties = [name for name in table.columns if name in known.properties]
        self._roles = {str(name): str(role) for name, role in (known.matching or {}).items()}
        self._id_column = next((name for name in _IDS if name in table.columns and name not in known.properties), None)
        self._rows_of_ids: dict[str, int] = {}
        self.of_file: list[Finding] = []
        self._of_rows: dict[int, list[Finding]] = defaultdict(list)
        for finding in table.findings:
            if finding.row is None or finding.row == 1:
                self.of_file.append(finding)
            else:
                self._of_rows[finding.row].append(finding)

    def line(self, row: Row) -> Line:
        data = {name: storable(unsafe(row.cells[name])) for name in self._properties if row.cells.get(name)}
        data |= self._numbers(row, data)
        label, called = storable(unsafe(row.cells.get("label", ""))), self._called(data)
        for name, value in [("label", label), *data.items()]:
            if len(value) > _LONGEST:
                self._fault(row, name, f"The cell has more than {_LONGEST:,} characters.", "Shorten it.")
        entity_id = self._id(row)
        if not (label or called or entity_id):
            self._fault(row, "label", "Nobody is named.", "Fill in the label, or the columns with the names.")
        return Line(row.number, entity_id, label, called, data, tuple(self._of_rows.pop(row.number, ())))

    def unreadable(self) -> list[Line]:
        """Rows of which there is nothing but what is wrong with them."""
        return [Line(number, faults=tuple(found)) for number, found in self._of_rows.items()]

    def _id(self, row: Row) -> str | None:
        written = row.cells.get(self._id_column or "", "")
        if not written:
            return None
        entity_id = written.lower().removeprefix("uuid:")
        if not _UUID.fullmatch(entity_id):
            remedy = "Leave it blank for somebody new; who is there has the id that an export gives."
            self._fault(row, self._id_column, f"‘{written[:80]}’ is not a UUID.", remedy)
            return None
        first = self._rows_of_ids.setdefault(entity_id, row.number)
        if first != row.number:
            self._fault(row, self._id_column, f"Row {first} has the id {entity_id} already.", "Keep one of them.")
        return entity_id

    def _called(self, data: Mapping[str, str]) -> str:
        by_role = {self._roles[name]: value for name, value in data.items() if name in self._roles}
        names = [by_role[role] for role in _NAMES if by_role.get(role)]
        village = by_role.get("village")
        return f"{' '.join(names)} ({village})" if names and village else " ".join(names)

    def _numbers(self, row: Row, data: Mapping[str, str]) -> dict[str, str]:
        """Years and ages as whole numbers, which spreadsheets may write as 1990.0."""
        found = {}
        for name, value in data.items():
            role = self._roles.get(name)
            if role not in ("birth_year", "age"):
                continue
            number = int(float(value)) if _WHOLE.fullmatch(value) else None
            age = None if number is None else self._today.year - number if role == "birth_year" else number
            if age is None or not 0 <= age <= _OLDEST:
                what = "a year of birth" if role == "birth_year" else "an age"
                year = "Write it as 1990. Leave it blank if nobody knows."
                years = "Write it in whole years. Leave it blank if nobody knows."
                self._fault(row, name, f"‘{value[:80]}’ is not {what}.", year if role == "birth_year" else years)
            else:
                found[name] = str(number)
        return found

    def _fault(self, row: Row, column: str | None, fault: str, remedy: str) -> None:
        finding = Finding(fault, remedy, self._table.place, row=row.number, column=column)
        self._of_rows[row.number].append(finding)


def _check_columns(table: Table, known: EntityList) -> None:
    taken = [*known.properties, "label", *_IDS, *_BESIDE]
    for column in filter(None, table.columns):
        if column not in taken:
            choices = [*known.properties, "label", "name"]
            fault = f"The list {known.name} has no property ‘{column[:80]}’."
            table.fault(None, column, fault, suggestion(column, choices))
