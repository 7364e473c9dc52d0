"""How contributions become numbers: pure functions over rows that were fetched already (indicators.md, figures)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

from forms.indicators.sheets import Keep
from sync.indicators.amounts import MILLION
from sync.indicators.crowds import heads_by, united
from sync.indicators.definitions import Definition
from sync.indicators.periods import Period

# A row of the contributions table, with at least the columns that the definition calls for.
Entry = Any
# One key for each dimension.
Cell = tuple[str | None, ...]
# An amount in millionths.
Amount = int | Fraction

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
# Sums of many fractions are worked out in units so small that no figure of six decimals can tell.
_FINE = 10**30


class Heads(NamedTuple):
    """The subjects of so many rows that have the same texts in some columns."""

    texts: Mapping[str, Any]
    rows: int
    subjects: Set[str]


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way of sorting rows into cells: a column, and the keys that a text in it means (several for a
    select_multiple)."""

    column: str
    keys: Callable[[str | None], tuple[str | None, ...]]

    def __call__(self, entry: Entry) -> tuple[str | None, ...]:
        return self.keys(getattr(entry, self.column))


@dataclass(slots=True)
class Unit:
    """What an aggregate goes over: a subject with its rows, or a single row.

    `entry` is the row that decides. `lacking`: there is no amount to be had, as of a gain without an earlier value.
    """

    entries: list[Entry]
    entry: Entry
    amount: Amount | None = None
    kept: bool = True
    baseline: int | None = None
    lacking: bool = False


@dataclass(slots=True)
class Tally:
    """What came together in one cell. `units` counts what the value goes over, once `keep` has dropped the others."""

    value: Fraction | None = None
    n: int = 0
    units: int = 0
    without: int = 0
    items: tuple[Entry, ...] = ()


@dataclass(slots=True)
class Table:
    """The cells that occur, and the total, which is not always their sum."""

    cells: dict[Cell, Tally]
    total: Tally


@dataclass(slots=True)
class _Gathered:
    """What has come together in a cell so far."""

    n: int = 0
    without: int = 0
    units: list[Unit] = field(default_factory=list)

    def add(self, unit: Unit, n: int) -> None:
        self.n += n
        if unit.lacking:
            self.without += 1
        elif unit.kept:
            self.units.append(unit)

    def with_more(self, other: _Gathered) -> _Gathered:
        return _Gathered(self.n + other.n, self.without + other.without, self.units + other.units)


@dataclass(slots=True)
class _Sorted:
    """Units in the cells that they stand in, and all of them."""

    total: _Gathered
    cells: dict[Cell, _Gathered]

    def with_more(self, other: _Sorted) -> _Sorted:
        nothing = _Gathered()
        cells = {
            cell: self.cells.get(cell, nothing).with_more(other.cells.get(cell, nothing))
            for cell in {**self.cells, **other.cells}
        }
        return _Sorted(self.total.with_more(other.total), cells)

    def table(self, definition: Definition) -> Table:
        cells = {cell: _tally(definition.aggregate, gathered) for cell, gathered in self.cells.items()}
        return Table(cells, _tally(definition.aggregate, self.total))


def order(entry: Entry) -> tuple[Any, ...]:
    """Of two rows on one date the one recorded later is the later one, then the one of the later event."""
    return entry.day, entry.recorded, entry.opened, entry.submission_id, entry.ordinal


def tabulate(
    definition: Definition,
    entries: Iterable[Entry],
    period: Period,
    dimensions: Sequence[Dimension],
    person: Callable[[str], str],
) -> Table:
    """Count rows, of which each lies in the place asked for, for a period. `person` says who a subject is."""
    return _sorted(definition, units_of(definition, entries, period, person), dimensions).table(definition)


