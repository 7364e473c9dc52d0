"""What stands behind a figure: its contributions, with the submission of each and the event that brought it in."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Table, and_, select

from forms.findings import Finding
from forms.xpath.numbers import LARGEST
from sync.errors import Forbidden, Unexpected
from sync.exports.fields import identifying
from sync.indicators import counting
from sync.indicators.amounts import MILLION, json_number
from sync.indicators.causes import cause_of, told_as
from sync.indicators.counting import Cell, Entry, Unit
from sync.indicators.definitions import Definition
from sync.indicators.figures import Cells, keys_of
from sync.indicators.periods import Period
from sync.indicators.reading import Reading
from sync.indicators.rows import Slot, slot_of
from sync.models.indicators import Contribution
from sync.models.projects import Event
from sync.models.submissions import Submission

# Numerator or denominator of a ratio, day, submission, indicator, ordinal, event: the place of a row in the list.
Position = tuple[int, dt.date, int, int, int, int]
# An indicator that rows are of, and whether it is in the numerator or the denominator.
Source = tuple[Definition, int]

_ROWS: Table = Contribution.__table__  # type: ignore[assignment]
_LAST = 2**31 - 1
_BEFORE_ALL: Slot = (dt.date.min, -1, -1, -1)
_AFTER_ALL: Slot = (dt.date.max, LARGEST, _LAST, _LAST)
_WIDER, _FASTER, _MOST_AT_ONCE = 4, 4, 5000
# So many rows at most are looked at for a page of those that count, or of the others.
_MOST_LOOKED_AT = 1000
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
    """A row behind a figure and what of it counts, in millionths; None if the subject's other rows decide, or none.
    `instead` is the submission that counts for it then."""

    definition: Definition
    entry: Entry
    counted: counting.Amount | None
    baseline: int | None
    part: int = 0
    instead: int | None = None

    @property
    def position(self) -> Position:
        entry = self.entry
        return (
            self.part,
            entry.day,
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
    figure; where nobody has decided whether it is somebody else, the row has `"sure": false`. Where another submission
    of the same subject counts in its place, that is `counted_by`. Of an indicator that goes over a repeat, `repeat` is
    its name and `turn` which of its turns, from 1, the row is. For the same pages while
    data comes in, read them as of one event. Raises Forbidden for figures with small cells that the caller may not see.
    """
    definition = reading.definition(name)
    forbid_small_cells(reading, definition, sees_small_cells)
    figure = _Behind(reading, reading.period(period), reading.place(place), dict(cells or {}))
    sources = list(_sources(reading, definition))
    count = sum(figure.count(one) for one, _ in sources)
    # Nobody looks for another row once all are there.
    most = limit + 1 if cursor is not None else min(limit + 1, count)
    page = list(islice(figure.rows(sources, _position(cursor), limit), most))
    following = _cursor(page[limit - 1].position) if len(page) > limit else None
    return Evidence(_shown(reading, page[:limit], definition.aggregate == "ratio"), count, following)


def evidence_apart(
    reading: Reading,
    name: str,
    *,
    counts: bool,
    count: int,
    period: str = "all",
    place: str | None = None,
    cells: Cells | None = None,
    cursor: str | None = None,
    limit: int = 100,
    sees_small_cells: bool,
) -> Evidence:
    """As `evidence`, but only the rows that count, or only the others, and the newest first: mostly it is the latest
    one of a subject that counts; where it is the first one, the oldest first. `count` is how many they are in all, as
    `how_many_apart` says.

    A page looks at so many rows at most: where few of them are of this kind, it has fewer than `limit`, or none, and
    the next ones are behind its cursor.
    """
    definition = reading.definition(name)
    forbid_small_cells(reading, definition, sees_small_cells)
    sources = list(_sources(reading, definition))
    newest_first = any(one.row.per_subject != "first" for one, _ in sources)
    figure = _Behind(reading, reading.period(period), reading.place(place), dict(cells or {}), newest_first)
    shown, after = _how_far(cursor)
    page: list[Counted] = []
    following = None
    # Nobody looks for another row once all are there.
    rows = figure.rows(sources, after, limit, _MOST_LOOKED_AT + 1) if shown < count else ()
    for looked_at, one in enumerate(rows):
        wanted = (one.counted is not None) == counts
        if looked_at == _MOST_LOOKED_AT or (wanted and len(page) == limit):
            following = f"{shown + len(page)}.{_cursor(after)}" if after else None
            break
        page += [one] if wanted else []
        after = one.position
        if shown + len(page) == count:
            break
    return Evidence(_shown(reading, page, definition.aggregate == "ratio"), count, following)


def how_many_apart(
    reading: Reading,
    name: str,
    *,
    period: str = "all",
    place: str | None = None,
    cells: Cells | None = None,
    sees_small_cells: bool,
) -> tuple[int, int]:
    """How many rows behind a figure count, and how many others there are. Raises as `evidence` does."""
    definition = reading.definition(name)
    forbid_small_cells(reading, definition, sees_small_cells)
    figure = _Behind(reading, reading.period(period), reading.place(place), dict(cells or {}))
    sources = [one for one, _ in _sources(reading, definition)]
    that_count = sum(figure.how_many_count(one) for one in sources)
    return that_count, sum(figure.count(one) for one in sources) - that_count


