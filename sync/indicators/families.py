"""Which cells of an indicator are hidden, whichever way they are asked for: by a place, or as cells of a level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sync.indicators import counting
from sync.indicators.counting import Cell, Tally
from sync.indicators.definitions import Definition
from sync.indicators.hiding import Family
from sync.indicators.periods import Period
from sync.indicators.reading import Reading

Measure = Callable[[Tally], int]


def hidden_in(
    reading: Reading, definition: Definition, period: Period, place: str | None, by: tuple[str, ...]
) -> set[Cell]:
    """The cells of the indicator's table that only those may see who see small cells; `()` is the total's."""
    return _hidden(reading, definition, period, place, by, definition.row.minimum_cell)


def under_all(reading: Reading, definition: Definition) -> tuple[Reading, ...]:
    """The reading, and those in which the figures of the indicator may be others by what is not decided."""
    return (reading, *reading.bounds) if reading.doubts(definition) else (reading,)


def _hidden(
    reading: Reading,
    definition: Definition,
    period: Period,
    place: str | None,
    by: tuple[str, ...],
    minimum: int | None,
) -> set[Cell]:
    """A ratio hides what either of its indicators hides, and what is small by its own measure."""
    if definition.aggregate == "ratio":
        return {
            cell
            for part in reading.parts(definition)
            for measure in {minimum, part.row.minimum_cell}
            for cell in _hidden(reading, part, period, place, by, measure)
        }
    if minimum is None:
        return set()
    # A subject counts by its latest row in a place, and may by its latest row of all count elsewhere: the cells of the
    # place are others than those of the whole, and cover each other.
    wholes = {None, place} if counting.stands_in_one(definition) else {None}
    # What covers a sum of how few there are is no cover for a sum of values, to which a nought adds nothing.
    measures = (_units, _told) if _drops(definition) else (_units,)
    return {
        cell
        for whole in wholes
        for measure in measures
        for cell in _from_family(
            reading, definition, place, by, _family(reading, definition, period, whole, minimum, measure)
        )
    }


def _drops(definition: Definition) -> bool:
    """Whether there may be rows whose subjects the value does not go over."""
    return definition.keep is not None or definition.row.per_subject in ("gain", "growth")


def _units(tally: Tally) -> int:
    return tally.units


def _told(tally: Tally) -> int:
    """A nought of few says by `without` or `n` how few they are."""
    return tally.units or tally.without or tally.n


def _from_family(
    reading: Reading, definition: Definition, place: str | None, by: tuple[str, ...], family: Family
) -> Iterator[Cell]:
    """The cells of the table as it was asked for, by those of the family that they are or are made of."""
    tree = reading.tree
    levels = {name: level for name in by if (level := reading.breaking(definition, name).level) is not None}
    names = sorted(name for name in by if name not in levels)
    inside = {*levels.values()}
    within = [code for code, one in tree.places.items() if code == place or one.level in inside]
    deepest = max((len(tree.way_to(code)) for code in within), default=0)
    for depth in range(deepest + 1):
        for cell in family.hidden(depth, names):
            way = tree.way_to(cell[0]) if depth else ()
            here = way[-1] if way else None
            if place is not None and place not in way:
                continue
            at = {name: tree.at_level(here, level) for name, level in levels.items()}
            # What has no place of a level is asked for as the sum of all such cells, and hidden with any of them.
            is_part = None in at.values()
            if depth == deepest if is_part else len(way) == depth and here in (place, *at.values()):
                keys = at | dict(zip(names, cell[1:] if depth else cell, strict=True))
                yield tuple(keys[name] for name in by)


def _family(
    reading: Reading, definition: Definition, period: Period, place: str | None, minimum: int, measure: Measure
) -> Family:
    key = definition.name, period, place, minimum, measure
    if key not in reading.families:
        reading.families[key] = Family(
            lambda depth, names: _counts(reading, definition, period, place, names, depth, measure),
            reading.tree.around,
            lambda name: not reading.breaking(definition, name).multiple,
            minimum,
        )
    return reading.families[key]


def _counts(
    reading: Reading,
    definition: Definition,
    period: Period,
    place: str | None,
    by: tuple[str, ...],
    depth: int,
    measure: Measure,
) -> Mapping[Cell, int]:
    """A range gives away a small count wherever it has one: the smallest is that of the cell. None at all is not small,
    and does not keep the others from being so."""
    counts: dict[Cell, int] = {}
    for one in under_all(reading, definition):
        table = one.table(definition, period, place, by, depth) if by or depth else None
        cells = table.cells if table else {(): one.total(definition, period, place)}
        for cell, tally in cells.items():
            counts[cell] = min(filter(None, (counts.get(cell), measure(tally))), default=0)
    return counts
