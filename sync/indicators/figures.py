"""Figures: indicators for a period, a place and a breakdown, as of an event, to be shown to somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from forms.findings import Finding
from sync.errors import Unexpected
from sync.indicators import counting
from sync.indicators.amounts import decimal_of, json_number
from sync.indicators.contributions import read_keys
from sync.indicators.counting import Cell, Entry, Tally
from sync.indicators.definitions import Definition
from sync.indicators.families import hidden_in, under_all
from sync.indicators.periods import Period
from sync.indicators.reading import PLACE, Reading

# Breakdown → key of the cell that was asked for.
Cells = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Item:
    """One milestone of a list."""

    text: str
    date: str
    place: str | None
    submission: str
    by: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("text", "date", "place", "submission", "by")}


@dataclass(frozen=True, slots=True)
class Figure:
    """An answer. `low` and `high` bound what is not decided yet; `by` is the cell, empty for the total.

    `without` counts the subjects that had no gain or growth. `items` is None but for a list. Of a hidden figure nothing
    is known but that it is hidden. Amounts are exact; a ratio is the fraction (0.4), whatever its unit.
    """

    definition: Definition
    period: Period
    place: str | None
    by: Cells
    value: Fraction | None
    low: Fraction | None
    high: Fraction | None
    n: int | None
    without: int | None = None
    items: tuple[Item, ...] | None = None
    target: Fraction | None = None
    baseline: Fraction | None = None
    hidden: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the API answers it."""
        shown: dict[str, Any] = {
            "indicator": self.definition.name,
            "period": self.period.text,
            "place": self.place,
            "by": dict(self.by),
            "value": json_number(self.value),
            "low": json_number(self.low),
            "high": json_number(self.high),
            "n": self.n,
            "unit": self.definition.row.unit or None,
            "target": json_number(self.target),
            "baseline": json_number(self.baseline),
        }
        if self.without is not None:
            shown["without"] = self.without
        if self.items is not None:
            shown["items"] = [item.to_json() for item in self.items]
        if self.hidden:
            shown["hidden"] = True
        return shown


def figures(
    reading: Reading,
    names: Sequence[str],
    *,
    period: str = "all",
    place: str | None = None,
    by: Sequence[str] = (),
    cells: Cells | None = None,
    totals: bool = True,
    sees_small_cells: bool,
) -> list[Figure]:
    """For each indicator the total, if asked for, then a figure for each combination of the `by` keys that occurs.

    `place` is a code or alias and includes everything below. `cells` (`is=`) picks cells; they stand in each figure's
    `by`. A caller who may not see small cells gets them hidden, with those that would give them away. Raises Unexpected
    for an indicator, period, place or breakdown that there is not.
    """
    span, code, picked = reading.period(period), reading.place(place), dict(cells or {})
    found: list[Figure] = []
    for name in names:
        found += _of_indicator(
            reading, reading.definition(name), span, code, tuple(by), picked, totals, sees_small_cells
        )
    return found


def figure(
    reading: Reading,
    name: str,
    *,
    period: str = "all",
    place: str | None = None,
    cells: Cells | None = None,
    sees_small_cells: bool,
) -> Figure:
    """One figure, as `figures` gives it."""
    return figures(reading, [name], period=period, place=place, cells=cells, sees_small_cells=sees_small_cells)[0]


def parts_of(reading: Reading, ratio: Figure, *, sees_small_cells: bool) -> list[Figure]:
    """Numerator and denominator of a ratio, for the same period, place and cells; nothing of other figures."""
    row = ratio.definition.row
    return figures(
        reading,
        [name for name in (row.numerator, row.denominator) if name is not None],
        period=ratio.period.text,
        place=ratio.place,
        cells=ratio.by,
        sees_small_cells=sees_small_cells,
    )


def share(
    reading: Reading,
    name: str,
    *,
    period: str = "all",
    place: str | None = None,
    cells: Cells | None = None,
    sees_small_cells: bool,
) -> Figure:
    """A figure divided by the one without its cells, both of the same people at either end of its range. It is hidden
    with its parts, and has no target."""
    show = _Show(reading, reading.definition(name), reading.period(period), reading.place(place), sees_small_cells)
    picked = dict(cells or {})
    part, whole = show.one(tuple(picked), tuple(picked.values())), show.one((), ())
    if part.hidden or whole.hidden:
        return replace(part, value=None, low=None, high=None, n=None, hidden=True)
    value, low, high = show.share(tuple(picked), tuple(picked.values()))
    return replace(part, value=value, low=low, high=high, target=None, baseline=None)


def read_cells(text: str) -> dict[str, str | None]:
    """`sex:female,topic:marketing` of `is=`. `place:cercle:ML-2` picks a place; a blank or `null` is the key null."""
    cells: dict[str, str | None] = {}
    for part in filter(None, text.split(",")):
        name, colon, key = part.removeprefix(PLACE).partition(":")
        name = PLACE + name if part.startswith(PLACE) else name
        if not colon or name in cells:
            fault = f"‘{part}’ picks no cell." if not colon else f"‘{name}’ is picked twice."
            raise Unexpected(findings=[Finding(fault, "Write them like sex:female,topic:marketing.", place="is")])
        cells[name] = None if key in ("", "null") else key
    return cells


def write_cells(cells: Cells) -> str:
    """What `read_cells` reads."""
    return ",".join(f"{name}:{'null' if key is None else key}" for name, key in cells.items())


def item_of(reading: Reading, definition: Definition, entry: Entry) -> Item:
    """A row of a list as it is shown."""
    return Item(
        entry.text or "",
        entry.day.isoformat(),
        reading.code_of(entry.place) or entry.place,
        str(entry.submission_id),
        keys_of(definition, entry),
    )