def tabulate_each(
    definition: Definition,
    entries: Iterable[Entry],
    period: Period,
    dimensions: Sequence[Dimension],
    persons: Sequence[Callable[[str], str]],
    unsure: Set[str],
) -> list[Table]:
    """`tabulate` by each of `persons`. Whoever is not among the `unsure` is the same person by all of them, and is
    counted once for all."""
    same: list[Entry] = []
    others: list[Entry] = []
    for entry in entries:
        (others if entry.subject in unsure else same).append(entry)
    shared = _sorted(definition, units_of(definition, same, period, persons[0]), dimensions)
    own = (_sorted(definition, units_of(definition, others, period, person), dimensions) for person in persons)
    return [shared.with_more(one).table(definition) for one in own]


def distinct_each(
    parts: Iterable[Heads], dimensions: Sequence[Dimension], standings: Sequence[Mapping[str, str]]
) -> list[Table]:
    """Whoever has a row in the period, once in every cell in which he or she has one: what `tabulate` counts, sooner.

    By each of `standings`, which say for whom a subject stands that does not stand for itself.
    """
    cells: dict[Cell, list[Heads]] = {}
    everybody = list(parts)
    for one in everybody if dimensions else ():
        for cell in product(*(dimension.keys(one.texts[dimension.column]) for dimension in dimensions)):
            cells.setdefault(cell, []).append(one)
    in_cells = {cell: _once(some) for cell, some in cells.items()}
    in_all = _once(everybody)
    return [
        Table({cell: _heads(*some, count) for cell, some in in_cells.items()}, _heads(*in_all, count))
        for count in map(heads_by, standings)
    ]


def added(
    definition: Definition,
    parts: Iterable[tuple[Mapping[str, str | None], Tally]],
    dimensions: Sequence[Dimension],
) -> Table:
    """Counts and sums of rows that the database has put together by what stands in the columns of the dimensions."""
    table = Table({}, over_nothing(definition))
    for texts, tally in parts:
        table.total = _sum_of(table.total, tally)
        if dimensions:
            for cell in product(*(dimension.keys(texts[dimension.column]) for dimension in dimensions)):
                table.cells[cell] = _sum_of(table.cells.get(cell), tally)
    return table


def units_of(
    definition: Definition, entries: Iterable[Entry], period: Period, person: Callable[[str], str]
) -> Iterator[Unit]:
    """The subjects or rows of the period, those that `keep` drops and those without a value included."""
    inside, passes = within(definition, period), _passing(definition.keep)
    if not by_subject(definition):
        for entry in entries:
            if inside(entry):
                amount = part_of(definition, entry, period)
                yield Unit([entry], entry, amount, passes(amount))
        return
    end = period.end
    for rows in _grouped((entry for entry in entries if end is None or entry.day <= end), person):
        counted = [entry for entry in rows if inside(entry)]
        if counted:
            yield _subject(definition, rows, counted, period, passes)


def within(definition: Definition, period: Period) -> Callable[[Entry], bool]:
    """Whether a row is among those that a figure for the period goes over (and that its `n` counts)."""
    start, end = period.start, period.end
    if knows_latest(definition):
        return lambda entry: end is None or entry.day <= end
    if definition.spreads:
        return lambda entry: (
            (end is None or entry.day <= end) and (start is None or (entry.until or entry.day) >= start)
        )
    return lambda entry: (start is None or start <= entry.day) and (end is None or entry.day <= end)


def knows_latest(definition: Definition) -> bool:
    """Whether a figure goes over all rows up to the end of the period."""
    return definition.row.per_subject == "latest_known" and by_subject(definition)


def looks_back(definition: Definition) -> bool:
    """Whether rows from before the period decide too."""
    if not by_subject(definition):
        return False
    rule = definition.row.per_subject
    return rule == "latest_known" or (rule in ("gain", "growth") and definition.row.baseline is None)


def stands_in_one(definition: Definition) -> bool:
    """Whether a subject stands in the cells of its latest row alone, whatever others it has."""
    return by_subject(definition) and not _overlaps(definition)