def is_shut(reading: Reading, definition: Definition, sees_small_cells: bool) -> bool:
    """Whether single rows would show what the indicator's smallest cell is to keep, or answers that tell who somebody
    is."""
    return not sees_small_cells and any(
        one.row.minimum_cell is not None or _tells_who(reading, one) for one in family(reading, definition)
    )


def _tells_who(reading: Reading, definition: Definition) -> bool:
    """Whether such answers say which rows count, with what value or in which cell; subjects are not shown anyway."""
    return any(
        not definition.read_from(form_id).isdisjoint(identifying(reading.session, reading.project_id, form_id))
        for form_id in definition.parts
    )


def forbid_small_cells(reading: Reading, definition: Definition, sees_small_cells: bool) -> None:
    """Raises Forbidden for an indicator that is shut."""
    if is_shut(reading, definition, sees_small_cells):
        raise Forbidden("What stands behind this figure is shown to coordinators only.")


@dataclass(frozen=True, slots=True)
class _Behind:
    """The rows that a figure's `n` counts. Only those are read that a page shows, with those of the same persons."""

    reading: Reading
    period: Period
    place: str | None
    cells: Cells
    newest_first: bool = False

    def rows(
        self, sources: Sequence[Source], after: Position | None, at_once: int, most: int = _MOST_AT_ONCE
    ) -> Iterator[Counted]:
        """Those after a position, in order, read so many at a time; always those of a numerator first. Nobody looks at
        more than `most`."""
        for part in sorted({part for _, part in sources}):
            if after is None or after[0] <= part:
                together = [self._of(one, part, after, at_once, most) for one, its_part in sources if its_part == part]
                yield from merge(*together, key=lambda one: one.position, reverse=self.newest_first)

    def count(self, definition: Definition) -> int:
        """How many there are in all."""
        return self._tally(definition).n if self.cells else self.reading.count(definition, self.period, self.place)

    def how_many_count(self, definition: Definition) -> int:
        """Of all of them."""
        if not _adds_rows(definition):
            return self._tally(definition).units
        if definition.keep is None:
            return self.count(definition)
        entries = self.reading.entries(definition, self.period, self.place)
        units = counting.units_of(definition, entries, self.period, self.reading.person_of(definition))
        dimensions, chosen = self.reading.dimensions(definition, tuple(self.cells)), tuple(self.cells.values())
        return sum(
            len(unit.entries) for unit in units if unit.kept and stands(counting.latest_of(unit), dimensions, chosen)
        )

    def _tally(self, definition: Definition) -> counting.Tally:
        if not self.cells:
            return self.reading.total(definition, self.period, self.place)
        table = self.reading.table(definition, self.period, self.place, tuple(self.cells))
        return table.cells.get(tuple(self.cells.values())) or counting.over_nothing(definition)

    def _of(
        self, definition: Definition, part: int, after: Position | None, at_once: int, most: int
    ) -> Iterator[Counted]:
        slot = _AFTER_ALL if self.newest_first else _BEFORE_ALL
        if after is not None and after[0] == part:
            slot = after[1], after[2], *slot[2:]
        # Where some rows are left out, one look has to find enough of the others.
        wider = _WIDER if self.place is not None or self.cells else 1
        size = (at_once + 1) * wider
        lies_in = self.reading.lies_in(self.place)
        roughly = self.reading.roughly(definition, self.place, self.cells if _has_own_cells(definition) else {})
        while True:
            entries = self.reading.entries_after(
                definition, self.period, slot, size, roughly, newest_first=self.newest_first
            )
            found = self._counted(definition, part, [entry for entry in entries if lies_in(entry)])
            ordered = sorted(found, key=lambda one: one.position, reverse=self.newest_first)
            following = [one for one in ordered if not after or self._follows(one.position, after)]
            yield from following
            if len(entries) < size:
                return
            most -= len(following)
            slot, size = slot_of(entries[-1]), min(_FASTER * size, _MOST_AT_ONCE, max(most, 1) * wider)

    def _follows(self, position: Position, after: Position) -> bool:
        if position[0] != after[0]:
            return position[0] > after[0]
        return position < after if self.newest_first else position > after

    def _counted(self, definition: Definition, part: int, entries: Sequence[Entry]) -> Iterator[Counted]:
        dimensions, chosen = self.reading.dimensions(definition, tuple(self.cells)), tuple(self.cells.values())
        overlaps = definition.counts_subjects and not definition.has_value
        if _has_own_cells(definition):
            entries = [entry for entry in entries if stands(entry, dimensions, chosen)]
        wanted = {slot_of(entry) for entry in entries}
        together, person = self._with_same(definition, entries)
        for unit in counting.units_of(definition, together, self.period, person):
            if overlaps:
                inside = [entry for entry in unit.entries if stands(entry, dimensions, chosen)]
            else:
                inside = unit.entries if stands(counting.latest_of(unit), dimensions, chosen) else []
            if inside:
                yield from _of_unit(definition, unit, inside, wanted, self.period, part)

    def _with_same(
        self, definition: Definition, entries: Sequence[Entry]
    ) -> tuple[Sequence[Entry], Callable[[str], str]]:
        """With all the rows that have a say in what of these counts; and who their subjects are."""
        if not counting.by_subject(definition):
            return entries, str  # nobody asks
        lies_in = self.reading.lies_in(self.place)
        subjects = {entry.subject for entry in entries if entry.subject is not None}
        reading = self.reading.about(definition, subjects)
        same = [entry for entry in reading.entries_of(definition, self.period, subjects) if lies_in(entry)]
        return [*same, *(entry for entry in entries if entry.subject is None)], reading.person_of(definition)