def keys_of(definition: Definition, entry: Entry) -> dict[str, Any]:
    """A row's keys by breakdown; a list where there can be several."""
    keys: dict[str, Any] = {}
    for way in definition.ways:
        found = read_keys(getattr(entry, f"by{way.position}"))
        keys[way.name] = [key for key in found if key is not None] if way.multiple else found[0]
    return keys


def _of_indicator(
    reading: Reading,
    definition: Definition,
    period: Period,
    place: str | None,
    by: tuple[str, ...],
    picked: dict[str, str | None],
    totals: bool,
    sees_small_cells: bool,
) -> list[Figure]:
    asked = tuple(name for name in dict.fromkeys(by) if name not in picked)
    chosen = tuple(picked.values())
    show = _Show(reading, definition, period, place, sees_small_cells)
    broken: list[Figure] = []
    if asked:
        # The table of the cells comes first: it holds the total as well.
        names = (*picked, *asked)
        table = reading.table(definition, period, place, names)
        inside = [cell for cell in {**table.cells, **show.hidden(names)} if cell[: len(chosen)] == chosen]
        broken = [show.one(names, cell) for cell in sorted(inside, key=_ranking(reading, definition, names))]
    return [show.one(tuple(picked), chosen), *broken] if totals or not asked else broken


@dataclass(frozen=True)
class _Show:
    """What the figures of one indicator, period and place are made with."""

    reading: Reading
    definition: Definition
    period: Period
    place: str | None
    sees_small_cells: bool
    _hidden: dict[tuple[str, ...], dict[Cell, None]] = field(default_factory=dict)

    def hidden(self, names: tuple[str, ...]) -> dict[Cell, None]:
        """The cells that this caller may not see, among them some that do not occur."""
        if self.sees_small_cells:
            return {}
        if names not in self._hidden:
            found = hidden_in(self.reading, self.definition, self.period, self.place, names)
            self._hidden[names] = dict.fromkeys(found)
        return self._hidden[names]

    def one(self, names: tuple[str, ...], cell: Cell) -> Figure:
        by = dict(zip(names, cell, strict=True))
        target, baseline = _planned(self.reading, self.definition, self.period, self.place, by)
        if cell in self.hidden(names):
            blank = (None, None, None, None)
            return Figure(
                self.definition, self.period, self.place, by, *blank, target=target, baseline=baseline, hidden=True
            )
        tally = self._tally(self.reading, names, cell)
        _, low, high = _span([self._tally(one, names, cell).value for one in self._readings])
        return Figure(
            self.definition,
            self.period,
            self.place,
            by,
            tally.value,
            low,
            high,
            tally.n,
            without=tally.without if self.definition.row.per_subject in ("gain", "growth") else None,
            items=self._items(tally),
            target=target,
            baseline=baseline,
        )

    def share(self, names: tuple[str, ...], cell: Cell) -> tuple[Fraction | None, Fraction | None, Fraction | None]:
        """Of the cell in the whole: the value, the least and the most."""
        return _span(
            [_divided(self._tally(one, names, cell).value, self._tally(one, (), ()).value) for one in self._readings]
        )

    @property
    def _readings(self) -> tuple[Reading, ...]:
        return under_all(self.reading, self.definition)

    def _tally(self, reading: Reading, names: tuple[str, ...], cell: Cell) -> Tally:
        if not names:
            return reading.total(self.definition, self.period, self.place)
        cells = reading.table(self.definition, self.period, self.place, names).cells
        return cells.get(cell) or counting.over_nothing(self.definition)

    def _items(self, tally: Tally) -> tuple[Item, ...] | None:
        if self.definition.aggregate != "list":
            return None
        return tuple(item_of(self.reading, self.definition, entry) for entry in tally.items)


def _span(values: Sequence[Fraction | None]) -> tuple[Fraction | None, Fraction | None, Fraction | None]:
    """The value, which comes first, and the least and the most that it can be. More people are not always more: of a
    gain, a mean or a ratio the least may lie at either end, or be the value. Without a value there is no range."""
    value, known = values[0], [one for one in values if one is not None]
    return (value, min(known), max(known)) if value is not None else (None, None, None)


def _divided(part: Fraction | None, whole: Fraction | None) -> Fraction | None:
    return None if part is None or not whole else part / whole


def _planned(
    reading: Reading, definition: Definition, period: Period, place: str | None, by: Cells
) -> tuple[Fraction | None, Fraction | None]:
    """Target and baseline that were set for exactly this figure, however its period and place are written."""
    for planned in reading.targets:
        if (
            planned.indicator == definition.name
            and {name: None if key == "null" else key for name, key in planned.by.items()} == by
            and _spans(reading, planned.period, period)
            and (reading.tree.code_of(planned.place) if planned.place else None) == place
        ):
            return _amount(planned.target), _amount(planned.baseline)
    return None, None


def _spans(reading: Reading, text: str, period: Period) -> bool:
    try:
        return reading.period(text).span == period.span
    except Unexpected:  # a year beyond the calendar
        return False


def _amount(stored: int | None) -> Fraction | None:
    return None if stored is None else Fraction(decimal_of(stored))


def _ranking(reading: Reading, definition: Definition, names: Sequence[str]) -> Any:
    """Cells in the order of the form's choices, then of other keys, null last."""
    ranks = []
    for name in names:
        way = reading.breaking(definition, name).way
        ranks.append({key: rank for rank, key in enumerate(way.values)} if way else {})

    def rank(cell: Cell) -> list[tuple[bool, int, str]]:
        return [
            (key is None, known.get(key or "", len(known)), key or "") for known, key in zip(ranks, cell, strict=True)
        ]

    return rank
