"""What stands behind a figure: its contributions, with the submission of each and the event that brought it in."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import nsmallest
from typing import Any

import orjson
from sqlalchemy import Table, and_, select

from forms.findings import Finding
from sync.errors import Forbidden, Unexpected
from sync.indicators import counting
from sync.indicators.amounts import MILLION, json_number
from sync.indicators.causes import cause_of
from sync.indicators.counting import Cell, Entry, Unit
from sync.indicators.definitions import Definition
from sync.indicators.figures import Cells, keys_of
from sync.indicators.periods import Period
from sync.indicators.reading import Reading
from sync.models.indicators import Contribution
from sync.models.projects import Event
from sync.models.submissions import Submission

# Numerator or denominator of a ratio, day, submission, indicator, ordinal, event: the place of a row in the list.
Position = tuple[int, str, int, int, int, int]

_ROWS: Table = Contribution.__table__  # type: ignore[assignment]
_PARTS = ("numerator", "denominator")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Some rows in the order of their dates, how many there are in all, and where the next ones begin."""

    rows: list[dict[str, Any]]
    count: int
    cursor: str | None

    def to_json(self) -> dict[str, Any]:
        """As the API answers it."""
        return {"evidence": self.rows, "count": self.count, "cursor": self.cursor}


@dataclass(frozen=True, slots=True)
class Counted:
    """A row behind a figure and what of it counts, in millionths; None if the subject's other rows decide, or none."""

    definition: Definition
    entry: Entry
    counted: counting.Amount | None
    baseline: int | None
    part: int = 0

    @property
    def position(self) -> Position:
        entry = self.entry
        return (
            self.part,
            entry.day.isoformat(),
            entry.submission_id,
            self.definition.id,
            entry.ordinal,
            entry.opened,
        )


def evidence(
    reading: Reading,
    name: str,
    *,
    period: str = "all",
    place: str | None = None,
    cells: Cells | None = None,
    cursor: str | None = None,
    limit: int = 100,
    sees_small_cells: bool,
) -> Evidence:
    """The contributions behind one figure, so many at once.

    `counted` is what a row gives to the figure, so that for `count`, `distinct` and `sum` the counted parts add up to
    it, and a mean, median, minimum or maximum is that of the counted parts of each subject. A ratio has the rows of its
    numerator (`"part": "numerator"`), then those of its denominator. `person` is who the subject is in the value of the
    figure; where nobody has decided whether it is somebody else, the row has `"sure": false`. For the same pages while
    data comes in, read them as of one event. Raises Forbidden for figures with small cells that the caller may not see.
    """
    definition = reading.definition(name)
    forbid_small_cells(reading, definition, sees_small_cells)
    span, code = reading.period(period), reading.place(place)
    found = list(counted_rows(reading, definition, span, code, dict(cells or {})))
    after = _position(cursor)
    later = found if after is None else [one for one in found if one.position > after]
    page = nsmallest(limit, later, key=lambda one: one.position)
    following = _cursor(page[-1].position) if len(later) > len(page) else None
    return Evidence(_shown(reading, page, definition.aggregate == "ratio"), len(found), following)


def forbid_small_cells(reading: Reading, definition: Definition, sees_small_cells: bool) -> None:
    """Raises Forbidden if single rows would show what the indicator's smallest cell is to keep."""
    if not sees_small_cells and any(one.row.minimum_cell is not None for one in family(reading, definition)):
        raise Forbidden("What stands behind this figure is shown to coordinators only.")


def counted_rows(
    reading: Reading, definition: Definition, period: Period, place: str | None, cells: Cells, part: int = 0
) -> Iterator[Counted]:
    """Every row that a figure's `n` counts, in no order."""
    if definition.aggregate == "ratio":
        for number, one in enumerate(reading.parts(definition)):
            yield from counted_rows(reading, one, period, place, cells, part or number)
        return
    dimensions, chosen = reading.dimensions(definition, tuple(cells)), tuple(cells.values())
    entries, person = reading.entries(definition, period, place), reading.person_of(definition)
    overlaps = definition.counts_subjects and not definition.has_value
    for unit in counting.units_of(definition, entries, period, person):
        if overlaps:
            inside = [entry for entry in unit.entries if stands(entry, dimensions, chosen)]
        else:
            inside = unit.entries if stands(counting.latest_of(unit), dimensions, chosen) else []
        if inside:
            yield from _of_unit(definition, unit, inside, period, part)