def part_of(definition: Definition, entry: Entry, period: Period) -> int | None:
    """A row's value, or the part of it that lies on days of the period.

    Parts are what the value has come to by the end of a day, to whole millionths, less what it had come to before: so
    the parts of periods that follow each other add up to the value exactly.
    """
    if not definition.has_value or entry.value is None:
        return None
    value: int = entry.value
    if not definition.spreads:
        return value
    days = ((entry.until or entry.day) - entry.day).days + 1
    first = max((period.start - entry.day).days, 0) if period.start else 0
    last = min((period.end - entry.day).days, days - 1) if period.end else days - 1
    if first > last:
        return 0
    return _come_to(value, last + 1, days) - _come_to(value, first, days)


def cells_of(entry: Entry, dimensions: Sequence[Dimension]) -> Iterable[Cell]:
    """The cells that a row stands in: several, where a dimension gives it several keys."""
    if len(dimensions) == 1:
        return [(key,) for key in dimensions[0](entry)]
    return product(*(dimension(entry) for dimension in dimensions))


def latest_of(unit: Unit) -> Entry:
    """The row whose cells a subject with a value stands in."""
    return unit.entry if len(unit.entries) == 1 else max(unit.entries, key=order)


def over_nothing(definition: Definition) -> Tally:
    """The tally of a cell in which there is nothing."""
    return _tally(definition.aggregate, _Gathered())


def quotient(numerator: Tally, denominator: Tally) -> Tally:
    """A ratio's cell: null over nothing. `n` is the denominator's."""
    above, below = numerator.value, denominator.value
    value = None if above is None or not below else above / below
    return Tally(value, denominator.n, denominator.units)


def _sorted(definition: Definition, units: Iterable[Unit], dimensions: Sequence[Dimension]) -> _Sorted:
    overlaps = _overlaps(definition)
    cells: dict[Cell, _Gathered] = {}
    total = _Gathered()
    for unit in units:
        total.add(unit, len(unit.entries))
        if not dimensions:
            continue
        if overlaps:
            places: dict[Cell, int] = {}
            for entry in unit.entries:
                for cell in cells_of(entry, dimensions):
                    places[cell] = places.get(cell, 0) + 1
        else:
            places = dict.fromkeys(cells_of(latest_of(unit), dimensions), len(unit.entries))
        for cell, n in places.items():
            cells.setdefault(cell, _Gathered()).add(unit, n)
    return _Sorted(total, cells)


def _overlaps(definition: Definition) -> bool:
    """Whether a subject stands in every cell in which it has a row."""
    return definition.counts_subjects and not definition.has_value


def _sum_of(one: Tally | None, other: Tally) -> Tally:
    if one is None:
        return other
    return Tally((one.value or Fraction(0)) + (other.value or 0), one.n + other.n, one.units + other.units)


def _once(some: Sequence[Heads]) -> tuple[int, Set[str]]:
    return sum(one.rows for one in some), united([one.subjects for one in some])


def _heads(rows: int, subjects: Set[str], count: Callable[[Set[str]], int]) -> Tally:
    heads = count(subjects)
    return Tally(Fraction(heads), rows, heads)


def by_subject(definition: Definition) -> bool:
    """Whether a subject's rows go together, so that one of them decides."""
    if definition.aggregate == "list":
        return definition.has_subject
    return definition.counts_subjects


def _grouped(entries: Iterable[Entry], person: Callable[[str], str]) -> Iterable[list[Entry]]:
    """By person; a row of a list without a subject stands for itself."""
    groups: dict[str, list[Entry]] = {}
    alone: list[list[Entry]] = []
    for entry in entries:
        if entry.subject is None:
            alone.append([entry])
        else:
            groups.setdefault(person(entry.subject), []).append(entry)
    return (*groups.values(), *alone)