def _adds_rows(definition: Definition) -> bool:
    """Whether all rows of a subject count, not one of them for all."""
    return definition.aggregate == "sum" and definition.row.per_subject == "sum" and definition.counts_subjects


def _has_own_cells(definition: Definition) -> bool:
    """Whether each row has its own cells, not those of its subject's latest row: others need not be read."""
    return not counting.stands_in_one(definition)


def _sources(reading: Reading, definition: Definition, part: int = 0) -> Iterator[Source]:
    """The indicators whose rows stand behind one."""
    if definition.aggregate != "ratio":
        yield definition, part
        return
    for number, one in enumerate(reading.parts(definition)):
        yield from _sources(reading, one, part or number)


def _of_unit(
    definition: Definition, unit: Unit, inside: list[Entry], wanted: Set[Slot], period: Period, part: int
) -> Iterator[Counted]:
    counts = unit.kept and not unit.lacking
    aggregate, one_each = definition.aggregate, definition.aggregate in ("count", "distinct", "list")
    by_row = _adds_rows(definition)
    decides = unit.entry if definition.has_value or aggregate == "list" else max(inside, key=counting.order)
    for entry in inside:
        if slot_of(entry) not in wanted:
            continue
        counted: counting.Amount | None = None
        instead: int | None = None
        if counts and by_row:
            counted = counting.part_of(definition, entry, period)
        elif counts and entry is decides:
            counted = MILLION if one_each else unit.amount
        elif counts and decides.submission_id != entry.submission_id:
            instead = decides.submission_id
        yield Counted(definition, entry, counted, unit.baseline if entry is unit.entry else None, part, instead)


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
    subjects: defaultdict[int, set[str]] = defaultdict(set)
    for one in page:
        if (subject := details[_key(one)].subject) is not None:
            subjects[one.definition.id].add(subject)
    definitions = {one.definition.id: one.definition for one in page}
    about = {number: reading.about(definition, subjects[number]) for number, definition in definitions.items()}
    return [_row(reading, about[one.definition.id], one, details[_key(one)], of_ratio) for one in page]


def _row(reading: Reading, about: Reading, one: Counted, detail: Any, of_ratio: bool) -> dict[str, Any]:
    definition = one.definition
    value = detail.text if definition.aggregate == "list" else _amount(detail.value)
    row = {
        "submission": str(detail.submission_id),
        "instance_id": detail.instance_id,
        "form": detail.form_id,
        "subject": detail.subject,
        "person": about.person_of(definition)(detail.subject) if detail.subject is not None else None,
        "date": detail.day.isoformat(),
        "place": reading.code_of(detail.place) or detail.place,
        "by": keys_of(definition, detail),
        "value": value,
        "counted": _amount(one.counted),
        "opened": {
            "event": detail.opened,
            "cause": told_as(cause_of(detail.kind, detail.details)) if detail.kind else None,
            "at": detail.at.isoformat() if detail.at else None,
        },
    }
    if detail.subject is not None and detail.subject in about.persons(definition).unsure:
        row["sure"] = False
    if one.instead is not None:
        row["counted_by"] = str(one.instead)
    if definition.row.each is not None:
        row["repeat"], row["turn"] = definition.row.each, one.entry.ordinal + 1
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


def _how_far(cursor: str | None) -> tuple[int, Position | None]:
    """How many rows of its kind came before a page of `evidence_apart`, and the last row that was looked at."""
    if cursor is None:
        return 0, None
    shown, _, position = cursor.partition(".")
    known = shown.isascii() and shown.isdecimal() and len(shown) < 10
    return (int(shown) if known else 0), _position(position if known else "")


def _position(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    try:
        part, day, submission, *rest = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        indicator, ordinal, opened = map(int, rest)
        position = int(part), dt.date.fromisoformat(day), int(submission), indicator, ordinal, opened
        if any(isinstance(one, int) and abs(one) > LARGEST for one in position):
            raise ValueError("no database has such a number")
        return position
    except (ValueError, TypeError, OverflowError, binascii.Error):
        finding = Finding("This is not a cursor.", "Use the one of the page before, unchanged.", place="cursor")
        raise Unexpected(findings=[finding]) from None