def _of_unit(definition: Definition, unit: Unit, inside: list[Entry], period: Period, part: int) -> Iterator[Counted]:
    counts = unit.kept and not unit.lacking
    aggregate, one_each = definition.aggregate, definition.aggregate in ("count", "distinct", "list")
    by_row = aggregate == "sum" and definition.row.per_subject == "sum" and definition.counts_subjects
    decides = unit.entry if definition.has_value or aggregate == "list" else max(inside, key=counting.order)
    for entry in inside:
        counted: counting.Amount | None = None
        if counts and by_row:
            counted = counting.part_of(definition, entry, period)
        elif counts and entry is decides:
            counted = MILLION if one_each else unit.amount
        yield Counted(definition, entry, counted, unit.baseline if entry is unit.entry else None, part)


def stands(entry: Entry, dimensions: Sequence[counting.Dimension], chosen: Cell) -> bool:
    """Whether a row is in the cell; every row is in the whole."""
    return not dimensions or chosen in counting.cells_of(entry, dimensions)


def family(reading: Reading, definition: Definition) -> Iterator[Definition]:
    """The indicator and, of a ratio, all that it is made of."""
    yield definition
    if definition.aggregate == "ratio":
        for part in reading.parts(definition):
            yield from family(reading, part)


def _shown(reading: Reading, page: Sequence[Counted], of_ratio: bool) -> list[dict[str, Any]]:
    details = _details(reading, page)
    return [_row(reading, one, details[_key(one)], of_ratio) for one in page]


def _row(reading: Reading, one: Counted, detail: Any, of_ratio: bool) -> dict[str, Any]:
    definition = one.definition
    value = detail.text if definition.aggregate == "list" else _amount(detail.value)
    row = {
        "submission": str(detail.submission_id),
        "instance_id": detail.instance_id,
        "form": detail.form_id,
        "subject": detail.subject,
        "person": reading.person_of(definition)(detail.subject) if detail.subject is not None else None,
        "date": detail.day.isoformat(),
        "place": reading.code_of(detail.place) or detail.place,
        "by": keys_of(definition, detail),
        "value": value,
        "counted": _amount(one.counted),
        "opened": {
            "event": detail.opened,
            "cause": cause_of(detail.kind, detail.details) if detail.kind else None,
            "at": detail.at.isoformat() if detail.at else None,
        },
    }
    if detail.subject is not None and not reading.is_sure(definition)(detail.subject):
        row["sure"] = False
    if definition.spreads:
        row["until"] = (detail.until or detail.day).isoformat()
    if definition.row.per_subject in ("gain", "growth"):
        row["baseline"] = _amount(one.baseline)
    if of_ratio:
        row["part"] = _PARTS[one.part]
    return row


def _details(reading: Reading, page: Sequence[Counted]) -> dict[tuple[int, ...], Any]:
    rows = reading.session.execute(
        select(*_ROWS.c, Submission.instance_id, Submission.form_id, Event.kind, Event.details, Event.at)
        .select_from(Contribution)
        .outerjoin(
            Submission,
            and_(Submission.project_id == Contribution.project_id, Submission.id == Contribution.submission_id),
        )
        .outerjoin(Event, and_(Event.project_id == Contribution.project_id, Event.number == Contribution.opened))
        .where(
            Contribution.project_id == reading.project_id,
            Contribution.submission_id.in_({one.entry.submission_id for one in page}),
            Contribution.indicator_id.in_({one.definition.id for one in page}),
            Contribution.opened.in_({one.entry.opened for one in page}),
        )
    )
    return {(row.submission_id, row.opened, row.indicator_id, row.ordinal): row for row in rows}


def _key(one: Counted) -> tuple[int, ...]:
    return one.entry.submission_id, one.entry.opened, one.definition.id, one.entry.ordinal


def _amount(stored: counting.Amount | None) -> int | float | None:
    return None if stored is None else json_number(Fraction(stored) / MILLION)


def _cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def _position(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    try:
        part, day, submission, *rest = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        dt.date.fromisoformat(day)
        indicator, ordinal, opened = rest
        return int(part), str(day), int(submission), int(indicator), int(ordinal), int(opened)
    except (ValueError, TypeError, binascii.Error):
        finding = Finding("This is not a cursor.", "Use the one of the page before, unchanged.", place="cursor")
        raise Unexpected(findings=[finding]) from None