def _subject(
    definition: Definition,
    rows: list[Entry],
    counted: list[Entry],
    period: Period,
    passes: Callable[[Amount | None], bool],
) -> Unit:
    if definition.aggregate != "list" and not definition.has_value:
        return Unit(counted, counted[0])
    latest = counted[0] if len(counted) == 1 else max(counted, key=order)
    if definition.aggregate == "list":
        return Unit(counted, first_of(counted) if definition.row.per_subject == "first" else latest)
    match definition.row.per_subject:
        case "gain" | "growth" as rule:
            baseline = _baseline(definition, rows, latest)
            amount = _compared(rule, latest.value, baseline)
            return Unit(counted, latest, amount, passes(amount), baseline, amount is None)
        case "first":
            entry = first_of(counted)
            amount = part_of(definition, entry, period)
        case "latest" | "latest_known":
            entry, amount = latest, part_of(definition, latest, period)
        case rule:
            parts = [part_of(definition, one, period) or 0 for one in counted]
            entry, amount = latest, _together(rule, parts)
    return Unit(counted, entry, amount, passes(amount))


def first_of(entries: Sequence[Entry]) -> Entry:
    """The row that gives the earliest date its value."""
    if len(entries) == 1:
        return entries[0]
    day = min(entry.day for entry in entries)
    return max((entry for entry in entries if entry.day == day), key=order)


def _baseline(definition: Definition, rows: list[Entry], latest: Entry) -> int | None:
    if definition.row.baseline is not None:
        stated: int | None = latest.baseline
        return stated
    before = [entry for entry in rows if entry.day < latest.day]
    if not before:
        return None
    value: int = first_of(before).value
    return value


def _compared(rule: str, latest: int, baseline: int | None) -> Amount | None:
    if baseline is None:
        return None
    if rule == "gain":
        return latest - baseline
    return Fraction(latest * MILLION, baseline) if baseline else None


def _together(rule: str, parts: list[int]) -> Amount:
    match rule:
        case "sum":
            return sum(parts)
        case "mean":
            return Fraction(sum(parts), len(parts))
        case "min":
            return min(parts)
        case _:
            return max(parts)


def _passing(keep: Keep | None) -> Callable[[Amount | None], bool]:
    """Whether an amount is kept, with the bound worked out once for all of them."""
    if keep is None:
        return lambda amount: True
    bound, compare = Fraction(keep.bound) * MILLION, _COMPARISONS[keep.operator]
    limit = int(bound) if bound.denominator == 1 else bound
    return lambda amount: amount is not None and compare(amount, limit)


def _tally(aggregate: str, gathered: _Gathered) -> Tally:
    units = gathered.units
    if aggregate == "list":
        items = sorted((unit.entry for unit in units), key=lambda entry: (entry.day, entry.text, *order(entry)))
        return Tally(None, gathered.n, len(units), 0, tuple(items))
    if aggregate == "ratio":
        value: Fraction | None = None
    elif aggregate in ("count", "distinct"):
        value = Fraction(len(units))
    else:
        value = _aggregated(aggregate, [unit.amount for unit in units if unit.amount is not None])
    return Tally(value, gathered.n, len(units), gathered.without)


def _aggregated(aggregate: str, amounts: list[Amount]) -> Fraction | None:
    if aggregate == "sum":
        return _sum(amounts) / MILLION
    if not amounts:
        return None
    match aggregate:
        case "mean":
            return _sum(amounts) / (len(amounts) * MILLION)
        case "median":
            # Fractions are compared a hundred times as slowly as floats, which are never in another order.
            ranked = sorted(amounts, key=lambda amount: (float(amount), amount))
            middle = len(ranked) // 2
            return Fraction(ranked[middle] + ranked[~middle]) / (2 * MILLION)
        case "min":
            return Fraction(min(amounts)) / MILLION
        case _:
            return Fraction(max(amounts)) / MILLION


def _sum(amounts: list[Amount]) -> Fraction:
    """Exact for whole millionths; fractions are added to thirty decimals of a millionth, as exact sums of thousands of
    them grow denominators of thousands of digits."""
    whole = sum(amount for amount in amounts if isinstance(amount, int))
    parts = sum(round(amount * _FINE) for amount in amounts if not isinstance(amount, int))
    return whole + Fraction(parts, _FINE)


def _come_to(value: int, days: int, of: int) -> int:
    """What a value has come to after so many of its days, half a millionth counting as one."""
    return (2 * value * days + of) // (2 * of)
