"""Totals after a change, from those before it: whoever the change has to do with is counted again, and nobody else.

What they were before may be counted while nobody has to wait, and written down until then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sync.indicators import counting
from sync.indicators.counting import Tally
from sync.indicators.definitions import Definition
from sync.indicators.periods import Period
from sync.indicators.reading import Reading

_ADDS_UP = ("count", "distinct", "sum", "mean")

# Of each indicator its total by each standing: value, `n`, `units` and `without`.
Written = Mapping[str, Sequence[tuple[str | None, int, int, int]]]


@dataclass(frozen=True, slots=True)
class Totals:
    """What the totals of all time were at an event, as JSON holds it. Lists are not among them."""

    event: int
    written: Written

    def tell(self, reading: Reading) -> None:
        """Spare a reading as of that event the counting."""
        for name, each in self.written.items():
            totals = [
                Tally(None if value is None else Fraction(value), n, units, without)
                for value, n, units, without in each
            ]
            reading.know_totals(reading.definition(name), reading.period("all"), totals)


def write_totals(reading: Reading) -> Written:
    """As `Totals` has them."""
    period = reading.period("all")
    return {
        name: [
            (None if one.value is None else str(one.value), one.n, one.units, one.without)
            for one in reading.totals(definition, period)
        ]
        for name, definition in reading.definitions.items()
        if definition.aggregate != "list"
    }


def adds_up(definition: Definition) -> bool:
    """Whether the total is found by what its subjects, or rows, add up to."""
    return definition.aggregate in _ADDS_UP


def totals_moved(
    before: Reading,
    after: Reading,
    definition: Definition,
    period: Period,
    subjects: Collection[str],
    submission_ids: Collection[int],
) -> tuple[Tally, ...]:
    """The totals in the reading `after`, by each standing, of an indicator that `adds_up` and is defined alike in both.

    `subjects` are all of whom a row came or went, or who came to stand for somebody else, between the two readings;
    `submission_ids` all from which a row came or went.
    """
    totals = before.totals(definition, period)
    if not (before.doubts(definition) or after.doubts(definition)):
        moved = _moved(before, after, definition, period, subjects, submission_ids)
        return tuple(_sum(definition, total, *moved) for total in totals)
    pairs = zip((before, *before.bounds), (after, *after.bounds), totals, strict=True)
    return tuple(
        _sum(definition, total, *_moved(one, other, definition, period, subjects, ())) for one, other, total in pairs
    )


def _moved(
    before: Reading,
    after: Reading,
    definition: Definition,
    period: Period,
    subjects: Collection[str],
    submission_ids: Collection[int],
) -> tuple[Tally, Tally]:
    """What those who moved are counted as, before and after."""
    if not counting.by_subject(definition):
        parts = [(one, one.entries_from(definition, period, submission_ids)) for one in (before, after)]
    else:
        # Whoever was, or is now, one person with one of them is counted with them on both sides.
        people = before.same(definition, subjects) | after.same(definition, subjects)
        parts = [(one, one.entries_of(definition, period, people)) for one in (before, after)]
    gone, come = (
        counting.tabulate(definition, entries, period, (), one.person_of(definition)).total for one, entries in parts
    )
    return gone, come


def _sum(definition: Definition, total: Tally, gone: Tally, come: Tally) -> Tally:
    units = total.units - gone.units + come.units
    value: Fraction | None
    if definition.aggregate == "mean":
        sums = [(one.value or Fraction(0)) * one.units for one in (total, gone, come)]
        value = (sums[0] - sums[1] + sums[2]) / units if units else None
    else:
        value = (total.value or Fraction(0)) - (gone.value or 0) + (come.value or 0)
    return Tally(value, total.n - gone.n + come.n, units, total.without - gone.without + come.without)
